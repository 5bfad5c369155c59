from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.access import OPERATOR, Person
from core.app import App
from core.clusters.edits.model import ClusterRef, Merge, Move, Pin, Rename
from core.errors import CollectionBusy, CollectionError, NotAllowed, QueryError
from core.records.assets import utc_now
from core.records.ingest_summary import ingest_summary
from core.store.lance.bin import Bin, ids_filter
from core.store.lance.collections import Collections
from core.store.objects.locks import ingest_lock
from tests.fakes.child_processes import FORKS
from tests.fakes.colour_app import colour_app, contents, open_table

STRANGER = Person("Eve", over_loopback=False)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """24 pictures in six shades of four colours."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(24):
        colour = np.eye(4, 3)[number % 4] * 200 + 8 * (number // 4)
        Image.new("RGB", (40, 30), tuple(int(c) for c in colour)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def filled(app: App, many: Path) -> App:
    app.ingest(many, "shades")
    return app


def ids_of(app: App) -> list[str]:
    return sorted(app.titles("shades"))


def test_removed_pictures_are_gone_from_search_clusters_map_and_thumbnails(filled: App) -> None:
    removed, stays = ids_of(filled)[0], ids_of(filled)[1]
    before = filled.version("shades")
    assert len(filled.atlas.map("shades").asset_ids) == 24
    filled.clusters.view("shades", filled.clusters.revision_plan(None))
    assert filled.removal.remove(OPERATOR, "shades", [removed]) == 1
    assert filled.version("shades") != before
    assert removed not in {hit.asset.id for hit in filled.search("red", "shades", 99).hits}
    assert removed not in filled.clusters.view("shades", filled.clusters.revision_plan(None)).asset_ids
    assert removed not in filled.atlas.map("shades").asset_ids
    assert filled.pictures("shades", [removed, stays])[0].asset.id == stays
    assert filled.asset(removed, "shades") is None
    with pytest.raises(QueryError, match="may have been removed"):
        filled.searches.by_asset(OPERATOR, removed, "shades")


def test_another_process_sees_a_removal_at_once(filled: App) -> None:
    other = colour_app(filled.settings.data)
    assert other.size("shades") == 24
    filled.removal.remove(OPERATOR, "shades", ids_of(filled)[:5])
    assert (other.size("shades"), other.searches.browse("shades", 99).matching) == (19, 19)


def test_restored_pictures_are_as_they_were(filled: App) -> None:
    before, version = contents(open_table(filled.settings.data, "shades")), filled.version("shades")
    chosen = ids_of(filled)[3:9]
    filled.removal.remove(Person("Ada", over_loopback=True), "shades", chosen)
    binned = filled.removal.removed("shades")
    assert sorted(r.asset.id for r in binned) == chosen
    assert {r.removed_by for r in binned} == {"Ada"}
    assert filled.removal.restore(OPERATOR, "shades", chosen) == 6
    assert contents(open_table(filled.settings.data, "shades")) == before
    assert filled.version("shades") == version
    assert filled.removal.count_removed("shades") == 0
    assert filled.removal.restore(OPERATOR, "shades", chosen) == 0


def test_unknown_and_malformed_ids_are_passed_over(filled: App) -> None:
    odd = ["f" * 64, "' OR 1=1 --", "", ids_of(filled)[0], ids_of(filled)[0]]
    assert filled.removal.remove(OPERATOR, "shades", odd) == 1
    assert filled.removal.restore(OPERATOR, "shades", odd) == 1
    assert filled.removal.remove(OPERATOR, "shades", []) == 0
    assert filled.size("shades") == 24


def test_the_bin_lists_the_last_removed_first_and_in_portions(filled: App) -> None:
    first, second, third = ids_of(filled)[:3]
    for asset_id in (second, first, third):
        filled.removal.remove(OPERATOR, "shades", [asset_id])
    assert [r.asset.id for r in filled.removal.removed("shades")] == [third, first, second]
    assert [r.asset.id for r in filled.removal.removed("shades", 1, 1)] == [first]


def test_an_ingest_leaves_out_what_was_removed_and_says_so(filled: App, many: Path) -> None:
    chosen = ids_of(filled)[:4]
    filled.removal.remove(OPERATOR, "shades", chosen)
    report = filled.ingest(many, "shades")
    assert (report.added, report.known, report.removed, filled.size("shades")) == (0, 20, 4, 20)
    assert "4 removed before are left out" in ingest_summary(report)
    filled.removal.restore(OPERATOR, "shades", chosen)
    assert filled.ingest(many, "shades").removed == 0


def test_an_emptied_bin_forgets_and_the_same_files_are_new_again(filled: App, many: Path) -> None:
    filled.removal.remove(OPERATOR, "shades", ids_of(filled)[:4])
    assert filled.removal.empty_bin(OPERATOR, "shades") == 4
    assert (filled.removal.count_removed("shades"), filled.removal.removed("shades")) == (0, [])
    assert filled.ingest(many, "shades").added == 4


def test_original_files_stay_where_they_are(filled: App, many: Path) -> None:
    before = {path: path.read_bytes() for path in many.iterdir()}
    filled.removal.remove(OPERATOR, "shades", ids_of(filled))
    filled.removal.empty_bin(OPERATOR, "shades")
    filled.removal.delete(OPERATOR, "shades", "shades")
    assert {path: path.read_bytes() for path in many.iterdir()} == before


def test_all_pictures_can_be_removed(filled: App) -> None:
    assert filled.removal.remove(OPERATOR, "shades", ids_of(filled)) == 24
    assert filled.searches.browse("shades").hits == ()
    assert filled.clusters.view("shades", filled.clusters.revision_plan(None)).clusters == ()
    assert len(filled.atlas.map("shades").asset_ids) == 0


@pytest.mark.parametrize("method", ["remove", "restore", "empty_bin", "delete"])
def test_only_curators_may_do_it(filled: App, method: str) -> None:
    arguments = {"empty_bin": (), "delete": ("shades",)}.get(method, (ids_of(filled)[:1],))
    with pytest.raises(NotAllowed, match="only curators may"):
        getattr(filled.removal, method)(STRANGER, "shades", *arguments)
    assert filled.size("shades") == 24


def test_a_draft_whose_edits_refer_to_removed_pictures_still_opens_and_saves(filled: App) -> None:
    ids = ids_of(filled)
    opened = filled.curation.open(OPERATOR, "shades")
    for edit in (
        Move((ids[0], ids[1]), None),
        Rename(ClusterRef.from_members(ids[:2]), "Pair"),
        Pin((ids[2],), ClusterRef.from_members(ids[:2])),
        Merge((ClusterRef.from_members(ids[4:6]), ClusterRef.from_members(ids[6:8]))),
    ):
        opened = filled.curation.edit(OPERATOR, opened, edit)
    filled.removal.remove(OPERATOR, "shades", [ids[0], ids[2], *ids[4:6]])
    opened = filled.curation.draft(opened.record.id)
    view = filled.clusters.view("shades", opened.plan)
    assert view.partition.unapplied
    saved = filled.curation.save(OPERATOR, opened)
    assert saved.size == 20


def test_a_saved_revision_still_opens_without_the_pictures_that_are_gone(filled: App) -> None:
    saved = filled.curation.save(OPERATOR, filled.curation.open(OPERATOR, "shades"))
    filled.curation.publish(OPERATOR, saved.id, None)
    removed = ids_of(filled)[:6]
    filled.removal.remove(OPERATOR, "shades", removed)
    view = filled.clusters.revision_view(saved)
    assert not set(removed) & set(view.asset_ids)
    assert sum(view.sizes) + (view.labels < 0).sum() == 18
    filled.clusters.diff_revisions(saved.id, saved.id)
    filled.clusters.changes_since(saved.id, view)
    filled.assignments.for_revision("shades", saved)
    assert not filled.model_changed(saved)


def test_a_deleted_collection_leaves_nothing_to_a_new_one_of_its_name(filled: App, pictures: Path) -> None:
    saved = filled.curation.save(OPERATOR, filled.curation.open(OPERATOR, "shades"))
    filled.curation.publish(OPERATOR, saved.id, None)
    filled.curation.open(OPERATOR, "shades")
    filled.removal.delete(OPERATOR, "shades", "shades")
    assert "shades" not in [c.name for c in filled.collections()]
    with pytest.raises(CollectionError, match="there is no collection"):
        filled.search("red", "shades")
    filled.ingest(pictures, "shades")
    assert filled.size("shades") == 3
    assert filled.clusters.revisions.newest("shades") is None
    assert filled.curation.unsaved_draft(OPERATOR, "shades") is None
    assert filled.removal.count_removed("shades") == 0


def test_a_collection_is_deleted_only_if_its_name_is_typed(filled: App) -> None:
    with pytest.raises(CollectionError, match="'shade' is not 'shades'"):
        filled.removal.delete(OPERATOR, "shades", "shade")
    assert filled.size("shades") == 24


def test_a_collection_is_not_deleted_while_something_is_added_to_it(filled: App) -> None:
    with (
        ingest_lock(filled.settings.data / "collections" / "shades"),
        pytest.raises(CollectionBusy, match="another ingest into shades is running"),
    ):
        filled.removal.delete(OPERATOR, "shades", "shades")
    assert filled.size("shades") == 24


def test_what_is_cut_off_between_the_two_commits_has_not_happened(
    filled: App, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ids_of(filled)[:3]
    table = Collections(filled.settings.data / "collections").open("shades")

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    def kill_at_second_call() -> Callable[..., str]:
        answers = iter([ids_filter(chosen)])
        return lambda ids: next(answers, None) or kill()

    with monkeypatch.context() as patch:
        patch.setattr("core.store.lance.table.ids_filter", kill_at_second_call())
        with pytest.raises(Killed):
            table.remove(chosen, "someone", utc_now())
    assert len(table.bin.ids()) == 3
    assert filled.size("shades") == 24
    assert (filled.removal.count_removed("shades"), filled.removal.removed("shades")) == (0, [])
    assert filled.ingest(many, "shades").known == 24
    assert filled.removal.remove(OPERATOR, "shades", chosen) == 3
    with monkeypatch.context() as patch:
        patch.setattr(Bin, "remove", kill)
        with pytest.raises(Killed):
            filled.removal.restore(OPERATOR, "shades", chosen)
    assert (filled.size("shades"), filled.removal.count_removed("shades")) == (24, 0)
    assert filled.removal.remove(OPERATOR, "shades", chosen) == 3
    assert (filled.size("shades"), filled.removal.count_removed("shades")) == (21, 3)


def remove_and_restore_for_ever(data: Path, ready: Event) -> None:
    app = colour_app(data)
    ids = sorted(app.titles("shades"))
    ready.set()
    while True:
        app.removal.remove(OPERATOR, "shades", ids[:12])
        app.removal.restore(OPERATOR, "shades", ids[:12])


def test_a_process_killed_while_it_removes_and_puts_back_loses_and_doubles_nothing(filled: App) -> None:
    data, ids = filled.settings.data, ids_of(filled)
    everything = contents(open_table(data, "shades"))
    for delay_ms in (5, 30, 60, 90, 120, 160):
        ready = FORKS.Event()
        child = FORKS.Process(target=remove_and_restore_for_ever, args=(data, ready))
        child.start()
        assert ready.wait(60)
        time.sleep(delay_ms / 1000)
        child.kill()
        child.join()
        there, binned = set(filled.titles("shades")), {r.asset.id for r in filled.removal.removed("shades", 0, 99)}
        assert there | binned == set(ids)
        assert not there & binned
        assert set(ids[12:]) <= there
        filled.removal.restore(OPERATOR, "shades", ids)
        assert contents(open_table(data, "shades")) == everything
