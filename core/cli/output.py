"""Prints results to standard output, as JSON or for people."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from core.records.assets import shown_path
from core.records.ingest_summary import ingest_summary
from core.records.jobs import IngestReport


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on one line."""
    print(json.dumps(document, ensure_ascii=False, default=str))


def print_report(report: IngestReport, as_json: bool) -> None:
    """Print what an ingest did: the files it skipped, and a summary."""
    if as_json:
        print_json(report_document(report))
        return
    for word, failures in (("skipped", report.failures), ("note", report.notes)):
        for failure in failures:
            print(
                f"{word:<8} {shown_path(failure.uri)}: {failure.reason}"
                + (f" ({failure.detail})" if failure.detail else "")
            )
    for remark in report.remarks:
        print(remark)
    print(f"{report.collection}: {ingest_summary(replace(report, remarks=()))}")
    if report.removed:
        print(f"{report.removed} removed before are left out: python -m core put-back --collection {report.collection}")


def report_document(report: IngestReport) -> dict[str, Any]:
    """The JSON document of an ingest."""
    lists = {name: [vars(failure) for failure in getattr(report, name)] for name in ("failures", "notes")}
    return {**vars(report), **lists, "passed_over": dict(report.passed_over), "remarks": list(report.remarks)}
