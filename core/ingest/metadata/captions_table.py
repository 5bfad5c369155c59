"""Descriptions of pictures in a table beside them: read once, then matched with the files of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

from core.errors import SidecarError
from core.ingest.metadata.captions_cells import CellNote, Cells, cell_texts, description_of
from core.ingest.metadata.captions_matching import FileMatcher, Match
from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean, clean_keywords
from core.ingest.metadata.table_headings import Column, column_of, count_known
from core.ingest.metadata.table_rows import MAX_COLUMNS, TableRow, table_rows
from core.records.captions import CaptionsReport
from core.records.descriptions import Description
from core.records.written_dates import is_day_first
from core.text import listed, one_line, quoted

_MAX_PATH_LENGTH = 4096
_FILES: tuple[Column, ...] = ("source_file", "file")


@dataclass(frozen=True)
class CaptionsRow:
    """What a table says of a file; `source` is the name to filter by, "" if it has none."""

    about: Description
    source: str = ""
    line: int = 0
    files: tuple[str, ...] = ()  # names of the one file, the first that matches counts


class Captions:
    """The rows that describe files of a folder, by path."""

    def __init__(self, rows: Mapping[str, CaptionsRow], report: CaptionsReport) -> None:
        self._rows, self.report = dict(rows), report

    def find(self, path: str) -> CaptionsRow | None:
        """The row of a file, given by its path relative to the folder. Rows of one file are joined."""
        return self._rows.get(path)


class CaptionsTable:
    """The rows of a table, before it is known which files there are."""

    def __init__(self, rows: Sequence[CaptionsRow], report: CaptionsReport) -> None:
        """`report` says what could not be read."""
        self._rows, self._report = tuple(rows), report

    def __len__(self) -> int:
        return len(self._rows)

    def match(self, paths: Iterable[str], root: Path | None = None) -> Captions:
        """Which row describes which file. `paths` are all files of the folder `root`, relative to it, with slashes.

        A row with a folder means that path alone. One without means the only file of its name, or none of several.
        """
        matcher = FileMatcher(
            paths, [name for row in self._rows for name in row.files], root.as_posix() if root else ""
        )
        matches = [_first_match(matcher, row) for row in self._rows]
        named = {match.path for match in matches if not match.by_end}
        found: dict[str, CaptionsRow] = {}
        matched, unmatched = 0, self._report.unmatched
        for row, match in zip(self._rows, matches, strict=True):
            if match.path is None or (match.by_end and match.path in named):
                unmatched = unmatched.plus(row.line, row.files[0], _why_not(match))
            else:
                matched += 1
                found[match.path] = _merge(found[match.path], row) if match.path in found else row
        return Captions(found, replace(self._report, matched=matched, unmatched=unmatched))


def read_captions(path: Path, day_first: bool | None = None) -> CaptionsTable:
    """Read a table; docs/pictures.md says in which forms. `day_first`: how `09/03/1998` is meant; None: as others say.

    Raises SidecarError if it cannot be read, with the line, or if no column names the file. What a single cell does not
    tell is left out and counted in the report.
    """
    table = _Table(path)
    for row in table_rows(path, count_known):
        table.add(row)
    return table.captions(day_first)


class _Table:
    """Collects rows, since what a date or an osxphotos name means is seen only from all of them."""

    def __init__(self, path: Path) -> None:
        self._path, self._rows, self._report = path, list[tuple[int, Cells]](), CaptionsReport()
        self._headings: Sequence[str] = ()
        self._columns: dict[str, tuple[Column, int] | None] = {}

    def add(self, row: TableRow) -> None:
        self._report = replace(self._report, rows=self._report.rows + 1)
        self._headings = self._headings or [heading for heading, _ in row.cells]
        if row.unreadable:
            self._report = replace(
                self._report, rows_not_read=self._report.rows_not_read.plus(row.line, row.unreadable)
            )
            return
        cells = self._cells(row)
        if "file" in cells or "source_file" in cells:
            self._rows.append((row.line, cells))
        else:
            self._report = replace(self._report, unmatched=self._report.unmatched.plus(row.line, ""))

    def _cells(self, row: TableRow) -> Cells:
        """The texts of the columns that are known; of several headings of a column, in their order in HEADINGS."""
        found: dict[Column, list[tuple[int, list[str]]]] = {}
        for heading, value in row.cells:
            known = self._column(heading) if value not in ("", None) else None
            if known is None:
                continue
            try:
                texts = cell_texts(known[0], value)
            except ValueError as error:
                raise SidecarError(
                    f"{self._path} line {row.line}: {one_line(heading, 80)} is {error}, not text"
                ) from error
            found.setdefault(known[0], []).append((known[1], texts))
        ordered = {
            column: [text for _, texts in sorted(parts, key=itemgetter(0)) for text in texts]
            for column, parts in found.items()
        }
        return {column: texts for column, texts in ordered.items() if texts}

    def _column(self, heading: str) -> tuple[Column, int] | None:
        """What a heading means, kept since the rows of a table share theirs; each JSON object may bring others."""
        if heading not in self._columns:
            if len(self._columns) > MAX_COLUMNS:
                self._columns.clear()
            self._columns[heading] = column_of(heading)
        return self._columns[heading]

    def captions(self, day_first: bool | None) -> CaptionsTable:
        if self._report.unmatched.count and not self._rows:
            found = one_line(listed(list(filter(None, self._headings))[:10]), 200)
            raise SidecarError(f"{self._path}: no column names the file: call one “file” (its headings: {found})")
        if day_first is None:
            day_first = is_day_first(text for _, cells in self._rows for text in cells.get("created", ()))
        originals = Counter(cells["file"][0] for _, cells in self._rows if _is_of_osxphotos(cells))
        rows = [self._row(line, cells, day_first, originals) for line, cells in self._rows]
        return CaptionsTable(rows, self._report)

    def _row(self, line: int, cells: Cells, day_first: bool | None, originals: Counter[str]) -> CaptionsRow:
        about = description_of(cells, day_first, lambda note: self._note(line, note))
        source = clean(next(iter(cells.get("source", ())), ""), MAX_TITLE_LENGTH)
        return CaptionsRow(about, source, line, _files(cells, originals))

    def _note(self, line: int, note: CellNote) -> None:
        report = self._report
        if note.read_as:
            read_as = str(note.read_as)
            self._report = replace(report, ambiguous_dates=report.ambiguous_dates.plus(line, note.text, read_as))
        elif note.column == "created":
            self._report = replace(report, dates_not_understood=report.dates_not_understood.plus(line, note.text))
        else:
            self._report = replace(report, other_cells=report.other_cells.plus(line, note.text, note.column))


def _is_of_osxphotos(cells: Cells) -> bool:
    return "uuid" in cells and "file" in cells


def _files(cells: Cells, originals: Counter[str]) -> tuple[str, ...]:
    """The name of a row's file, with its folder where that has a column; osxphotos gives two names for one picture.

    Photos often holds several pictures of one original name, as different cameras gave it: it then names none of them.
    """
    names = [name[:_MAX_PATH_LENGTH] for column in _FILES for name in cells.get(column, ())]
    if _is_of_osxphotos(cells):
        return tuple(names[:2] if originals[cells["file"][0]] == 1 else names[1:2] or names[:1])
    folder = next(iter(cells.get("folder", ())), "").strip().rstrip("/\\")
    return (f"{folder}/{names[0]}",) if folder and not any(mark in names[0] for mark in "/\\") else (names[0],)


def _first_match(matcher: FileMatcher, row: CaptionsRow) -> Match:
    matches = [matcher.match(name) for name in row.files]
    return next((match for match in matches if match.path is not None), matches[0])


def _why_not(match: Match) -> str:
    """Why a row describes no file though there is one of its name."""
    if match.path is not None:
        return f"{quoted(match.path)} has a row of its own"
    return f"{match.bearers} files have this name: write the folder before it" if match.bearers else ""


def _merge(first: CaptionsRow, second: CaptionsRow) -> CaptionsRow:
    """Two rows of one file: the first text counts, lists add up."""
    one, two = first.about, second.about
    lists = Description(
        keywords=clean_keywords([*one.keywords, *two.keywords]),
        hierarchies=clean_keywords([*one.hierarchies, *two.hierarchies]),
        people=clean_keywords([*one.people, *two.people]),
    )
    return replace(first, about=lists.filled_from(one).filled_from(two), source=first.source or second.source)
