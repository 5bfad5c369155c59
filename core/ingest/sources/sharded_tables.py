"""Reads tables in many shards, from a folder or a ZIP: streaming, columns by name, damaged rows reported.

The shards are CSV as PostgreSQL writes it: a first line with the columns, tabs (or commas) between fields, fields with
a quote or a line break in double quotes. A quote that is never closed costs only its own line.
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

MAX_LINE_BYTES = 1024 * 1024
MAX_RECORD_LINES = 100
MAX_TABLE_BYTES = 16 * 1024**3  # unpacked size of one member of a ZIP; it is read as a stream
MAX_MEMBERS = 10_000
MAX_REPORTED_ROWS = 200
TICK_LINES = 50_000
DAMAGED_ROW = "damaged row"


class TableReading:
    """One reading of a dataset: collects damaged rows by file and line, the first `MAX_REPORTED_ROWS` and a count.

    `tick` is called every `TICK_LINES` lines with the number of lines read so far; it may raise to give up.
    """

    def __init__(self, tick: Callable[[int], None] | None = None) -> None:
        self._reported: list[Failure] = []
        self.damaged_rows = self._lines = 0
        self._tick = tick

    def advance(self) -> None:
        """Count another `TICK_LINES` lines."""
        self._lines += TICK_LINES
        if self._tick is not None:
            self._tick(self._lines)

    def report(self, position: str, detail: str) -> None:
        """Count a damaged row at `FILE:LINE`."""
        self.damaged_rows += 1
        if len(self._reported) < MAX_REPORTED_ROWS:
            self._reported.append(Failure(position, DAMAGED_ROW, detail))

    def failures(self) -> tuple[Failure, ...]:
        """The damaged rows as failures, for the report of an ingest."""
        more = self.damaged_rows - len(self._reported)
        rest = [Failure("more tables' rows", DAMAGED_ROW, f"{more} more")] if more else []
        return (*self._reported, *rest)


@dataclass(frozen=True)
class Shard:
    """One file of a table, in a folder or a ZIP."""

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


def find_shards(dataset: Path, table: str) -> list[Shard]:
    """The files `TABLE.tsv000`, `TABLE.tsv001`, `TABLE.csv000`, … of a folder or a ZIP, by name; may be none.

    Raises ContactSheetError if `dataset` is neither, or unpacks to more than a dataset can hold.
    """
    pattern = re.compile(rf"{re.escape(table)}\.[ct]sv\d*\Z")
    if dataset.is_dir():
        files = sorted(path for path in dataset.iterdir() if pattern.match(path.name) and path.is_file())
        return [Shard(path.name, partial(_open_file, path)) for path in files]
    members = [member for member in _members(dataset) if pattern.match(PurePosixPath(member.filename).name)]
    return [
        Shard(PurePosixPath(member.filename).name, partial(_open_member, dataset, member))
        for member in sorted(members, key=lambda member: member.filename)
    ]


def read_rows(
    dataset: Path, table: str, required: Sequence[str], optional: Sequence[str], reading: TableReading
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of a table: `FILE:LINE`, and the `required`, then the `optional` columns as text.

    A missing optional column is empty in every row; a damaged row is reported to `reading` and skipped.
    Raises ContactSheetError where a required column is missing or a file cannot be read.
    """
    for shard in find_shards(dataset, table):
        try:
            with shard.open() as stream:
                yield from _shard_rows(shard.name, stream, required, optional, reading)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            message = f"{shard.name} of {dataset} cannot be read ({error}): get the dataset again"
            raise ContactSheetError(message) from error


def _members(archive_path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(archive_path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ContactSheetError(f"{archive_path} is neither a folder nor a ZIP ({error}): check the path") from error
    largest = max((member.file_size for member in members), default=0)
    if len(members) > MAX_MEMBERS or largest > MAX_TABLE_BYTES:
        raise ContactSheetError(
            f"{archive_path} unpacks to {len(members)} files of up to {largest} bytes: it is not a dataset"
        )
    return members


def _open_file(path: Path) -> BinaryIO:
    return path.open("rb")


@contextmanager
def _open_member(archive_path: Path, member: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(archive_path) as archive, archive.open(member) as packed:
        # Reading line by line from a ZIP is slow without another buffer.
        yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), 1 << 18))


def _shard_rows(
    name: str, stream: BinaryIO, required: Sequence[str], optional: Sequence[str], reading: TableReading
) -> Iterator[tuple[str, tuple[str, ...]]]:
    lines = _LineReader(stream)
    first = lines.next_line()
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
    positions = [columns.index(column) if column in columns else -1 for column in (*required, *optional)]
    for count, (number, fields) in enumerate(_records(lines, delimiter, len(columns)), 1):
        if count % TICK_LINES == 0:
            reading.advance()
        if isinstance(fields, str):
            reading.report(f"{name}:{number}", fields)
        else:
            yield f"{name}:{number}", tuple([fields[i] if i >= 0 else "" for i in positions])


class _LineReader:
    """The lines of a stream as (number, text); the text is None if it is too long. Lines can be pushed back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._number = stream, 0
        self._pushed_back: deque[tuple[int, str | None]] = deque()

    def next_line(self) -> tuple[int, str | None] | None:
        if self._pushed_back:
            return self._pushed_back.popleft()
        raw = self._stream.readline(MAX_LINE_BYTES)
        if not raw:
            return None
        self._number += 1
        if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
            while (more := self._stream.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
                pass
            return self._number, None
        return self._number, raw.decode("utf-8", "replace").rstrip("\r\n")

    def push_back(self, lines: Sequence[tuple[int, str | None]]) -> None:
        self._pushed_back.extendleft(reversed(lines))


def _records(lines: _LineReader, delimiter: str, width: int) -> Iterator[tuple[int, list[str] | str]]:
    """Each record's first line number and its fields, or what is wrong with it."""
    while (line := lines.next_line()) is not None:
        number, text = line
        if text is None:
            yield number, f"longer than {MAX_LINE_BYTES} bytes"
            continue
        fields = _fields(text, delimiter)
        if fields is None:
            fields = _continued(lines, text, delimiter, width) or text.split(delimiter)
        if len(fields) == width:
            yield number, fields
        elif text:
            yield number, f"{len(fields)} columns instead of {width}"


def _continued(lines: _LineReader, text: str, delimiter: str, width: int) -> list[str] | None:
    """The fields of a record that continues after line breaks inside quotes; else None, and no line is consumed."""
    if text.count('"') % 2 == 0:
        return None
    consumed: list[tuple[int, str | None]] = []
    while len(consumed) < MAX_RECORD_LINES and (following := lines.next_line()) is not None:
        consumed.append(following)
        if following[1] is None or len(text) > MAX_LINE_BYTES:
            break
        text += "\n" + following[1]
        if following[1].count('"') % 2:
            fields = _fields(text, delimiter)
            if fields is not None and len(fields) == width:
                return fields
            break
    lines.push_back(consumed)
    return None


def _fields(text: str, delimiter: str) -> list[str] | None:
    """The fields of a record; None where its quotes are not valid CSV."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None
