"""The jobs table: background jobs, their progress and outcome."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from core.errors import JobError
from core.records.assets import utc_now
from core.records.jobs import Failure, Job, JobState, Progress
from core.store.sql.database import Database

_OPEN = ("queued", "running")
_FORGOTTEN = "its collection was deleted"


class JobStore:
    """Jobs of all processes; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, collection: str, arguments: Mapping[str, Any], author: str) -> Job:
        """Queue a job. Raises JobError if the collection has one of this kind that is queued or running."""
        with self._database.transaction() as db:
            open_job = db.execute(
                "SELECT id FROM jobs WHERE collection = ? AND kind = ? AND state IN (?, ?)", (collection, kind, *_OPEN)
            ).fetchone()
            if open_job:
                raise JobError(f"{kind} into {collection} is running already: wait for it to end, or cancel it")
            return self._insert(db, kind, collection, arguments, author)

    def add_once(self, kind: str, collection: str, arguments: Mapping[str, Any], author: str) -> Job | None:
        """Queue a job that nobody asked for.

        None if one of its kind is queued or running for the collection, or the last one had the same arguments and did
        not succeed: then it is for a person to try again.
        """
        with self._database.transaction() as db:
            last = db.execute(
                "SELECT * FROM jobs WHERE collection = ? AND kind = ? ORDER BY id DESC LIMIT 1", (collection, kind)
            ).fetchone()
            if last is not None:
                was_tried = last["state"] != "done" and json.loads(last["arguments"]) == dict(arguments)
                if last["state"] in _OPEN or was_tried:
                    return None
            return self._insert(db, kind, collection, arguments, author)

    def get(self, job_id: int) -> Job:
        """One job. Raises JobError if there is none with that id."""
        with self._database.reading() as db:
            return self._get(db, job_id)

    def latest(self, limit: int = 50) -> list[Job]:
        """The newest jobs first, those of deleted collections left out."""
        with self._database.reading() as db:
            query = "SELECT * FROM jobs WHERE collection <> '' ORDER BY id DESC LIMIT ?"
            return [_job(row) for row in db.execute(query, (limit,))]

    def unfinished(self) -> list[Job]:
        """Jobs that are queued or running according to the table."""
        with self._database.reading() as db:
            return [_job(row) for row in db.execute("SELECT * FROM jobs WHERE state IN (?, ?) ORDER BY id", _OPEN)]

    def by_state(self) -> dict[str, int]:
        """The number of jobs by state, for states with any."""
        with self._database.reading() as db:
            return {str(state): int(n) for state, n in db.execute("SELECT state, count(*) FROM jobs GROUP BY state")}

    def failed_since(self, since: datetime) -> int:
        """How many jobs failed or crashed at `since` (UTC) or later."""
        query = "SELECT count(*) FROM jobs WHERE state IN ('failed', 'crashed') AND ended_at >= ?"
        with self._database.reading() as db:
            return int(db.execute(query, (since.isoformat(),)).fetchone()[0])

    def start(self, job_id: int) -> bool:
        """Mark a queued job as running; False if it is no longer queued."""
        with self._database.transaction() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = 'running', started_at = ? WHERE id = ? AND state = 'queued'",
                (utc_now().isoformat(), job_id),
            )
            return cursor.rowcount == 1

    def progress(self, job_id: int, progress: Progress) -> bool:
        """Update the progress of a job; True if someone has asked to cancel it."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE jobs SET phase = ?, done = ?, total = ?, rate = ?, remaining_s = ? WHERE id = ?",
                (progress.phase, progress.done, progress.total, progress.rate, progress.remaining_s, job_id),
            )
            return self._get(db, job_id).cancel_requested

    def request_cancel(self, job_id: int) -> None:
        """Ask a job to stop at its next safe point."""
        with self._database.transaction() as db:
            db.execute("UPDATE jobs SET cancel_requested = 1 WHERE id = ?", (job_id,))

    def end(
        self,
        job_id: int,
        state: JobState,
        message: str,
        added: int = 0,
        known: int = 0,
        failures: Iterable[Failure] = (),
    ) -> bool:
        """Record how a job ended, with the files that failed; False if its end was recorded before."""
        with self._database.transaction() as db:
            if not self._get(db, job_id).collection:
                message, failures = _FORGOTTEN, ()
            cursor = db.execute(
                "UPDATE jobs SET state = ?, message = ?, added = ?, known = ?, remaining_s = NULL, ended_at = ?"
                " WHERE id = ? AND state IN (?, ?)",
                (state, message, added, known, utc_now().isoformat(), job_id, *_OPEN),
            )
            if cursor.rowcount == 1:
                rows = [(job_id, f.uri, f.reason, f.detail) for f in failures]
                db.executemany("INSERT INTO job_failures VALUES (?, ?, ?, ?)", rows)
            return cursor.rowcount == 1

    def failures(self, job_id: int, limit: int | None = None) -> list[Failure]:
        """The files that failed, in the order they were processed."""
        with self._database.reading() as db:
            query = "SELECT uri, reason, detail FROM job_failures WHERE job_id = ? ORDER BY rowid LIMIT ?"
            return [Failure(*row) for row in db.execute(query, (job_id, -1 if limit is None else limit))]

    def failures_by_reason(self, job_id: int) -> list[tuple[str, int]]:
        """How many files failed for each reason, the most frequent first."""
        with self._database.reading() as db:
            query = "SELECT reason, count(*) FROM job_failures WHERE job_id = ? GROUP BY reason ORDER BY 2 DESC, 1"
            return [(str(reason), int(count)) for reason, count in db.execute(query, (job_id,))]

    def ids_of(self, collection: str) -> list[int]:
        """The ids of all jobs of a collection."""
        with self._database.reading() as db:
            return [int(row["id"]) for row in db.execute("SELECT id FROM jobs WHERE collection = ?", (collection,))]

    def forget(self, collection: str) -> None:
        """Anonymize the jobs of a collection: they still count, but no name, path or message of theirs is left.

        A queued one is cancelled, a running one is asked to stop.
        """
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM job_failures WHERE job_id IN (SELECT id FROM jobs WHERE collection = ?)", (collection,)
            )
            db.execute(
                "UPDATE jobs SET state = 'cancelled', ended_at = ? WHERE collection = ? AND state = 'queued'",
                (utc_now().isoformat(), collection),
            )
            db.execute(
                "UPDATE jobs SET collection = '', arguments = '{}', message = ?, cancel_requested = 1"
                " WHERE collection = ?",
                (_FORGOTTEN, collection),
            )

    def _insert(
        self, db: sqlite3.Connection, kind: str, collection: str, arguments: Mapping[str, Any], author: str
    ) -> Job:
        cursor = db.execute(
            "INSERT INTO jobs (kind, collection, arguments, author, state, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, collection, json.dumps(arguments), author, "queued", utc_now().isoformat()),
        )
        return self._get(db, int(cursor.lastrowid or 0))

    def _get(self, db: sqlite3.Connection, job_id: int) -> Job:
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise JobError(f"there is no job {job_id}: it may have been removed")
        return _job(row)


def _job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        collection=row["collection"],
        arguments=json.loads(row["arguments"]),
        author=row["author"],
        state=row["state"],
        progress=Progress(row["phase"], row["done"], row["total"], row["rate"], row["remaining_s"]),
        added=row["added"],
        known=row["known"],
        message=row["message"],
        cancel_requested=bool(row["cancel_requested"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        started_at=datetime.fromisoformat(row["started_at"]) if row["started_at"] else None,
        ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
    )
