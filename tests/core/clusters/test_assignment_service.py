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
from core.logs import ROOT
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
    revision = app.curators.save_plan(OPERATOR, "c", plan, newest.id if newest else None)
    return app.curators.publish(OPERATOR, revision.id, before.id if before else None)


def relied_on(app: App) -> Revision:
    revision = app.clusters.revisions.published("c")
    assert revision is not None
    return revision


def placed(app: App) -> dict[str, str]:
    """The cluster of every newcomer, by the picture's title; the cluster's name, or its id where it has none."""
    titles, revision = app.titles("c"), relied_on(app)
    names = {c.id: c.name for c in app.clusters.clustering(revision.id).clusters}
    return {titles[a.asset_id]: names.get(a.cluster_id, a.cluster_id) for a in app.newcomers.of("c", revision)}


def test_an_ingest_puts_new_pictures_into_the_published_clusters(app: App, tmp_path: Path) -> None:
    (new,) = add(app, tmp_path, "red")
    assert placed(app) == {"red_10.png": "Fire"}
    (assignment,) = app.newcomers.of("c", relied_on(app))
    fire = app.clusters.clustering(relied_on(app).id).clusters[0]
    snapshot = app.clusters.view("c", Plan()).base.snapshot
    cosine = float(snapshot.vectors[snapshot.ids.index(new)] @ fire.centroid)
    assert (assignment.asset_id, assignment.cluster_id) == (new, fire.id)
    assert assignment.similarity == pytest.approx(cosine, abs=1e-6)


def test_a_picture_that_is_near_to_none_founds_a_cluster_that_later_ones_join(app: App, tmp_path: Path) -> None:
    (founder,) = add(app, tmp_path, "blue", first=5)
    add(app, tmp_path, "blue", 2, first=10)
    add(app, tmp_path, "green", first=12)
    own = f"n{founder[:10]}"
    assert placed(app) == {"blue_5.png": own, "blue_10.png": own, "blue_11.png": own, "green_12.png": "Grass"}


def test_who_comes_together_founds_one_cluster(app: App, tmp_path: Path) -> None:
    new = add(app, tmp_path, "blue", 3)
    assert set(placed(app).values()) == {f"n{min(new)[:10]}"}


def test_pictures_of_the_published_revision_stay_where_they_are(app: App) -> None:
    assert app.newcomers.place("c") == 0
    assert placed(app) == {}


def test_placing_again_changes_nothing(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, "red", 2)
    before = app.newcomers.of("c", relied_on(app))
    assert app.newcomers.place("c") == 0
    assert app.newcomers.of("c", relied_on(app)) == before


def test_pictures_whose_ingest_was_killed_before_they_found_a_place_get_one_the_next_time(
    app: App, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(AssignmentService, "place", lambda self, collection: 0)
        add(app, tmp_path, "red", 2)
    assert placed(app) == {}
    again = colour_app(data)
    assert again.newcomers.place("c") == 2
    assert placed(again) == {"red_10.png": "Fire", "red_11.png": "Fire"}


def test_what_several_ingests_place_does_not_depend_on_when_they_were_placed(
    app: App, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = colour_app(Path(shutil.copytree(data, tmp_path / "other")))
    add(app, tmp_path, "blue", 3)
    with monkeypatch.context() as patch:
        patch.setattr(AssignmentService, "place", lambda self, collection: 0)
        add(other, tmp_path, "blue", 3)
    other.newcomers.place("c")
    assert placed(other) == placed(app)


def test_without_a_published_revision_nobody_is_placed(app: App, tmp_path: Path) -> None:
    paint(tmp_path / "fresh", "red", 2)
    app.ingest(tmp_path / "fresh", "fresh")
    assert app.newcomers.place("fresh") == 0


def test_a_newly_published_revision_places_those_that_it_does_not_know(app: App, tmp_path: Path) -> None:
    older = app.clusters.plan_of(relied_on(app))
    saved = app.curators.save_plan(OPERATOR, "c", older, relied_on(app).id)
    add(app, tmp_path, "red", 2)
    assert len(placed(app)) == 2
    app.curators.publish(OPERATOR, saved.id, relied_on(app).id)
    assert placed(app) == {}
    assert app.newcomers.place("c") == 2
    publish(app, older)  # this one knows them
    assert app.newcomers.place("c") == 0


def test_nobody_joins_what_is_not_a_group(app: App, tmp_path: Path) -> None:
    plan = app.clusters.plan_of(relied_on(app))
    view = app.clusters.view("c", plan, relied_on(app).id)
    publish(app, apply(plan, MarkNoGroup(view.partition.ref(0), True)))
    new = add(app, tmp_path, "red", 2)
    add(app, tmp_path, "red", first=12)
    assert set(placed(app).values()) == {f"n{min(new)[:10]}"}
    add(app, tmp_path, "green")
    assert placed(app)["green_10.png"] == "Grass"


def test_a_cluster_takes_newcomers_at_its_own_threshold(app: App, tmp_path: Path) -> None:
    publish(app, Plan(0.9999))
    add(app, tmp_path, "red", first=20)
    assert placed(app)["red_20.png"].startswith("n")


@pytest.mark.parametrize("fault", [ClusterError("no"), "damaged"])
def test_an_ingest_does_not_fail_because_newcomers_cannot_be_placed(
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

        monkeypatch.setattr(AssignmentService, "place", fail)
    logging.getLogger(ROOT).addHandler(caplog.handler)
    try:
        new = add(app, tmp_path, "red", 2)
    finally:
        logging.getLogger(ROOT).removeHandler(caplog.handler)
    assert len(new) == 2
    assert "newcomers were not placed" in caplog.text


# -- rehearsals ------------------------------------------------------------------------------------------------


def test_a_rehearsal_tells_who_would_go_elsewhere(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, "red")
    nothing = app.newcomers.rehearse("c", 0.82, 100)
    assert (nothing.tried, nothing.changes) == (9, ())
    strict = app.newcomers.rehearse("c", 0.97, 100)
    (change,) = strict.changes
    assert (change.title, change.before, change.after) == ("red_10.png", "Fire", None)
    assert 0.82 < change.similarity < 0.97
    loose = app.newcomers.rehearse("c", -1.0, 100)
    assert [(c.title, c.before) for c in loose.changes] == [("blue_0.png", None)]
    assert loose.changes[0].after in ("Fire", "Grass")


def test_a_rehearsal_takes_the_pictures_that_came_last(app: App, data: Path) -> None:
    snapshot = app.clusters.view("c", Plan()).base.snapshot
    moments = np.array([title == "red_0.png" for title in snapshot.titles], np.int64)
    newcomers = AssignmentService(
        lambda _: replace(snapshot, ingested_us=moments),
        app.clusters.revisions,
        AssignmentStore(Database(data / "contactsheet.db")),
        app.clusters.clustering,
    )
    rehearsal = newcomers.rehearse("c", 1.0, 1)
    assert (rehearsal.tried, [change.title for change in rehearsal.changes]) == (1, ["red_0.png"])


def test_a_rehearsal_writes_nothing(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, "red")
    before = app.newcomers.of("c", relied_on(app))
    app.newcomers.rehearse("c", 0.99, 100)
    assert app.newcomers.of("c", relied_on(app)) == before


@pytest.mark.parametrize(
    ("threshold", "last", "message"),
    [
        (7.0, 10, "a threshold of 7.0 is not possible: choose one from -1 to 1"),
        (float("nan"), 10, "a threshold of nan is not possible"),
        (0.8, 0, "0 pictures cannot be tried: choose 1 or more"),
        (0.8, -5, "-5 pictures cannot be tried"),
    ],
)
def test_a_rehearsal_that_is_not_possible_is_refused(app: App, threshold: float, last: int, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        app.newcomers.rehearse("c", threshold, last)


def test_there_is_nothing_to_rehearse_without_a_published_revision(app: App, tmp_path: Path) -> None:
    paint(tmp_path / "fresh", "red", 2)
    app.ingest(tmp_path / "fresh", "fresh")
    with pytest.raises(ClusterError, match="fresh has no published clusters: publish a revision first"):
        app.newcomers.rehearse("fresh", 0.8, 10)
