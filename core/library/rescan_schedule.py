"""Rescans that nobody asks for: at intervals, and soon after files of a source changed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from core.access import SCHEDULE
from core.jobs.background import BackgroundJobs
from core.logs import log
from core.records.sources import CollectionSource
from core.store.objects.names import uri_to_path

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

RESCAN_JOB = "rescan"
CHECK_INTERVAL_S = 5.0
# A rescan begins once nothing has changed for so long, or if files keep changing, after the longer time.
QUIET_S, PATIENCE_S = 15.0, 300.0

# The folders that collections came from, by collection.
SourcesByCollection = Callable[[], Mapping[str, tuple[CollectionSource, ...]]]


class RescanSchedule:
    """Starts rescans when they are due. Several servers on one data folder start one together."""

    def __init__(
        self,
        sources: SourcesByCollection,
        background: BackgroundJobs,
        every: timedelta | None,
        watch: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`every` is the time from one rescan to the next, None for none; with `watch` changed files cause one."""
        self._sources, self._background, self._every = sources, background, every
        self._now, self._clock_s = now, clock_s
        self._watched = WatchedFolders(clock_s) if watch else None

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do, ever."""
        return self._every is None and self._watched is None

    def start_due(self) -> list[str]:
        """Start what is due; returns the collections. Raises StoreError, JobError."""
        known = self._sources()
        changed = self._watched.changed(known) if self._watched is not None else set[str]()
        due = [name for name, sources in known.items() if name in changed or self._is_old(sources)]
        return [name for name in due if self._start(name)]

    def close(self) -> None:
        """Watch no more."""
        if self._watched is not None:
            self._watched.close()

    def _is_old(self, sources: tuple[CollectionSource, ...]) -> bool:
        if self._every is None or not sources:
            return False
        scanned = [source.scanned_at or source.added_at for source in sources if uri_to_path(source.root).exists()]
        return any(at is None or self._now() - at >= self._every for at in scanned)

    def _start(self, collection: str) -> bool:
        arguments = {"at": f"{self._now():%Y-%m-%dT%H:%M}"}  # one that failed is tried again later
        return self._background.start_once(RESCAN_JOB, collection, arguments, SCHEDULE.author) is not None


class WatchedFolders:
    """Tells in which folders files changed, from the operating system's notifications (watchdog)."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s, self._lock = clock_s, threading.Lock()
        self._observer: BaseObserver | None = None
        self._watches: dict[str, Any] = {}
        self._first_s, self._last_s = dict[str, float](), dict[str, float]()

    def changed(self, sources: Mapping[str, tuple[CollectionSource, ...]]) -> set[str]:
        """The collections in whose folders something changed that has come to rest; each is told once."""
        self._watch({source.root for found in sources.values() for source in found})
        ready = self._take_ready()
        return {name for name, found in sources.items() if any(source.root in ready for source in found)}

    def note(self, root: str) -> None:
        """Something changed below this root."""
        with self._lock:
            now = self._clock_s()
            self._first_s.setdefault(root, now)
            self._last_s[root] = now

    def close(self) -> None:
        """Watch no more."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None

    def _take_ready(self) -> set[str]:
        with self._lock:
            now = self._clock_s()
            ready = {
                root
                for root, first_s in self._first_s.items()
                if now - self._last_s[root] >= QUIET_S or now - first_s >= PATIENCE_S
            }
            for root in ready:
                del self._first_s[root], self._last_s[root]
        return ready

    def _watch(self, roots: set[str]) -> None:
        for root in sorted(roots - self._watches.keys()):
            if uri_to_path(root).exists():
                self._watches[root] = self._schedule(root)
        for root in self._watches.keys() - roots:
            watch = self._watches.pop(root)
            if self._observer is not None and watch is not None:
                self._observer.unschedule(watch)

    def _schedule(self, root: str) -> Any:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        note = self.note

        class Noting(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("created", "deleted", "modified", "moved") and not event.is_directory:
                    note(root)

        if self._observer is None:
            self._observer = Observer()
            self._observer.daemon = True
            self._observer.start()
        try:
            return self._observer.schedule(Noting(), str(uri_to_path(root)), recursive=True)
        except OSError as error:  # as many folders are watched as the system allows
            log("library", "a folder cannot be watched", logging.ERROR, folder=root, error=str(error))
            return None
