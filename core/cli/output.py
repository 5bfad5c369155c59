"""Prints results to standard output, as JSON or for people."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from core.records.jobs import IngestReport


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on one line."""
    print(json.dumps(document, ensure_ascii=False, default=str))


def print_report(report: IngestReport, as_json: bool) -> None:
    """Print what an ingest did: the files it skipped, and a summary."""
    if as_json:
        document = {**vars(replace(report, failures=())), "failures": [vars(f) for f in report.failures]}
        print_json(document)
        return
    for failure in report.failures:
        print(f"skipped  {failure.uri}: {failure.reason}" + (f" ({failure.detail})" if failure.detail else ""))
    print(
        f"{report.collection}: {report.added} added, {report.known} known already, {len(report.failures)} skipped "
        f"in {report.seconds:.1f} s ({report.images_per_s:.1f} images/s)"
    )
    if report.removed:
        print(f"{report.removed} removed before are left out: python -m core put-back --collection {report.collection}")
