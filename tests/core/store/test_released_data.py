"""A data folder of version 0.1 opens unchanged, and work goes on in it."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from core.access import Person
from core.quality.judging import Vote
from core.store.sql.database import Database
from core.store.sql.migrations import ALERTS, CONTACTSHEET, EVENTS, JUDGEMENTS, QUALITY
from tests.fakes.colour_app import colour_app
from tests.fakes.released_data import expected, read, unpack

ADA = Person("Ada", over_loopback=True)
RUNNING_JOB = 15
# What is computed anew may differ in the last digits on another machine; coordinates are rounded to 3 decimals.
RELATIVE_TOLERANCE, COORDINATE_TOLERANCE = 1e-6, 2e-3
USD_TOLERANCE = 1e-11  # a sum of a few amounts, each rounded to 1e-12 USD
DATABASES = {
    "contactsheet.db": CONTACTSHEET,
    "events.db": EVENTS,
    "alerts.db": ALERTS,
    "quality.db": QUALITY,
    "judgements.db": JUDGEMENTS,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return unpack(tmp_path)


def differences(found: Any, wanted: Any, where: str = "") -> Iterator[str]:
    """Where two JSON documents differ, numbers that are computed anew compared with a tolerance."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in sorted({*found, *wanted}):
            yield from differences(found.get(key, "missing"), wanted.get(key, "missing"), f"{where}/{key}")
    elif isinstance(found, list) and isinstance(wanted, list):
        for row, (one, other) in enumerate(zip_longest(found, wanted, fillvalue="missing")):
            yield from differences(one, other, f"{where}[{row}]")
    elif isinstance(found, float) and isinstance(wanted, float):
        tolerance = COORDINATE_TOLERANCE if "/coordinates/" in where else USD_TOLERANCE if "usd" in where else 0.0
        if not math.isclose(found, wanted, rel_tol=RELATIVE_TOLERANCE, abs_tol=tolerance):
            yield f"{where}: {found} instead of {wanted}"
    elif found != wanted:
        yield f"{where}: {found!r} instead of {wanted!r}"


def test_everything_of_version_0_1_is_read_as_that_version_read_it(data: Path) -> None:
    found = json.loads(json.dumps(read(data)))
    # A deliberate difference: 0.1 called a file by its encoded name.
    wanted = json.loads(json.dumps(expected()).replace("hund 100%25.jpg", "hund 100%.jpg"))
    found = json.loads(json.dumps(found).replace("hund 100%25.jpg", "hund 100%.jpg"))
    assert list(differences(found, wanted)) == []


def test_what_is_compared_is_a_little_of_everything() -> None:
    wanted = expected()
    holiday, clusters = wanted["collections"]["holiday"], wanted["clusters"]["holiday"]
    parts = [holiday["pictures"], holiday["bin"]["ids"], holiday["linkages"]["newest"], holiday["map"]["there is one"]]
    parts += [holiday["lying beside"], clusters["revisions"], clusters["published"], clusters["drafts"]]
    parts += [any(clusters["newcomers"].values()), wanted["jobs"]["newest first"], wanted["rankings"], wanted["runs"]]
    parts += [wanted["judgements"]["latest"], wanted["events"]["latest"], wanted["alerts"]["changes"]]
    parts += [wanted["spend"], wanted["uploads"]]
    assert all(parts)


@pytest.mark.parametrize("name", DATABASES)
def test_its_databases_get_the_schema_of_new_ones(data: Path, tmp_path: Path, name: str) -> None:
    Database(data / name, DATABASES[name])
    Database(tmp_path / "new.db", DATABASES[name])
    assert schema(data / name) == schema(tmp_path / "new.db")


def schema(path: Path) -> list[tuple[str, str]]:
    """Names and statements, with single spaces."""
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name").fetchall()
    db.close()
    return [(name, "".join(sql.split())) for name, sql in rows]


def test_a_job_whose_process_is_gone_has_crashed(data: Path) -> None:
    states = {job.id: job.state for job in colour_app(data).library.jobs(100)}
    assert states[RUNNING_JOB] == "crashed"


def test_work_goes_on_in_it(data: Path) -> None:
    app = colour_app(data)
    draft = next(d for d in expected()["clusters"]["holiday"]["drafts"] if d["author"] == "Ada" and d["can redo"])
    opened = app.curation.redo(ADA, app.curation.draft(draft["id"]))
    assert len(opened.history.done) == len(draft["history"]["done"]) + 1
    before, published = app.clusters.revisions.newest("holiday"), app.clusters.revisions.published("holiday")
    assert before is not None
    assert published is not None
    opened = app.curation.rebase(ADA, opened).draft if opened.record.parent != before.id else opened
    saved = app.curation.save(ADA, opened, "redone")
    assert (saved.parent, saved.note) == (before.id, "redone")
    assert app.curation.publish(ADA, saved.id, published.id).published
    (hit, *_) = app.search("red", "holiday").hits
    app.quality.judging.judge(ADA, "holiday", "red", Vote(hit.asset.id, True, "vector", 1))
    assert app.quality.judging.votes(ADA, "holiday", "red")[hit.asset.id]
    assert app.events.latest(1)[0].detail["query"] == "red"
    again = colour_app(data)
    assert again.clusters.revisions.published("holiday") == app.clusters.revisions.get(saved.id)


def test_its_collections_can_be_deleted(data: Path) -> None:
    app = colour_app(data)
    for sibling in expected()["collections"]["holiday"]["lying beside"]:
        app.removal.delete(ADA, sibling["name"], sibling["name"])
    app.removal.delete(ADA, "holiday", "holiday")
    assert "holiday" not in app.existing_collections()
    assert app.clusters.revisions.newest("holiday") is None
