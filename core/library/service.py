"""What curators do to collections from a page: add folders and uploads; list, stop, resume and retry jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.access import Access, Action, Person
from core.embedding.formats import readable_suffixes
from core.errors import ContactSheetError, JobError, NotAllowed, StoreError
from core.ingest.metadata.captions_table import read_captions
from core.ingest.sources.demo import check_not_demo
from core.ingest.sources.excludes import ExcludePatterns
from core.ingest.sources.upload import save_upload
from core.jobs.background import BackgroundJobs
from core.library.captions import TABLE_SUFFIXES
from core.records.jobs import Failure, Job
from core.store.objects.names import check_collection_name, path_to_uri
from core.store.sql.job_store import JobStore
from core.text import counted

INGEST_JOB, UNSPLASH_JOB = "ingest", "unsplash"


class LibraryService:
    """Adding pictures in the background. Every change asks `access` first."""

    def __init__(
        self,
        roots: Sequence[Path],
        uploads: Path,
        captions: Path,
        jobs: JobStore,
        background: BackgroundJobs,
        access: Access,
    ) -> None:
        """`uploads` and `captions` keep uploaded pictures and tables, by collection."""
        self._roots = [root.resolve() for root in roots]
        self._uploads, self._captions = uploads, captions
        self._jobs, self._background, self._access = jobs, background, access

    @property
    def formats(self) -> list[str]:
        """The endings of files that can be read here, without the dot, sorted."""
        return readable_suffixes()

    @property
    def roots(self) -> list[Path]:
        """The folders of the server from which pictures may be added; those that exist."""
        return [root for root in self._roots if root.is_dir()]

    def folders_in(self, folder: Path) -> list[str]:
        """The names of the subfolders of a folder inside the roots. Raises NotAllowed, StoreError."""
        self._check_root(folder)
        try:
            return sorted(
                (entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")),
                key=str.lower,
            )
        except OSError as error:
            raise StoreError(f"{folder} cannot be read ({error.strerror}): choose another folder") from error

    def tables_in(self, folder: Path) -> list[str]:
        """The names of files in a folder inside the roots that may be tables of captions. Raises as `folders_in`."""
        self._check_root(folder)
        try:
            entries = [e.name for e in os.scandir(folder) if e.name.lower().endswith(TABLE_SUFFIXES) and e.is_file()]
        except OSError as error:
            raise StoreError(f"{folder} cannot be read ({error.strerror}): choose another folder") from error
        return sorted((name for name in entries if not name.startswith(".")), key=str.lower)

    def add_folder(
        self,
        person: Person,
        folder: Path,
        collection: str,
        exclude: Sequence[str] | None = None,
        captions: Path | None = None,
    ) -> Job:
        """Start adding the pictures below a folder of the server; what is None stays as it was before.

        `captions` is a table inside the roots, or one that `CaptionsService.store` stored. Raises NotAllowed for
        browsers and for folders outside the roots, JobError if an ingest is running, SidecarError for a table that
        cannot be read, ContactSheetError for an impossible pattern.
        """
        with self._access.acting(person, Action.ADD_PICTURES, collection, "a folder of the server"):
            check_not_demo(check_collection_name(collection))
            folder = self._check_root(folder)
            arguments: dict[str, Any] = {"folder": path_to_uri(folder)}
            if exclude is not None:
                ExcludePatterns(exclude)
                arguments["exclude"] = list(exclude)
            if captions is not None:
                arguments["captions"] = path_to_uri(self._check_table(captions, collection))
            return self._background.start(INGEST_JOB, collection, arguments, person.author)

    def add_files(self, person: Person, files: Sequence[tuple[str, bytes]], collection: str) -> Job:
        """Store uploaded files (name, content) and start adding them to the collection.

        Raises NotAllowed for browsers, ContactSheetError if there are none, StoreError if they cannot be stored.
        """
        with self._access.acting(person, Action.ADD_PICTURES, collection, counted(len(files), "uploaded file")):
            check_not_demo(check_collection_name(collection))
            if not files:
                raise ContactSheetError("no files were chosen: choose at least one picture")
            folder = self._uploads / collection
            saved = [path_to_uri(save_upload(folder, name, content)) for name, content in files]
            arguments = {"folder": path_to_uri(folder), "only": saved, "source": "uploads"}
            return self._background.start(INGEST_JOB, collection, arguments, person.author)

    def add_unsplash(self, person: Person, location: str, collection: str, width: int = 640) -> Job:
        """Start adding an Unsplash dataset: a folder or a ZIP on the server, or the https URL of a ZIP.

        Raises NotAllowed for browsers and for locations outside the roots, JobError if an ingest is running.
        """
        with self._access.acting(person, Action.ADD_PICTURES, collection, "an Unsplash dataset"):
            check_not_demo(check_collection_name(collection))
            if not location.startswith("https://"):
                location = str(self._check_inside_roots(Path(location)))
            arguments = {"place": location, "width": width}
            return self._background.start(UNSPLASH_JOB, collection, arguments, person.author)

    def jobs(self, limit: int = 20) -> list[Job]:
        """The newest jobs first; those whose process has died are marked as crashed."""
        self._background.mark_crashed_jobs()
        return self._jobs.latest(limit)

    def cancel(self, person: Person, job_id: int) -> None:
        """Ask a job to stop; it commits what it has encoded and ends within seconds."""
        with self._access.acting(person, Action.STOP_JOB, target=f"job {job_id}"):
            self._jobs.request_cancel(job_id)

    def resume(self, person: Person, job_id: int) -> Job:
        """Start an ended job again; known pictures are skipped by content."""
        return self._restart(person, job_id, {})

    def retry(self, person: Person, job_id: int) -> Job:
        """Start again with only the files that failed. Raises JobError if none did."""
        self._access.require(person, Action.ADD_PICTURES)
        failed = list(dict.fromkeys(failure.uri for failure in self._jobs.failures(job_id)))
        if not failed:
            raise JobError(f"no file of job {job_id} failed: there is nothing to retry")
        return self._restart(person, job_id, {"only": failed})

    def failures(self, job_id: int, limit: int) -> list[Failure]:
        """The first `limit` files that failed."""
        return self._jobs.failures(job_id, limit)

    def failures_by_reason(self, job_id: int) -> list[tuple[str, int]]:
        """How many files failed for each reason, the most frequent first."""
        return self._jobs.failures_by_reason(job_id)

    def _restart(self, person: Person, job_id: int, changes: dict[str, Any]) -> Job:
        self._access.require(person, Action.ADD_PICTURES)
        job = self._jobs.get(job_id)
        if not job.collection:
            raise JobError(f"the collection of job {job_id} was deleted: add its pictures again")
        with self._access.acting(person, Action.ADD_PICTURES, job.collection, f"job {job_id} again"):
            return self._background.start(job.kind, job.collection, {**job.arguments, **changes}, person.author)

    def _check_inside_roots(self, path: Path) -> Path:
        real = path.expanduser().resolve()
        if not any(real.is_relative_to(root) for root in self._roots):
            allowed = ", ".join(map(str, self._roots))
            raise NotAllowed(f"{path} is not below {allowed}: CONTACTSHEET_ROOTS says which folders may be added")
        return real

    def _check_table(self, path: Path, collection: str) -> Path:
        real = path.expanduser().resolve()
        if real.parent != (self._captions / collection).resolve():
            self._check_inside_roots(path)
        read_captions(real)
        return real

    def _check_root(self, folder: Path) -> Path:
        real = self._check_inside_roots(folder)
        if not real.is_dir():
            raise ContactSheetError(f"{folder} is not a folder: check the path")
        return real
