"""Descriptions of pictures in a CSV or JSON Lines file beside them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import SidecarError
from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean, clean_keywords, parse_date
from core.records.descriptions import Description

# Accepted names of each column, our own first.
COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "image", "name"),
    "title": ("title", "headline"),
    "description": ("description", "caption", "text", "alt"),
    "keywords": ("keywords", "tags"),
    "author": ("author", "artist", "photographer", "creator", "credit"),
    "licence": ("licence", "license", "rights"),
    "created_at": ("created_at", "date", "created", "date_created"),
    "source": ("source",),
}


@dataclass(frozen=True)
class SidecarRow:
    """The description of one file."""

    about: Description
    source: str


class Sidecar:
    """Rows by file: a path relative to the folder, or a bare file name where only one row has it."""

    def __init__(self, rows: Mapping[str, SidecarRow]) -> None:
        self._by_path = dict(rows)
        names = Counter(PurePosixPath(path).name for path in rows)
        self._by_name = {PurePosixPath(p).name: row for p, row in rows.items() if names[PurePosixPath(p).name] == 1}

    def __len__(self) -> int:
        return len(self._by_path)

    def find(self, path: str) -> SidecarRow | None:
        """The row of a file, given by its path relative to the ingested folder."""
        return self._by_path.get(path) or self._by_name.get(PurePosixPath(path).name)


def read_sidecar(path: Path) -> Sidecar:
    """Read `path` (.csv, .jsonl or .ndjson). Several rows of one file are merged: the first text wins, keywords add up.

    Raises SidecarError with the line that cannot be read, or if no column names the file.
    """
    rows: dict[str, SidecarRow] = {}
    for number, fields in _records(path):
        file = clean(fields.get("file"), 4096).removeprefix("./")
        if not file:
            raise SidecarError(f"{path} line {number}: no file is named; one column must be called file")
        row = _row(fields)
        rows[file] = _merge(rows[file], row) if file in rows else row
    return Sidecar(rows)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(file)
                yield from ((reader.line_num, _rename_columns(row)) for row in reader)
            elif path.suffix.lower() in (".jsonl", ".ndjson"):
                yield from (
                    (number, _json_row(path, number, line)) for number, line in enumerate(file, 1) if line.strip()
                )
            else:
                raise SidecarError(f"{path}: captions are read from .csv or .jsonl files")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SidecarError(f"{path} cannot be read: {error}") from error


def _json_row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise SidecarError(f"{path} line {number}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise SidecarError(f"{path} line {number}: expected an object, found {type(value).__name__}")
    return _rename_columns(value)


def _rename_columns(row: Mapping[Any, Any]) -> dict[str, Any]:
    lower = {str(k).strip().lower(): v for k, v in row.items() if k is not None}
    return {column: next((lower[n] for n in names if lower.get(n)), None) for column, names in COLUMNS.items()}


def _row(fields: Mapping[str, Any]) -> SidecarRow:
    keywords = fields["keywords"]
    if isinstance(keywords, str):
        keywords = keywords.split(";") if ";" in keywords else keywords.split(",")
    about = Description(
        title=clean(fields["title"], MAX_TITLE_LENGTH),
        description=clean(fields["description"]),
        keywords=clean_keywords(keywords if isinstance(keywords, list) else []),
        author=clean(fields["author"], MAX_TITLE_LENGTH),
        licence=clean(fields["licence"], MAX_TITLE_LENGTH),
        created=parse_date(fields["created_at"]),
    )
    return SidecarRow(about, clean(fields["source"], MAX_TITLE_LENGTH))


def _merge(first: SidecarRow, second: SidecarRow) -> SidecarRow:
    keywords = clean_keywords([*first.about.keywords, *second.about.keywords])
    about = Description(keywords=keywords).filled_from(first.about).filled_from(second.about)
    return SidecarRow(about, first.source or second.source)
