"""The commands that write pictures and what is known of them out: sidecars beside originals, exports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from core.access import OPERATOR
from core.cli.command_context import FILE, CommandContext, json_option, pass_context
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.errors import ContactSheetError
from core.records.exports import ExportOptions, ExportReport, PictureSelection
from core.records.sidecars import SidecarOptions, SidecarReport, SidecarRun, UndoneSidecar
from core.text import counted, listed

_NAME = click.argument("collection", metavar="COLLECTION")
_DONE = ("created", "updated")


@click.command("write-sidecars", short_help="Write cluster names and keywords into XMP sidecars.")
@_NAME
@click.option("--revision", type=int, metavar="N", help="The clusters of this revision.  [default: the published one]")
@click.option("--keywords", is_flag=True, help="Also write the keywords of pictures in no named cluster.")
@click.option("--dry-run", is_flag=True, help="Say what would be written where, write nothing.")
@click.option("--undo", type=int, metavar="RUN", help="Undo what a run wrote.")
@click.option("--list", "list_runs", is_flag=True, help="List the runs that can be undone.")
@json_option
@pass_context
def write_sidecars(
    context: CommandContext,
    collection: str,
    revision: int | None,
    keywords: bool,
    dry_run: bool,
    undo: int | None,
    list_runs: bool,
    as_json: bool,
) -> None:
    """Write the names of clusters, and keywords, into XMP sidecars beside the original files.

    Only names that a curator confirmed are written, as keywords and as `Clusters|NAME`, together with the keywords that
    the collection has of these pictures. Originals are never changed; what other programs wrote into a sidecar stays.
    """
    service = context.open_app().sidecars
    if list_runs:
        _print_runs(collection, service.runs(collection), as_json)
    elif undo is not None:
        _print_undone(collection, undo, service.undo(OPERATOR, collection, undo), as_json)
    elif dry_run:
        _print_report(service.preview(OPERATOR, collection, SidecarOptions(revision, keywords)), True, as_json)
    else:
        with ProgressBar(sys.stderr) as bar:
            report = service.write(OPERATOR, collection, SidecarOptions(revision, keywords), bar.show)
        _print_report(report, False, as_json)


@click.command("export-pictures", short_help="Copy pictures into a ZIP file or folders.")
@_NAME
@click.option("--to", "target", type=FILE, required=True, metavar="PLACE", help="A new FILE.zip, or a folder.")
@click.option("--cluster", "clusters", multiple=True, metavar="CLUSTER", help="Only this one: id or name; repeatable.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this picture: id or its first digits; repeatable.")
@click.option("--revision", type=int, metavar="N", help="The clusters of this revision.  [default: the published one]")
@click.option("--link", is_flag=True, help="Make hard links instead of copies, where that is possible.")
@click.option("--thumbnails", is_flag=True, help="Put thumbnails in place of originals that are missing.")
@click.option("--location", is_flag=True, help="Keep the coordinates where pictures were taken.")
@json_option
@pass_context
def export_pictures(
    context: CommandContext,
    collection: str,
    target: Path,
    clusters: tuple[str, ...],
    ids: tuple[str, ...],
    revision: int | None,
    link: bool,
    thumbnails: bool,
    location: bool,
    as_json: bool,
) -> None:
    """Copy pictures into a ZIP file or folders, with a list of them (manifest.csv).

    By default those of all clusters, in a folder for each. No file is ever replaced. Copies have no coordinates in
    them, unless --location is given or CONTACTSHEET_SHARE_LOCATION says so.
    """
    app = context.open_app()
    options = ExportOptions(thumbnails, link, location or app.settings.share_location)
    selection = PictureSelection(_expanded(ids, app.titles(collection)), clusters, revision)
    with ProgressBar(sys.stderr) as bar:
        report = app.exports.export(OPERATOR, collection, target, selection, options, bar.show)
    _print_export(report, as_json)


def _expanded(prefixes: tuple[str, ...], known: dict[str, str]) -> tuple[str, ...]:
    found = [[asset_id for asset_id in known if prefix and asset_id.startswith(prefix)] for prefix in prefixes]
    for prefix, ids in zip(prefixes, found, strict=True):
        if len(ids) != 1:
            pictures = counted(len(ids), "picture")
            raise ContactSheetError(f"{pictures} with an id that begins with {prefix!r}: write more digits")
    return tuple(ids[0] for ids in found)


def _print_report(report: SidecarReport, dry_run: bool, as_json: bool) -> None:
    if as_json:
        changes = [{**vars(change), "added": list(change.added)} for change in report.changes]
        print_json({**vars(report), "changes": changes, "dry_run": dry_run})
        return
    for change in report.changes:
        if change.outcome in _DONE:
            print(f"{change.outcome:<9} {change.sidecar}: {', '.join(change.added)}")
        elif change.outcome == "left out":
            print(f"left out  {change.picture}: {change.reason}")
    end = ""
    if dry_run:
        end = "; nothing was written"
    elif report.run is not None:
        end = f"; undo with: python -m core write-sidecars {report.collection} --undo {report.run}"
    print(f"{report.collection}: {_counts([change.outcome for change in report.changes], 'sidecar')}{end}")


def _print_runs(collection: str, runs: list[SidecarRun], as_json: bool) -> None:
    if as_json:
        print_json({"collection": collection, "runs": [_run_document(run) for run in runs]})
        return
    for run in runs:
        files = counted(run.files, "file")
        print(f"{run.id:>5}  {run.written_at:%Y-%m-%d %H:%M}  revision {run.revision}  {files}  {run.author}")


def _run_document(run: SidecarRun) -> dict[str, Any]:
    return {**vars(run), "written_at": run.written_at.isoformat()}


def _print_undone(collection: str, run: int, undone: list[UndoneSidecar], as_json: bool) -> None:
    if as_json:
        print_json({"collection": collection, "run": run, "undone": [vars(each) for each in undone]})
        return
    for each in undone:
        print(f"{each.outcome:<11} {each.sidecar}" + (f": {each.reason}" if each.reason else ""))
    print(f"{collection}: {_counts([each.outcome for each in undone], 'sidecar')}")


def _print_export(report: ExportReport, as_json: bool) -> None:
    if as_json:
        print_json({**vars(report), "pictures": [vars(picture) for picture in report.pictures]})
        return
    for picture in report.pictures:
        if picture.reason:
            print(f"{picture.outcome:<13} {picture.file or picture.asset_id[:12]}: {picture.reason}")
    print(f"{report.target}: {_counts([picture.outcome for picture in report.pictures], 'picture')}")


def _counts(outcomes: list[Any], noun: str) -> str:
    """`4 sidecars: 3 created and 1 left out`."""
    numbers = [f"{outcomes.count(outcome):,} {outcome}" for outcome in dict.fromkeys(outcomes)]
    return counted(len(outcomes), noun) + (f": {listed(numbers)}" if numbers else "")
