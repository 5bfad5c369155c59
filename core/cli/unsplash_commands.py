"""The command that adds an Unsplash dataset to a collection."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

from core.access import OPERATOR, Action
from core.cli.command_parser import OpenApp, finish_command
from core.cli.output import print_report
from core.cli.progress_bar import ProgressBar
from core.records.audit import STARTED


def add_unsplash_command(commands: Any, open_app: OpenApp) -> None:
    """Add the command to the parser of all commands."""
    parser = commands.add_parser(
        "ingest-unsplash",
        help="add an Unsplash dataset",
        description="Add the photos of an Unsplash dataset, with what its tables say about them, to a collection. "
        "What is there already is not downloaded again: run it again after it was stopped.",
    )
    parser.add_argument("dataset", metavar="DIR|ZIP|URL", help="the dataset: a folder, a ZIP, or the address of a ZIP")
    parser.add_argument("--collection", required=True, metavar="NAME", help="the collection; made if it is new")
    parser.add_argument("--width", type=int, default=640, metavar="PIXELS", help="of the pictures (default: 640)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first photos of the table")
    parser.add_argument("--threads", type=int, default=16, metavar="N", help="that download (default: 16)")
    finish_command(parser, partial(_ingest, open_app))


def _ingest(open_app: OpenApp, options: argparse.Namespace) -> int:
    from core.ingest.sources.unsplash import UnsplashOptions, count_by_reason

    selection = UnsplashOptions(options.width, options.limit, options.threads)
    app = open_app()
    app.audit.record(OPERATOR, Action.ADD_PICTURES.label, options.collection, "an Unsplash dataset", STARTED)
    with ProgressBar(sys.stderr) as bar:
        report = app.ingest_unsplash(options.dataset, options.collection, selection, bar.show)
    print_report(report, options.json)
    if report.failures and not options.json:
        print(f"left out: {count_by_reason(report.failures)}; run it again to try these once more")
    return 0
