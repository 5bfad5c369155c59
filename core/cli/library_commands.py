"""The commands that care for a collection: remove, put-back, duplicates, reembed, switch."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from core.access import OPERATOR, Action
from core.cli.command_parser import OpenApp, add_collection_option, add_command, finish_command
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.errors import CollectionError
from core.records.audit import STARTED


def add_library_commands(commands: Any, open_app: OpenApp) -> None:
    """Add the commands to the parser of all commands."""
    run = _LibraryCommands(open_app)
    for name, help_text, function in (
        ("remove", "take pictures out of a collection, into its bin", run.remove),
        ("put-back", "put pictures of the bin back (all of them if none is named)", run.put_back),
    ):
        parser = add_command(commands, name, help_text)
        parser.add_argument("ids", nargs="+" if name == "remove" else "*", metavar="ID", help="pictures, by their ids")
        parser.add_argument("--collection", required=True, metavar="NAME", help="the collection")
        finish_command(parser, function)
    duplicates = add_command(commands, "duplicates", "list what a collection holds more than once")
    add_collection_option(duplicates)
    finish_command(duplicates, run.duplicates)
    _add_reembed(commands, run)
    switch = add_command(commands, "switch", "let a collection's name mean the one beside it")
    switch.add_argument("collection", metavar="NAME", help="the collection")
    switch.add_argument("to", metavar="BESIDE", help="the collection that `reembed` made")
    finish_command(switch, run.switch)


def _add_reembed(commands: Any, run: _LibraryCommands) -> None:
    parser = add_command(commands, "reembed", "embed a collection with another model, beside the old one")
    parser.add_argument("collection", metavar="NAME", help="the collection")
    parser.add_argument("--model", required=True, metavar="MODEL", help="the model, as CONTACTSHEET_MODEL takes it")
    parser.add_argument("--as", dest="name", metavar="NAME", help="the new collection's name (default: NAME-new)")
    parser.add_argument("--thumbnails", action="store_true", help="use the thumbnail where the original is gone")
    finish_command(parser, run.reembed)


class _LibraryCommands:
    def __init__(self, open_app: OpenApp) -> None:
        self._open_app = open_app

    def remove(self, options: argparse.Namespace) -> int:
        removed = self._open_app().removal.remove(OPERATOR, options.collection, options.ids)
        if not removed:
            raise CollectionError(f"{options.collection} has none of these {len(options.ids)} pictures: check the ids")
        return _print_result(options, {"collection": options.collection, "removed": removed}, f"{removed} removed")

    def put_back(self, options: argparse.Namespace) -> int:
        removal = self._open_app().removal
        ids = options.ids or removal.removed_ids(options.collection)
        restored = removal.restore(OPERATOR, options.collection, ids)
        return _print_result(options, {"collection": options.collection, "put_back": restored}, f"{restored} put back")

    def duplicates(self, options: argparse.Namespace) -> int:
        app = self._open_app()
        with ProgressBar(sys.stderr) as bar:
            found = app.searches.duplicates(OPERATOR, options.collection, bar.show)
        if options.json:
            groups = [{"keep": g.keep, "others": [{"id": i, "cosine": s} for i, s in g.others]} for g in found.groups]
            print_json({"collection": options.collection, "groups": groups, "copies": dict(found.copies)})
            return 0
        for group in found.groups:
            print(f"keep {group.keep}")
            for asset_id, similarity in group.others:
                print(f"     {asset_id}  {similarity:.4f}")
        print(f"{len(found.groups)} groups of near-identical pictures, {len(found.copies)} files at several places")
        return 0

    def reembed(self, options: argparse.Namespace) -> int:
        app, name = self._open_app(), options.name or f"{options.collection}-new"
        target = f"{name}, with {options.model}"
        app.audit.record(OPERATOR, Action.EMBED_AGAIN.label, options.collection, target, STARTED)
        with ProgressBar(sys.stderr) as bar:
            report = app.reembedding.embed(
                OPERATOR.author, options.collection, options.model, name, options.thumbnails, bar.show
            )
        for failure in report.failures:
            print(f"left out  {failure.uri}: {failure.reason}", file=sys.stderr)
        document = {"collection": name, "added": report.added, "known": report.known, "left_out": len(report.failures)}
        line = f"{name}: {report.added} embedded, {report.known} were there, {len(report.failures)} left out"
        return _print_result(options, document, f"{line}; python -m core switch {options.collection} {name}")

    def switch(self, options: argparse.Namespace) -> int:
        old_name = self._open_app().reembedding.switch(OPERATOR, options.collection, options.to)
        document = {"collection": options.collection, "old": old_name}
        line = f"{options.collection} is what {options.to} was; the old one is {old_name}"
        return _print_result(options, document, line)


def _print_result(options: argparse.Namespace, document: dict[str, Any], line: str) -> int:
    if options.json:
        print_json(document)
    else:
        print(line)
    return 0
