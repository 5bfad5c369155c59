"""Long-running work in separate processes: started here, monitored through the jobs table, cancelled or resumed.

A job's process holds an operating system lock as long as it lives. A job that the table calls running, but whose lock
is free, has crashed; whoever lists the jobs marks it as such.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core.errors import ContactSheetError
from core.logs import log
from core.records.assets import utc_now
from core.records.ingest_summary import ingest_summary
from core.records.jobs import Cancelled, IngestReport, Job, JobResult, JobState, Progress, ProgressListener
from core.settings import PROJECT
from core.store.disk_errors import wrap_write_errors
from core.store.sql.job_store import JobStore

PROGRESS_INTERVAL_S = 0.5
START_GRACE_S = 60.0

JobFunction = Callable[[Job, ProgressListener], IngestReport | JobResult | str]


class BackgroundJobs:
    """The background jobs of one data folder, of whatever kind."""

    def __init__(self, jobs: JobStore, folder: Path, environment: Mapping[str, str]) -> None:
        """`folder` holds the locks and the output of the jobs' processes; `environment` passes the settings to them."""
        self._jobs, self._folder, self._environment = jobs, folder, environment

    def start(self, kind: str, collection: str, arguments: dict[str, Any], author: str) -> Job:
        """Queue a job and start its process. Raises JobError if one of its kind runs for the collection."""
        self.mark_crashed_jobs()
        job = self._jobs.add(kind, collection, arguments, author)
        self._spawn(job)
        return job

    def start_once(self, kind: str, collection: str, arguments: dict[str, Any], author: str) -> Job | None:
        """The same for a job that nobody asked for; None if one runs, or failed with the same arguments before.

        Whoever looks at a page may cause it, as often as they like and in several processes at once.
        """
        self.mark_crashed_jobs()
        job = self._jobs.add_once(kind, collection, arguments, author)
        if job is not None:
            self._spawn(job)
        return job

    def _spawn(self, job: Job) -> None:
        with wrap_write_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            output = self._log_file(job.id).open("wb")
        with output:
            subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "core", "run-job", str(job.id)],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **self._environment},
            )

    def run(
        self, job_id: int, functions: Mapping[str, JobFunction], clock: Callable[[], float] = time.monotonic
    ) -> Job:
        """Run a job of whatever kind in this process, and record how it ended."""
        with FileLock(self._lock_file(job_id), timeout=5):
            if not self._jobs.start(job_id):
                return self._jobs.get(job_id)
            job = self._jobs.get(job_id)
            self._finish(job_id, *_outcome(job, functions, _JobProgress(self._jobs, job_id, clock)))
            return self._jobs.get(job_id)

    def forget(self, collection: str) -> None:
        """Stop the jobs of a collection and erase what they were about: arguments, messages, failures, output."""
        for job_id in self._jobs.ids_of(collection):
            self._log_file(job_id).unlink(missing_ok=True)
        self._jobs.forget(collection)

    def mark_crashed_jobs(self) -> None:
        """Mark every job whose process has died as crashed."""
        for job in self._jobs.unfinished():
            waited_s = (utc_now() - job.created_at).total_seconds()
            if job.state == "queued" and waited_s < START_GRACE_S and not job.cancel_requested:
                continue
            if not self._alive(job.id):
                self._mark_crashed(job)

    def _mark_crashed(self, job: Job) -> None:
        if self._jobs.get(job.id).state != job.state:
            return  # it ended or started meanwhile
        if job.cancel_requested and job.state == "queued":
            self._finish(job.id, "cancelled", "cancelled before it began", None)
            return
        reason = "its process ended unexpectedly (it may have been killed, or run out of memory or disk space)"
        self._finish(job.id, "crashed", f"{reason}; what was committed is kept: resume to go on", None)

    def _finish(self, job_id: int, state: JobState, message: str, report: IngestReport | JobResult | None) -> None:
        added, known = (report.added, report.known) if isinstance(report, IngestReport) else (0, 0)
        counts = (added, known, report.failures if report else ())
        if self._jobs.end(job_id, state, message, *counts):
            level = logging.INFO if state in ("done", "cancelled") else logging.ERROR
            log(
                "jobs",
                f"job {state}",
                level,
                job=job_id,
                added=counts[0],
                known=counts[1],
                failed=len(counts[2]),
                reason=message,
            )

    def _alive(self, job_id: int) -> bool:
        lock = FileLock(self._lock_file(job_id), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return True
        lock.release()
        return False

    def _lock_file(self, job_id: int) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{job_id}.lock"

    def _log_file(self, job_id: int) -> Path:
        return self._folder / f"{job_id}.log"


class _JobProgress:
    """Writes progress to the jobs table every half second, and raises Cancelled once it is requested."""

    def __init__(self, jobs: JobStore, job_id: int, clock: Callable[[], float]) -> None:
        self._jobs, self._job_id, self._clock = jobs, job_id, clock
        self._last_s, self._phase = float("-inf"), ""

    def __call__(self, progress: Progress) -> None:
        if self._clock() - self._last_s < PROGRESS_INTERVAL_S and progress.phase == self._phase:
            return
        self._last_s, self._phase = self._clock(), progress.phase
        if self._jobs.progress(self._job_id, progress):
            raise Cancelled("cancelled")


def _outcome(
    job: Job, functions: Mapping[str, JobFunction], listener: ProgressListener
) -> tuple[JobState, str, IngestReport | JobResult | None]:
    function = functions.get(job.kind)
    if function is None:
        return "failed", f"this version knows no jobs of the kind {job.kind}: start it again from its page", None
    try:
        result = function(job, listener)
    except Cancelled as stop:
        return "cancelled", "cancelled; what was committed is kept: resume to go on", stop.report
    except ContactSheetError as error:
        return "failed", str(error), None
    except Exception as error:  # noqa: BLE001 - the end of a job is recorded whatever ended it
        return "failed", f"{type(error).__name__}: {error}; what was committed is kept: resume to go on", None
    if isinstance(result, JobResult):
        return "done" if result.succeeded else "failed", result.message, result
    return ("done", result, None) if isinstance(result, str) else ("done", ingest_summary(result), result)
