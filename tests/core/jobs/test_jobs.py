from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import CollectionBusy, JobError, StoreError
from core.jobs import background as jobs_module
from core.jobs.background import BackgroundJobs
from core.records.assets import utc_now
from core.records.ingest_summary import ingest_summary
from core.records.jobs import Cancelled, Failure, IngestReport, Job, JobState, Progress, ProgressListener
from core.store.sql.database import Database
from core.store.sql.job_store import JobStore
from tests.fakes.child_processes import FORKS

REPORT = IngestReport(
    "birds", 3, 1, (Failure("/x/a.jpg", "truncated", "at 9"), Failure("/x/b.jpg", "empty file")), 2.0, 1.5
)


def run(background: BackgroundJobs, job_id: int, ingest: Callable[..., IngestReport], **options: Any) -> Job:
    """Be the process of an ingest whose work is `ingest(arguments, collection, listener)`."""
    works = {"ingest": lambda job, listener: ingest(job.arguments, job.collection, listener)}
    return background.run(job_id, works, **options)


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    return JobStore(Database(tmp_path / "contactsheet.db"))


@pytest.fixture
def ingests(jobs: JobStore, tmp_path: Path) -> BackgroundJobs:
    return BackgroundJobs(jobs, tmp_path / "jobs", {})


def queued(jobs: JobStore) -> int:
    return jobs.add("ingest", "birds", {"folder": "/x"}, "Curator").id


def test_a_job_that_ends_well_says_what_it_did(jobs: JobStore, ingests: BackgroundJobs) -> None:
    seen: list[tuple[dict[str, Any], str]] = []

    def ingest(arguments: dict[str, Any], collection: str, listener: ProgressListener) -> IngestReport:
        seen.append((arguments, collection))
        listener(Progress("embed", 4, 6, 1.5, 1.3))
        assert jobs.latest()[0].progress == Progress("embed", 4, 6, 1.5, 1.3)
        assert jobs.latest()[0].state == "running"
        return REPORT

    job = run(ingests, queued(jobs), ingest)
    assert seen == [({"folder": "/x"}, "birds")]
    assert (job.state, job.added, job.known, job.message) == ("done", 3, 1, ingest_summary(REPORT))
    assert job.started_at is not None
    assert job.ended_at is not None
    assert jobs.failures(job.id) == list(REPORT.failures)
    assert jobs.failures_by_reason(job.id) == [("empty file", 1), ("truncated", 1)]


def test_a_rate_is_told_only_where_something_was_added() -> None:
    assert ingest_summary(REPORT).endswith("in 2 s (1.5 images/s)")
    assert ingest_summary(replace(REPORT, added=0, removed=1)).endswith(
        "1 removed before is left out (the collection's bin has it) in 2 s"
    )


def test_a_cancelled_job_keeps_what_was_committed(jobs: JobStore, ingests: BackgroundJobs) -> None:
    def ingest(arguments: dict[str, Any], collection: str, listener: ProgressListener) -> IngestReport:
        jobs.request_cancel(jobs.latest()[0].id)
        try:
            listener(Progress("embed", 1, 6))
        except Cancelled as stop:
            stop.report = REPORT
            raise
        raise AssertionError("was not stopped")

    job = run(ingests, queued(jobs), ingest)
    assert (job.state, job.added) == ("cancelled", 3)
    assert "resume" in job.message


@pytest.mark.parametrize(
    ("error", "message"),
    [(CollectionBusy("birds is busy"), "birds is busy"), (ZeroDivisionError("oh"), "ZeroDivisionError: oh")],
)
def test_a_job_that_fails_says_why(jobs: JobStore, ingests: BackgroundJobs, error: Exception, message: str) -> None:
    def ingest(*_: Any) -> IngestReport:
        raise error

    job = run(ingests, queued(jobs), ingest)
    assert job.state == "failed"
    assert message in job.message


def test_one_ingest_per_collection_is_open_at_a_time(jobs: JobStore, ingests: BackgroundJobs) -> None:
    first = queued(jobs)
    with pytest.raises(JobError, match="running already"):
        queued(jobs)
    assert jobs.add("ingest", "fish", {}, "Curator").state == "queued"
    run(ingests, first, lambda *_: REPORT)
    assert jobs.get(queued(jobs)).state == "queued"


def test_a_job_is_run_by_one_process_only(jobs: JobStore, ingests: BackgroundJobs) -> None:
    job_id = queued(jobs)
    run(ingests, job_id, lambda *_: REPORT)

    def again(*_: Any) -> IngestReport:
        raise AssertionError("ran twice")

    assert run(ingests, job_id, again).state == "done"


def _run_for_ever(folder: str, job_id: int) -> None:
    def ingest(arguments: dict[str, Any], collection: str, listener: ProgressListener) -> IngestReport:
        while True:
            listener(Progress("embed", 1, 2))
            time.sleep(0.01)

    jobs = JobStore(Database(Path(folder) / "contactsheet.db"))
    run(BackgroundJobs(jobs, Path(folder) / "jobs", {}), job_id, ingest)


def test_a_job_whose_process_was_killed_says_so(jobs: JobStore, ingests: BackgroundJobs, tmp_path: Path) -> None:
    job_id = queued(jobs)
    process = FORKS.Process(target=_run_for_ever, args=(str(tmp_path), job_id))
    process.start()
    deadline = time.monotonic() + 60
    while jobs.get(job_id).progress.phase != "embed" and time.monotonic() < deadline:
        time.sleep(0.02)
    ingests.mark_crashed_jobs()
    assert jobs.get(job_id).state == "running"
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    ingests.mark_crashed_jobs()
    job = jobs.get(job_id)
    assert job.state == "crashed"
    assert "what was committed is kept" in job.message


def test_a_queued_job_that_never_began_is_noticed_and_one_that_was_cancelled_ends(
    jobs: JobStore, ingests: BackgroundJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = queued(jobs)
    ingests.mark_crashed_jobs()
    assert jobs.get(waiting).state == "queued"
    jobs.request_cancel(waiting)
    ingests.mark_crashed_jobs()
    assert jobs.get(waiting).state == "cancelled"
    lost = queued(jobs)
    monkeypatch.setattr(jobs_module, "START_GRACE_S", -1.0)
    ingests.mark_crashed_jobs()
    assert jobs.get(lost).state == "crashed"


def test_progress_is_written_now_and_then_and_at_every_new_phase(jobs: JobStore, ingests: BackgroundJobs) -> None:
    written: list[Progress] = []
    plain = jobs.progress

    def spy(job_id: int, progress: Progress) -> bool:
        written.append(progress)
        return plain(job_id, progress)

    jobs.progress = spy  # type: ignore[method-assign]

    def ingest(arguments: dict[str, Any], collection: str, listener: ProgressListener) -> IngestReport:
        for done in range(100):
            listener(Progress("embed", done, 100))
        listener(Progress("compact", 100, 100))
        return REPORT

    moments = iter(range(10_000))
    run(ingests, queued(jobs), ingest, clock=lambda: next(moments) / 100)
    assert 3 <= len(written) <= 6
    assert written[-1].phase == "compact"


def test_a_job_that_is_not_there_is_an_error(jobs: JobStore) -> None:
    with pytest.raises(JobError, match="no job 77"):
        jobs.get(77)


def test_a_failed_transaction_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "contactsheet.db")
    queued(JobStore(database))

    def delete_then_fail() -> None:
        with database.transaction() as db:
            db.execute("DELETE FROM jobs")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        delete_then_fail()
    assert len(JobStore(database).latest()) == 1


def test_a_database_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "contactsheet.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        JobStore(Database(tmp_path / "contactsheet.db")).latest()


def test_jobs_are_counted_by_state_and_failures_from_a_moment_on(tmp_path: Path) -> None:
    jobs = JobStore(Database(tmp_path / "contactsheet.db"))
    before = utc_now() - timedelta(seconds=1)
    for collection, state in (("a", "done"), ("b", "failed"), ("c", "crashed"), ("d", "cancelled")):
        jobs.end(jobs.add("ingest", collection, {}, "x").id, state, "")  # type: ignore[arg-type]
    jobs.add("ingest", "e", {}, "x")
    assert jobs.by_state() == {"done": 1, "failed": 1, "crashed": 1, "cancelled": 1, "queued": 1}
    assert jobs.failed_since(before) == 2
    assert jobs.failed_since(before + timedelta(hours=1)) == 0


def _add_once_all_are_ready(path: Path, ready: Any, results: Any) -> None:
    jobs = JobStore(Database(path))
    ready.wait(60)
    results.put([jobs.add_once("link", "c", {"version": "v1"}, "a visitor") is not None for _ in range(20)])


def test_two_processes_start_what_nobody_asked_for_once(tmp_path: Path) -> None:
    ready, results = FORKS.Barrier(2), FORKS.Queue()
    processes = [
        FORKS.Process(target=_add_once_all_are_ready, args=(tmp_path / "jobs.db", ready, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    added = [taken for _ in processes for taken in results.get(timeout=120)]
    for process in processes:
        process.join(60)
    assert (len(added), sum(added)) == (40, 1)


@pytest.mark.parametrize(
    ("state", "version", "again"),
    [
        ("failed", "v1", False),
        ("crashed", "v1", False),
        ("cancelled", "v1", False),
        ("done", "v1", True),  # its result is gone: whoever looks needs it
        ("failed", "v2", True),
    ],
)
def test_what_nobody_asked_for_is_not_tried_twice_with_the_same_arguments(
    tmp_path: Path, state: JobState, version: str, again: bool
) -> None:
    jobs = JobStore(Database(tmp_path / "jobs.db"))
    first = jobs.add_once("link", "c", {"version": "v1"}, "a visitor")
    assert first is not None
    assert jobs.add_once("link", "c", {"version": version}, "a visitor") is None  # it is queued
    jobs.end(first.id, state, "")
    assert (jobs.add_once("link", "c", {"version": version}, "a visitor") is not None) == again
