"""The command that searches a collection by words."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from functools import partial
from typing import Any

from core.cli.command_parser import DEMO, OpenApp, add_collection_option, finish_command
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.ingest.metadata.cleaning import parse_date
from core.records.assets import Filters
from core.search.answer import Answer

MAX_TOP = 10_000


def add_search_command(commands: Any, open_app: OpenApp) -> None:
    """Add the command to the parser of all commands."""
    parser = commands.add_parser(
        "search", help="find pictures by words", description="Find the pictures of a collection that fit the words."
    )
    parser.add_argument("query", metavar="QUERY", help="what the picture should show")
    add_collection_option(parser)
    parser.add_argument("--top", type=_top, default=10, metavar="N", help="how many results (default: 10)")
    parser.add_argument("--floor", type=float, default=-1.0, metavar="COSINE", help="the least similarity, -1 to 1")
    parser.add_argument("--source", action="append", default=[], metavar="NAME", help="only this source; repeatable")
    parser.add_argument("--keyword", action="append", default=[], metavar="WORD", help="only this keyword; repeatable")
    shapes = ("landscape", "portrait", "square")
    parser.add_argument(
        "--orientation", action="append", default=[], choices=shapes, help="only this shape; repeatable"
    )
    parser.add_argument("--rank", action="store_true", help="let Gemini put the first ones in order (costs money)")
    parser.add_argument("--since", type=_date, metavar="DATE", help="only pictures made on this day or later")
    parser.add_argument("--until", type=_date, metavar="DATE", help="only pictures made on this day or earlier")
    finish_command(parser, partial(_search, open_app))


def _top(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_TOP:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and {MAX_TOP}")
    return number


def _date(text: str) -> datetime:
    moment = parse_date(text)
    if moment is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-01-31")
    return moment


def _search(open_app: OpenApp, options: argparse.Namespace) -> int:
    app = open_app()
    with ProgressBar(sys.stderr) as bar:
        if options.collection == DEMO:
            app.ensure_demo(bar.show)
        app.warm(options.collection, bar.show)
    filters = Filters(
        tuple(options.source), tuple(options.keyword), tuple(options.orientation), options.since, options.until
    )
    answer = app.search(options.query, options.collection, options.top, filters, options.floor, options.rank)
    if options.json:
        print_json(search_document(answer, options.top))
        return 0
    if answer.ranking is not None and answer.ranking.failure is not None:
        print(answer.ranking.failure.notice, file=sys.stderr)
    for rank, hit in enumerate(answer.hits[: options.top], 1):
        print(f"{rank:>4}  {hit.similarity:.4f}  {hit.asset.title}  {hit.asset.uris[0] if hit.asset.uris else ''}")
    if not answer.hits:
        print("nothing found: lower --floor or loosen the filters", file=sys.stderr)
    return 0


def search_document(answer: Answer, top: int) -> dict[str, Any]:
    """The JSON document of `search --json`: the first `top` pictures in their final order, and the receipt."""
    result = answer.result
    return {
        "collection": result.collection,
        "collection_version": result.collection_version,
        "query": result.query,
        "matching": result.matching,
        "stage_ms": {name: round(ms, 3) for name, ms in answer.stage_ms.items()},
        "receipt": answer.receipt(),
        "results": [
            {
                "rank": rank,
                "similarity": round(hit.similarity, 6),
                "id": hit.asset.id,
                "title": hit.asset.title,
                "description": hit.asset.about.description,
                "keywords": list(hit.asset.about.keywords),
                "author": hit.asset.about.author,
                "licence": hit.asset.about.licence,
                "source": hit.asset.source,
                "uris": list(hit.asset.uris),
                "width": hit.asset.width,
                "height": hit.asset.height,
                "created_at": hit.asset.about.created_at.isoformat() if hit.asset.about.created_at else None,
            }
            for rank, hit in enumerate(answer.hits[:top], 1)
        ],
    }
