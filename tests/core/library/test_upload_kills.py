"""An upload, or its job, killed at any moment (SIGKILL): no half file is added, none is lost that was promised."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from core.access import OPERATOR
from core.app import App
from core.ingest.sources.upload import ABANDONED_AFTER_S, DRAFTS, save_upload
from core.jobs import background
from core.jobs.background import BackgroundJobs
from core.records.jobs import Job
from core.store.lance.collections import Collections
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.encoder import ColourEncoder
from tests.fakes.killed_upload import FILES, files, upload_and_run
from tests.fakes.strikes import Kill, Struck, kills, strike
from tests.fakes.trials import trials

ENTRIES = {
    "write": FILES,
    "name": FILES,
    "queue": 1,
    "start": 1,
    "decode": FILES,
    "commit": 2,
    "end": 1,
}
KILLS = trials(8 * len(ENTRIES), at_least=len(ENTRIES))


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """Jobs are run where the test says; one that never began counts as crashed at once."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda *_: None)
    monkeypatch.setattr(background, "START_GRACE_S", -1.0)
    return colour_app(tmp_path / "data")


def test_an_upload_that_is_killed_is_whole_or_absent_and_what_was_promised_is_added(app: App) -> None:
    hits = Counter[str]()
    for number, kill in enumerate(kills(ENTRIES, KILLS, seed=5)):
        name = f"c{number}"
        # A collection that is there spares every victim the time that choosing a model for a new one takes.
        Collections(app.settings.data / "collections").create(name, ColourEncoder().card)
        struck = strike(upload_and_run, (app.settings.data, number, name), kill)
        hits[f"{kill.stage}, {'inside' if struck.inside else 'just after' if struck.killed else 'ended'}"] += 1
        check(app, name, number, kill, struck)
    print(dict(sorted(hits.items())))
    assert sum(count for what, count in hits.items() if "inside" in what) >= KILLS // 2, hits


def check(app: App, name: str, number: int, kill: Kill, struck: Struck) -> None:
    sent = {hashlib.sha256(content).hexdigest() for _, content in files(number)}
    assert stored(app, name) <= sent, (kill, "a half file was stored")
    assert contents(open_table(app.settings.data, name)).keys() <= sent, (kill, "a half file was added")
    if struck.promised:
        assert stored(app, name) == sent, (kill, "a file that was promised is not there")
        (job,) = jobs_of(app, name)
        if job.state != "done":
            assert job.state == "crashed"
            assert "what was committed is kept" in job.message
            app.run_job(app.library.resume(OPERATOR, job.id).id)
    else:
        app.run_job(app.library.add_files(OPERATOR, files(number), name).id)
    assert jobs_of(app, name)[0].state == "done"
    assert contents(open_table(app.settings.data, name)).keys() == sent, kill
    folder = app.settings.data / "uploads" / name
    assert len([path for path in folder.iterdir() if path.is_file()]) == FILES, (kill, "a file is stored twice")
    save_upload(folder, *files(number)[0], now_s=lambda: 1e12 + ABANDONED_AFTER_S)
    assert list((folder.parent / DRAFTS).iterdir()) == []


def jobs_of(app: App, collection: str) -> list[Job]:
    return [job for job in app.library.jobs(limit=1000) if job.collection == collection]


def stored(app: App, collection: str) -> set[str]:
    """The SHA-256 of every file that has its name."""
    folder = app.settings.data / "uploads" / collection
    found = folder.iterdir() if folder.is_dir() else []
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()}
