"""What an ingest is given: files, what is known of them, and the uri of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.records.descriptions import Description
from core.records.jobs import Failure
from core.store.objects.names import path_to_uri

# What is known of a file besides its bytes: (description, source).
Describe = Callable[[Path], tuple[Description, str]]
# The uri of a file.
Locate = Callable[[Path], str]


def uri_on_disk(path: Path) -> str:
    """The uri of a file where it is on disk."""
    return path_to_uri(path.absolute())


@dataclass(frozen=True)
class IngestInput:
    """The files to ingest.

    `expected` is the number of files that arrive one by one, as in a download; None: all are found before the first is
    read.
    """

    files: Iterable[Path | Failure]
    describe: Describe
    locate: Locate = uri_on_disk
    expected: int | None = None
