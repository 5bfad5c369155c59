"""A curator's hour of random edits on the demo collection: exactly what was acknowledged is there at the end.

`python -m tests.core.clusters.test_curation_hour DATA SEED EDITS` is the curator's process. It prints `try` and the
step before each step and `done` after it, and continues from what is stored, even if an earlier process was killed.
"""

from __future__ import annotations

import os
import pickle
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.access import Person
from core.app import DEMO, App, open_app
from core.clusters import service
from core.clusters.edits.model import (
    ClearBranch,
    Describe,
    Edit,
    MarkNoGroup,
    Merge,
    Move,
    PairConstraint,
    Pin,
    Rename,
    SetMinClusterSize,
    SetThreshold,
    Split,
    Unpin,
)
from core.clusters.edits.plan import Plan, pins
from core.clusters.edits.undo import History
from core.clusters.tree.asset_index import AssetIndex
from core.clusters.tree.linkage import average_linkage
from core.clusters.views.branch_preview import preview_branch
from core.clusters.views.cluster_view import ClusterView
from core.clusters.views.partition import Partition, build_partition
from core.errors import ClusterError
from core.records.clusterings import Clustering, Revision
from core.settings import PROJECT, Settings
from tests.fakes.trials import trials

ADA = Person("Ada", over_loopback=True)
EDITS, KINDS = trials(200, at_least=80), 13
KILLED_AFTER = EDITS * 7 // 20


@dataclass(frozen=True)
class Step:
    """One thing a curator does: an edit, or `undo`, `redo`, `save`, `publish`, `reload`."""

    act: str
    edit: Edit | None = None
    coalesce: bool = False


@dataclass(frozen=True)
class Model:
    """The expected state: the saved plans, which of them is published, and the draft on top of the last."""

    saved: tuple[Plan, ...] = ()
    published: int = 0
    draft: History = History.from_plan(Plan())

    def after(self, step: Step) -> Model:
        match step.act:
            case "edit":
                assert step.edit is not None
                return replace(self, draft=self.draft.do(step.edit, step.coalesce))
            case "undo":
                return replace(self, draft=self.draft.undo())
            case "redo":
                return replace(self, draft=self.draft.redo())
            case "save":
                return replace(self, saved=(*self.saved, self.draft.plan), draft=History.from_plan(self.draft.plan))
            case "publish":
                return replace(self, published=len(self.saved))
        return self


def stored(app: App) -> Model:
    """The stored state as a model."""
    revisions = app.clusters.revisions
    newest_last = revisions.list(DEMO, 1_000)[::-1]
    published, unsaved = revisions.published(DEMO), app.curation.unsaved_draft(ADA, DEMO)
    numbers = {revision.id: number for number, revision in enumerate(newest_last, 1)}
    plans = tuple(app.clusters.revision_plan(revision) for revision in newest_last)
    draft = unsaved.history if unsaved else History.from_plan(plans[-1] if plans else Plan())
    return Model(plans, numbers[published.id] if published else 0, draft)


# -- the curator ------------------------------------------------------------------------------------------------


def any_edit(rng: random.Random, view: ClusterView) -> list[Edit]:
    """A random edit that fits the current clusters; a branch's threshold may take several."""
    numbers = [number for number, size in enumerate(view.sizes.tolist()) if size]
    a, b = rng.sample(numbers, 2)
    ref, other = view.partition.ref(a), view.partition.ref(b)
    members, some_assets = view.partition.members(a), rng.sample(view.asset_ids, 4)
    held, branches, text = sorted(pins(view.plan)), view.plan.branches, f"Group {rng.randrange(1000)}"
    some = tuple(sorted(some_assets[: rng.randint(1, 4)]))
    choices: list[list[Edit]] = [
        [SetThreshold(rng.choice((rng.uniform(0.5, 0.95), round(rng.uniform(0.6, 0.9), 3))))],
        [SetMinClusterSize(rng.randint(1, 5))],
        list(branch_edits(rng, view, a)),
        [Rename(ref, text)],
        [Describe(ref, text)],
        [Merge((ref, other))],
        [Move(some, rng.choice((ref, None)))],
        [Split(ref, (members[::2],))],
        [Pin(some, ref)],
        [MarkNoGroup(ref, rng.random() < 0.5)],
        [PairConstraint(some_assets[0], some_assets[1], rng.random() < 0.5)],
        [Unpin(tuple(rng.sample(held, 1)))] if held else [],
        [ClearBranch(rng.choice(branches).leaf_ids)] if branches else [],
    ]
    assert len(choices) == KINDS
    return rng.choice(choices)


def branch_edits(rng: random.Random, view: ClusterView, number: int) -> tuple[Edit, ...]:
    found = preview_branch(view, number, rng.uniform(0.5, 0.95))
    return found.edits if found else ()


def any_steps(rng: random.Random, app: App) -> list[Step]:
    """The curator's next steps, from the stored state alone."""
    history, newest = app.curation.open(ADA, DEMO).history, app.clusters.revisions.newest(DEMO)
    acts = ["edit"] * 10 + ["undo"] * 2 * history.can_undo + ["redo"] * 2 * history.can_redo + ["reload"]
    acts += ["save"] * history.can_undo + ["publish"] * (newest is not None and not newest.published)
    act = rng.choice(acts)
    if act != "edit":
        return [Step(act)]
    view = app.clusters.view(DEMO, history.plan, newest.id if newest else None)
    return [Step("edit", edit, rng.random() < 0.5) for edit in any_edit(rng, view)]


def take(app: App, step: Step) -> App:
    """Take a step; returns the App to continue with."""
    curators, newest = app.curation, app.clusters.revisions.newest(DEMO)
    opened = curators.open(ADA, DEMO)
    match step.act:
        case "edit":
            assert step.edit is not None
            curators.edit(ADA, opened, step.edit, step.coalesce)
        case "undo":
            curators.undo(ADA, opened)
        case "redo":
            curators.redo(ADA, opened)
        case "save":
            curators.save(ADA, opened, "random")
        case "publish":
            assert newest is not None
            before = app.clusters.revisions.published(DEMO)
            curators.publish(ADA, newest.id, before.id if before else None)
        case "reload":
            return opened_on(app.settings.data)
    return app


def play(data: Path, seed: int, edits: int) -> None:
    """Take random steps until this many edits are made, and report each step."""
    rng, app = random.Random(seed), opened_on(data)
    while edits > 0:
        for step in any_steps(rng, app):
            report("try", pickle.dumps(step).hex())
            try:
                app = take(app, step)
            except ClusterError:
                report("refused")
                break
            edits -= step.act == "edit"
            report("done")


def report(*words: str) -> None:
    print(*words, flush=True)


def opened_on(data: Path) -> App:
    service.build_vocabulary = lambda terms, common: [*common[:40]]  # encoding 600 words takes ten seconds
    return open_app(Settings(data=data, model="bundled", model_is_explicit=True))


# -- the hour ---------------------------------------------------------------------------------------------------


@contextmanager
def playing(data: Path, seed: int, edits: int) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.core.clusters.test_curation_hour",
        str(data),
        str(seed),
        str(edits),
    ]
    environment = {**os.environ, "CONTACTSHEET_DATA": str(data)}
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


def watch(process: subprocess.Popen[str], model: Model, kill_after: int | None, inside: bool) -> tuple[Model, Model]:
    """Follow a process until it ends or is killed: what it acknowledged, and that with the step it was killed in."""
    assert process.stdout is not None
    current, edits = Step("reload"), 0
    for line in process.stdout:
        word, *rest = line.split()
        if word == "try":
            current = pickle.loads(bytes.fromhex(rest[0]))
            if inside and edits == kill_after and current.act == "edit":
                process.kill()
                return model, attempted(model, current)
        elif word == "done":
            model, edits = model.after(current), edits + (current.act == "edit")
            if not inside and edits == kill_after:
                process.kill()
                return model, model
    assert process.wait() == 0
    return model, model


def attempted(model: Model, step: Step) -> Model:
    try:
        return model.after(step)
    except ClusterError:
        return model


@pytest.fixture
def data(demo_data: Path, tmp_path: Path) -> Path:
    shutil.copytree(demo_data / "collections", tmp_path / "data" / "collections")
    return tmp_path / "data"


def test_after_an_hour_with_two_kills_everything_is_as_predicted(data: Path) -> None:
    model, remaining = Model(), EDITS
    for seed, (edits, inside) in enumerate(((KILLED_AFTER, False), (KILLED_AFTER, True), (None, False))):
        with playing(data, seed, remaining) as process:
            acknowledged, with_last = watch(process, model, edits, inside)
        model = stored(opened_on(data))
        assert model in (acknowledged, with_last)
        remaining -= edits or remaining
    assert len(model.saved) > EDITS // 60
    assert model.published > 0
    assert_clustering_is_predicted(opened_on(data), model)


def assert_clustering_is_predicted(app: App, model: Model) -> None:
    """Saving the draft gives the same clusters as applying its plan to a recomputed dendrogram."""
    newest, snapshot = app.clusters.revisions.newest(DEMO), app._opened.snapshot(DEMO)
    assert newest is not None
    parents, saved_edit_count = app.clusters.known_clusters(newest.id), len(model.saved[-1].edits)
    index, linkage = AssetIndex.from_ids(snapshot.ids), average_linkage(snapshot.vectors)
    predicted = build_partition(model.draft.plan, index, linkage, parents, saved_edit_count)
    revision = app.curation.save(ADA, app.curation.open(ADA, DEMO), "the end")
    assert clusters_of(app, revision) == groups_of(predicted)


def groups_of(partition: Partition) -> Counter[tuple[str, ...]]:
    return Counter(partition.members(number) for number in range(len(partition.clusters)))


def clusters_of(app: App, revision: Revision) -> Counter[tuple[str, ...]]:
    saved: Clustering = app.clusters.clustering(revision.id)
    members: dict[int, list[str]] = {}
    for asset_id, label in zip(saved.asset_ids, saved.labels.tolist(), strict=True):
        members.setdefault(label, []).append(asset_id)
    return Counter(tuple(sorted(ids)) for label, ids in members.items() if label >= 0)


if __name__ == "__main__":
    from tests.core.clusters.test_curation_hour import (
        play as played,  # so that pickled steps have this module's name, not __main__
    )

    played(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
