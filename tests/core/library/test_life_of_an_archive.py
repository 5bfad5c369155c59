"""An archive lives for a while; the collection follows it, whatever is killed, and nothing that people did is lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from core.access import OPERATOR, Person
from core.app import App
from core.clusters.edits.model import ClusterRef, Pin, Rename
from core.quality.judging import Vote
from core.records.clusterings import Revision
from core.records.sources import RescanOptions
from tests.fakes.archive_life import ArchiveLife, rescan_announced
from tests.fakes.child_processes import killed
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.trials import trials

ADA = Person("Ada", over_loopback=True)
FILES, HAPPENINGS, SCANS, KILLS = trials(2000, 200), trials(200, 60), 8, (2, 5)
THUMBS, PINNED, QUERY = 40, 12, "a memory"


@pytest.mark.parametrize("seed", range(trials(3, 1)))
def test_a_collection_equals_a_fresh_ingest_of_its_archive_and_people_lose_nothing(tmp_path: Path, seed: int) -> None:
    root, rng = tmp_path / "archive", random.Random(seed)
    life = ArchiveLife(root, FILES, seed)
    app = colour_app(tmp_path / "data")
    app.ingest(root, "c")
    judged, pinned = rng.sample(sorted(life.alive), THUMBS), rng.sample(sorted(life.alive), PINNED)
    ids = {number: life.id_of(number) for number in {*judged, *pinned}}
    for number in judged:
        app.quality.judging.judge(ADA, "c", QUERY, Vote(ids[number], True, "vector", 1))
    saved = pin_and_name(app, [ids[number] for number in pinned])
    for scan in range(SCANS):
        life.happen(HAPPENINGS // SCANS)
        if scan in KILLS:
            copy = shutil.copytree(tmp_path / "data", tmp_path / f"data-{scan}")
            _, whole_s = killed(rescan_announced, (str(copy),), None)
            struck, _ = killed(rescan_announced, (str(tmp_path / "data"),), rng.uniform(0, whole_s))
            print(f"scan {scan} killed: {struck}")
            life.happen(HAPPENINGS // SCANS)
        if rng.random() < 0.4:
            unmounted(app, root)
        app.sources.rescan(OPERATOR, "c", RescanOptions())
    print(f"{len(life.happened)} happenings, {len(life.alive)} of {FILES} files and new ones alive")

    app.sources.prune(OPERATOR, "c")
    colour_app(tmp_path / "fresh").ingest(root, "c")
    found, fresh = (contents(open_table(data, "c")) for data in (app.settings.data, tmp_path / "fresh"))
    assert {i: (found.get(i), fresh.get(i)) for i in {*found, *fresh} if found.get(i) != fresh.get(i)} == {}
    votes = app.quality.judging.votes(ADA, "c", QUERY)
    assert {number for number in judged if number in life.alive and not votes.get(life.id_of(number))} == set()
    held = {life.id_of(number) for number in pinned if number in life.alive}
    view = app.clusters.revision_view(saved)
    (number,) = [number for number, cluster in enumerate(view.clusters) if cluster.name == "Pinned"]
    assert held <= set(view.partition.members(number))


def pin_and_name(app: App, asset_ids: list[str]) -> Revision:
    """Save a revision in which these pictures are pinned to one cluster with a name."""
    draft = app.curation.open(ADA, "c")
    first = ClusterRef((asset_ids[0],))
    draft = app.curation.edit(ADA, draft, Rename(first, "Pinned"))
    draft = app.curation.edit(ADA, draft, Pin(tuple(asset_ids), first))
    return app.curation.save(ADA, draft)


def unmounted(app: App, root: Path) -> None:
    """The archive's disk is away for the time of one rescan."""
    before = open_table(app.settings.data, "c").locations()
    root.rename(root.with_name("away"))
    report = app.sources.rescan(OPERATOR, "c", RescanOptions())
    assert report.missing == 0
    assert open_table(app.settings.data, "c").locations() == before
    root.with_name("away").rename(root)
