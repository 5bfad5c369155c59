from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.app import App
from core.jobs.background import BackgroundJobs
from core.library.rescan_schedule import PATIENCE_S, QUIET_S, RescanSchedule, WatchedFolders
from core.records.sources import CollectionSource
from tests.fakes.colour_app import colour_app
from tests.fakes.painted import paint

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """A collection `c` of a folder; its jobs stay queued."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    paint(tmp_path / "archive", "red", 2)
    app = colour_app(tmp_path / "data")
    app.ingest(tmp_path / "archive", "c")
    return app


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[WatchedFolders, Clock, dict[str, tuple[CollectionSource, ...]]]]:
    clock = Clock()
    folders = WatchedFolders(clock)
    (tmp_path / "archive").mkdir()
    yield folders, clock, {"c": (CollectionSource(str(tmp_path / "archive"), "archive"),)}
    folders.close()


def schedule(app: App, now: datetime, every: timedelta | None = timedelta(hours=6)) -> RescanSchedule:
    sources = app.sources.states("c")
    known = {"c": tuple(state.source for state in sources)}
    return RescanSchedule(lambda: known, app._background, every, False, lambda: now)


def scanned_at(app: App) -> datetime:
    (state,) = app.sources.states("c")
    assert state.source.scanned_at is not None
    return state.source.scanned_at


def test_a_rescan_starts_when_the_last_one_is_old_enough_and_once(app: App) -> None:
    at = scanned_at(app)
    assert schedule(app, at + timedelta(hours=5)).start_due() == []
    assert schedule(app, at + timedelta(hours=6)).start_due() == ["c"]
    assert schedule(app, at + timedelta(hours=6)).start_due() == []  # it is queued
    (job,) = app.library.jobs(5)
    assert (job.kind, job.collection, job.author) == ("rescan", "c", "schedule")
    app.run_job(job.id)
    assert app.library.jobs(1)[0].message.startswith("0 added, 2 known already")


def test_nothing_starts_while_the_disk_is_away_or_no_time_is_set(app: App, tmp_path: Path) -> None:
    late = scanned_at(app) + timedelta(days=30)
    assert schedule(app, late, every=None).idle
    (tmp_path / "archive").rename(tmp_path / "away")
    assert schedule(app, late).start_due() == []


def test_changes_are_told_once_they_have_come_to_rest(watched, tmp_path: Path) -> None:
    folders, clock, sources = watched
    assert folders.changed(sources) == set()
    paint(tmp_path / "archive", "red", 1)
    deadline = time.monotonic() + 30
    while not folders._last_s and time.monotonic() < deadline:  # the operating system tells in its own time
        time.sleep(0.02)
    assert folders.changed(sources) == set()
    time.sleep(0.3)  # for whatever it still tells of the same change
    clock.now_s += QUIET_S
    assert folders.changed(sources) == {"c"}
    assert folders.changed(sources) == set()


def test_files_that_keep_changing_do_not_put_a_rescan_off_for_ever(watched) -> None:
    folders, clock, sources = watched
    root, steps = sources["c"][0].root, 0
    while not folders.changed(sources):
        folders.note(root)
        clock.now_s += QUIET_S / 2
        steps += 1
    assert steps * QUIET_S / 2 <= PATIENCE_S + QUIET_S


def test_a_folder_that_is_no_source_any_more_is_not_watched(watched, tmp_path: Path) -> None:
    folders, clock, sources = watched
    folders.changed(sources)
    folders.changed({})
    paint(tmp_path / "archive", "red", 1)
    time.sleep(0.3)
    clock.now_s += QUIET_S
    assert folders.changed(sources) == set()
