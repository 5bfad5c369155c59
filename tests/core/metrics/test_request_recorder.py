"""Every request leaves one event: ingest batches, assignments, cuts and pages, also where they fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.app import App
from core.clusters.edits.plan import Plan
from core.errors import CollectionBusy
from core.ingest import pipeline
from core.metrics.request_recorder import RequestRecorder
from core.records.events import EVENT_KINDS, Event
from core.store.objects.locks import ingest_lock
from core.store.sql.event_log import EventLog
from tests.fakes.encoder import ColourEncoder


def of_kind(app: App, kind: str) -> list[Event]:
    return [event for event in app.events.latest() if event.kind == kind]


def test_every_batch_of_an_ingest_leaves_an_event(
    app: App, pictures: Path, encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "batch_size", 1)
    monkeypatch.setattr(pipeline, "COMMIT_ASSETS", 1)
    (pictures / "empty.jpg").touch()
    app.ingest(pictures, "c")
    batches = of_kind(app, "ingest")
    assert len(batches) == 3
    assert {(e.collection, e.outcome, e.images) for e in batches} == {("c", "ok", 1)}
    failures = [e.detail["failures"] for e in batches if e.detail["failures"]]
    assert failures == [{"empty file": 1}]
    assert all(set(e.stage_ms) == {"load", "encode", "total"} and min(e.stage_ms.values()) >= 0 for e in batches)
    assert all(e.stage_ms["load"] + e.stage_ms["encode"] <= e.stage_ms["total"] for e in batches)
    assert all(e.clip_usd == pytest.approx(e.stage_ms["encode"] / 3_600_000 * 0.10) for e in batches)


def test_files_known_already_are_a_batch_without_images(app: App, pictures: Path) -> None:
    app.ingest(pictures, "c")
    shutil.copytree(pictures, pictures.with_name("copies"))
    app.ingest(pictures.with_name("copies"), "c")
    again = of_kind(app, "ingest")[0]
    assert (again.images, again.detail) == (0, {"known": 3, "failures": {}})


def test_an_ingest_that_cannot_run_leaves_an_error(app: App, pictures: Path, tmp_path: Path) -> None:
    app.ingest(pictures, "c")
    with ingest_lock(tmp_path / "data" / "collections" / "c"), pytest.raises(CollectionBusy, match="c"):
        app.ingest(pictures, "c")
    refused = of_kind(app, "ingest")[0]
    assert (refused.outcome, refused.reason, refused.images) == ("error", "CollectionBusy", 0)


def test_a_cut_leaves_an_event_when_it_is_computed_and_none_when_it_is_remembered(app: App, pictures: Path) -> None:
    app.ingest(pictures, "c")
    app.clusters.view("c", Plan())
    app.clusters.view("c", Plan())
    (cut,) = of_kind(app, "cut")
    assert (cut.collection, cut.outcome) == ("c", "ok")
    assert cut.compute_usd == pytest.approx(cut.stage_ms["total"] / 3_600_000 * 0.10)


def test_assigning_new_assets_records_an_event(app: App, pictures: Path) -> None:
    app.ingest(pictures, "c")
    before = len(of_kind(app, "assign"))
    assert app.assign("c") == 0
    newest, *earlier = of_kind(app, "assign")
    assert (newest.collection, newest.detail, len(earlier)) == ("c", {"assigned": 0}, before)


def test_what_fails_leaves_its_error_and_still_raises(tmp_path: Path) -> None:
    log, clock = EventLog(tmp_path / "events.db"), iter([0.0, 1.5, 2.0, 4.0]).__next__
    requests = RequestRecorder(log, lambda stage_ms: (0.0, stage_ms["work"] / 1000), clock)
    with pytest.raises(KeyError, match="gone"), requests.recording("cut", "c"):
        raise KeyError("gone")
    with requests.recording("cut", "c") as request:
        request.images = 4
        request.detail["clusters"] = 7
    done, failed = log.latest()
    assert (failed.outcome, failed.reason, failed.stage_ms) == ("error", "KeyError", {"total": 1500.0})
    assert (done.outcome, done.images, done.detail, done.compute_usd) == ("ok", 4, {"clusters": 7}, 2.0)


def test_a_page_says_which_and_costs_nothing_of_its_own(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    requests = RequestRecorder(log, lambda stage_ms: (1.0, 1.0))
    with requests.recording_page("clusters"):
        pass
    with pytest.raises(ValueError, match="broken"), requests.recording_page("search"):
        raise ValueError("broken")
    failed, page = log.latest()
    assert (page.kind, page.detail, page.total_usd) == ("page", {"page": "clusters"}, 0.0)
    assert (failed.outcome, failed.reason) == ("error", "ValueError")


def test_every_kind_that_is_written_is_documented(app: App, pictures: Path) -> None:
    app.ingest(pictures, "c")
    app.clusters.view("c", Plan())
    app.search("red", "c")
    assert {event.kind for event in app.events.latest()} == {"ingest", "assign", "cut", "search"} <= set(EVENT_KINDS)
