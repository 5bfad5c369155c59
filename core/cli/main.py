"""The command line. Results go to standard output, progress and errors to standard error; exit code 0 or 1."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import __version__
from core.access import OPERATOR, Action
from core.cli.audit_command import add_audit_command
from core.cli.cluster_commands import add_cluster_commands
from core.cli.command_parser import DEMO, CommandFunction, finish_command
from core.cli.library_commands import add_library_commands
from core.cli.metrics_commands import add_metrics_commands
from core.cli.output import print_json, print_report
from core.cli.progress_bar import ProgressBar
from core.cli.quality_commands import add_quality_commands
from core.cli.search_command import add_search_command
from core.cli.session_commands import add_sessions_command
from core.cli.unsplash_commands import add_unsplash_command
from core.errors import ContactSheetError
from core.records.assets import Collection
from core.records.audit import STARTED
from core.settings import Settings

if TYPE_CHECKING:
    from core.app import App  # loads torch and LanceDB: only commands that need it should wait for it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors become one line on standard error and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        command: CommandFunction = options.run
        exit_code = command(options)
        sys.stdout.flush()  # here, where a failure is caught
        return exit_code
    except ContactSheetError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:  # whoever read the output has seen enough; nothing more can be written, nor need be
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    add_unsplash_command(commands, _open_app)
    add_search_command(commands, _open_app)
    add_cluster_commands(commands, _open_app)
    add_library_commands(commands, _open_app)
    add_metrics_commands(commands, _open_app)
    add_quality_commands(commands, _open_app)
    add_audit_command(commands, _open_app)
    add_sessions_command(commands, _open_app)
    _add_demo(commands)
    _add_download_model(commands)
    collections = commands.add_parser("collections", help="list the collections", description="List the collections.")
    finish_command(collections, _collections)
    job = commands.add_parser(
        "run-job", help="run a queued background job", description="Run a background job; pages start these themselves."
    )
    job.add_argument("job", type=int, metavar="ID", help="the job's number")
    finish_command(job, _run_job)
    doctor = commands.add_parser(
        "doctor", help="check the installation", description="Print what is installed and set, and what to mend."
    )
    finish_command(doctor, _doctor)
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
    finish_command(parser, _ingest)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", help="build the demo collection", description="Build the demo collection unless it is complete."
    )
    finish_command(parser, _demo)


def _add_download_model(commands: Any) -> None:
    parser = commands.add_parser(
        "download-model",
        help="download a model before it is needed",
        description="Download a model, so that it can be used later without a network.",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="the model (default: the setting CONTACTSHEET_MODEL)")
    finish_command(parser, _download_model)


def _ingest(options: argparse.Namespace) -> int:
    app = _open_app()
    app.audit.record(OPERATOR, Action.ADD_PICTURES.label, options.collection, "a folder", STARTED)
    with ProgressBar(sys.stderr) as bar:
        report = app.ingest(options.path, options.collection, options.captions, options.source, bar.show)
    print_report(report, options.json)
    return 0


def _demo(options: argparse.Namespace) -> int:
    app = _open_app()
    with ProgressBar(sys.stderr) as bar:
        report = app.ensure_demo(bar.show)
    if report is not None:  # only now it is known that there was something to add
        app.audit.record(OPERATOR, Action.ADD_PICTURES.label, DEMO, "the demo collection")
        print_report(report, options.json)
    elif options.json:
        print_json({"collection": "demo", "added": 0})
    return 0


def _run_job(options: argparse.Namespace) -> int:
    job = _open_app().run_job(options.job)
    if options.json:
        print_json({"job": job.id, "state": job.state, "message": job.message})
    else:
        print(f"job {job.id}: {job.state}: {job.message}")
    return 0 if job.state in ("done", "cancelled") else 1


def _download_model(options: argparse.Namespace) -> int:
    app = _open_app()
    with ProgressBar(sys.stderr) as bar:
        card = app.encoders.get(options.model or app.settings.model, bar.show).card
    if options.json:
        print_json({"model": vars(card)})
    else:
        print(f"{card.name} is on this disk and loads ({card.dimension} dimensions)")
    return 0


def _collections(options: argparse.Namespace) -> int:
    found = _open_app().collections()
    if options.json:
        print_json({"collections": [_collection_document(collection) for collection in found]})
        return 0
    for c in found:
        print(f"{c.name:<24} {c.size:>8} images  {c.bytes_on_disk / 1e6:>9.1f} MB  {c.model.name}")
    if not found:
        print("no collections yet: python -m core ingest FOLDER --collection NAME", file=sys.stderr)
    return 0


def _collection_document(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "model": vars(collection.model),
        "size": collection.size,
        "created_at": collection.created_at.isoformat(),
        "bytes_on_disk": collection.bytes_on_disk,
        "beside": collection.sibling_of,
    }


def _doctor(options: argparse.Namespace) -> int:
    from core.doctor import examine

    checks = examine()
    if options.json:
        print_json({"checks": [vars(check) for check in checks]})
    else:
        for check in checks:
            print(f"{'ok ' if check.ok else 'FIX'}  {check.name:<22} {check.found}")
            if check.advice:
                print(f"{'':<28}→ {check.advice}")
    return 0 if all(check.ok for check in checks) else 1


def _open_app() -> App:
    from core.app import open_app

    return open_app(Settings.load())
