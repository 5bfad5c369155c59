"""Commands that keep a library well: remove, put-back, duplicates, reembed, switch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from core.access import OPERATOR
from core.cli.progress_bar import ProgressBar
from core.errors import CollectionError

Finish = Callable[[argparse.ArgumentParser, Callable[[argparse.Namespace], int]], None]
Open = Callable[[], Any]
PrintJson = Callable[[dict[str, Any]], None]


def add_library_commands(commands: Any, finish: Finish, open_app: Open, print_json: PrintJson) -> None:
    """Add the commands; `finish` gives each its --json and its function."""
    made = _Commands(open_app, print_json)
    for name, words, run in (
        ("remove", "take pictures out of a collection, into its bin", made.remove),
        ("put-back", "put pictures of the bin back (all of them if none is named)", made.put_back),
    ):
        parser = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        parser.add_argument("ids", nargs="+" if name == "remove" else "*", metavar="ID", help="pictures, by their ids")
        parser.add_argument("--collection", required=True, metavar="NAME", help="the collection")
        finish(parser, run)
    words = "list what a collection holds more than once"
    parser = commands.add_parser("duplicates", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.add_argument("--collection", default="demo", metavar="NAME", help="the collection (default: demo)")
    finish(parser, made.duplicates)
    words = "embed a collection with another model, beside the old one"
    parser = commands.add_parser("reembed", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.add_argument("collection", metavar="NAME", help="the collection")
    parser.add_argument("--model", required=True, metavar="MODEL", help="the model, as CONTACTSHEET_MODEL takes it")
    parser.add_argument("--as", dest="name", metavar="NAME", help="the new collection's name (default: NAME-new)")
    parser.add_argument("--thumbnails", action="store_true", help="use the thumbnail where the original is gone")
    finish(parser, made.reembed)
    words = "let a collection's name mean the one beside it"
    parser = commands.add_parser("switch", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.add_argument("collection", metavar="NAME", help="the collection")
    parser.add_argument("to", metavar="BESIDE", help="the collection that `reembed` made")
    finish(parser, made.switch)


class _Commands:
    def __init__(self, open_app: Open, print_json: PrintJson) -> None:
        self._open, self._print_json = open_app, print_json

    def remove(self, options: argparse.Namespace) -> int:
        removed = self._open().removal.remove(OPERATOR, options.collection, options.ids)
        if not removed:
            raise CollectionError(f"{options.collection} has none of these {len(options.ids)} pictures: check the ids")
        return self._said(options, {"collection": options.collection, "removed": removed}, f"{removed} removed")

    def put_back(self, options: argparse.Namespace) -> int:
        removal = self._open().removal
        back = removal.put_back(OPERATOR, options.collection, options.ids or removal.all_ids(options.collection))
        return self._said(options, {"collection": options.collection, "put_back": back}, f"{back} put back")

    def duplicates(self, options: argparse.Namespace) -> int:
        app = self._open()
        with ProgressBar(sys.stderr) as bar:
            found = app.searches.duplicates(options.collection, bar.show)
        if options.json:
            groups = [{"keep": g.keep, "others": [{"id": i, "cosine": s} for i, s in g.others]} for g in found.groups]
            self._print_json({"collection": options.collection, "groups": groups, "copies": dict(found.copies)})
            return 0
        for group in found.groups:
            print(f"keep {group.keep}")
            for asset_id, similarity in group.others:
                print(f"     {asset_id}  {similarity:.4f}")
        print(f"{len(found.groups)} groups of near-identical pictures, {len(found.copies)} files at several places")
        return 0

    def reembed(self, options: argparse.Namespace) -> int:
        app, name = self._open(), options.name or f"{options.collection}-new"
        with ProgressBar(sys.stderr) as bar:
            report = app.reembedding.embed(
                OPERATOR.author, options.collection, options.model, name, options.thumbnails, bar.show
            )
        for failure in report.failures:
            print(f"left out  {failure.uri}: {failure.reason}", file=sys.stderr)
        document = {"collection": name, "added": report.added, "known": report.known, "left_out": len(report.failures)}
        line = f"{name}: {report.added} embedded, {report.known} were there, {len(report.failures)} left out"
        return self._said(options, document, f"{line}; python -m core switch {options.collection} {name}")

    def switch(self, options: argparse.Namespace) -> int:
        kept = self._open().reembedding.switch(OPERATOR, options.collection, options.to)
        document = {"collection": options.collection, "old": kept}
        return self._said(options, document, f"{options.collection} is what {options.to} was; the old one is {kept}")

    def _said(self, options: argparse.Namespace, document: dict[str, Any], line: str) -> int:
        if options.json:
            self._print_json(document)
        else:
            print(line)
        return 0
