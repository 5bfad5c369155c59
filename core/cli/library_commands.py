"""The commands that care for a collection: remove, put-back, duplicates, reembed, switch."""

from __future__ import annotations

import sys
from typing import Any

import click

from core.access import OPERATOR, Action
from core.cli.command_context import (
    CommandContext,
    collection_option,
    json_option,
    pass_context,
    required_collection_option,
)
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.errors import CollectionError
from core.records.assets import shown_path
from core.records.audit import STARTED
from core.text import counted


@click.command(short_help="Move pictures to the bin.")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@required_collection_option
@json_option
@pass_context
def remove(context: CommandContext, ids: tuple[str, ...], collection: str, as_json: bool) -> None:
    """Move pictures, named by their ids, to the bin of their collection. Files on disk stay."""
    removed = context.open_app().removal.remove(OPERATOR, collection, list(ids))
    if not removed:
        raise CollectionError(f"{collection} holds none of the pictures named ({len(ids)}): check the ids")
    _print_result(as_json, {"collection": collection, "removed": removed}, f"{removed} removed")


@click.command("put-back", short_help="Put pictures back from the bin.")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@required_collection_option
@json_option
@pass_context
def put_back(context: CommandContext, ids: tuple[str, ...], collection: str, as_json: bool) -> None:
    """Put pictures back from the bin, all of them if none is named."""
    removal = context.open_app().removal
    restored = removal.restore(OPERATOR, collection, list(ids) or removal.removed_ids(collection))
    _print_result(as_json, {"collection": collection, "put_back": restored}, f"{restored} put back")


@click.command(short_help="List duplicate pictures.")
@collection_option()
@json_option
@pass_context
def duplicates(context: CommandContext, collection: str, as_json: bool) -> None:
    """List near-identical pictures, and files stored more than once."""
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        found = app.searches.duplicates(OPERATOR, collection, bar.show)
    if as_json:
        groups = [{"keep": g.keep, "others": [{"id": i, "cosine": s} for i, s in g.others]} for g in found.groups]
        print_json({"collection": collection, "groups": groups, "copies": dict(found.copies)})
        return
    for group in found.groups:
        print(f"keep {group.keep}")
        for asset_id, similarity in group.others:
            print(f"     {asset_id}  {similarity:.4f}")
    groups_found = f"{counted(len(found.groups), 'group')} of near-identical pictures"
    print(f"{groups_found}, {counted(len(found.copies), 'picture')} in several files")


@click.command(short_help="Embed a collection with another model.")
@click.argument("collection", metavar="NAME")
@click.option("--model", required=True, metavar="MODEL", help="The model, as CONTACTSHEET_MODEL takes it.")
@click.option("--as", "name", metavar="NAME", help="Name of the new collection.  [default: NAME-new]")
@click.option("--thumbnails", is_flag=True, help="Use the thumbnail where the original is gone.")
@json_option
@pass_context
def reembed(
    context: CommandContext, collection: str, model: str, name: str | None, thumbnails: bool, as_json: bool
) -> None:
    """Embed a collection with another model, in a new collection beside it."""
    app, name = context.open_app(), name or f"{collection}-new"
    app.audit.record(OPERATOR, Action.EMBED_AGAIN.label, collection, f"{name}, with {model}", STARTED)
    with ProgressBar(sys.stderr) as bar:
        report = app.reembedding.embed(OPERATOR.author, collection, model, name, thumbnails, bar.show)
    for failure in report.failures:
        print(f"left out  {shown_path(failure.uri)}: {failure.reason}", file=sys.stderr)
    document = {"collection": name, "added": report.added, "known": report.known, "left_out": len(report.failures)}
    line = f"{name}: {report.added} embedded, {report.known} known already, {len(report.failures)} left out"
    _print_result(as_json, document, f"{line}; to use it: python -m core switch {collection} {name}")


@click.command(short_help="Use the re-embedded collection from now on.")
@click.argument("collection", metavar="NAME")
@click.argument("to", metavar="BESIDE")
@json_option
@pass_context
def switch(context: CommandContext, collection: str, to: str, as_json: bool) -> None:
    """Make NAME refer to BESIDE, the re-embedded collection; the old one is kept under another name."""
    old_name = context.open_app().reembedding.switch(OPERATOR, collection, to)
    line = f"{collection} now is what {to} was; the old one is {old_name}"
    _print_result(as_json, {"collection": collection, "old": old_name}, line)


def _print_result(as_json: bool, document: dict[str, Any], line: str) -> None:
    if as_json:
        print_json(document)
    else:
        print(line)
