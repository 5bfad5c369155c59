"""The audit log as files: CSV that a spreadsheet shows and does not run, and JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from core.records.audit import AuditEntry
from core.text import as_json, escape_formula

FIELDS = ("id", "at", "actor", "identity", "visitor", "action", "collection", "target", "outcome")


def entry_document(entry: AuditEntry) -> dict[str, Any]:
    """An entry as JSON; its time in ISO 8601, UTC."""
    return {**vars(entry), "at": entry.at.isoformat(timespec="milliseconds")}


def json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """One JSON document per line."""
    for entry in entries:
        yield as_json(entry_document(entry)) + "\n"


def csv_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """A byte order mark for Excel, a header and one line per entry.

    What a spreadsheet would run begins with an apostrophe.
    """
    yield "\ufeff" + _csv_line(FIELDS)
    for entry in entries:
        document = entry_document(entry)
        yield _csv_line(escape_formula(str(document[name])) for name in FIELDS)


def _csv_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


FORMATS: Mapping[str, Callable[[Iterable[AuditEntry]], Iterator[str]]] = {"csv": csv_lines, "jsonl": json_lines}
