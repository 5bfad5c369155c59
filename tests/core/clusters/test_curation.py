from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.access import OPERATOR, Person
from core.app import App
from core.clusters.curation import CurationService, OpenDraft, cluster_name, clustering_from_view
from core.clusters.edits.model import (
    SAMPLE_SIZE,
    ClearBranch,
    ClusterRef,
    Describe,
    Edit,
    MarkNoGroup,
    Merge,
    Move,
    Pin,
    Rename,
    SetBranch,
    SetMinClusterSize,
    SetThreshold,
    Unpin,
)
from core.clusters.edits.plan import Plan, apply
from core.clusters.tree.branches import branch_at
from core.clusters.views.cluster_view import ClusterBase, build_view
from core.clusters.views.naming import NameSuggestion
from core.errors import ClusterError, NameMissing, NotAllowed
from core.records.clusterings import DraftConflict, Revision, RevisionConflict
from core.records.sessions import Account
from core.settings import Secret, Settings
from core.store.lance.collections import Collections
from tests.core.clusters.test_cluster_view import BASES, complete_base
from tests.fakes.colour_app import colour_app
from tests.fakes.dendrograms import IDS, PLANS
from tests.fakes.encoder import ColourEncoder
from tests.fakes.painted import add, paint

ADA, BOB, EVE = Person("Ada", over_loopback=True), Person("Bob", over_loopback=True), Person("Eve")
NAMELESS = Person(over_loopback=True)


@pytest.fixture
def data(painted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(painted, tmp_path / "data"))


@pytest.fixture
def app(data: Path) -> App:
    return colour_app(data)


def largest(app: App, opened: OpenDraft) -> ClusterRef:
    """A reference to the largest cluster of a draft."""
    return app.clusters.view("c", opened.plan, opened.record.parent).partition.ref(0)


def renamed(app: App, person: Person, name: str) -> OpenDraft:
    """A draft of this person in which the largest cluster has this name."""
    opened = app.curation.open(person, "c")
    return app.curation.edit(person, opened, Rename(largest(app, opened), name))


def saved(app: App, person: Person, name: str) -> Revision:
    return app.curation.save(person, renamed(app, person, name))


def names(app: App, revision: Revision) -> list[str]:
    return [c.name for c in app.clusters.clustering(revision.id).clusters if c.confirmed]


def stored_rows(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that curators write."""
    with sqlite3.connect(data / "contactsheet.db") as db:
        tables = ("revisions", "revision_clusters", "published", "publications", "drafts", "asset_lists")
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


# -- access -----------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[CurationService, Person, OpenDraft, Revision], object]] = {
    "open": lambda curation, person, draft, revision: curation.open(person, "c"),
    "edit": lambda curation, person, draft, revision: curation.edit(person, draft, SetThreshold(0.7)),
    "an edit that changes nothing": lambda curation, person, draft, revision: curation.edit(
        person, draft, SetThreshold(draft.plan.threshold)
    ),
    "an edit that is not possible": lambda curation, person, draft, revision: curation.edit(
        person, draft, SetThreshold(7)
    ),
    "undo": lambda curation, person, draft, revision: curation.undo(person, draft),
    "redo": lambda curation, person, draft, revision: curation.redo(person, draft),
    "discard": lambda curation, person, draft, revision: curation.discard(person, draft),
    "hand_over": lambda curation, person, draft, revision: curation.hand_over(person, draft, person),
    "take_over": lambda curation, person, draft, revision: curation.take_over(person, draft),
    "rebase": lambda curation, person, draft, revision: curation.rebase(person, draft),
    "save": lambda curation, person, draft, revision: curation.save(person, draft),
    "save_plan": lambda curation, person, draft, revision: curation.save_plan(person, "c", Plan(0.7), revision.id),
    "publish": lambda curation, person, draft, revision: curation.publish(person, revision.id, None),
    "restore": lambda curation, person, draft, revision: curation.restore(person, revision.id),
    "name_revision": lambda curation, person, draft, revision: curation.name_revision(person, revision.id, "keep"),
    "prune": lambda curation, person, draft, revision: curation.prune(person, "c", 1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_only_curators_write(app: App, data: Path, write: Callable[..., object]) -> None:
    revision, draft = saved(app, ADA, "Fire"), renamed(app, ADA, "Flames")
    before = stored_rows(data)
    with pytest.raises(NotAllowed, match=r"only (curators|admins) may"):
        write(app.curation, EVE, draft, revision)
    assert stored_rows(data) == before


def test_every_writing_method_is_covered() -> None:
    reads = {"draft", "unsaved_draft"}
    assert {name for name in vars(CurationService) if not name.startswith("_")} - reads <= WRITES.keys()


def test_only_the_curator_key_makes_a_curator_of_someone_elsewhere(data: Path) -> None:
    settings = Settings(data=data, model="local-dir:colour", model_is_explicit=True, curator_key=Secret("key"))
    app = App(settings, Collections(data / "collections"), lambda *_: ColourEncoder())
    with pytest.raises(NotAllowed, match="only curators may change clusters: enter the curator key"):
        app.curation.open(ADA, "c")
    assert app.curation.open(Person("Eve", key=Secret("key")), "c").record.author == "Eve"


@pytest.mark.parametrize("name", ["edit", "undo", "redo", "discard", "hand_over", "rebase", "save"])
@pytest.mark.parametrize("owner", [ADA, NAMELESS], ids=["Ada", "no name"])
@pytest.mark.parametrize("other", [BOB, NAMELESS, Person("ada", over_loopback=True)], ids=["Bob", "no name", "ada"])
def test_a_draft_is_written_by_its_owner_alone(app: App, data: Path, name: str, owner: Person, other: Person) -> None:
    revision, draft = saved(app, ADA, "Fire"), app.curation.undo(owner, renamed(app, owner, "Flames"))
    before = stored_rows(data)
    if other.identity != owner.identity:
        with pytest.raises(NotAllowed, match=f"this draft is {owner.author}’s, not {other.author}’s"):
            WRITES[name](app.curation, other, draft, revision)
        assert stored_rows(data) == before
    if name == "save" and owner is NAMELESS:
        with pytest.raises(NameMissing, match="give your name first"):
            WRITES[name](app.curation, owner, draft, revision)
        assert stored_rows(data) == before
    elif name != "undo":  # all is undone
        WRITES[name](app.curation, owner, draft, revision)
        assert stored_rows(data) != before


def test_those_without_a_name_share_their_drafts_also_after_a_restart(app: App, data: Path) -> None:
    draft = renamed(app, NAMELESS, "Fire")
    again = colour_app(data).curation
    assert again.unsaved_draft(NAMELESS, "c") == draft
    assert again.undo(NAMELESS, draft).history.can_redo


def test_a_draft_goes_on_under_the_name_that_its_owner_gives_it(app: App) -> None:
    draft = renamed(app, NAMELESS, "Fire")
    theirs = app.curation.hand_over(NAMELESS, draft, ADA)
    assert (theirs.record.author, theirs.plan) == ("Ada", draft.plan)
    assert app.curation.unsaved_draft(NAMELESS, "c") is None
    assert app.curation.unsaved_draft(ADA, "c") == theirs
    with pytest.raises(DraftConflict):
        app.curation.edit(NAMELESS, draft, SetThreshold(0.7))  # a window that has not noticed
    assert app.curation.save(ADA, theirs).author == "Ada"


def test_an_admin_may_take_a_draft_over_and_a_curator_may_not(data: Path) -> None:
    settings = Settings(data=data, model="local-dir:colour", model_is_explicit=True, curator_key=Secret("key"))
    app = App(settings, Collections(data / "collections"), lambda *_: ColourEncoder())
    ada, bob = Person("Ada", key=Secret("key")), Person("Bob", key=Secret("key"))
    draft = renamed(app, ada, "Fire")
    with pytest.raises(NotAllowed, match="only admins may take over a draft of someone else"):
        app.curation.take_over(bob, draft)
    theirs = app.curation.take_over(Person("Cleo", key=Secret("key"), over_loopback=True), draft)
    assert (theirs.record.author, theirs.plan) == ("Cleo", draft.plan)
    with pytest.raises(NotAllowed, match="this draft is Cleo’s, not Ada’s"):
        app.curation.undo(ada, theirs)


def test_two_accounts_of_one_name_do_not_share_drafts(app: App) -> None:
    ann, other = (Person(account=Account(f"https://id.example {n}", "Ann"), is_operator=True) for n in (1, 2))
    draft = renamed(app, ann, "Fire")
    assert app.curation.unsaved_draft(ann, "c") == draft
    assert app.curation.unsaved_draft(other, "c") is app.curation.unsaved_draft(Person("Ann"), "c") is None


def test_those_without_a_name_share_no_drafts_across_computers(app: App) -> None:
    here, there = replace(NAMELESS, is_operator=True), Person(visitor="192.168.1.7", is_operator=True)
    draft = renamed(app, there, "Fire")
    assert app.curation.unsaved_draft(replace(there, visitor="192.168.1.8"), "c") is None
    assert app.curation.unsaved_draft(here, "c") is None
    assert app.curation.unsaved_draft(there, "c") == draft


def test_anyone_may_read_a_draft(app: App) -> None:
    draft = renamed(app, ADA, "Fire")
    assert app.curation.draft(draft.record.id) == draft
    with pytest.raises(ClusterError, match="there is no draft 'gone'"):
        app.curation.draft("gone")


# -- drafts ----------------------------------------------------------------------------------------------------


def test_unsaved_work_is_resumed_after_a_restart(app: App, data: Path) -> None:
    draft = renamed(app, ADA, "Fire")
    again = colour_app(data)
    assert again.curation.unsaved_draft(ADA, "c") == draft
    assert again.curation.open(ADA, "c") == draft
    assert again.curation.unsaved_draft(BOB, "c") is None


def test_undone_edits_are_unsaved_work_too(app: App, data: Path) -> None:
    undone = app.curation.undo(ADA, renamed(app, ADA, "Fire"))
    resumed = colour_app(data).curation.open(ADA, "c")
    assert resumed == undone
    assert app.curation.redo(ADA, resumed).history.can_undo


def test_without_unsaved_work_a_draft_starts_on_the_newest_revision(app: App) -> None:
    revision = saved(app, BOB, "Fire")
    draft = app.curation.open(ADA, "c")
    assert (draft.record.parent, draft.record.author) == (revision.id, "Ada")
    assert draft.plan == app.clusters.revision_plan(revision)
    newer = saved(app, BOB, "Flames")
    assert app.curation.open(ADA, "c").record.parent == newer.id


def test_opening_repeatedly_leaves_one_draft(app: App, data: Path) -> None:
    assert len({app.curation.open(ADA, "c").record.id for _ in range(5)}) == 1
    assert len(stored_rows(data)["drafts"]) == 1


def test_every_change_of_a_draft_is_written_at_once(app: App) -> None:
    def stored(draft: OpenDraft) -> OpenDraft:
        return app.curation.draft(draft.record.id)

    draft = renamed(app, ADA, "Fire")
    assert stored(draft) == draft
    for change in (app.curation.undo, app.curation.redo):
        draft = change(ADA, draft)
        assert stored(draft) == draft
    for threshold in (0.7, 0.71, 0.72):
        draft = app.curation.edit(ADA, draft, SetThreshold(threshold), coalesce=True)
    assert stored(draft) == draft
    assert len(draft.history.done) == 2
    assert app.curation.undo(ADA, draft).plan.threshold == 0.82


def test_an_impossible_edit_leaves_the_draft_unchanged(app: App, data: Path) -> None:
    draft = renamed(app, ADA, "Fire")
    before = stored_rows(data)
    with pytest.raises(ClusterError, match="a threshold of 7 is not possible"):
        app.curation.edit(ADA, draft, SetThreshold(7))
    with pytest.raises(ClusterError, match="nothing has been undone"):
        app.curation.redo(ADA, draft)
    assert app.curation.edit(ADA, draft, SetThreshold(0.82)) is draft
    assert stored_rows(data) == before


def test_of_two_windows_on_one_draft_the_second_gets_a_conflict_and_loses_nothing(app: App) -> None:
    draft = renamed(app, ADA, "Fire")
    first = app.curation.edit(ADA, draft, SetThreshold(0.7))
    with pytest.raises(DraftConflict, match="was changed elsewhere") as conflict:
        app.curation.edit(ADA, draft, SetMinClusterSize(3))
    current = app.curation.draft(conflict.value.current.id)
    assert current == first
    both = app.curation.edit(ADA, current, SetMinClusterSize(3))
    assert (both.plan.threshold, both.plan.min_cluster_size) == (0.7, 3)


def test_an_outdated_window_does_not_overwrite_the_other(app: App) -> None:
    draft = renamed(app, ADA, "Fire")
    ahead = app.curation.edit(ADA, draft, SetThreshold(0.7))
    with pytest.raises(DraftConflict, match="was changed elsewhere"):
        app.curation.save(ADA, draft)
    assert app.clusters.revisions.newest("c") is None
    assert app.curation.draft(draft.record.id) == ahead
    assert app.curation.save(ADA, ahead).threshold == 0.7


def test_edits_from_another_window_during_a_save_are_kept(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = renamed(app, ADA, "Fire")
    save_plan = CurationService.save_plan

    def slowly(*arguments: Any) -> Revision:
        revision = save_plan(*arguments)
        app.curation.edit(ADA, draft, SetThreshold(0.7))
        return revision

    monkeypatch.setattr(CurationService, "save_plan", slowly)
    assert names(app, app.curation.save(ADA, draft)) == ["Fire"]
    left = app.curation.unsaved_draft(ADA, "c")
    assert left is not None
    assert left.plan.threshold == 0.7


def test_a_draft_that_another_window_saved_cannot_be_saved_again(app: App) -> None:
    draft = renamed(app, ADA, "Fire")
    app.curation.save(ADA, draft)
    with pytest.raises(ClusterError, match="it was saved or discarded"):
        app.curation.save(ADA, draft)
    assert len(app.clusters.revisions.list("c")) == 1


def test_a_discarded_draft_is_gone(app: App) -> None:
    draft = renamed(app, ADA, "Fire")
    app.curation.discard(ADA, draft)
    assert app.curation.unsaved_draft(ADA, "c") is None
    with pytest.raises(ClusterError, match="there is no draft"):
        app.curation.edit(ADA, draft, SetThreshold(0.7))


# -- saving ----------------------------------------------------------------------------------------------------


def test_saving_deletes_the_draft_and_records_the_author(app: App) -> None:
    ada = Person("  Ada   L. ", over_loopback=True)
    revision = app.curation.save(ada, renamed(app, ada, "Fire"), "first")
    assert (revision.author, revision.note, revision.parent, revision.threshold) == ("Ada L.", "first", None, 0.82)
    assert (revision.size, revision.cluster_count, revision.named_count) == (8, 2, 1)
    assert revision.collection_version == app.version("c")
    assert app.curation.unsaved_draft(ADA, "c") is None
    assert app.curation.open(ADA, "c").record.parent == revision.id


def test_a_clustering_is_saved_as_it_is_shown(app: App) -> None:
    draft = renamed(app, ADA, "Fire")
    view = app.clusters.view("c", draft.plan)
    clustering = app.clusters.clustering(app.curation.save(ADA, draft).id)
    place = dict(zip(view.asset_ids, view.labels.tolist(), strict=True))
    assert [place[i] for i in clustering.asset_ids] == clustering.labels.tolist()
    for number, record in enumerate(clustering.clusters):
        assert (record.id, record.size) == (view.clusters[number].id, view.sizes[number])
        assert record.centroid == pytest.approx(view.statistics.centroids[number])
        assert record.sample_ids == view.partition.ref(number).sample_ids
        assert view.asset_ids[int(view.statistics.representatives[number])] == record.representative
    assert (clustering.clusters[0].name, clustering.clusters[0].confirmed) == ("Fire", True)
    assert clustering.clusters[1].confirmed is False


def test_of_two_who_save_the_second_gets_a_conflict_and_can_rebase(app: App) -> None:
    first = saved(app, BOB, "Fire")
    ada, bob = app.curation.open(ADA, "c"), app.curation.open(BOB, "c")
    ada = app.curation.edit(ADA, ada, SetMinClusterSize(3))
    ada = app.curation.edit(ADA, ada, Describe(largest(app, ada), "warm"))
    bob = app.curation.edit(BOB, bob, Rename(largest(app, bob), "Flames"))
    second = app.curation.save(BOB, bob)
    with pytest.raises(RevisionConflict, match=f"Bob saved revision {second.id} of c after yours") as conflict:
        app.curation.save(ADA, ada)
    assert conflict.value.newest.id == second.id
    assert app.curation.open(ADA, "c") == ada
    rebased = app.curation.rebase(ADA, ada)
    assert rebased.unapplied == ()
    assert (rebased.draft.record.parent, rebased.draft.plan.min_cluster_size) == (second.id, 3)
    third = app.curation.save(ADA, rebased.draft)
    assert (third.parent, third.author, names(app, third)) == (second.id, "Ada", ["Flames"])
    assert app.clusters.clustering(third.id).clusters[0].description == "warm"
    assert first.id < second.id < third.id


def test_the_old_draft_does_not_come_back_after_the_rebased_one_is_saved(app: App) -> None:
    ada = renamed(app, ADA, "Fire")
    saved(app, BOB, "Flames")
    rebased = app.curation.rebase(ADA, ada)
    assert app.curation.unsaved_draft(ADA, "c") == rebased.draft
    app.curation.save(ADA, rebased.draft)
    assert app.curation.unsaved_draft(ADA, "c") is None


def test_edits_that_cannot_be_rebased_are_listed_and_the_old_draft_stays(app: App) -> None:
    opened = app.curation.open(BOB, "c")
    base = app.clusters.base("c")
    assert base is not None
    node = app.clusters.view("c", opened.plan).clusters[0].node
    assert node is not None
    branch = branch_at(base.linkage, base.index, node, 0.9)
    pinned = Pin((min(app.titles("c")),), largest(app, opened))
    for edit in (SetBranch(branch), pinned):
        opened = app.curation.edit(BOB, opened, edit)
    app.curation.save(BOB, opened)
    ada = app.curation.open(ADA, "c")
    mine: list[Edit] = [ClearBranch(branch.leaf_ids), Unpin(pinned.asset_ids), SetThreshold(0.7)]
    for edit in mine:
        ada = app.curation.edit(ADA, ada, edit)
    bob = app.curation.open(BOB, "c")
    for edit in mine[:2]:
        bob = app.curation.edit(BOB, bob, edit)
    app.curation.save(BOB, bob)
    rebased = app.curation.rebase(ADA, ada)
    assert [edit for edit, _ in rebased.unapplied] == mine[:2]
    assert "nothing to clear" in rebased.unapplied[0][1]
    assert rebased.draft.plan.threshold == 0.7
    assert app.curation.draft(ada.record.id) == ada


def test_curators_who_save_at_the_same_time_lose_nothing(app: App, data: Path) -> None:
    people = [Person(f"Person {number}", over_loopback=True) for number in range(4)]
    drafts = [renamed(app, who, f"Name {number}") for number, who in enumerate(people)]

    def save(place: int) -> Revision | None:
        try:
            return colour_app(data).curation.save(people[place], drafts[place])
        except RevisionConflict:
            return None

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(save, range(4)))
    (winner,) = [place for place, revision in enumerate(outcomes) if revision]
    for place, who in enumerate(people):
        assert app.curation.unsaved_draft(who, "c") == (None if place == winner else drafts[place])


def test_new_pictures_are_part_of_what_is_saved(app: App, tmp_path: Path) -> None:
    draft = renamed(app, ADA, "Fire")
    add(app, tmp_path, "red", 2)
    clustering = app.clusters.clustering(app.curation.save(ADA, draft).id)
    assert (clustering.clusters[0].name, clustering.clusters[0].size) == ("Fire", 6)


def test_a_plan_is_saved_on_the_newest_revision_only(app: App) -> None:
    first = app.curation.save_plan(ADA, "c", Plan(0.7), None, "note")
    assert (first.threshold, first.note, first.author) == (0.7, "note", "Ada")
    with pytest.raises(RevisionConflict, match=f"Ada saved revision {first.id}"):
        app.curation.save_plan(BOB, "c", Plan(0.6), None)


@pytest.mark.parametrize("pictures", [0, 1])
def test_an_empty_collection_and_one_of_one_picture_can_be_curated(app: App, tmp_path: Path, pictures: int) -> None:
    (tmp_path / "few").mkdir()
    paint(tmp_path / "few", "red", 1)
    app.ingest(tmp_path / "few", "few")
    if not pictures:
        app.removal.remove(OPERATOR, "few", list(app.titles("few")))
    draft = app.curation.edit(ADA, app.curation.open(ADA, "few"), SetThreshold(0.5))
    revision = app.curation.save(ADA, draft)
    assert (revision.size, revision.cluster_count) == (pictures, 0)
    assert app.clusters.clustering(revision.id).labels.tolist() == [-1] * pictures
    assert app.clusters.revision_view(revision).clusters == ()
    app.curation.publish(ADA, revision.id, None)
    add_to = tmp_path / "more"
    paint(add_to, "red", 3, first=10)
    app.ingest(add_to, "few")
    assert {a.cluster_id[:1] for a in app.assignments.for_revision("few", revision)} == {"n"}
    assert len({a.cluster_id for a in app.assignments.for_revision("few", revision)}) == 1


# -- revisions -------------------------------------------------------------------------------------------------


def test_publishing_requires_the_currently_published_revision(app: App) -> None:
    first, second = saved(app, ADA, "Fire"), saved(app, ADA, "Flames")
    assert app.curation.publish(ADA, first.id, None).published
    with pytest.raises(RevisionConflict, match=f"revision {first.id} of c was published meanwhile"):
        app.curation.publish(BOB, second.id, None)
    app.curation.publish(BOB, second.id, first.id)
    published = app.clusters.revisions.published("c")
    assert published is not None
    assert published.id == second.id
    assert [p.author for p in app.clusters.revisions.publications("c")] == ["Bob", "Ada"]


def test_an_old_revision_is_restored_as_the_newest(app: App) -> None:
    first, second = saved(app, ADA, "Fire"), saved(app, ADA, "Flames")
    restored = app.curation.restore(BOB, first.id)
    assert (restored.parent, restored.author, restored.note) == (second.id, "Bob", f"revision {first.id} again")
    assert names(app, restored) == ["Fire"]
    assert app.clusters.diff_revisions(first.id, restored.id).renamed == ()
    assert app.curation.open(ADA, "c").plan == app.clusters.revision_plan(first)
    assert app.curation.restore(BOB, first.id, "as it was").note == "as it was"
    with pytest.raises(ClusterError, match="there is no revision 99"):
        app.curation.restore(BOB, 99)


def test_pruning_keeps_revisions_published_named_or_being_edited(app: App) -> None:
    revisions = [saved(app, ADA, f"Name {number}") for number in range(6)]
    app.curation.publish(ADA, revisions[0].id, None)
    app.curation.name_revision(ADA, revisions[1].id, " for  the book ")
    assert app.curation.prune(ADA, "c", 2) == 2
    kept = [(r.id, r.name, r.published) for r in app.clusters.revisions.list("c")]
    assert kept == [
        (revisions[5].id, "", False),
        (revisions[4].id, "", False),
        (revisions[1].id, "for the book", False),
        (revisions[0].id, "", True),
    ]
    app.curation.name_revision(ADA, revisions[1].id, "")
    draft = app.curation.open(BOB, "c")
    saved(app, ADA, "Newest")
    assert app.curation.prune(ADA, "c", 1) == 2
    assert app.curation.draft(draft.record.id).record.parent == revisions[5].id
    with pytest.raises(ClusterError, match="keep 1 or more, not 0"):
        app.curation.prune(ADA, "c", 0)


def test_the_number_of_revisions_is_limited(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.clusters.curation.MAX_REVISIONS", 2)
    revisions = [saved(app, ADA, f"Name {number}") for number in range(4)]
    assert [r.id for r in app.clusters.revisions.list("c")] == [r.id for r in revisions[:1:-1]]


# -- the clustering of a view -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(BASES, PLANS, st.booleans())
def test_every_view_can_be_saved(base: ClusterBase, plan: Plan, suggested: bool) -> None:
    view = build_view(base, plan)
    guess = NameSuggestion("Guess", 0.5, "words") if suggested else None
    clustering = clustering_from_view(view, [guess] * len(view.clusters))
    clustering.validate()
    where = {
        i: (view.clusters[label].id if label >= 0 else None)
        for i, label in zip(view.asset_ids, view.labels.tolist(), strict=True)
    }
    records = [*clustering.clusters, None]
    for asset, label in zip(clustering.asset_ids, clustering.labels.tolist(), strict=True):
        record = records[label]
        assert where[asset] == (record.id if record else None)
    for record in clustering.clusters:
        members = sorted(asset for asset, cluster in where.items() if cluster == record.id)
        assert (record.size, record.sample_ids) == (len(members), tuple(members[:SAMPLE_SIZE]))
        assert record.representative in members
        assert record.name or not suggested


def test_members_that_cancel_out_still_have_a_unit_centroid() -> None:
    base = complete_base(2, 1)
    base.snapshot.vectors[1] = -base.snapshot.vectors[0]
    view = build_view(base, Plan(-1.0))
    clustering = clustering_from_view(view, [None])
    clustering.validate()
    assert np.abs(clustering.clusters[0].centroid) == pytest.approx(np.abs(base.snapshot.vectors[0]))


def test_a_given_name_takes_precedence_over_a_suggested_one() -> None:
    ids = IDS[:4]
    plan = apply(Plan(1.0, min_cluster_size=2), Move(ids[:2], None))
    plan = apply(apply(plan, Move(ids[2:], None)), Rename(ClusterRef.from_members(ids[:2]), "Given"))
    clusters = build_view(complete_base(4, 1), plan).clusters
    guess = NameSuggestion("Guess", 0.5, "looks")
    assert {cluster_name(cluster, guess) for cluster in clusters} == {"Given", "Guess"}
    assert {cluster_name(cluster, None) for cluster in clusters} == {"Given", ""}


def test_merges_and_marks_pass_from_the_draft_into_the_revision(app: App) -> None:
    draft = app.curation.open(ADA, "c")
    view = app.clusters.view("c", draft.plan)
    refs = (view.partition.ref(0), view.partition.ref(1))
    draft = app.curation.edit(ADA, draft, Merge(refs))
    draft = app.curation.edit(ADA, draft, MarkNoGroup(largest(app, draft), True))
    (record,) = app.clusters.clustering(app.curation.save(ADA, draft).id).clusters
    assert (record.size, record.no_group) == (7, True)
