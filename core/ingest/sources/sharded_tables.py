"""Tables in many shards, in a folder or inside a ZIP: read as a stream, columns by name, damaged rows reported.

The shards are CSV as PostgreSQL writes it: a first line with the columns, tabs (or commas) between fields, fields with
a quote or a line break in double quotes. A quote that is never closed costs its own line only.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from core.errors import ContactSheetError
from core.records.jobs import Failure

LINE_BYTES = 1024 * 1024
RECORD_LINES = 100
TABLE_BYTES = 16 * 1024**3  # that a member of a ZIP may unpack to; it is read as a stream
MEMBERS = 10_000
FAULTS_KEPT = 200
TICK_LINES = 50_000
DAMAGED_ROW = "damaged row"


class TableReading:
    """One reading of a dataset: its damaged rows by file and line, each of the first `FAULTS_KEPT`, then their number.

    `tick` is called now and then with the number of lines read so far; it may raise to give up.
    """

    def __init__(self, tick: Callable[[int], None] | None = None) -> None:
        self._kept: list[Failure] = []
        self.count = self._lines = 0
        self._tick = tick

    def went_on(self) -> None:
        """Another `TICK_LINES` lines were read."""
        self._lines += TICK_LINES
        if self._tick is not None:
            self._tick(self._lines)

    def note(self, place: str, detail: str) -> None:
        self.count += 1
        if len(self._kept) < FAULTS_KEPT:
            self._kept.append(Failure(place, DAMAGED_ROW, detail))

    def failures(self) -> tuple[Failure, ...]:
        """What was noted, to be reported."""
        more = self.count - len(self._kept)
        rest = [Failure("more tables' rows", DAMAGED_ROW, f"{more} more")] if more else []
        return (*self._kept, *rest)


@dataclass(frozen=True)
class Shard:
    """One file of a table, wherever it lies."""

    name: str
    opened: Callable[[], AbstractContextManager[BinaryIO]]


def shards(place: Path, table: str) -> list[Shard]:
    """The files `TABLE.tsv000`, `TABLE.tsv001`, `TABLE.csv000`, … of a folder or a ZIP, by name; none is no fault.

    Raises ContactSheetError if `place` is neither, or unpacks to more than can be a dataset.
    """
    wanted = re.compile(rf"{re.escape(table)}\.[ct]sv\d*\Z")
    if place.is_dir():
        files = sorted(path for path in place.iterdir() if wanted.match(path.name) and path.is_file())
        return [Shard(path.name, partial(_plain, path)) for path in files]
    members = [member for member in _members(place) if wanted.match(PurePosixPath(member.filename).name)]
    return [
        Shard(PurePosixPath(member.filename).name, partial(_opened, place, member))
        for member in sorted(members, key=lambda member: member.filename)
    ]


def rows(
    place: Path, table: str, required: Sequence[str], optional: Sequence[str], reading: TableReading
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of a table: `FILE:LINE`, and the `required`, then the `optional` columns as text.

    A missing optional column is empty everywhere; a damaged row is noted in `reading` and left out.
    Raises ContactSheetError where a required column is missing or a file cannot be read.
    """
    for shard in shards(place, table):
        try:
            with shard.opened() as stream:
                yield from _shard_rows(shard.name, stream, required, optional, reading)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            message = f"{shard.name} of {place} cannot be read ({error}): get the dataset again"
            raise ContactSheetError(message) from error


def _members(place: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(place) as archive:
            found = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ContactSheetError(f"{place} is neither a folder nor a ZIP ({error}): check the path") from error
    largest = max((member.file_size for member in found), default=0)
    if len(found) > MEMBERS or largest > TABLE_BYTES:
        raise ContactSheetError(f"{place} unpacks to {len(found)} files of up to {largest} bytes: it is no dataset")
    return found


def _plain(path: Path) -> BinaryIO:
    return path.open("rb")


@contextmanager
def _opened(place: Path, member: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(place) as archive, archive.open(member) as packed:
        # Line by line from a ZIP is slow without a buffer of our own.
        yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), 1 << 18))


def _shard_rows(
    name: str, stream: BinaryIO, required: Sequence[str], optional: Sequence[str], reading: TableReading
) -> Iterator[tuple[str, tuple[str, ...]]]:
    lines = _Lines(stream)
    first = lines.take()
    if first is None:  # an empty shard
        return
    header = (first[1] or "").removeprefix("\ufeff")
    delimiter = "\t" if "\t" in header else ","
    columns = [column.strip().lower() for column in _fields(header, delimiter) or []]
    missing = [column for column in required if column not in columns]
    if missing:
        found = ", ".join(columns)[:200]
        raise ContactSheetError(
            f"{name} has no column {', '.join(missing)} (it has: {found}): is this the right table?"
        )
    places = [columns.index(column) if column in columns else -1 for column in (*required, *optional)]
    for count, (number, fields) in enumerate(_records(lines, delimiter, len(columns)), 1):
        if count % TICK_LINES == 0:
            reading.went_on()
        if isinstance(fields, str):
            reading.note(f"{name}:{number}", fields)
        else:
            yield f"{name}:{number}", tuple([fields[i] if i >= 0 else "" for i in places])


class _Lines:
    """The lines of a stream as (number, text); None in place of a text that is too long. Lines can be given back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._number = stream, 0
        self._back: deque[tuple[int, str | None]] = deque()

    def take(self) -> tuple[int, str | None] | None:
        if self._back:
            return self._back.popleft()
        raw = self._stream.readline(LINE_BYTES)
        if not raw:
            return None
        self._number += 1
        if len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
            while (more := self._stream.readline(LINE_BYTES)) and not more.endswith(b"\n"):
                pass
            return self._number, None
        return self._number, raw.decode("utf-8", "replace").rstrip("\r\n")

    def give_back(self, lines: Sequence[tuple[int, str | None]]) -> None:
        self._back.extendleft(reversed(lines))


def _records(lines: _Lines, delimiter: str, width: int) -> Iterator[tuple[int, list[str] | str]]:
    """Each record's first line number and its fields, or what is the matter with it."""
    while (taken := lines.take()) is not None:
        number, text = taken
        if text is None:
            yield number, f"longer than {LINE_BYTES} bytes"
            continue
        fields = _fields(text, delimiter)
        if fields is None:
            fields = _continued(lines, text, delimiter, width) or text.split(delimiter)
        if len(fields) == width:
            yield number, fields
        elif text:
            yield number, f"{len(fields)} columns instead of {width}"


def _continued(lines: _Lines, text: str, delimiter: str, width: int) -> list[str] | None:
    """The fields of a record that goes on over line breaks inside quotes; None, and no line taken, if it does not."""
    if text.count('"') % 2 == 0:
        return None
    taken: list[tuple[int, str | None]] = []
    while len(taken) < RECORD_LINES and (following := lines.take()) is not None:
        taken.append(following)
        if following[1] is None or len(text) > LINE_BYTES:
            break
        text += "\n" + following[1]
        if following[1].count('"') % 2:
            fields = _fields(text, delimiter)
            if fields is not None and len(fields) == width:
                return fields
            break
    lines.give_back(taken)
    return None


def _fields(text: str, delimiter: str) -> list[str] | None:
    """The fields of a record; None where its quotes are not those of CSV."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None
