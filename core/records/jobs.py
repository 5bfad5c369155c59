"""Background jobs: their progress, what an ingest added and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from core.errors import ContactSheetError


@dataclass(frozen=True)
class Failure:
    """A file that could not be ingested, and why; `reason` is the same phrase for the same kind of error."""

    uri: str
    reason: str
    detail: str = ""


DOWNLOAD_PHASE, BACKUP_PHASE, RESTORE_PHASE = "download model", "back up", "restore"


@dataclass(frozen=True)
class Progress:
    """Progress of a long task: `done` of `total`, `rate` per second in this phase, `remaining_s` as an estimate."""

    phase: str
    done: int
    total: int
    rate: float = 0.0
    remaining_s: float | None = None

    @property
    def unit(self) -> str:
        """What is counted: images, or MB (a million bytes) while files are copied or downloaded."""
        return "MB" if self.phase in (DOWNLOAD_PHASE, BACKUP_PHASE, RESTORE_PHASE) else "images"


ProgressListener = Callable[[Progress], None]


def ignore(_: object) -> None:
    """A listener that does nothing."""


@dataclass(frozen=True)
class IngestReport:
    """How an ingest ended: assets added, files already in the collection, files that failed, seconds taken.

    `removed` counts files that were skipped because their pictures had been removed from the collection, `refreshed`
    known pictures whose metadata or locations changed, `replaced` pictures whose files were changed and hold others
    now, `moved` and `missing` files that are elsewhere or nowhere. `passed_over` counts files that were not read, by
    kind; `notes` are files that were read, but not as a whole; `remarks` are lines about captions and places that
    could not be reached.
    """

    collection: str
    added: int
    known: int
    failures: tuple[Failure, ...]
    seconds: float
    images_per_s: float
    removed: int = 0
    refreshed: int = 0
    replaced: int = 0
    moved: int = 0
    missing: int = 0
    passed_over: tuple[tuple[str, int], ...] = ()
    notes: tuple[Failure, ...] = ()
    remarks: tuple[str, ...] = ()

    def joined(self, other: IngestReport) -> IngestReport:
        """The report of two runs, one after the other."""
        seconds = self.seconds + other.seconds
        encoded = self.images_per_s * self.seconds + other.images_per_s * other.seconds
        passed_over = Counter(dict(self.passed_over)) + Counter(dict(other.passed_over))
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTED}
        return replace(
            self,
            **counts,
            seconds=seconds,
            images_per_s=encoded / seconds if seconds else 0.0,
            passed_over=tuple(sorted(passed_over.items())),
        )


_COUNTED = (
    *("added", "known", "failures", "removed", "refreshed", "replaced", "moved", "missing"),
    *("notes", "remarks"),
)


@dataclass(frozen=True)
class JobResult:
    """How a job that adds no pictures ended: one line, what of it failed, and whether it did what it should."""

    message: str
    failures: tuple[Failure, ...] = ()
    succeeded: bool = True


JobState = Literal["queued", "running", "done", "failed", "cancelled", "crashed"]


@dataclass(frozen=True)
class Job:
    """Work in a process of its own. `arguments` depend on its kind; `message` says how it ended."""

    id: int
    kind: str
    collection: str
    arguments: dict[str, Any]
    author: str
    state: JobState
    progress: Progress
    added: int
    known: int
    message: str
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def open(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in ("queued", "running")


class Cancelled(ContactSheetError):
    """A job was asked to stop; `report`, if there is one, says what an ingest had committed by then."""

    report: IngestReport | None = None
