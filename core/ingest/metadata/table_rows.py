"""Rows of a table as Excel, exiftool, osxphotos and people write them: delimited text, JSON Lines or a JSON array."""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from core.errors import SidecarError
from core.text import format_bytes

MAX_LINE_CHARACTERS, MAX_COLUMNS, MAX_ROWS, MAX_ARRAY_BYTES = 2_000_000, 10_000, 1_000_000, 100_000_000
DELIMITERS = ",;\t|"
DELIMITED, LINES, ARRAYS = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson"), (".json",)
_SAMPLE_BYTES, _SAMPLE_ROWS = 65_536, 20
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .ods and .numbers are ZIPs; .xls is an OLE file
_UTF8 = ("utf-8", "utf-8-sig")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_STRAY_BYTES = "contactsheet-cp1252"
_DECODER, _BLANKS = json.JSONDecoder(), re.compile(r"[\s,]*")


@dataclass(frozen=True)
class TableRow:
    """The cells of a row by their headings as written, with the line it begins on.

    `unreadable` says why its cells belong to no heading; it then has none.
    """

    line: int
    cells: Sequence[tuple[str, Any]]
    unreadable: str = ""


def table_rows(path: Path, score: Callable[[Sequence[str]], int]) -> Iterator[TableRow]:
    """The rows of a .csv, .tsv, .txt, .jsonl, .ndjson or .json file; rows without any value are passed over.

    The encoding is UTF-8, UTF-16 or cp1252, the delimiter that whose headings have the highest `score`.
    Raises SidecarError with the line that cannot be read.
    """
    try:
        rows = _reader(path)(path, score)
        for number, row in enumerate(rows):
            if number == MAX_ROWS:
                raise SidecarError(f"{path} has more than {MAX_ROWS:,} rows: split it")
            yield row
    except (OSError, UnicodeError) as error:
        raise SidecarError(f"{path} cannot be read: {error}") from error


def _reader(path: Path) -> Callable[[Path, Callable[[Sequence[str]], int]], Iterator[TableRow]]:
    with path.open("rb") as file:
        start = file.read(4)
    suffix = path.suffix.lower()
    if start in _SPREADSHEETS:
        raise SidecarError(f"{path} is a spreadsheet: save it as CSV (in Excel: “CSV UTF-8”) and give that file")
    if suffix in DELIMITED:
        return _delimited
    if suffix in LINES:
        return _json_lines
    if suffix in ARRAYS:
        return _json_array
    raise SidecarError(f"{path}: captions are read from {', '.join(DELIMITED + LINES + ARRAYS)} files")


# -- encoding -----------------------------------------------------------------------------------------------------


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines with their ends, each of bounded length."""
    with _open(path, encoding) as file:
        for number in itertools.count(1):
            line = file.readline(MAX_LINE_CHARACTERS + 1)
            if len(line) > MAX_LINE_CHARACTERS:
                raise SidecarError(
                    f"{path} line {number} has more than {MAX_LINE_CHARACTERS:,} characters: is it a table?"
                )
            if not line:
                return
            yield line


def _open(path: Path, encoding: str) -> TextIO:
    return path.open(encoding=encoding, errors="replace" if encoding not in _UTF8 else _STRAY_BYTES, newline="")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
        for mark, encoding in _BYTE_ORDER_MARKS:
            if sample.startswith(mark):
                return encoding
        if wide := _utf16_by_zeros(sample):
            return wide
        file.seek(0)
        return "utf-8" if _is_utf8(iter(lambda: file.read(_SAMPLE_BYTES), b"")) else "cp1252"


def _utf16_by_zeros(sample: bytes) -> str:
    """In text of mostly Latin letters every second byte of UTF-16 is zero."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 10 < len(sample) // 2 or min(even, odd) * 10 > max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _is_utf8(chunks: Iterable[bytes]) -> bool:
    """Whether bytes are UTF-8, save for fewer stray bytes than it has characters beyond ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    beyond_ascii = stray = 0
    for chunk in chunks:
        text = decoder.decode(chunk)
        if not text.isascii():
            escaped = len(re.findall("[\udc80-\udcff]", text))
            stray += escaped
            beyond_ascii += len(re.findall(r"[^\x00-\x7f]", text)) - escaped
    stray += len(decoder.decode(b"", final=True))
    return stray == 0 or stray < beyond_ascii


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_STRAY_BYTES, _as_cp1252)


# -- delimited text -----------------------------------------------------------------------------------------------


def _delimited(path: Path, score: Callable[[Sequence[str]], int]) -> Iterator[TableRow]:
    encoding, headings = _encoding(path), None
    delimiter = _delimiter(_lines(path, encoding), score)
    for line, cells in _records(path, encoding, delimiter):
        if headings is None:
            headings = _headings(path, cells)
        elif any(cell.strip() for cell in cells[len(headings) :]):
            yield TableRow(line, (), f"{len(cells)} cells under {len(headings)} headings")
        elif any(cell.strip() for cell in cells):
            yield TableRow(line, tuple(zip(headings, cells, strict=False)))


def _headings(path: Path, cells: list[str]) -> list[str]:
    if len(cells) > MAX_COLUMNS:
        raise SidecarError(f"{path} has {len(cells):,} columns, more than {MAX_COLUMNS:,}")
    return cells


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line it begins on."""
    lines = _RecentLines(_lines(path, encoding))
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        lines.recent.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise SidecarError(f"{path} line {line} cannot be read: {error}") from error
        if cells is None:
            return
        if (lines.ended or len(lines.recent) > 1) and not _is_well_quoted(lines.recent, delimiter):
            raise SidecarError(f"{path} line {line}: a quotation mark is not closed before the next row")
        if any(cells) and not (line == 1 and _stated_delimiter(lines.recent[0])):
            yield line, cells


class _RecentLines:
    """Lines, of which those since the last `recent.clear()` are kept."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.recent, self.ended = lines, list[str](), False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            self.recent.append(next(self._lines))
        except StopIteration:
            self.ended = True
            raise
        return self.recent[-1]


def _is_well_quoted(record: Sequence[str], delimiter: str) -> bool:
    """Whether a record of several lines is one; a quotation mark that is not closed swallows the rows after it."""
    try:
        list(csv.reader(record, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _delimiter(lines: Iterable[str], score: Callable[[Sequence[str]], int]) -> str:
    """The delimiter that Excel's `sep=` names; else by the headings, then by the rows with as many cells."""
    sample: list[str] = []
    for line in lines:
        if not sample and (stated := _stated_delimiter(line)):
            return stated
        if line.strip():
            sample.append(line)
        if len(sample) > _SAMPLE_ROWS:
            break
    return max(DELIMITERS, key=lambda delimiter: _fit(sample, delimiter, score))


def _stated_delimiter(line: str) -> str:
    match = re.fullmatch(r'"?sep=([,;\t|])"?', line.strip("\r\n "))
    return match[1] if match else ""


def _fit(sample: Sequence[str], delimiter: str, score: Callable[[Sequence[str]], int]) -> tuple[int, int, int]:
    try:
        headings, *rows = list(csv.reader(sample, delimiter=delimiter)) or [[]]
    except csv.Error:
        return 0, 0, 0
    return score(headings), sum(len(row) == len(headings) for row in rows), len(headings)


# -- JSON ---------------------------------------------------------------------------------------------------------


def _json_lines(path: Path, _score: Callable[[Sequence[str]], int]) -> Iterator[TableRow]:
    for number, line in enumerate(_lines(path, _encoding(path)), 1):
        if line.strip():
            yield _json_row(path, number, _parsed(path, number, partial(json.loads, line)))


def _json_array(path: Path, _score: Callable[[Sequence[str]], int]) -> Iterator[TableRow]:
    """The objects of a JSON array, as `exiftool -json` and `osxphotos query --json` write it."""
    if path.stat().st_size > MAX_ARRAY_BYTES:
        raise SidecarError(f"{path} is larger than {format_bytes(MAX_ARRAY_BYTES)}: write one object a line (.jsonl)")
    with _open(path, _encoding(path)) as file:
        text = file.read()
    position = _after_blanks(text, 0)
    if text[position : position + 1] != "[":
        raise SidecarError(f"{path}: expected a list of objects; one object a line belongs into a .jsonl file")
    line, counted, position = 1, 0, _after_blanks(text, position + 1)
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        value, end = _parsed(path, line, partial(_DECODER.raw_decode, text, position))
        yield _json_row(path, line, value)
        position = _after_blanks(text, end)
    if text[position + 1 :].strip():
        raise SidecarError(f"{path}: there is more after the list of objects: is it two files in one?")


def _after_blanks(text: str, position: int) -> int:
    """Where the next value begins: after blanks and commas."""
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _parsed(path: Path, line: int, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except json.JSONDecodeError as error:
        where = line if error.lineno == 1 else error.lineno  # one line of many, or the place in a whole file
        raise SidecarError(f"{path} line {where}: not JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise SidecarError(f"{path} line {line}: not JSON that can be read ({error})") from error


def _json_row(path: Path, line: int, value: Any) -> TableRow:
    if not isinstance(value, dict):
        raise SidecarError(f"{path} line {line}: expected an object, found {type(value).__name__}")
    if len(value) > MAX_COLUMNS:
        raise SidecarError(f"{path} line {line} has {len(value):,} fields, more than {MAX_COLUMNS:,}")
    return TableRow(line, tuple(value.items()))
