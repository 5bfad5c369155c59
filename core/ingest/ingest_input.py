"""What an ingest is given: files, what is known of them, and the uri of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.records.assets import Location
from core.records.descriptions import Description
from core.records.jobs import Failure, ignore
from core.store.objects.names import path_to_uri

# A file and the metadata embedded in it: where it lies, and what all that is written of it there says.
Describe = Callable[[Path, Description], Location]
# The uri of a file.
Locate = Callable[[Path], str]


def uri_on_disk(path: Path) -> str:
    """The uri of a file where it is on disk."""
    return path_to_uri(path.absolute())


def ignore_read(_uri: str, _asset_id: str) -> None:
    """For those who do not ask which picture a file holds."""


@dataclass(frozen=True)
class IngestInput:
    """The files to ingest.

    `expected` is the number of files that arrive one by one, as in a download; None: all are found before the first is
    read. `before` tells which pictures were at a uri when it was read last: a file of which only metadata changed has
    the vector of its picture already. `on_read` is told the uri of every file that was read, and the id of its picture;
    `on_return` the id of every picture that comes back from the bin, since a file holds it again.
    """

    files: Iterable[Path | Failure]
    describe: Describe
    locate: Locate = uri_on_disk
    expected: int | None = None
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on_read: Callable[[str, str], None] = ignore_read
    on_return: Callable[[str], None] = ignore
