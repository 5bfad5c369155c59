from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.access import OPERATOR, Person
from core.app import App
from core.atlas import service as atlas_module
from core.clusters import service as module
from core.clusters.edits.model import ClusterRef, PairConstraint, Rename, SetBranch
from core.clusters.edits.plan import Plan, apply
from core.clusters.service import LINKAGE_JOB, ClusterService, ClusterSources
from core.clusters.tree.branches import branch_at
from core.clusters.views.borderline_pairs import cophenetic_similarity
from core.clusters.views.cluster_view import ClusterView, build_view
from core.clusters.views.naming import NameSuggestion
from core.errors import ClusterError, CollectionError, NotAllowed
from core.jobs.background import BackgroundJobs
from core.records.jobs import Job
from core.store.lance.snapshot import Snapshot
from core.store.objects.linkage_files import LinkageFiles
from core.store.sql.database import Database
from core.store.sql.job_store import JobStore
from core.store.sql.revision_store import RevisionStore
from tests.core.clusters.test_cluster_view import snapshot
from tests.fakes.colour_app import colour_app
from tests.fakes.dendrograms import IDS, unit_vectors
from tests.fakes.painted import add


@pytest.fixture
def data(painted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(painted, tmp_path / "data"))


@pytest.fixture
def app(data: Path) -> App:
    return colour_app(data)


def shown(app: App, view: ClusterView) -> dict[str, set[str]]:
    """The titles of the pictures in each cluster, by the cluster's id."""
    titles = app.titles("c")
    return {
        cluster.id: {titles[view.asset_ids[row]] for row in np.flatnonzero(view.labels == number)}
        for number, cluster in enumerate(view.clusters)
    }


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each dendrogram computed had."""
    calls: list[int] = []
    original = module.average_linkage

    def counted(vectors: np.ndarray, **options: Any) -> Any:
        calls.append(len(vectors))
        return original(vectors, **options)

    monkeypatch.setattr(module, "average_linkage", counted)
    return calls


# -- dendrograms -----------------------------------------------------------------------------------------------


def test_a_small_collection_is_linked_immediately_and_once(app: App, data: Path, linked: list[int]) -> None:
    view = app.clusters.view("c", Plan())
    assert sorted(map(len, shown(app, view).values())) == [3, 4]
    assert view.base.complete
    app.clusters.view("c", Plan(0.5))
    assert colour_app(data).clusters.view("c", Plan()).labels.tolist() == view.labels.tolist()
    assert linked == [8]


def test_concurrent_viewers_link_a_collection_once_and_share_the_view(app: App, linked: list[int]) -> None:
    with ThreadPoolExecutor(6) as people:
        views = list(people.map(lambda _: app.clusters.view("c", Plan()), range(6)))
    assert linked == [8]
    assert len({id(view) for view in views}) == 1


def test_a_collection_that_does_not_exist_has_no_clusters(app: App) -> None:
    with pytest.raises(CollectionError, match="there is no collection 'none'"):
        app.clusters.view("none", Plan())


def files(data: Path) -> list[Path]:
    return sorted((data / "linkages" / "c").glob("*.npz"))


def test_a_damaged_dendrogram_is_computed_again(app: App, data: Path, linked: list[int]) -> None:
    before = app.clusters.view("c", Plan()).labels.tolist()
    (file,) = files(data)
    file.write_bytes(file.read_bytes()[:-20])
    again = colour_app(data)
    assert again.clusters.view("c", Plan()).labels.tolist() == before
    assert linked == [8, 8]
    assert len(files(data)) == 1


def test_a_dendrogram_that_disappears_is_computed_again(app: App, data: Path, linked: list[int]) -> None:
    app.clusters.base("c")
    shutil.rmtree(data / "linkages")
    assert app.clusters.base("c") is not None
    assert linked == [8, 8]


def test_new_pictures_of_a_small_collection_are_linked_when_it_is_viewed(
    app: App, tmp_path: Path, linked: list[int]
) -> None:
    app.clusters.base("c")
    add(app, tmp_path, "blue", 1)
    assert linked == [8]
    view = app.clusters.view("c", Plan())
    assert linked == [8, 9]
    assert view.base.complete
    assert sorted(map(len, shown(app, view).values())) == [2, 3, 4]


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Background jobs that were started; none of them really runs."""
    started: list[Job] = []
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: started.append(job))
    return started


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch, spawned: list[Job]) -> list[Job]:
    """Every collection is too big to be linked while people wait; the jobs that are started."""
    monkeypatch.setattr(module, "INLINE_LINKAGE_LIMIT", 2)
    return spawned


def test_a_big_collection_is_linked_by_a_job(app: App, big: list[Job], linked: list[int]) -> None:
    assert app.clusters.base("c") is None
    with pytest.raises(ClusterError, match="the pictures of c are still being linked"):
        app.clusters.view("c", Plan())
    job = app.clusters.refresh("c", "Ada")
    assert job is not None
    assert (job.kind, job.collection, job.author, linked) == (LINKAGE_JOB, "c", "Ada", [])
    assert big == [job]
    done = app.run_job(job.id)
    assert (done.state, done.message, linked) == ("done", "8 pictures linked", [8])
    base = app.clusters.base("c")
    assert base is not None
    assert base.complete
    assert app.clusters.refresh("c", "Ada") is None


def test_a_job_is_not_started_twice(app: App, big: list[Job]) -> None:
    app.clusters.refresh("c", "Ada")
    assert app.clusters.refresh("c", "Bob") is None
    assert len(big) == 1


def test_a_job_that_was_cancelled_leaves_no_dendrogram(app: App, big: list[Job]) -> None:
    job = app.clusters.refresh("c", "Ada")
    assert job is not None
    app.library.cancel(OPERATOR, job.id)
    assert app.run_job(job.id).state == "cancelled"
    assert app.clusters.base("c") is None


def test_a_job_that_did_not_succeed_is_started_again_by_a_curator_alone(
    app: App, data: Path, tmp_path: Path, big: list[Job]
) -> None:
    job = app.clusters.refresh("c", "a visitor")
    assert job is not None
    app.library.cancel(OPERATOR, job.id)
    assert app.run_job(job.id).state == "cancelled"
    for server in (app, colour_app(data)):
        assert server.clusters.refresh("c", "a visitor") is None
        assert server.clusters.refresh("c", "Ada") is None
    assert big == [job]
    with pytest.raises(NotAllowed, match="only curators"):
        app.library.resume(Person(visitor="192.0.2.1"), job.id)
    again = app.library.resume(OPERATOR, job.id)
    assert app.run_job(again.id).state == "done"
    add(app, tmp_path, "red", 1)
    assert [job.author for job in big] == ["a visitor", OPERATOR.author, "ingest"]  # another version


def test_many_people_in_two_processes_start_one_job(app: App, data: Path, big: list[Job]) -> None:
    servers = [app, colour_app(data)]
    with ThreadPoolExecutor(8) as people:
        started = list(people.map(lambda n: servers[n % 2].clusters.refresh("c", f"p{n}"), range(16)))
    assert [job for job in started if job] == big
    assert len(big) == 1


# -- the map ---------------------------------------------------------------------------------------------------


def test_a_map_is_fitted_once_per_version_whoever_looks_and_again_by_a_curator_alone(
    app: App, data: Path, spawned: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr(atlas_module, "fit_map", fail)
    job = app.atlas.refresh("c", "a visitor")
    assert job is not None
    assert app.run_job(job.id).state == "failed"
    assert [server.atlas.refresh("c", "a visitor") for server in (app, colour_app(data))] == [None, None]
    with pytest.raises(NotAllowed, match="only curators may recompute the map"):
        app.atlas.refit(Person(visitor="192.0.2.1"), "c")
    assert spawned == [job]
    assert app.atlas.refit(OPERATOR, "c") is not None


def test_a_small_collection_needs_no_job(app: App, spawned: list[Job]) -> None:
    assert app.clusters.refresh("c", "Ada") is None
    assert spawned == []


def test_new_assets_of_a_big_collection_are_assigned_until_a_job_links_them(
    app: App, data: Path, tmp_path: Path, big: list[Job], linked: list[int]
) -> None:
    app.clusters.compute_linkage("c")
    add(app, tmp_path, "red", 2)
    add(app, tmp_path, "blue", 2)
    view = app.clusters.view("c", Plan())
    assert not view.base.complete
    assert {len(titles) for titles in shown(app, view).values()} == {6, 3}
    assert (view.labels < 0).sum() == 3
    (job,) = big  # the first ingest started it, the second one saw it
    app.run_job(job.id)
    linked_in = app.clusters.view("c", Plan())
    assert linked_in.base.complete
    assert sorted(map(len, shown(app, linked_in).values())) == [3, 3, 6]
    assert linked == [8, 12]
    assert len(files(data)) == 2


def test_an_ingest_starts_no_job_where_nobody_has_viewed_clusters(app: App, tmp_path: Path, big: list[Job]) -> None:
    add(app, tmp_path, "red", 1)
    assert big == []


def test_an_older_dendrogram_is_used_where_the_newest_is_damaged(
    app: App, data: Path, tmp_path: Path, big: list[Job]
) -> None:
    app.clusters.compute_linkage("c")
    (older,) = files(data)
    add(app, tmp_path, "red", 1)
    app.clusters.compute_linkage("c")
    (newer,) = set(files(data)) - {older}
    newer.write_bytes(b"damaged")
    base = colour_app(data).clusters.base("c")
    assert base is not None
    assert (base.version, base.complete) == (older.stem, False)


# -- views -----------------------------------------------------------------------------------------------------


def test_viewers_of_the_same_plan_share_one_view(app: App) -> None:
    view = app.clusters.view("c", Plan())
    assert app.clusters.view("c", Plan()) is view
    assert app.clusters.view("c", Plan(0.9)) is not view
    assert app.clusters.view("c", Plan()).base is app.clusters.view("c", Plan(0.9)).base


def test_the_number_of_cached_views_is_limited(app: App, linked: list[int]) -> None:
    first = app.clusters.view("c", Plan(0.5))
    for step in range(module.MAX_VIEWS + 5):
        app.clusters.view("c", Plan(0.6 + 0.001 * step))
    cached = app.clusters._cached_base("c")
    assert cached is not None
    assert len(cached.views._slots.items()) == module.MAX_VIEWS
    again = app.clusters.view("c", Plan(0.5))
    assert again is not first
    assert again.labels.tolist() == first.labels.tolist()
    assert again.base is first.base
    assert linked == [8]


def test_fewer_views_of_a_large_collection_are_cached(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_ROWS", 7 * app.size("c"))
    views = [app.clusters.view("c", Plan(0.6 + 0.001 * step)) for step in range(8)]
    assert app.clusters.view("c", views[-7].plan) is views[-7]
    assert app.clusters.view("c", views[0].plan) is not views[0]


def named(app: App, plan: Plan, name: str) -> Plan:
    """The plan with a name for its largest cluster."""
    return apply(plan, Rename(app.clusters.view("c", plan).partition.ref(0), name))


def test_names_and_ids_stay_when_the_threshold_moves_and_comes_back(app: App) -> None:
    plan = named(app, Plan(0.9), "Fire")
    revision = app.curation.save_plan(OPERATOR, "c", plan, None)
    saved = app.clusters.revision_view(revision)
    assert saved.clusters[0].name == "Fire"
    everything = app.clusters.view("c", replace(plan, threshold=-1.0), revision.id)
    assert [(c.id, c.name) for c in everything.clusters] == [(saved.clusters[0].id, "Fire")]
    pieces = app.clusters.view("c", replace(plan, threshold=0.9999), revision.id)
    assert "Fire" in {c.name for c in pieces.clusters}
    back = app.clusters.view("c", plan, revision.id)
    assert [(c.id, c.name) for c in back.clusters] == [(c.id, c.name) for c in saved.clusters]


def test_a_view_of_a_saved_revision_has_no_unapplied_edits(app: App) -> None:
    whole = app.clusters.view("c", Plan(0.9)).partition.members(0)
    plan = apply(apply(Plan(0.9), Rename(ClusterRef(whole[:1]), "Flame")), Rename(ClusterRef(whole), "Blaze"))
    revision = app.curation.save_plan(OPERATOR, "c", plan, None)
    assert [c.name for c in app.clusters.clustering(revision.id).clusters][:1] == ["Blaze"]
    view = app.clusters.revision_view(revision)
    assert view.clusters[0].name == "Blaze"
    assert view.partition.unapplied == ()


def test_a_view_of_a_revision_includes_pictures_added_later(app: App, tmp_path: Path) -> None:
    revision = app.curation.save_plan(OPERATOR, "c", named(app, Plan(), "Fire"), None)
    add(app, tmp_path, "red", 2)
    view = app.clusters.revision_view(revision)
    assert (view.clusters[0].name, view.sizes[0]) == ("Fire", 6)
    assert app.clusters.clustering(revision.id).clusters[0].size == 4


def test_changes_are_relative_to_the_given_revision(app: App, tmp_path: Path) -> None:
    revision = app.curation.save_plan(OPERATOR, "c", named(app, Plan(), "Fire"), None)
    same = app.clusters.changes_since(revision.id, app.clusters.revision_view(revision))
    assert (same.flows, same.added, same.renamed) == ((), (), ())
    plan = named(app, Plan(), "Flames")
    renamed = app.clusters.changes_since(revision.id, app.clusters.view("c", plan, revision.id))
    assert [(old.name, new.name) for old, new in renamed.renamed] == [("Fire", "Flames")]
    new = add(app, tmp_path, "red", 1)
    grown = app.clusters.changes_since(revision.id, app.clusters.revision_view(revision))
    assert [(flow.asset_ids, flow.after) for flow in grown.added] == [(tuple(new), same.continued[0][0].id)]
    everything = app.clusters.changes_since(None, app.clusters.view("c", Plan()))
    assert sum(len(flow.asset_ids) for flow in everything.added) == 9


def test_two_revisions_differ_as_they_were_saved(app: App) -> None:
    first = app.curation.save_plan(OPERATOR, "c", Plan(), None)
    second = app.curation.save_plan(OPERATOR, "c", named(app, Plan(), "Fire"), first.id)
    assert [new.name for _, new in app.clusters.diff_revisions(first.id, second.id).renamed] == ["Fire"]
    assert app.clusters.diff_revisions(first.id, first.id).flows == ()


def test_a_collection_without_revisions_has_the_default_plan(app: App) -> None:
    assert app.clusters.revision_plan(None) == Plan()
    assert app.clusters.known_clusters(None) == ()


def test_a_branch_holds_its_own_threshold_in_a_view(app: App) -> None:
    view = app.clusters.view("c", Plan(0.5))
    base = view.base
    node = view.clusters[0].node
    assert node is not None
    plan = apply(Plan(0.5), SetBranch(branch_at(base.linkage, base.index, node, 1.0)))
    assert [c.size for c in app.clusters.view("c", plan).clusters] == [3]


# -- thresholds and borderline pairs ----------------------------------------------------------------------------


def test_the_curve_and_its_plateaus_are_computed_once(app: App) -> None:
    base = app.clusters.base("c")
    assert base is not None
    curve, plateaus = app.clusters.curve(base, "c", 2)
    assert app.clusters.curve(base, "c", 2)[0] is curve
    assert app.clusters.curve(base, "c", 3)[0] is not curve
    groups = curve.counts_at(np.array([0.82])).groups.tolist()
    assert groups == [len(app.clusters.view("c", Plan(0.82)).clusters)]
    assert all(plateau.lowest <= plateau.threshold <= plateau.highest for plateau in plateaus)


def test_borderline_pairs_are_rows_of_the_collection_without_judged_ones(
    app: App, tmp_path: Path, big: list[Job]
) -> None:
    app.clusters.compute_linkage("c")
    add(app, tmp_path, "blue", 2)  # rows that the dendrogram does not know
    plan = Plan(0.82)
    for left in (7, 6, 5, 4):
        view = app.clusters.view("c", plan)
        pairs = app.clusters.borderline_pairs(view, 20)
        assert len(pairs) == left
        rows = {asset_id: row for row, asset_id in enumerate(view.base.index.asset_ids)}
        for pair in pairs:
            a, b = (rows[view.asset_ids[row]] for row in (pair.a, pair.b))
            assert cophenetic_similarity(view.base.linkage, a, b) == pair.similarity
        first, second = sorted(view.asset_ids[row] for row in (pairs[0].a, pairs[0].b))
        judged = (first, second) if left % 2 else (second, first)
        plan = apply(plan, PairConstraint(*judged, must_link=pairs[0].similarity > 0.5))
    estimate = app.clusters.threshold_estimate(app.clusters.view("c", plan))
    assert estimate is None or estimate.answers == 4


def test_the_threshold_is_estimated_from_the_plans_own_judgements(app: App) -> None:
    titles = {title: asset_id for asset_id, title in app.titles("c").items()}
    plan = Plan()
    assert app.clusters.threshold_estimate(app.clusters.view("c", plan)) is None
    for a, b in (("red_0", "red_1"), ("red_1", "red_3"), ("green_0", "green_1")):
        plan = apply(plan, PairConstraint(titles[f"{a}.png"], titles[f"{b}.png"], must_link=True))
    assert app.clusters.threshold_estimate(app.clusters.view("c", plan)) is None
    plan = apply(plan, PairConstraint(titles["red_0.png"], titles["green_0.png"], must_link=False))
    plan = apply(plan, PairConstraint(titles["red_0.png"], IDS[0], must_link=False))  # no longer in the collection
    estimate = app.clusters.threshold_estimate(app.clusters.view("c", plan))
    assert estimate is not None
    assert estimate.answers == 4
    assert -0.4 < estimate.threshold < 0.99


# -- collections that lose pictures or are read in another order ------------------------------------------------


class SingleCollection:
    """A ClusterService over one collection whose snapshot a test can replace."""

    def __init__(self, root: Path, now: Snapshot) -> None:
        self.now, self.encoded = now, 0
        database = Database(root / "contactsheet.db")
        linkages = LinkageFiles(root / "linkages")
        sources = ClusterSources(lambda _: self.now, lambda _: linkages, self._encode, lambda: ["thing"])
        background = BackgroundJobs(JobStore(database), root / "jobs", {})
        self.service = ClusterService(sources, RevisionStore(database), background)

    def _encode(self, collection: str, texts: list[str]) -> np.ndarray:
        self.encoded += 1
        return unit_vectors(len(texts), 1).astype(np.float32)

    def names(self) -> list[tuple[set[str], str]]:
        """The titles in each cluster, and the name that is suggested for it."""
        view = self.service.view("c", Plan(0.5))
        found = [one.name for one in self.service.name_suggestions("c", view) if one]
        titles = np.array(view.base.snapshot.titles)
        pairs = [(set(titles[view.labels == number].tolist()), name) for number, name in enumerate(found)]
        return sorted(pairs, key=lambda pair: pair[1])


PAIRS = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0)
ANIMALS = ("cat", "cat", "dog", "dog", "hen", "hen")


@pytest.fixture
def single(tmp_path: Path) -> SingleCollection:
    return SingleCollection(tmp_path, replace(snapshot(IDS[:6], PAIRS), titles=ANIMALS))


def test_names_are_suggested_from_the_words_of_a_collection_which_are_encoded_once(single: SingleCollection) -> None:
    assert single.names() == [({"cat"}, "Cat"), ({"dog"}, "Dog"), ({"hen"}, "Hen")]
    single.names()
    assert single.encoded == 1


def test_names_do_not_depend_on_the_thresholds_before(single: SingleCollection, tmp_path: Path) -> None:
    def names(service: ClusterService, threshold: float) -> list[NameSuggestion | None]:
        return service.name_suggestions("c", service.view("c", Plan(threshold)))

    moved = [names(single.service, threshold) for threshold in (0.5, -1.0, 0.2, 0.5)]
    assert moved[0] == moved[3] == moved[2]
    assert names(SingleCollection(tmp_path / "other", single.now).service, -1.0) == moved[1]


def test_the_names_of_a_view_are_computed_once(single: SingleCollection) -> None:
    view = single.service.view("c", Plan(0.5))
    assert single.service.name_suggestions("c", view) is single.service.name_suggestions("c", view)


def test_names_fit_their_clusters_when_the_same_pictures_are_read_in_another_order(single: SingleCollection) -> None:
    before, base = single.names(), single.service.base("c")
    assert base is not None
    order = [5, 2, 0, 4, 3, 1]
    single.now = replace(snapshot(tuple(IDS[i] for i in order), PAIRS[order]), titles=tuple(ANIMALS[i] for i in order))
    single.service.name_suggestions("c", build_view(base, Plan(0.5)))
    assert single.service.base("c") is not base
    assert single.names() == before


def test_where_pictures_are_gone_the_others_stay_in_their_clusters(
    single: SingleCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    single.service.base("c")
    monkeypatch.setattr(module, "INLINE_LINKAGE_LIMIT", 0)
    single.now = replace(snapshot(IDS[2:5], PAIRS[2:5], "later"), titles=ANIMALS[2:5])
    view = single.service.view("c", Plan(0.5))
    assert sorted(view.sizes.tolist()) == [0, 1, 2]
    assert single.service.borderline_pairs(view, 5) == []
    assert not view.base.complete


def test_a_collection_that_grows_while_it_is_linked_is_linked_as_it_is_then(
    single: SingleCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = replace(snapshot(IDS[:6], PAIRS, "grown"), titles=ANIMALS)
    single.now = replace(snapshot(IDS[:4], PAIRS[:4], "small"), titles=ANIMALS[:4])
    original = ClusterService.compute_linkage

    def link(service: ClusterService, collection: str) -> str:
        single.now = grown
        return original(service, collection)

    monkeypatch.setattr(ClusterService, "compute_linkage", link)
    base = single.service.base("c")
    assert base is not None
    assert (base.version, base.complete, len(base.new_rows)) == ("grown", False, 0)
    complete = single.service.base("c")
    assert complete is not None
    assert complete.complete


def test_an_empty_collection_has_an_empty_view(tmp_path: Path) -> None:
    single = SingleCollection(tmp_path, snapshot((), np.empty((0, 3))))
    view = single.service.view("c", Plan())
    assert view.clusters == ()
    assert single.service.name_suggestions("c", view) == []
    assert single.service.borderline_pairs(view, 3) == []
    assert single.service.threshold_estimate(view) is None
    assert single.service.changes_since(None, view).added == ()
