"""Backups and verification as pages and commands ask for them: who may, in the background, and at which times."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.access import SCHEDULE, Access, Action, Person
from core.errors import StoreError
from core.jobs.background import BackgroundJobs
from core.library.backup.restorer import Restorer
from core.library.backup.writer import Announce, BackupWriter
from core.library.verification import Verifier
from core.logs import log
from core.periodic import Periodic
from core.records.backups import Backup, BackupReport, RestoreOptions, RestoreReport
from core.records.jobs import Failure, Job, JobResult, ProgressListener, ignore
from core.records.verification import Damage, VerificationOptions, VerificationReport
from core.store.objects.backup_place import BackupPlace

BACKUP_JOB, RESTORE_JOB, VERIFY_JOB = "backup", "restore", "verify"
# What a job is about that concerns all collections; no collection can have this name.
EVERYTHING = "all collections"
CHECK_INTERVAL_S = 60.0


@dataclass(frozen=True)
class BackupSchedule:
    """Where backups are kept (None: nowhere yet), the time from one to the next (None: none), and until they expire."""

    folder: Path | None
    every: timedelta | None
    keep: timedelta


class BackupService:
    """May be shared between threads and used by several processes. Every change asks `access` first."""

    def __init__(
        self,
        writer: BackupWriter,
        restorer: Restorer,
        verifier: Verifier,
        background: BackgroundJobs,
        access: Access,
        schedule: BackupSchedule,
        on_restore: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_restore` is called with the name of each collection that was restored."""
        self._writer, self._restorer, self._verifier = writer, restorer, verifier
        self._background, self._access, self.schedule = background, access, schedule
        self._on_restore, self._now = on_restore, now

    # -- backups --------------------------------------------------------------------------------------------

    def back_up(
        self,
        person: Person,
        folder: Path | None = None,
        names: Sequence[str] = (),
        keep: timedelta | None = None,
        listener: ProgressListener = ignore,
        announce: Announce = lambda *_: None,
    ) -> BackupReport:
        """Back up these collections, or everything, to a folder, by default the one that is set.

        Backups older than `keep` are deleted; in the folder that is set those older than the setting says. Raises
        NotAllowed, CollectionError, CollectionBusy, StoreError.
        """
        place = self._place(folder)
        if self.schedule.folder is not None and place.folder.resolve() == self.schedule.folder.resolve():
            keep = keep or self.schedule.keep
        self._access.require(person, Action.BACK_UP)
        report = self._writer.write(place, names, keep, listener, announce)
        self._record(person, Action.BACK_UP, "", _about(names))
        return report

    def backups(self, folder: Path | None = None) -> list[Backup]:
        """The backups in a folder, the newest first; none where nothing was backed up yet. Raises StoreError."""
        place = self._place(folder)
        return place.backups()[::-1]

    def damaged_lists(self, folder: Path | None = None) -> list[str]:
        """The ids of backups whose list of files is damaged, so that they cannot be restored. Raises StoreError."""
        place = self._place(folder)
        return sorted({*place.ids()} - {backup.id for backup in place.backups()})

    def restore(
        self, person: Person, folder: Path | None, options: RestoreOptions, listener: ProgressListener = ignore
    ) -> RestoreReport:
        """Restore from a backup. Raises NotAllowed, CollectionError, CollectionBusy, StoreError."""
        self._access.require(person, Action.RESTORE_BACKUP)
        report = self._restorer.restore(self._place(folder), options, listener)
        for restored in report.collections:
            self._on_restore(restored.name)
        name = options.as_name or (options.names[0] if len(options.names) == 1 else "")
        self._record(person, Action.RESTORE_BACKUP, name, f"{_about(options.names)} of {report.backup}")
        return report

    def begin_anew(self, person: Person, database: str) -> str:
        """Give up what a damaged database held: it is set aside, and the next use begins a new one.

        Returns the name it is kept under, empty if it was gone. Raises NotAllowed, StoreError if it is not damaged.
        """
        self._access.require(person, Action.RESTORE_BACKUP)
        kept = self._restorer.begin_anew(database)
        self._record(person, Action.RESTORE_BACKUP, "", f"{database} begun anew")
        return kept

    def verify_backups(self, folder: Path | None, listener: ProgressListener = ignore) -> VerificationReport:
        """Compare the content of all backups in a folder with its checksums. Raises StoreError."""
        return self._verifier.verify_backups(self._place(folder), listener)

    # -- verification ---------------------------------------------------------------------------------------

    def verify(
        self,
        person: Person,
        names: Sequence[str] = (),
        options: VerificationOptions = VerificationOptions(),
        listener: ProgressListener = ignore,
    ) -> VerificationReport:
        """Verify these collections, or everything. Raises NotAllowed, CollectionError, CollectionBusy, StoreError."""
        self._access.require(person, Action.VERIFY)
        report = self._verifier.verify(names, options, listener)
        self._record(person, Action.VERIFY, "", _about(names))
        return report

    # -- in the background ----------------------------------------------------------------------------------

    def start_backup(self, person: Person) -> Job:
        """Start a backup of everything. Raises NotAllowed, StoreError if no folder is set, JobError if one runs."""
        with self._access.acting(person, Action.BACK_UP, target=_about(())):
            self._place(None)
            return self._background.start(BACKUP_JOB, EVERYTHING, {}, person.author)

    def start_restore(self, person: Person, backup_id: str, collection: str, name: str) -> Job:
        """Start restoring one collection of a backup under a name that is free, or that of a damaged one.

        Raises NotAllowed, StoreError, CollectionError, JobError.
        """
        with self._access.acting(person, Action.RESTORE_BACKUP, name, f"{collection} of {backup_id}"):
            self._place(None).get(backup_id)
            return self._background.start(
                RESTORE_JOB, name, {"backup": backup_id, "collection": collection}, person.author
            )

    def start_verification(self, person: Person, collection: str, options: VerificationOptions) -> Job:
        """Start verifying a collection; an empty name means everything. Raises NotAllowed, JobError if it runs."""
        with self._access.acting(person, Action.VERIFY, collection, _about((collection,) if collection else ())):
            arguments = {"collection": collection, "originals": options.originals, "mend": options.mend}
            return self._background.start(VERIFY_JOB, collection or EVERYTHING, arguments, person.author)

    def repeat(self, person: Person, job: Job) -> Job:
        """Start a backup, restore or verification that has ended once more. Raises what starting it raises."""
        if job.kind == RESTORE_JOB:
            return self.start_restore(person, job.arguments["backup"], job.arguments["collection"], job.collection)
        if job.kind == VERIFY_JOB:
            options = VerificationOptions(job.arguments["originals"], job.arguments["mend"])
            return self.start_verification(person, job.arguments["collection"], options)
        return self.start_backup(person)

    def run_backup(self, _: Job, listener: ProgressListener) -> JobResult:
        """A backup job."""
        report = self._writer.write(self._place(None), (), self.schedule.keep, listener, lambda *_: None)
        damaged = [Failure(name, "damaged", text) for name, text in report.backup.damaged.items()]
        return JobResult(report.summary, tuple(damaged), not damaged)

    def run_restore(self, job: Job, listener: ProgressListener) -> str:
        """A job that restores one collection."""
        name, backup = job.arguments["collection"], job.arguments["backup"]
        options = RestoreOptions((name,), backup, job.collection if job.collection != name else "")
        report = self._restorer.restore(self._place(None), options, listener)
        for restored in report.collections:
            self._on_restore(restored.name)
        return report.summary

    def run_verification(self, job: Job, listener: ProgressListener) -> JobResult:
        """A job that verifies."""
        names = [job.arguments["collection"]] if job.arguments["collection"] else []
        options = VerificationOptions(job.arguments["originals"], job.arguments["mend"])
        report = self._verifier.verify(names, options, listener)
        return JobResult(report.summary, tuple(map(_failure, report.left)), not report.left)

    def start_due_backup(self) -> Job | None:
        """Start a backup if one is due: the newest one of everything is older than the time that is set.

        Several servers on one folder start one together; one that failed is tried again an hour later. Raises
        StoreError, JobError.
        """
        schedule = self.schedule
        if schedule.folder is None or schedule.every is None:
            return None
        # Those of one collection do not count, nor does one of the future, which a wrong clock made.
        found = BackupPlace(schedule.folder).backups()
        made = [backup.made_at for backup in found if backup.everything and backup.made_at <= self._now()]
        if made and self._now() - max(made) < schedule.every:
            return None
        hour = f"{self._now():%Y-%m-%dT%H}"
        return self._background.start_once(BACKUP_JOB, EVERYTHING, {"hour": hour}, SCHEDULE.author)

    def watch(self) -> Periodic | None:
        """Start backups when they are due, until the watch is closed; None where none is ever due."""
        if self.schedule.folder is None or self.schedule.every is None:
            return None
        return Periodic("library", "a backup could not be started", self.start_due_backup, CHECK_INTERVAL_S)

    def _record(self, person: Person, action: Action, collection: str, target: str) -> None:
        """A line in the audit log, which may itself be what is damaged or restored: so afterwards, and if it can be."""
        try:
            self._access.audit.record(person, action.label, collection, target)
        except StoreError as error:
            log("library", "an action could not be recorded", logging.ERROR, action=action.label, error=str(error))

    def _place(self, folder: Path | None) -> BackupPlace:
        folder = folder or self.schedule.folder
        if folder is None:
            raise StoreError("no folder for backups is set: name one, or set CONTACTSHEET_BACKUP")
        return BackupPlace(folder)


def _failure(damage: Damage) -> Failure:
    return Failure(damage.title or damage.asset_id or damage.collection, f"damaged: {damage.kind}", damage.line)


def _about(names: Sequence[str]) -> str:
    return ", ".join(names) or EVERYTHING
