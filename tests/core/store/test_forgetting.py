"""A deleted collection leaves nothing that a new one of its name inherits, wherever its deletion was cut off."""

from __future__ import annotations

import importlib
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.access import OPERATOR, Person
from core.app import App
from core.errors import CollectionBusy, CollectionError, JobError, NotAllowed, StoreError
from core.jobs.background import BackgroundJobs
from core.quality.judging import Vote
from core.records.evaluations import EvaluationRun
from core.records.jobs import Failure, Progress
from core.store.objects.collection_folders import CollectionFolders
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.locks import ingest_lock
from core.store.objects.map_files import MapFiles, StoredMap
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.event_log import EventLog
from core.store.sql.job_store import JobStore
from core.store.sql.judgement_store import JudgementStore
from core.store.sql.ranking_cache import RankingCache
from core.store.sql.revision_store import RevisionStore
from core.store.sql.run_store import RunStore
from core.store.sql.spend_store import Budgets, SpendStore
from tests.fakes.colour_app import colour_app

ADA, QUERY, PATH = Person("Ada", over_loopback=True), "a violet evening", "/srv/secret place/"
# Every store that forgets, in no order; of the folders there are three.
STORES: list[tuple[type, int]] = [
    *((store, 1) for store in (BackgroundJobs, DraftStore, AssignmentStore, RevisionStore, JudgementStore, RunStore)),
    *((store, 1) for store in (RankingCache, EventLog, JobStore)),
    *((CollectionFolders, number) for number in (1, 2, 3)),
]


class Killed(BaseException):
    """Nothing catches it, as nothing catches the end of a process."""


def database(app: App) -> Database:
    return Database(app.settings.data / "contactsheet.db")


def jobs(app: App) -> JobStore:
    return JobStore(database(app))


def fill(app: App, name: str, pictures: Path) -> str:
    """A collection about which every store has something; returns the id of a picture in its bin."""
    data = app.settings.data
    app.ingest(pictures, name)
    ids = sorted(app.titles(name))
    saved = app.curation.save(ADA, app.curation.open(ADA, name))
    app.curation.publish(ADA, saved.id, None)
    app.curation.open(ADA, name)
    assignments = AssignmentStore(database(app))
    assignments.add(name, saved.id, [(ids[0], "c1", 0.9)])
    coordinates, fitted = np.zeros((len(ids), 2), np.float32), np.ones(len(ids), bool)
    MapFiles(data / "maps" / name).put(StoredMap(app.version(name), tuple(ids), coordinates, fitted, 0))
    (data / "unsplash" / name / "photos").mkdir(parents=True)
    app.search(QUERY, name)
    app.quality.judging.judge(ADA, name, QUERY, Vote(ids[0], True, "vector", 1))
    app.quality.runs.save(run_of(name))
    RankingCache(database(app)).put((QUERY, name), [{"number": 1, "score": 1.0, "reason": QUERY}], name)
    job = jobs(app).add("ingest", name, {"folder": PATH}, "Ada")
    jobs(app).start(job.id)
    jobs(app).end(job.id, "done", f"1 skipped of {PATH}", failures=[Failure(f"{PATH}a.jpg", "cannot be decoded")])
    (data / "jobs").mkdir(exist_ok=True)
    (data / "jobs" / f"{job.id}.log").write_text(f"{PATH}a.jpg")
    app.removal.remove(ADA, name, ids[:1])
    return ids[0]


def run_of(collection: str) -> EvaluationRun:
    return EvaluationRun(
        id=0,
        name=f"before {collection}",
        at=datetime(2026, 11, 20, tzinfo=UTC),
        model="colour",
        checkpoint="1",
        collection=collection,
        collection_version="v",
        ranker="vector",
        labels=QUERY,
        digest="d",
        absent=0,
        unanswerable=0,
        seconds=1.0,
        outcomes=(),
    )


def state(app: App, name: str) -> dict[str, Any]:
    """All that pages show of a collection beside its pictures."""
    data, revisions = app.settings.data, app.clusters.revisions
    newest = revisions.newest(name)
    return {
        "revision": newest.note if newest else None,
        "published": revisions.published(name) is not None,
        "publications": len(revisions.publications(name)),
        "drafts": len(DraftStore(database(app)).list(name)),
        "thumbs": app.quality.judging.votes(ADA, name, QUERY),
        "tallies": JudgementStore(data / "judgements.db").tallies(name),
        "runs": [row.name for row in app.quality.runs.latest() if row.collection == name],
        "ranking": RankingCache(database(app)).get((QUERY, name)),
        "jobs": [job.message for job in app.library.jobs() if job.collection == name],
        "last job": app.condition(name).last_job,
        "bin": app.removal.count_removed(name),
        "linkage": LinkageFiles(data / "linkages" / name).latest_version(),
        "map": MapFiles(data / "maps" / name).latest(),
        "photos": (data / "unsplash" / name).exists(),
        "queries": [e.detail for e in app.events.latest(1_000) if e.collection == name and "query" in e.detail],
    }


NOTHING = {
    "revision": None,
    "published": False,
    "publications": 0,
    "drafts": 0,
    "thumbs": {},
    "tallies": [],
    "runs": [],
    "ranking": None,
    "jobs": [],
    "last job": None,
    "bin": 0,
    "linkage": None,
    "map": None,
    "photos": False,
    "queries": [],
}


def texts(data: Path) -> str:
    """Every value of every table of every database, and the output of every job."""
    found = [path.read_text() for path in data.glob("jobs/*.log")]
    for path in data.glob("*.db"):
        with sqlite3.connect(path) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in db.execute(f"SELECT * FROM {table}"):
                    found += [text_of(value) for value in row]
        db.close()
    return "\n".join(found)


def text_of(value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return zlib.decompress(value).decode("utf-8", "replace")
    except zlib.error:
        return value.decode("utf-8", "replace")


@pytest.fixture
def filled(app: App, pictures: Path) -> App:
    fill(app, "c", pictures)
    return app


def test_the_filled_collection_has_something_in_every_store(filled: App) -> None:
    found = state(filled, "c")
    assert [name for name, value in found.items() if value == NOTHING[name]] == []
    assert QUERY in texts(filled.settings.data)
    assert PATH in texts(filled.settings.data)


def test_a_new_collection_of_the_name_inherits_nothing(filled: App, pictures: Path) -> None:
    filled.removal.delete(ADA, "c", "c")
    assert filled.ingest(pictures, "c").added == 3
    assert state(filled, "c") == NOTHING
    assert state(colour_app(filled.settings.data), "c") == NOTHING


def test_no_query_no_path_and_no_reason_of_a_deleted_collection_is_left(filled: App) -> None:
    filled.removal.delete(ADA, "c", "c")
    left = texts(filled.settings.data)
    assert QUERY not in left
    assert PATH not in left
    assert not (filled.settings.data / "collections" / "c").exists()


def test_the_audit_log_stays_without_a_query_a_title_or_a_path(filled: App, tmp_path: Path) -> None:
    secret = tmp_path / QUERY
    with pytest.raises(CollectionError, match=QUERY):
        filled.removal.delete(ADA, "c", QUERY)
    with pytest.raises(NotAllowed, match=QUERY):
        filled.library.add_folder(ADA, secret, "c")
    revision = filled.curation.save(ADA, filled.curation.open(ADA, "c"), f"renamed {QUERY} of {PATH}")
    filled.curation.name_revision(ADA, revision.id, QUERY)
    before = list(filled.audit.entries(OPERATOR))
    filled.removal.delete(ADA, "c", "c")
    deletion, *earlier = filled.audit.entries(OPERATOR)
    assert earlier == before
    assert (deletion.action, deletion.collection, deletion.outcome) == ("delete collection", "c", "done")
    assert [entry.action for entry in reversed(before)] == [
        "save",
        "publish",
        "remove",
        "delete collection",
        "add pictures",
        "save",
        "name revision",
    ]
    left = texts(filled.settings.data)
    assert QUERY not in left
    assert PATH not in left


def test_other_collections_keep_everything(filled: App, pictures: Path) -> None:
    fill(filled, "d", pictures)
    before = state(filled, "d")
    filled.removal.delete(ADA, "c", "c")
    assert str(state(filled, "d")) == str(before)
    assert filled.search(QUERY, "d").hits


def test_money_and_counts_stay(filled: App) -> None:
    spend = SpendStore(database(filled), Budgets(2, 30))
    spend.settle(int(spend.reserve(0.5)), 0.25)
    year = (datetime.now(UTC) - timedelta(days=300), datetime.now(UTC) + timedelta(days=1))
    before = (filled.events.window(*year), filled.monitor.jobs_by_state(), spend.spent())
    filled.removal.delete(ADA, "c", "c")
    after = (filled.events.window(*year), filled.monitor.jobs_by_state(), spend.spent())
    assert (after[0].requests, after[0].total_usd, after[0].images) == (
        before[0].requests,
        before[0].total_usd,
        before[0].images,
    )
    assert after[1:] == before[1:]


@pytest.mark.parametrize(("store", "call"), STORES)
def test_a_deletion_that_was_cut_off_between_two_stores_is_done_again(
    filled: App, pictures: Path, monkeypatch: pytest.MonkeyPatch, store: type, call: int
) -> None:
    calls = list[str]()
    forget: Callable[[Any, str], None] = store.forget  # type: ignore[attr-defined]

    def cut_off(self: object, collection: str) -> None:
        calls.append(collection)
        if len(calls) == call:
            raise Killed
        forget(self, collection)

    with monkeypatch.context() as patched:
        patched.setattr(store, "forget", cut_off)
        with pytest.raises(Killed):
            filled.removal.delete(ADA, "c", "c")
    assert len(calls) == call
    again = colour_app(filled.settings.data)
    assert again.size("c") == 2  # it is still listed with its pictures, so that it can be deleted again
    again.removal.delete(ADA, "c", "c")
    assert again.ingest(pictures, "c").added == 3
    assert state(again, "c") == NOTHING


def test_a_deletion_that_was_cut_off_among_its_files_leaves_no_bin(
    filled: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def cut_off(folder: Path, *rest: Any) -> None:
        if folder.name.startswith(".c.deleted-"):
            raise Killed
        remove(folder, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(Killed):
            filled.removal.delete(ADA, "c", "c")
    assert "c" not in filled.existing_collections()
    assert filled.ingest(pictures, "c").added == 3
    assert state(filled, "c") == NOTHING


def test_what_an_interrupted_deletion_left_goes_with_the_next(
    filled: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, folder = shutil.rmtree, filled.settings.data / "collections"

    def cut_off(path: Path, *rest: Any) -> None:
        if path.name.startswith(".c.deleted-"):
            raise Killed
        remove(path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(Killed):
            filled.removal.delete(ADA, "c", "c")
    assert any(path.name.startswith(".c.deleted-") for path in folder.iterdir())
    filled.ingest(pictures, "d")
    filled.removal.delete(ADA, "d", "d")
    assert list(folder.iterdir()) == []


def test_a_collection_created_while_the_files_of_the_old_one_go_is_kept(
    filled: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, other = shutil.rmtree, colour_app(filled.settings.data)

    def create_first(folder: Path, *rest: Any) -> None:
        if folder.name.startswith(".c.deleted-"):
            assert other.ingest(pictures, "c").added == 3
        remove(folder, *rest)

    monkeypatch.setattr(shutil, "rmtree", create_first)
    filled.removal.delete(ADA, "c", "c")
    assert colour_app(filled.settings.data).size("c") == 3


@pytest.mark.parametrize(
    ("function", "compute"),
    [
        ("core.atlas.service.fit_map", lambda app: app.atlas.fit("c")),
        ("core.clusters.service.average_linkage", lambda app: app.clusters.compute_linkage("c")),
    ],
)
@pytest.mark.parametrize("made_anew", [False, True])
def test_what_is_computed_when_its_collection_is_gone_is_not_stored(
    filled: App,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    compute: Callable[[App], str],
    made_anew: bool,
) -> None:
    module, _, name = function.rpartition(".")
    original = getattr(importlib.import_module(module), name)

    def delete_meanwhile(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        filled.removal.delete(ADA, "c", "c")
        if made_anew:
            Image.new("RGB", (9, 9), "navy").save(pictures.parent / "other.png")
            filled.ingest(pictures.parent / "other.png", "c")
        return result

    monkeypatch.setattr(function, delete_meanwhile)
    with pytest.raises(CollectionError, match="c"):
        compute(filled)
    monkeypatch.undo()
    assert filled.ingest(pictures, "c").added == 3
    assert {name: value for name, value in state(filled, "c").items() if name in ("map", "linkage")} == {
        name: NOTHING[name] for name in ("map", "linkage")
    }


def test_no_draft_is_begun_for_a_collection_that_another_process_deleted(filled: App) -> None:
    filled.curation.open(ADA, "c")
    colour_app(filled.settings.data).removal.delete(ADA, "c", "c")
    with pytest.raises(CollectionError, match="there is no collection 'c'"):
        filled.curation.open(ADA, "c")
    assert DraftStore(database(filled)).list("c") == ()


def test_a_sibling_made_where_a_deletion_was_cut_off_has_an_empty_bin(
    filled: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.reembedding.embed("Ada", "c", "local-dir:colour", "again", True, lambda _: None)
    filled.removal.remove(ADA, "again", sorted(filled.titles("again"))[:1])
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", kill)
        with pytest.raises(Killed):
            filled.removal.delete(ADA, "again", "again")
    filled.reembedding.embed("Ada", "c", "local-dir:colour", "more", True, lambda _: None)
    assert (filled.size("more"), filled.removal.count_removed("more")) == (2, filled.removal.count_removed("c"))


def kill(*_: object) -> None:
    raise Killed


def test_nothing_is_forgotten_while_pictures_are_added(filled: App) -> None:
    before = str(state(filled, "c"))
    with (
        ingest_lock(filled.settings.data / "collections" / "c"),
        pytest.raises(CollectionBusy, match="another ingest into c is running"),
    ):
        filled.removal.delete(ADA, "c", "c")
    assert str(state(filled, "c")) == before


def test_a_store_that_cannot_forget_keeps_the_collection_listed(filled: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, collection: str) -> None:
        raise StoreError("the disk is full: free some space")

    monkeypatch.setattr(RunStore, "forget", full)
    with pytest.raises(StoreError, match="the disk is full"):
        filled.removal.delete(ADA, "c", "c")
    assert filled.existing_collections() == ["c"]


def test_a_queued_job_does_not_bring_the_collection_back(filled: App) -> None:
    queued = jobs(filled).add("ingest", "c", {"folder": PATH}, "Ada")
    filled.removal.delete(ADA, "c", "c")
    assert not jobs(filled).start(queued.id)
    assert filled.run_job(queued.id).state == "cancelled"
    assert filled.existing_collections() == []
    with pytest.raises(JobError, match=f"the collection of job {queued.id} was deleted"):
        filled.library.resume(OPERATOR, queued.id)


def test_a_running_job_is_asked_to_stop_and_leaves_no_path_when_it_ends(filled: App) -> None:
    running = jobs(filled).add("link", "c", {"folder": PATH}, "Ada")
    jobs(filled).start(running.id)
    jobs(filled).forget("c")
    assert jobs(filled).progress(running.id, Progress("link", 0, 1))
    assert jobs(filled).end(running.id, "failed", PATH, failures=[Failure(PATH, "cannot be decoded")])
    assert jobs(filled).failures(running.id) == []
    assert jobs(filled).get(running.id).message == "its collection was deleted"


def test_rankings_from_before_their_collection_was_recorded_go_with_the_first_deletion(filled: App) -> None:
    rankings = RankingCache(database(filled))
    rankings.put(("old",), 1, "d")
    rankings.put(("new",), 2, "d")
    with database(filled).transaction() as db:
        db.execute("UPDATE rankings SET collection = NULL WHERE document = '1'")
    rankings.forget("c")
    assert (rankings.get(("old",)), rankings.get(("new",))) == (None, 2)
