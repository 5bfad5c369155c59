from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ClusterError, StoreError
from core.records.clusterings import Clustering, ClusterRecord, NewRevision, Publication, Revision, RevisionConflict
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.revision_store import RevisionStore
from tests.core.store.test_full_disk import disk, leave_free  # noqa: F401 - disk is a fixture
from tests.fakes.child_processes import FORKS
from tests.fakes.killed_saving import asset_ids, clustering_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = {"version": 1, "threshold": 0.82, "edits": [{"rename": "Bäume"}]}
DEADLINE_S = 90.0


def small(number: int = 1) -> Clustering:
    return clustering_of(number, assets=40, clusters=3, dimension=8)


def same_clustering(one: Clustering, other: Clustering) -> bool:
    """Whether both put the same assets into the same clusters, in whatever order the assets stand."""
    places = [dict(zip(c.asset_ids, c.labels.tolist(), strict=True)) for c in (one, other)]
    pairs = zip(one.clusters, other.clusters, strict=True)
    return places[0] == places[1] and all(same_cluster(a, b) for a, b in pairs)


def same_cluster(one: ClusterRecord, other: ClusterRecord) -> bool:
    plain = [{name: value for name, value in vars(c).items() if name != "centroid"} for c in (one, other)]
    return plain[0] == plain[1] and np.array_equal(one.centroid, other.centroid)


def ticking(start: datetime = NOON) -> Any:
    """A clock that moves on by a minute whenever it is asked."""
    minutes = itertools.count()
    return lambda: start + timedelta(minutes=next(minutes))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "contactsheet.db")


@pytest.fixture
def revisions(database: Database) -> RevisionStore:
    return RevisionStore(database, ticking())


def save(revisions: RevisionStore, collection: str = "birds", **changes: Any) -> Revision:
    """Save on top of the newest, whatever is not given being some default."""
    newest = revisions.newest(collection)
    given = {
        "collection_version": "v1",
        "parent": newest.id if newest else None,
        "threshold": 0.82,
        "plan": PLAN,
        "clustering": small(),
        "author": "Ada",
        "note": "",
        **changes,
    }
    return revisions.save(NewRevision(collection, **given))


def test_a_saved_revision_comes_back_with_all_that_is_known_about_it(revisions: RevisionStore) -> None:
    saved = save(revisions, note="first")
    expected = Revision(
        id=1,
        collection="birds",
        collection_version="v1",
        parent=None,
        threshold=0.82,
        plan=PLAN,
        author="Ada",
        created_at=NOON,
        note="first",
        name="",
        published=False,
        size=40,
        cluster_count=3,
        named_count=2,
    )
    assert saved == expected
    assert revisions.get(1) == expected
    assert revisions.newest("birds") == expected


def test_a_clustering_comes_back_in_the_order_of_the_ids(revisions: RevisionStore) -> None:
    found = revisions.clustering(save(revisions).id)
    assert found.asset_ids == tuple(sorted(asset_ids(40)))
    assert found.labels.dtype == np.int32
    assert found.clusters[0].centroid.dtype == np.float32
    assert same_clustering(found, small())


def test_numbers_of_numpy_come_back_as_numbers(revisions: RevisionStore) -> None:
    first, *rest = small().clusters
    odd: Any = replace(first, size=np.int64(7), threshold=np.float32(0.5), cohesion=np.float64(0.25), no_group=np.True_)
    found = revisions.clustering(save(revisions, clustering=replace(small(), clusters=(odd, *rest))).id)
    assert (found.clusters[0].size, found.clusters[0].threshold, found.clusters[0].no_group) == (7, 0.5, True)


@st.composite
def clusterings(draw: st.DrawFn) -> Clustering:
    ids = draw(st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=12))
    count, dimension = draw(st.integers(0, 4)), draw(st.integers(1, 5))
    labels = draw(st.lists(st.integers(-1, count - 1), min_size=len(ids), max_size=len(ids)))
    names = draw(st.lists(st.text(max_size=8), min_size=count, max_size=count, unique=True))
    return Clustering(
        tuple(i.hex() for i in ids),
        np.array(labels, np.int32),
        tuple(draw(_clusters(name, dimension, [i.hex() for i in ids])) for name in names),
    )


@st.composite
def _clusters(draw: st.DrawFn, cluster_id: str, dimension: int, ids: list[str]) -> ClusterRecord:
    vector = np.array(draw(st.lists(st.integers(-9, 9), min_size=dimension, max_size=dimension)), np.float32)
    vector[0] += 10 if not vector.any() else 0
    cosines = st.floats(-1, 1)
    return ClusterRecord(
        cluster_id,
        draw(st.text(max_size=8)),
        draw(st.booleans()),
        draw(st.text(max_size=8)),
        draw(st.integers(0, 99)),
        draw(cosines),
        draw(st.booleans()),
        draw(st.text(max_size=8)),
        draw(cosines),
        vector / np.linalg.norm(vector),
        tuple(draw(st.lists(st.sampled_from(ids), max_size=4))) if ids else (),
    )


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One database for all examples of a property; each example has a collection of its own."""
    return Database(tmp_path_factory.mktemp("lasting") / "contactsheet.db")


NUMBERS = itertools.count()


@settings(max_examples=60, deadline=None)
@given(clustering=clusterings())
def test_any_clustering_survives_saving_and_restoring(lasting: Database, clustering: Clustering) -> None:
    revisions, collection = RevisionStore(lasting), f"any{next(NUMBERS)}"
    saved = save(revisions, collection, clustering=clustering)
    restored = revisions.restore(saved.id, "Bob", "back")
    for revision in (saved, restored):
        found = revisions.clustering(revision.id)
        assert found.asset_ids == tuple(sorted(clustering.asset_ids))
        assert same_clustering(found, clustering)


def test_restoring_adds_a_revision_and_rewrites_none(revisions: RevisionStore) -> None:
    first = revisions.set_name(save(revisions).id, "Spring")
    second = save(revisions, clustering=small(2), plan={}, threshold=0.5)
    restored = revisions.restore(first.id, "Bob", "as in spring")
    assert (restored.parent, restored.threshold, restored.plan) == (second.id, 0.82, PLAN)
    assert (restored.author, restored.note, restored.name, restored.published) == ("Bob", "as in spring", "", False)
    assert same_clustering(revisions.clustering(restored.id), small())
    assert [r.id for r in revisions.list("birds")] == [restored.id, second.id, first.id]
    assert revisions.get(first.id) == first


def test_the_second_of_two_curators_gets_a_conflict_with_the_winner_and_nothing_is_written(
    revisions: RevisionStore,
) -> None:
    first = save(revisions)
    winner = save(revisions, author="Bob")
    with pytest.raises(RevisionConflict, match="Bob saved revision 2 of birds after yours was begun") as caught:
        save(revisions, parent=first.id, author="Ada")
    assert caught.value.newest == winner
    with pytest.raises(RevisionConflict, match="nothing was saved"):
        save(revisions, parent=None)
    assert revisions.list("birds") == (winner, first)


def test_a_parent_that_was_never_there_is_an_error(revisions: RevisionStore) -> None:
    save(revisions)
    with pytest.raises(ClusterError, match="fish has no revision 1"):
        save(revisions, "fish", parent=1)


def test_collections_have_histories_of_their_own(revisions: RevisionStore) -> None:
    bird, fish = save(revisions), save(revisions, "fish")
    assert fish.parent is None
    assert save(revisions).parent == bird.id
    assert revisions.list("fish") == (fish,)
    assert revisions.newest("cats") is None
    assert revisions.published("cats") is None


def test_a_list_is_as_long_as_asked(revisions: RevisionStore) -> None:
    for _ in range(4):
        save(revisions)
    assert [r.id for r in revisions.list("birds", limit=2)] == [4, 3]


def _bad(**changes: Any) -> Clustering:
    return replace(small(), **changes)


def _with_first_cluster(**changes: Any) -> Clustering:
    first, *rest = small().clusters
    return replace(small(), clusters=(replace(first, **changes), *rest))


@pytest.mark.parametrize(
    ("clustering", "message"),
    [
        (_bad(labels=np.zeros(40, np.int64)), r"\(40,\) int32, not \(40,\) int64"),
        (_bad(labels=np.zeros(39, np.int32)), r"not \(39,\) int32"),
        (_bad(labels=np.full(40, 3, np.int32)), "between -1 and 2, not 3 and 3"),
        (_bad(labels=np.full(40, -2, np.int32)), "not -2 and -2"),
        (_bad(asset_ids=("AB" * 32, *asset_ids(40)[1:])), "64 hexadecimal digits in lower case, not 'ABAB"),
        (_bad(asset_ids=("ab", *asset_ids(40)[1:])), "not 'ab'"),
        (_bad(asset_ids=(*asset_ids(39), asset_ids(1)[0])), "40 assets have only 39 different ids"),
        (_with_first_cluster(id="c1"), "3 clusters have only 2 different ids"),
        (_with_first_cluster(cohesion=float("nan")), "cluster c0 has .* a cohesion of nan"),
        (_with_first_cluster(threshold=float("inf")), "a threshold of inf"),
        (_with_first_cluster(centroid=np.full(8, 2, np.float32)), "unit length, not 5.657"),
        (_with_first_cluster(centroid=np.full(8, np.nan, np.float32)), "unit length, not nan"),
        (_with_first_cluster(centroid=np.eye(4, dtype=np.float32)[0]), r"cluster c1 has to be \(4,\) float32"),
        (_with_first_cluster(centroid=np.eye(8)[0]), r"not \(8,\) float64"),
        (_with_first_cluster(sample_ids=("0" * 64,)), "sketch of cluster c0 names assets that are not"),
    ],
)
def test_a_clustering_that_does_not_hold_together_is_refused(
    revisions: RevisionStore, clustering: Clustering, message: str
) -> None:
    with pytest.raises(ClusterError, match=message):
        save(revisions, clustering=clustering)
    assert revisions.list("birds") == ()


def test_assets_are_stored_once_per_collection_version(revisions: RevisionStore, database: Database) -> None:
    save(revisions)
    shuffled = small()
    order = np.random.default_rng(0).permutation(40)
    ids = tuple(shuffled.asset_ids[row] for row in order)
    again = save(revisions, clustering=Clustering(ids, shuffled.labels[order], shuffled.clusters))
    save(revisions, collection_version="v2")
    with database.reading() as db:
        assert db.execute("SELECT count(*) FROM asset_lists").fetchone()[0] == 2
    assert same_clustering(revisions.clustering(again.id), small())


def test_other_assets_under_the_same_version_are_refused(revisions: RevisionStore) -> None:
    save(revisions)
    with pytest.raises(ClusterError, match="not those of version v1 of birds: read the collection again"):
        save(revisions, clustering=clustering_of(1, assets=41, clusters=3, dimension=8))
    assert len(revisions.list("birds")) == 1


def test_publishing_needs_to_know_what_is_published_and_leaves_a_log(revisions: RevisionStore) -> None:
    first, second = save(revisions), save(revisions)
    assert revisions.publish(first.id, "Ada", None).published
    assert revisions.published("birds") == revisions.get(first.id)
    with pytest.raises(RevisionConflict, match="revision 1 of birds was published meanwhile") as caught:
        revisions.publish(second.id, "Bob", None)
    assert caught.value.newest == revisions.get(first.id)
    assert not revisions.get(second.id).published
    revisions.publish(second.id, "Bob", first.id)
    assert [r.published for r in revisions.list("birds")] == [True, False]
    later, earlier = revisions.publications("birds")
    assert (later, earlier) == (
        Publication("birds", 2, 1, "Bob", later.published_at),
        Publication("birds", 1, None, "Ada", earlier.published_at),
    )
    assert later.published_at > earlier.published_at


def test_an_expected_publication_that_never_was_is_an_error(revisions: RevisionStore) -> None:
    with pytest.raises(ClusterError, match="no published revision, so not 7"):
        revisions.publish(save(revisions).id, "Ada", 7)


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.get(9),
        lambda r: r.clustering(9),
        lambda r: r.publish(9, "Ada", None),
        lambda r: r.set_name(9, "x"),
        lambda r: r.restore(9, "Ada", ""),
    ],
)
def test_a_revision_that_is_not_there_is_an_error(revisions: RevisionStore, ask: Any) -> None:
    save(revisions)
    with pytest.raises(ClusterError, match="there is no revision 9"):
        ask(revisions)


def test_a_name_is_one_line_and_can_be_taken_away(revisions: RevisionStore) -> None:
    revision_id = save(revisions).id
    assert revisions.set_name(revision_id, " Spring\n2026 ").name == "Spring 2026"
    with pytest.raises(ClusterError, match="up to 80 characters, not 81"):
        revisions.set_name(revision_id, "x" * 81)
    assert revisions.set_name(revision_id, "").name == ""


def test_pruning_keeps_what_someone_relies_on(revisions: RevisionStore, database: Database) -> None:
    ids = [save(revisions, collection_version=f"v{n}").id for n in range(8)]
    fish = save(revisions, "fish").id
    revisions.publish(ids[1], "Ada", None)
    revisions.set_name(ids[3], "Spring")
    DraftStore(database).create("birds", ids[4], {}, "Ada", "name:Ada")
    assert revisions.prune("birds", keep=2) == 3
    assert [r.id for r in revisions.list("birds")] == [ids[n] for n in (7, 6, 4, 3, 1)]
    assert revisions.get(fish).collection == "fish"
    assert all(same_clustering(revisions.clustering(ids[n]), small()) for n in (1, 3, 4, 6, 7))
    with database.reading() as db:
        assert db.execute("SELECT count(*) FROM asset_lists WHERE collection = 'birds'").fetchone()[0] == 5
        assert db.execute("SELECT count(*) FROM revision_clusters WHERE revision = ?", (ids[0],)).fetchone()[0] == 0
    assert save(revisions).id > max(ids)


def test_pruning_to_nothing_is_refused(revisions: RevisionStore) -> None:
    with pytest.raises(ClusterError, match="keep 1 or more, not 0"):
        revisions.prune("birds", keep=0)


ACTS = st.sampled_from(["save", "save", "name", "publish", "draft", "discard", "prune"])


@settings(max_examples=40, deadline=None)
@given(acts=st.lists(st.tuples(ACTS, st.integers(0, 5)), max_size=14))
def test_whatever_curators_do_pruning_removes_only_old_ones_that_nobody_relies_on(
    lasting: Database, acts: list[tuple[str, int]]
) -> None:
    revisions, drafts, collection = RevisionStore(lasting), DraftStore(lasting), f"acts{next(NUMBERS)}"
    held: dict[str, int] = {}
    alive = [save(revisions, collection, clustering=small(1)).id]
    named, published = set[int](), set[int]()
    for act, number in acts:
        chosen = alive[number % len(alive)]
        if act == "save":
            alive.append(save(revisions, collection, clustering=small(1)).id)
        elif act == "name":
            named.add(revisions.set_name(chosen, "kept").id)
        elif act == "publish":
            now = revisions.published(collection)
            published = {revisions.publish(chosen, "Ada", now.id if now else None).id}
        elif act == "draft":
            held[drafts.create(collection, chosen, {}, "Ada", "name:Ada").id] = chosen
        elif act == "discard" and held:
            drafts.delete(draft_id := next(iter(held)))
            del held[draft_id]
        elif act == "prune":
            keep = number + 1
            stay = [i for i in alive if i in {*alive[-keep:], *named, *published, *held.values()}]
            assert revisions.prune(collection, keep) == len(alive) - len(stay)
            alive = stay
    assert [r.id for r in revisions.list(collection, limit=-1)] == alive[::-1]
    assert all(same_clustering(revisions.clustering(i), small(1)) for i in alive)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("revisions", "labels"),
        ("revisions", "centroids"),
        ("revisions", "plan"),
        ("revision_clusters", "sketch"),
        ("asset_lists", "ids"),
    ],
)
@pytest.mark.parametrize("how", ["cut", "flipped", "empty"])
def test_damage_is_told_and_the_next_revision_can_still_be_saved(
    revisions: RevisionStore, database: Database, table: str, column: str, how: str
) -> None:
    save(revisions)
    spoil(database, table, column, how)
    with pytest.raises(StoreError, match=r"revision 1 of birds is damaged \(.*restore the database from a backup"):
        revisions.clustering(1)
    with pytest.raises(StoreError, match="damaged"):
        revisions.restore(1, "Ada", "")
    assert save_blindly(revisions, "v2").parent == 1


def spoil(database: Database, table: str, column: str, how: str) -> None:
    """Damage the first value of a column."""
    with database.transaction() as db:
        (value,) = db.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()
        raw = value.encode() if isinstance(value, str) else value
        spoilt = {"cut": raw[:-5], "flipped": bytes([raw[0] ^ 64]) + raw[1:], "empty": b""}[how]
        spoilt = spoilt.decode() if isinstance(value, str) else spoilt
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT min(rowid) FROM {table})", (spoilt,))


def save_blindly(revisions: RevisionStore, version: str) -> Revision:
    """Save on top of revision 1 without reading it."""
    return revisions.save(NewRevision("birds", version, 1, 0.82, PLAN, small(2), "Ada", ""))


def test_one_flipped_bit_anywhere_in_a_centroid_is_noticed(revisions: RevisionStore, database: Database) -> None:
    save(revisions)
    with database.transaction() as db:
        (blob,) = db.execute("SELECT centroids FROM revisions").fetchone()
        spoilt = bytearray(blob)
        spoilt[len(blob) // 2] ^= 1
        db.execute("UPDATE revisions SET centroids = ?", (bytes(spoilt),))
    with pytest.raises(StoreError, match="revision 1 of birds is damaged"):
        revisions.clustering(1)


def test_a_damaged_list_of_assets_is_told_before_another_revision_relies_on_it(
    revisions: RevisionStore, database: Database
) -> None:
    save(revisions)
    spoil(database, "asset_lists", "ids", "flipped")
    with pytest.raises(StoreError, match="the list of assets of version v1 of birds is damaged"):
        save_blindly(revisions, "v1")


def test_missing_clusters_are_noticed(revisions: RevisionStore, database: Database) -> None:
    save(revisions)
    with database.transaction() as db:
        db.execute("DELETE FROM revision_clusters WHERE place = 2")
    with pytest.raises(StoreError, match="damaged"):
        revisions.clustering(1)


def test_a_failed_save_leaves_nothing_of_itself(revisions: RevisionStore, database: Database) -> None:
    save(revisions)
    with database.transaction() as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON revision_clusters WHEN new.place = 2"
            " BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
    with pytest.raises(sqlite3.IntegrityError, match="no"):
        save(revisions, collection_version="v2", clustering=small(2))
    assert [r.id for r in revisions.list("birds")] == [1]
    with database.reading() as db:
        assert db.execute("SELECT count(*) FROM asset_lists").fetchone()[0] == 1
        assert db.execute("SELECT count(*) FROM revision_clusters").fetchone()[0] == 3


def test_a_full_disk_is_told_and_what_was_saved_stays(disk: Path) -> None:  # noqa: F811 - the fixture above
    revisions = RevisionStore(Database(disk / "contactsheet.db"))
    first = save(revisions)
    ballast = leave_free(disk, 300)
    with pytest.raises(StoreError, match=r"disk is full.*nothing was changed"):
        save(revisions, collection_version="v2", clustering=clustering_of(2, assets=4_000, clusters=100))
    assert revisions.list("birds") == (first,)
    ballast.unlink()
    assert save(revisions).parent == first.id


def race(revisions: RevisionStore, parent: int | None, barrier: Any, publish: bool, author: str) -> str:
    """Save or publish at the same moment as another: what came of it, as one line."""
    barrier.wait(DEADLINE_S)
    try:
        if publish:
            own = [i for i in ((1, 3) if author == "Ada" else (2, 4)) if i != parent]
            return f"won {revisions.publish(own[0], author, parent).id}"
        return f"won {save(revisions, parent=parent, author=author).id}"
    except RevisionConflict as conflict:
        return f"lost to {conflict.newest.id}"


def verdicts(said: list[str]) -> list[str]:
    """`one won, the other lost to it` where that is so."""
    won, lost = sorted(said, reverse=True)
    return ["one won, the other lost to it"] if lost == f"lost to {won.removeprefix('won ')}" else said


@pytest.mark.parametrize("publish", [False, True])
def test_of_two_threads_that_write_at_once_one_wins_and_the_other_gets_the_winner(
    database: Database, publish: bool
) -> None:
    revisions = RevisionStore(database)
    for _ in range(4):
        save(revisions)
    for _ in range(10):
        current = revisions.published("birds") if publish else revisions.newest("birds")
        asked = (revisions, current.id if current else None, threading.Barrier(2), publish)
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(partial(race, *asked), ("Ada", "Bob")))
        assert verdicts(said) == ["one won, the other lost to it"]
    assert len(revisions.list("birds")) == (4 if publish else 14)
    assert len(revisions.publications("birds")) == (10 if publish else 0)


def _race_in_a_process(path: str, author: str, publish: bool, barrier: Any, results: Queue[tuple[int, str]]) -> None:
    revisions = RevisionStore(Database(Path(path)))
    for number in range(5):
        barrier.wait(DEADLINE_S)
        current = revisions.published("birds") if publish else revisions.newest("birds")
        results.put((number, race(revisions, current.id if current else None, barrier, publish, author)))


@pytest.mark.parametrize("publish", [False, True])
def test_of_two_processes_that_write_at_once_one_wins_and_the_other_gets_the_winner(
    database: Database, publish: bool
) -> None:
    for _ in range(4):
        save(RevisionStore(database))
    barrier, results = FORKS.Barrier(2), FORKS.Queue()
    processes = [
        FORKS.Process(target=_race_in_a_process, args=(str(database.path), author, publish, barrier, results))
        for author in ("Ada", "Bob")
    ]
    for process in processes:
        process.start()
    answers = [results.get(timeout=DEADLINE_S) for _ in range(10)]
    for process in processes:
        process.join(DEADLINE_S)
    for number in range(5):
        assert verdicts([said for n, said in answers if n == number]) == ["one won, the other lost to it"]


def test_a_plan_is_kept_as_the_document_it_is(revisions: RevisionStore) -> None:
    plan = {"text": "Ünïcode \u2028 \ud83d\ude00 ', \"", "deep": [[1, 2.5, None, True], {}]}
    assert revisions.get(save(revisions, plan=plan).id).plan == json.loads(json.dumps(plan))
