"""Captions that people upload for a source, and the template that they fill in."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from core.access import Access, Action, Person
from core.disk import write_durably
from core.errors import ContactSheetError, SidecarError
from core.ingest.metadata.captions_table import read_captions
from core.ingest.metadata.captions_template import captions_template
from core.library.sources import SourceService, named_source
from core.records.jobs import Job
from core.records.sources import RescanOptions
from core.store.disk_errors import wrap_write_errors
from core.store.objects.names import check_collection_name, path_to_uri
from core.store.sql.source_store import SourceStore

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
MAX_CAPTIONS_BYTES = 64 * 1024 * 1024


class CaptionsService:
    """Tables of captions of sources. Every change asks `access` first."""

    def __init__(self, sources: SourceStore, service: SourceService, folder: Path, access: Access) -> None:
        """`folder` keeps uploaded tables, by collection."""
        self._sources, self._service, self._folder, self._access = sources, service, folder, access

    def set_captions(self, person: Person, collection: str, root: str, name: str, content: bytes) -> Job:
        """Store a table for a source and start a rescan, which applies it. A table that cannot be read changes nothing.

        Raises NotAllowed, SidecarError with the line, ContactSheetError for another collection's source, JobError.
        """
        with self._access.acting(person, Action.SET_CAPTIONS, collection, "captions of a source"):
            source = named_source(root, collection, self._sources.list(collection))
            path = self._stored(collection, name, content)
            read_captions(path)
            self._sources.put(collection, replace(source, captions=path_to_uri(path)))
            return self._service.start(person, collection, RescanOptions((source.root,)))

    def store(self, person: Person, collection: str, name: str, content: bytes) -> Path:
        """Store a table for a folder that is about to be added; returns where. One that cannot be read is not kept.

        Raises NotAllowed, SidecarError with the line, ContactSheetError if it is too large.
        """
        with self._access.acting(person, Action.SET_CAPTIONS, collection, "captions of a new folder"):
            path = self._stored(check_collection_name(collection), name, content)
            try:
                read_captions(path)
            except SidecarError:
                path.unlink(missing_ok=True)
                raise
            return path

    def template(self, collection: str, root: str) -> bytes:
        """A CSV with a row for every file of a source, to fill in. Raises ContactSheetError."""
        source = named_source(root, collection, self._sources.list(collection))
        return captions_template(sorted(self._service.files(collection, source)))

    def _stored(self, collection: str, name: str, content: bytes) -> Path:
        if len(content) > MAX_CAPTIONS_BYTES:
            raise ContactSheetError(f"{name} has {len(content):,} bytes, captions have up to {MAX_CAPTIONS_BYTES:,}")
        suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()[:10]
        folder = self._folder / collection
        path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        with wrap_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        return path.resolve()
