"""The audit log as files: CSV that a spreadsheet shows and does not run, and JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from core.records.audit import AuditEntry
from core.text import as_json

FIELDS = ("id", "at", "actor", "identity", "visitor", "action", "collection", "target", "outcome")


def entry_document(entry: AuditEntry) -> dict[str, Any]:
    """An entry as JSON; its time in ISO 8601, UTC."""
    return {**vars(entry), "at": entry.at.isoformat(timespec="milliseconds")}


def json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """One JSON document per line."""
    for entry in entries:
        yield as_json(entry_document(entry)) + "\n"


def csv_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """A header and one line per entry. What a spreadsheet would take for a formula begins with an apostrophe."""
    yield _csv_line(FIELDS)
    for entry in entries:
        document = entry_document(entry)
        yield _csv_line(_literal(str(document[name])) for name in FIELDS)


def _csv_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _literal(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
