"""The command line. Results go to standard output, progress and errors to standard error; exit code 0 or 1."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core import __version__
from core.cli.cluster_commands import add_cluster_commands
from core.cli.library_commands import add_library_commands
from core.cli.metrics_commands import add_metrics_commands
from core.cli.progress_bar import ProgressBar
from core.cli.quality_commands import add_quality_commands
from core.cli.unsplash_commands import add_unsplash_command
from core.errors import ContactSheetError
from core.ingest.metadata.cleaning import parse_date
from core.records.assets import Filters
from core.records.jobs import IngestReport
from core.search.answer import Answer
from core.settings import Settings

MAX_TOP = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors become one line on standard error and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.run
        return command(options)
    except ContactSheetError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(
            f"error: {error.filename or 'output'}: {error.strerror}: grant access or choose another folder",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("error: stopped; what was committed is kept, run the command again to go on", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="Contact Sheet: search a collection of images.")
    parser.add_argument("--version", action="version", version=f"Contact Sheet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_ingest(commands)
    add_unsplash_command(commands, _finish, _open, _print_report)
    _add_search(commands)
    add_cluster_commands(commands, _finish, _open, _print_json)
    add_library_commands(commands, _finish, _open, _print_json)
    add_metrics_commands(commands, _finish, _open, _print_json)
    add_quality_commands(commands, _finish, _open_quality, _print_json)
    _add_demo(commands)
    _add_download_model(commands)
    collections = commands.add_parser("collections", help="list the collections", description="List the collections.")
    _finish(collections, _collections)
    job = commands.add_parser(
        "run-job", help="run a queued background job", description="Run a background job; pages start these themselves."
    )
    job.add_argument("job", type=int, metavar="ID", help="the job's number")
    _finish(job, _run_job)
    doctor = commands.add_parser(
        "doctor", help="check the installation", description="Print what is installed and set, and what to mend."
    )
    _finish(doctor, _doctor)
    return parser


def _add_ingest(commands: Any) -> None:
    parser = commands.add_parser(
        "ingest", help="add images to a collection", description="Add the images below a folder to a collection."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder, or one image file")
    parser.add_argument("--collection", required=True, metavar="NAME", help="the collection; made if it is new")
    parser.add_argument("--captions", type=Path, metavar="FILE", help="descriptions by file name, .csv or .jsonl")
    parser.add_argument(
        "--source", metavar="NAME", help="where the images are from, to filter by (default: the folder)"
    )
    _finish(parser, _ingest)


def _add_search(commands: Any) -> None:
    parser = commands.add_parser(
        "search", help="find pictures by words", description="Find the pictures of a collection that fit the words."
    )
    parser.add_argument("query", metavar="QUERY", help="what the picture should show")
    parser.add_argument("--collection", default="demo", metavar="NAME", help="the collection (default: demo)")
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
    _finish(parser, _search)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", help="build the demo collection", description="Build the demo collection unless it is complete."
    )
    _finish(parser, _demo)


def _add_download_model(commands: Any) -> None:
    parser = commands.add_parser(
        "download-model",
        help="download a model before it is needed",
        description="Download a model, so that it can be used later without a network.",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="the model (default: the setting CONTACTSHEET_MODEL)")
    _finish(parser, _download_model)


def _finish(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)


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


def _ingest(options: argparse.Namespace) -> int:
    app = _open()
    with ProgressBar(sys.stderr) as bar:
        report = app.ingest(options.path, options.collection, options.captions, options.source, bar.show)
    _print_report(report, options.json)
    return 0


def _demo(options: argparse.Namespace) -> int:
    with ProgressBar(sys.stderr) as bar:
        report = _open().ensure_demo(bar.show)
    if report is not None:
        _print_report(report, options.json)
    elif options.json:
        _print_json({"collection": "demo", "added": 0})
    return 0


def _run_job(options: argparse.Namespace) -> int:
    job = _open().run_job(options.job)
    if options.json:
        _print_json({"job": job.id, "state": job.state, "message": job.message})
    else:
        print(f"job {job.id}: {job.state}: {job.message}")
    return 0 if job.state in ("done", "cancelled") else 1


def _download_model(options: argparse.Namespace) -> int:
    app = _open()
    with ProgressBar(sys.stderr) as bar:
        card = app.encoders.named(options.model or app.settings.model, bar.show).card
    if options.json:
        _print_json({"model": vars(card)})
    else:
        print(f"{card.name} is on this disk and loads ({card.dimension} dimensions)")
    return 0


def _search(options: argparse.Namespace) -> int:
    app = _open()
    with ProgressBar(sys.stderr) as bar:
        if options.collection == "demo":
            app.ensure_demo(bar.show)
        app.warm(options.collection, bar.show)
    filters = Filters(
        tuple(options.source), tuple(options.keyword), tuple(options.orientation), options.since, options.until
    )
    answer = app.search(options.query, options.collection, options.top, filters, options.floor, options.rank)
    if options.json:
        _print_json(search_document(answer, options.top))
        return 0
    if answer.ranking is not None and answer.ranking.refusal is not None:
        print(answer.ranking.refusal.notice, file=sys.stderr)
    for rank, hit in enumerate(answer.hits[: options.top], 1):
        print(f"{rank:>4}  {hit.similarity:.4f}  {hit.asset.title}  {hit.asset.uris[0] if hit.asset.uris else ''}")
    if not answer.hits:
        print("nothing found: lower --floor or loosen the filters", file=sys.stderr)
    return 0


def _collections(options: argparse.Namespace) -> int:
    found = _open().collections()
    if options.json:
        rows = [{**vars(c), "model": vars(c.model), "created_at": c.created_at.isoformat()} for c in found]
        _print_json({"collections": rows})
        return 0
    for c in found:
        print(f"{c.name:<24} {c.size:>8} images  {c.bytes_on_disk / 1e6:>9.1f} MB  {c.model.name}")
    if not found:
        print("no collections yet: python -m core ingest FOLDER --collection NAME", file=sys.stderr)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from core.doctor import examine

    checks = examine()
    if options.json:
        _print_json({"checks": [vars(check) for check in checks]})
    else:
        for check in checks:
            print(f"{'ok ' if check.ok else 'FIX'}  {check.name:<22} {check.found}")
            if check.advice:
                print(f"{'':<28}→ {check.advice}")
    return 0 if all(check.ok for check in checks) else 1


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


def _print_report(report: IngestReport, as_json: bool) -> None:
    if as_json:
        document = {**vars(replace(report, failures=())), "failures": [vars(f) for f in report.failures]}
        _print_json(document)
        return
    for failure in report.failures:
        print(f"skipped  {failure.uri}: {failure.reason}" + (f" ({failure.detail})" if failure.detail else ""))
    print(
        f"{report.collection}: {report.added} added, {report.known} known already, {len(report.failures)} skipped "
        f"in {report.seconds:.1f} s ({report.images_per_s:.1f} images/s)"
    )
    if report.removed:
        print(f"{report.removed} removed before are left out: python -m core put-back --collection {report.collection}")


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, default=str))


def _open() -> Any:
    from core.app import open_app  # loads torch and LanceDB: only commands that need them should wait for it

    return open_app(Settings.load())


def _open_quality(collection: str | None) -> Any:
    app = _open()
    if collection is not None:
        with ProgressBar(sys.stderr) as bar:
            if collection == "demo":
                app.ensure_demo(bar.show)
            app.warm(collection, bar.show)
    return app.quality
