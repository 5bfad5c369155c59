from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.access import OPERATOR
from core.app import App
from core.clusters.edits.model import MarkNoGroup, Rename
from core.clusters.edits.plan import Plan, apply
from core.clusters.views.assignment import AssignmentService
from core.errors import ClusterError
from core.logs import ROOT_LOGGER
from core.records.clusterings import Revision
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.database import Database
from tests.fakes.colour_app import colour_app
from tests.fakes.painted import add, paint, paint_collection


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose collection `c` has the published clusters Fire (four red pictures) and Grass (three)."""
    data = paint_collection(tmp_path_factory.mktemp("published"))
    app, plan = colour_app(data), Plan()
    for number, name in enumerate(("Fire", "Grass")):
        plan = apply(plan, Rename(app.clusters.view("c", Plan()).partition.ref(number), name))
    publish(app, plan)
    return data


@pytest.fixture
def data(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "data"))


@pytest.fixture
def app(data: Path) -> App:
    return colour_app(data)


def publish(app: App, plan: Plan) -> Revision:
    """Save a plan and publish it."""
    newest, before = app.clusters.revisions.newest("c"), app.clusters.revisions.published("c")
    revision = app.curation.save_plan(OPERATOR, "c", plan, newest.id if newest else None)
    return app.curation.publish(OPERATOR, revision.id, before.id if before else None)


def published_revision(app: App) -> Revision:
    revision = app.clusters.revisions.published("c")
    assert revision is not None
    return revision


def assigned(app: App) -> dict[str, str]:
    """The cluster of every new picture, by the picture's title; the cluster's name, or its id if it has none."""
    titles, revision = app.titles("c"), published_revision(app)
    names = {c.id: c.name for c in app.clusters.clustering(revision.id).clusters}
    return {
        titles[a.asset_id]: names.get(a.cluster_id, a.cluster_id) for a in app.assignments.for_revision("c", revision)
    }


def test_an_ingest_puts_new_pictures_into_the_published_clusters(app: App, tmp_path: Path) -> None:
    (new,) = add(app, tmp_path, "red")
    assert assigned(app) == {"red_10.png": "Fire"}
    (assignment,) = app.assignments.for_revision("c", published_revision(app))
    fire = app.clusters.clustering(published_revision(app).id).clusters[0]
    snapshot = app.clusters.view("c", Plan()).base.snapshot
    cosine = float(snapshot.vectors[snapshot.ids.index(new)] @ fire.centroid)
    assert (assignment.asset_id, assignment.cluster_id) == (new, fire.id)
    assert assignment.similarity == pytest.approx(cosine, abs=1e-6)


def test_a_picture_near_no_cluster_founds_one_that_later_pictures_join(app: App, tmp_path: Path) -> None:
    (founder,) = add(app, tmp_path, "blue", first=5)
    add(app, tmp_path, "blue", 2, first=10)
    add(app, tmp_path, "green", first=12)
    own = f"n{founder[:10]}"
    assert assigned(app) == {"blue_5.png": own, "blue_10.png": own, "blue_11.png": own, "green_12.png": "Grass"}


def test_similar_pictures_of_one_ingest_found_one_cluster(app: App, tmp_path: Path) -> None:
    new = add(app, tmp_path, "blue", 3)
    assert set(assigned(app).values()) == {f"n{min(new)[:10]}"}


def test_pictures_of_the_published_revision_stay_where_they_are(app: App) -> None:
    assert app.assignments.assign_new_assets("c") == 0
    assert assigned(app) == {}


def test_assigning_again_changes_nothing(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, "red", 2)
    before = app.assignments.for_revision("c", published_revision(app))
    assert app.assignments.assign_new_assets("c") == 0
    assert app.assignments.for_revision("c", published_revision(app)) == before


def test_pictures_whose_ingest_was_killed_before_they_were_assigned_are_assigned_the_next_time(
    app: App, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(AssignmentService, "assign_new_assets", lambda self, collection: 0)
        add(app, tmp_path, "red", 2)
    assert assigned(app) == {}
    again = colour_app(data)
    assert again.assignments.assign_new_assets("c") == 2
    assert assigned(again) == {"red_10.png": "Fire", "red_11.png": "Fire"}


def test_assignments_of_several_ingests_do_not_depend_on_when_they_were_made(
    app: App, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = colour_app(Path(shutil.copytree(data, tmp_path / "other")))
    add(app, tmp_path, "blue", 3)
    with monkeypatch.context() as patch:
        patch.setattr(AssignmentService, "assign_new_assets", lambda self, collection: 0)
        add(other, tmp_path, "blue", 3)
    other.assignments.assign_new_assets("c")
    assert assigned(other) == assigned(app)


def test_without_a_published_revision_nothing_is_assigned(app: App, tmp_path: Path) -> None:
    paint(tmp_path / "fresh", "red", 2)
    app.ingest(tmp_path / "fresh", "fresh")
    assert app.assignments.assign_new_assets("fresh") == 0


def test_pictures_that_a_newly_published_revision_does_not_have_are_assigned(app: App, tmp_path: Path) -> None:
    older = app.clusters.revision_plan(published_revision(app))
    saved = app.curation.save_plan(OPERATOR, "c", older, published_revision(app).id)
    add(app, tmp_path, "red", 2)
    assert len(assigned(app)) == 2
    app.curation.publish(OPERATOR, saved.id, published_revision(app).id)
    assert assigned(app) == {}
    assert app.assignments.assign_new_assets("c") == 2
    publish(app, older)  # this one knows them
    assert app.assignments.assign_new_assets("c") == 0


def test_nothing_joins_a_cluster_that_is_marked_as_not_a_group(app: App, tmp_path: Path) -> None:
    plan = app.clusters.revision_plan(published_revision(app))
    view = app.clusters.view("c", plan, published_revision(app).id)
    publish(app, apply(plan, MarkNoGroup(view.partition.ref(0), True)))
    new = add(app, tmp_path, "red", 2)
    add(app, tmp_path, "red", first=12)
    assert set(assigned(app).values()) == {f"n{min(new)[:10]}"}
    add(app, tmp_path, "green")
    assert assigned(app)["green_10.png"] == "Grass"


def test_new_pictures_join_a_cluster_at_its_own_threshold(app: App, tmp_path: Path) -> None:
    publish(app, Plan(0.9999))
    add(app, tmp_path, "red", first=20)
    assert assigned(app)["red_20.png"].startswith("n")


@pytest.mark.parametrize("fault", [ClusterError("no"), "damaged"])
def test_an_ingest_does_not_fail_because_new_assets_cannot_be_assigned(
    app: App,
    data: Path,
    tmp_path: Path,
    fault: Exception | str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if isinstance(fault, str):
        with Database(data / "contactsheet.db").transaction() as db:
            db.execute("UPDATE revisions SET centroids = ?", (b"damaged",))
    else:

        def fail(self: AssignmentService, collection: str) -> int:
            raise fault

        monkeypatch.setattr(AssignmentService, "assign_new_assets", fail)
    logging.getLogger(ROOT_LOGGER).addHandler(caplog.handler)
    try:
        new = add(app, tmp_path, "red", 2)
    finally:
        logging.getLogger(ROOT_LOGGER).removeHandler(caplog.handler)
    assert len(new) == 2
    assert "newcomers were not placed" in caplog.text


# -- previews --------------------------------------------------------------------------------------------------


def test_a_preview_lists_pictures_that_would_go_elsewhere(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, "red")
    nothing = app.assignments.preview("c", 0.82, 100)
    assert (nothing.tried, nothing.changes) == (9, ())
    strict = app.assignments.preview("c", 0.97, 100)
    (change,) = strict.changes
    assert (change.title, change.before, change.after) == ("red_10.png", "Fire", None)
    assert 0.82 < change.similarity < 0.97
    loose = app.assignments.preview("c", -1.0, 100)
    assert [(c.title, c.before) for c in loose.changes] == [("blue_0.png", None)]
    assert loose.changes[0].after in ("Fire", "Grass")


def test_a_preview_takes_the_latest_pictures(app: App, data: Path) -> None:
    snapshot = app.clusters.view("c", Plan()).base.snapshot
    moments = np.array([title == "red_0.png" for title in snapshot.titles], np.int64)
    service = AssignmentService(
        lambda _: replace(snapshot, ingested_us=moments),
        app.clusters.revisions,
        AssignmentStore(Database(data / "contactsheet.db")),
        app.clusters.clustering,
    )
    preview = service.preview("c", 1.0, 1)
    assert (preview.tried, [change.title for change in preview.changes]) == (1, ["red_0.png"])


def test_a_preview_writes_nothing(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, "red")
    before = app.assignments.for_revision("c", published_revision(app))
    app.assignments.preview("c", 0.99, 100)
    assert app.assignments.for_revision("c", published_revision(app)) == before


@pytest.mark.parametrize(
    ("threshold", "last", "message"),
    [
        (7.0, 10, "a threshold of 7.0 is not possible: choose one from -1 to 1"),
        (float("nan"), 10, "a threshold of nan is not possible"),
        (0.8, 0, "0 pictures cannot be tried: choose 1 or more"),
        (0.8, -5, "-5 pictures cannot be tried"),
    ],
)
def test_an_impossible_preview_is_refused(app: App, threshold: float, last: int, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        app.assignments.preview("c", threshold, last)


def test_there_is_no_preview_without_a_published_revision(app: App, tmp_path: Path) -> None:
    paint(tmp_path / "fresh", "red", 2)
    app.ingest(tmp_path / "fresh", "fresh")
    with pytest.raises(ClusterError, match="fresh has no published clusters: publish a revision first"):
        app.assignments.preview("fresh", 0.8, 10)
