from __future__ import annotations

import sqlite3
from collections.abc import Callable
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ClusterError, StoreError
from core.records.clusterings import Draft, DraftConflict, NewRevision
from core.store.sql import draft_store as drafts_module
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.revision_store import RevisionStore
from tests.fakes.child_processes import FORKS
from tests.fakes.clock import NOON, Clock
from tests.fakes.killed_saving import clustering_of

DEADLINE_S = 90.0


@pytest.fixture
def drafts(database: Database, clock: Clock) -> DraftStore:
    return DraftStore(database, clock)


def saved(database: Database, collection: str = "birds") -> int:
    """A first revision of a collection."""
    clustering = clustering_of(1, assets=4, clusters=1, dimension=2)
    return RevisionStore(database).save(NewRevision(collection, "v", None, 0.82, {}, clustering, "Ada", "")).id


def test_a_draft_comes_back_as_it_was_begun_and_written(drafts: DraftStore, database: Database, clock: Clock) -> None:
    parent = saved(database)
    begun = drafts.create("birds", parent, {"done": []}, "Ada", "name:Ada")
    assert begun == Draft(begun.id, "birds", parent, {"done": []}, "Ada", "name:Ada", NOON, NOON, 0)
    clock.move(milliseconds=1)
    written = drafts.update(begun.id, {"done": ["Bäume"]}, expected_version=0)
    assert written == Draft(begun.id, "birds", parent, {"done": ["Bäume"]}, "Ada", "name:Ada", NOON, clock.moment, 1)
    assert drafts.get(begun.id) == written


def test_a_draft_survives_the_database_being_opened_again(drafts: DraftStore, database: Database) -> None:
    draft = drafts.create("birds", None, {"a": 1}, "Ada", "name:Ada")
    assert DraftStore(Database(database.path)).get(draft.id) == draft


def test_ids_fit_an_address_and_cannot_be_guessed(drafts: DraftStore) -> None:
    ids = [drafts.create("birds", None, {}, "Ada", "name:Ada").id for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(len(i) == 22 and i.replace("-", "").replace("_", "").isalnum() and i.isascii() for i in ids)


def test_the_second_of_two_tabs_gets_the_conflict_with_what_the_first_one_wrote(drafts: DraftStore) -> None:
    draft = drafts.create("birds", None, {"done": []}, "Ada", "name:Ada")
    first = drafts.update(draft.id, {"done": ["rename"]}, draft.version)
    with pytest.raises(DraftConflict, match=r"is at version 1, not 0.*nothing was written") as caught:
        drafts.update(draft.id, {"done": ["merge"]}, draft.version)
    assert caught.value.current == first == drafts.get(draft.id)
    assert drafts.update(draft.id, {"done": ["rename", "merge"]}, first.version).version == 2


def test_a_parent_has_to_be_a_revision_of_the_collection(drafts: DraftStore, database: Database) -> None:
    fish = saved(database, "fish")
    with pytest.raises(ClusterError, match=f"birds has no revision {fish}"):
        drafts.create("birds", fish, {}, "Ada", "name:Ada")
    assert drafts.list("birds") == ()


@pytest.mark.parametrize("ask", [lambda d: d.get("gone"), lambda d: d.update("gone", {}, 0)])
def test_a_draft_that_is_gone_is_an_error(drafts: DraftStore, ask: Callable[[DraftStore], Draft]) -> None:
    with pytest.raises(ClusterError, match="no draft 'gone': it was saved or discarded"):
        ask(drafts)


def test_a_discarded_draft_is_gone_and_discarding_it_again_does_no_harm(drafts: DraftStore) -> None:
    draft = drafts.create("birds", None, {}, "Ada", "name:Ada")
    for _ in range(2):
        drafts.delete(draft.id)
    assert drafts.list("birds") == ()


def test_the_latest_draft_is_the_one_touched_last(drafts: DraftStore, clock: Clock) -> None:
    older, newer, other = (
        drafts.create("birds", None, {}, author, f"name:{author}") for author in ("Ada", "Ada", "Bob")
    )
    assert drafts.latest_of("birds", "name:Ada") == newer
    clock.move(microseconds=1)
    older = drafts.update(older.id, {"x": 1}, 0)
    assert drafts.latest_of("birds", "name:Ada") == older
    assert drafts.list("birds") == (older, other, newer)
    assert drafts.latest_of("birds", "name:Cleo") is None
    assert drafts.latest_of("fish", "name:Ada") is None


def test_room_is_made_by_dropping_what_nobody_touched_for_90_days(
    drafts: DraftStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts_module, "MAX_DRAFTS", 4)
    oldest, old = (drafts.create("birds", None, {}, "Ada", "name:Ada") for _ in range(2))
    touched = drafts.create("birds", None, {}, "Ada", "name:Ada")
    elsewhere = drafts.create("fish", None, {}, "Ada", "name:Ada")
    clock.move(days=1)
    touched = drafts.update(touched.id, {"x": 1}, 0)
    last = drafts.create("birds", None, {}, "Ada", "name:Ada")
    clock.move(days=89, hours=1)
    newer = drafts.create("birds", None, {}, "Bob", "name:Bob")
    assert drafts.list("birds") == (newer, last, touched, old)
    newest = drafts.create("birds", None, {}, "Bob", "name:Bob")
    assert drafts.list("birds") == (newest, newer, last, touched)
    with pytest.raises(ClusterError, match="birds has 4 drafts, all of them touched within 90 days: discard one"):
        drafts.create("birds", None, {}, "Bob", "name:Bob")
    assert drafts.list("birds") == (newest, newer, last, touched)
    assert drafts.list("fish") == (elsewhere,)
    with pytest.raises(ClusterError, match="no draft"):
        drafts.get(oldest.id)


def test_there_is_room_for_200_drafts(drafts: DraftStore) -> None:
    assert drafts_module.MAX_DRAFTS == 200
    assert drafts_module.STALE_AFTER.days == 90


def test_old_drafts_stay_as_long_as_there_is_room(drafts: DraftStore, clock: Clock) -> None:
    draft = drafts.create("birds", None, {}, "Ada", "name:Ada")
    clock.move(days=1000)
    drafts.create("birds", None, {}, "Ada", "name:Ada")
    assert drafts.get(draft.id) == draft


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> DraftStore:
    return DraftStore(Database(tmp_path_factory.mktemp("lasting") / "contactsheet.db"))


@settings(max_examples=40, deadline=None)
@given(histories=st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), min_size=1, max_size=4))
def test_any_history_comes_back_as_it_was_written(lasting: DraftStore, histories: list[dict[str, Any]]) -> None:
    draft = lasting.create("birds", None, histories[0], "Ada", "name:Ada")
    for version, history in enumerate(histories):
        assert lasting.update(draft.id, history, version).history == history
    assert lasting.get(draft.id).version == len(histories)
    lasting.delete(draft.id)


def test_a_damaged_draft_is_told_and_can_be_discarded(drafts: DraftStore, database: Database) -> None:
    draft = drafts.create("birds", None, {"done": [1, 2]}, "Ada", "name:Ada")
    with sqlite3.connect(database.path) as db:
        db.execute("""UPDATE drafts SET history = '{"done": [1,'""")
    with pytest.raises(StoreError, match=f"draft {draft.id} of birds is damaged .*discard it"):
        drafts.get(draft.id)
    drafts.delete(draft.id)
    assert drafts.list("birds") == ()


def _write_many(path: str, draft_id: str, mark: str, barrier: Any, results: Queue[list[str]]) -> None:
    """Append 20 marks to a draft, taking over what the other one wrote whenever there is a conflict."""
    drafts = DraftStore(Database(Path(path)))
    draft, marks = drafts.get(draft_id), [f"{mark}{number}" for number in range(20)]
    barrier.wait(DEADLINE_S)
    for own in marks:
        while own not in draft.history["done"]:
            try:
                draft = drafts.update(draft_id, {"done": [*draft.history["done"], own]}, draft.version)
            except DraftConflict as conflict:
                draft = conflict.current
    results.put(marks)


def test_two_processes_that_write_one_draft_lose_nothing(drafts: DraftStore, database: Database) -> None:
    draft = drafts.create("birds", None, {"done": []}, "Ada", "name:Ada")
    barrier, results = FORKS.Barrier(2), FORKS.Queue()
    processes = [
        FORKS.Process(target=_write_many, args=(str(database.path), draft.id, mark, barrier, results)) for mark in "ab"
    ]
    for process in processes:
        process.start()
    marks = [mark for _ in processes for mark in results.get(timeout=DEADLINE_S)]
    for process in processes:
        process.join(DEADLINE_S)
    found = drafts.get(draft.id)
    assert sorted(found.history["done"]) == sorted(marks)
    assert found.version == 40
