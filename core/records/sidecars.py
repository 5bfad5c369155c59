"""Sidecars that are written: what becomes of each file, and the runs that can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SidecarOutcome = Literal["created", "updated", "unchanged", "left out"]
UndoOutcome = Literal["restored", "deleted", "unchanged", "left alone"]


@dataclass(frozen=True)
class SidecarOptions:
    """What is written: the clusters of a revision, None for the published one.

    Pictures of named clusters get their keywords too; with `keywords`, also the pictures of no named cluster.
    """

    revision: int | None = None
    keywords: bool = False


@dataclass(frozen=True)
class SidecarChange:
    """What becomes of the sidecar of a picture at one of its places; `picture` and `sidecar` are uris.

    `added` are the keywords and hierarchies that the file did not have. `reason` says why it is left out.
    """

    asset_id: str
    picture: str
    outcome: SidecarOutcome
    sidecar: str = ""
    added: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class SidecarReport:
    """What writing sidecars did, or would do: `run` is the number to undo it by, None if nothing was written."""

    collection: str
    revision: int
    run: int | None
    changes: tuple[SidecarChange, ...]


@dataclass(frozen=True)
class SidecarRun:
    """A run that wrote sidecars: by whom, when, from which revision; `files` counts those not undone."""

    id: int
    collection: str
    revision: int
    author: str
    written_at: datetime
    files: int


@dataclass(frozen=True)
class WrittenSidecar:
    """A sidecar as a run wrote it: the hashes of what was there `before` and `after`; `packed` holds what was before.

    `packed` is None, and `before` empty, for a file that the run created.
    """

    uri: str
    packed: bytes | None
    before: str
    after: str


@dataclass(frozen=True)
class UndoneSidecar:
    """What became of a sidecar when its run was undone, and why if it was left alone."""

    sidecar: str
    outcome: UndoOutcome
    reason: str = ""
