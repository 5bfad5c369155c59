"""The commands about where a collection's pictures come from: sources, rescan, missing, remove-source."""

from __future__ import annotations

import sys
from typing import Any

import click

from core.access import OPERATOR
from core.cli.command_context import CommandContext, json_option, pass_context
from core.cli.output import print_json, print_report
from core.cli.progress_bar import ProgressBar
from core.records.assets import Asset, shown_path
from core.records.ingest_summary import named_counts
from core.records.sources import RescanOptions, ScanPreview, SourceState
from core.text import counted

MAX_LISTED = 10_000
_NAME = click.argument("collection", metavar="NAME")


@click.command(short_help="List where a collection's pictures come from.")
@_NAME
@json_option
@pass_context
def sources(context: CommandContext, collection: str, as_json: bool) -> None:
    """List the folders that were added to a collection."""
    states = context.open_app().sources.states(collection)
    if as_json:
        print_json({"collection": collection, "sources": [_source_document(state) for state in states]})
        return
    for state in states:
        missing = f", {state.missing:,} missing" if state.missing else ""
        there = "" if state.reachable else "  (not there now)"
        print(f"{shown_path(state.source.root)}  {counted(state.files, 'file')}{missing}{there}{_remembered(state)}")
    if not states:
        print(f"no folder is known that {collection} came from", file=sys.stderr)


@click.command(short_help="Bring a collection up to date with its folders.")
@_NAME
@click.option("--source", "roots", multiple=True, metavar="FOLDER", help="Only this source; repeatable.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, change nothing.")
@click.option("--checksum", is_flag=True, help="Read every file, not only those whose size or time changed.")
@click.option("--accept-empty", is_flag=True, help="Files are missing even if none is left of a source.")
@json_option
@pass_context
def rescan(
    context: CommandContext,
    collection: str,
    roots: tuple[str, ...],
    dry_run: bool,
    checksum: bool,
    accept_empty: bool,
    as_json: bool,
) -> None:
    """Look again at the folders of a collection.

    Files that are new are added, changed ones replaced, moved ones followed, and those that are gone marked as missing.
    A folder that cannot be reached stays as it is: its disk may not be mounted.
    """
    app, options = context.open_app(), RescanOptions(roots, checksum, accept_empty)
    if dry_run:
        _print_previews(collection, app.sources.preview(collection, options), as_json)
        return
    with ProgressBar(sys.stderr) as bar:
        report = app.sources.rescan(OPERATOR, collection, options, bar.show)
    print_report(report, as_json)


@click.command(short_help="List pictures whose files are gone.")
@_NAME
@click.option("--prune", is_flag=True, help="Move them to the bin of the collection.")
@json_option
@pass_context
def missing(context: CommandContext, collection: str, prune: bool, as_json: bool) -> None:
    """List the pictures of which no file was found at the last rescan; with --prune move them to the bin."""
    app = context.open_app()
    found = [asset for asset, _ in app.sources.missing(collection, 0, MAX_LISTED)]
    pruned = app.sources.prune(OPERATOR, collection) if prune else 0
    if as_json:
        print_json({"collection": collection, "missing": [_missing_document(a) for a in found], "pruned": pruned})
        return
    for asset in found:
        print(f"{asset.id[:12]}  {asset.title}  {', '.join(map(shown_path, asset.uris))}")
    line = f"{counted(pruned, 'picture')} moved to the bin" if prune else f"{counted(len(found), 'picture')} missing"
    print(line)


@click.command("remove-source", short_help="Let a collection forget a folder.")
@_NAME
@click.argument("root", metavar="FOLDER")
@json_option
@pass_context
def remove_source(context: CommandContext, collection: str, root: str, as_json: bool) -> None:
    """Let a collection forget a folder: pictures that lie nowhere else go to its bin. Files on disk stay."""
    removed = context.open_app().sources.remove(OPERATOR, collection, root)
    if as_json:
        print_json({"collection": collection, "source": root, "removed": removed})
    else:
        print(f"{root} is no source of {collection} any more; {counted(removed, 'picture')} moved to the bin")


def _remembered(state: SourceState) -> str:
    """What was said of a source when it was added, and when it was read."""
    source = state.source
    parts = [f"captions {shown_path(source.captions)}"] if source.captions else []
    parts += [f"without {', '.join(source.exclude)}"] if source.exclude else []
    parts += [f"read {source.scanned_at:%Y-%m-%d %H:%M} UTC"] if source.scanned_at else []
    return "".join(f"; {part}" for part in parts)


def _source_document(state: SourceState) -> dict[str, Any]:
    source = state.source
    return {
        **vars(source),
        "exclude": list(source.exclude),
        "added_at": source.added_at.isoformat() if source.added_at else None,
        "scanned_at": source.scanned_at.isoformat() if source.scanned_at else None,
        "files": state.files,
        "missing": state.missing,
        "reachable": state.reachable,
    }


def _missing_document(asset: Asset) -> dict[str, Any]:
    return {"id": asset.id, "title": asset.title, "uris": list(asset.uris)}


def _print_previews(collection: str, previews: list[ScanPreview], as_json: bool) -> None:
    if as_json:
        print_json({"collection": collection, "dry_run": True, "sources": [_preview_document(p) for p in previews]})
        return
    for preview in previews:
        lists = {"new": preview.new, "changed": preview.changed, "metadata": preview.refreshed}
        lists["missing"] = preview.missing
        for word, uris in lists.items():
            for uri in uris:
                print(f"{word:<9}{shown_path(uri)}")
        for old, new in preview.moved:
            print(f"moved    {shown_path(old)} -> {shown_path(new)}")
        for failure in preview.failures:
            print(f"skipped  {shown_path(failure.uri)}: {failure.reason}")
        for remark in preview.remarks:
            print(remark)
        passed_over = f", passed over: {named_counts(dict(preview.passed_over))}" if preview.passed_over else ""
        print(
            f"{preview.root}: {len(preview.new):,} new, {len(preview.changed):,} changed,"
            f" {len(preview.refreshed):,} with new metadata, {len(preview.moved):,} moved,"
            f" {len(preview.missing):,} missing, {preview.unchanged:,} unchanged{passed_over}; nothing was changed"
        )


def _preview_document(preview: ScanPreview) -> dict[str, Any]:
    return {
        **vars(preview),
        "moved": [{"from": old, "to": new} for old, new in preview.moved],
        "passed_over": dict(preview.passed_over),
        "failures": [vars(failure) for failure in preview.failures],
    }
