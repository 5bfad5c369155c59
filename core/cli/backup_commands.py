"""The commands that keep collections safe: backup, restore, verify."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from core.access import OPERATOR
from core.cli.command_context import FILE, CommandContext, json_option, pass_context
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.records.backups import Backup, RestoreOptions
from core.records.verification import Damage, VerificationOptions, VerificationReport
from core.text import format_bytes

MAX_LINES = 50
_names_option = click.option(
    "--collection", "names", multiple=True, metavar="NAME", help="A collection; may be given again.  [default: all]"
)


@click.command(short_help="Back up collections, or everything.")
@click.argument("place", type=FILE, required=False)
@_names_option
@click.option("--keep-days", type=click.IntRange(1, 3650), help="Delete backups in PLACE that are older.")
@click.option("--list", "only_list", is_flag=True, help="List the backups in PLACE instead.")
@json_option
@pass_context
def backup(
    context: CommandContext,
    place: Path | None,
    names: tuple[str, ...],
    keep_days: int | None,
    only_list: bool,
    as_json: bool,
) -> int:
    """Back up collections with their clusters, drafts and uploads, or everything, to the folder PLACE.

    Everything may be in use meanwhile. What is in PLACE already is not copied again. Without PLACE it is the folder
    that the setting CONTACTSHEET_BACKUP names.
    """
    if only_list and (names or keep_days):
        raise click.UsageError("--list lists the backups in PLACE alone: leave out the other options")
    service = context.open_app().backups
    if only_list:
        _print_backups(service.backups(place), as_json)
        damaged = service.damaged_lists(place)
        for backup_id in damaged:
            print(f"damaged  {backup_id}: its list cannot be read, so nothing in {place} expires", file=sys.stderr)
        return 1 if damaged else 0
    keep = timedelta(days=keep_days) if keep_days else None
    with ProgressBar(sys.stderr) as bar:
        report = service.back_up(OPERATOR, place, names, keep, bar.show, _announce)
    document = {
        **_backup_document(report.backup),
        "written": report.written,
        "announced": report.announced,
        "seconds": round(report.seconds, 3),
        "expired": list(report.expired),
    }
    _print_result(as_json, document, report.summary)
    for name, text in report.backup.damaged.items():
        print(f"damaged  {name}: {text}", file=sys.stderr)
    return 1 if report.backup.damaged else 0


@click.command(short_help="Restore collections, or everything, from a backup.")
@click.argument("place", type=FILE, required=False)
@_names_option
@click.option("--as", "as_name", default="", metavar="NAME", help="Restore the one collection under this name.")
@click.option("--backup", "backup_id", default="", metavar="ID", help="The backup.  [default: the newest in PLACE]")
@click.option("--replace", is_flag=True, help="Replace collections that are there and work.")
@click.option(
    "--begin-anew",
    metavar="DATABASE",
    type=click.Choice(["contactsheet.db", "judgements.db"]),
    help="Instead, set this damaged database aside and begin a new one.",
)
@json_option
@pass_context
def restore(
    context: CommandContext,
    place: Path | None,
    names: tuple[str, ...],
    as_name: str,
    backup_id: str,
    replace: bool,
    begin_anew: str | None,
    as_json: bool,
) -> None:
    """Restore collections, or everything, from a backup in the folder PLACE.

    What works is never replaced without --replace: of everything, only what is missing or damaged is restored.
    """
    if begin_anew and (place or names or as_name or backup_id or replace):
        raise click.UsageError("--begin-anew needs no backup: leave out PLACE and the other options")
    if begin_anew:
        kept = context.open_app().backups.begin_anew(OPERATOR, begin_anew)
        line = f"a new {begin_anew} was begun" + (f"; the damaged one is kept as {kept}" if kept else "")
        _print_result(as_json, {"begun": begin_anew, "kept_as": kept}, line)
        return
    options = RestoreOptions(names, backup_id, as_name, replace)
    with ProgressBar(sys.stderr) as bar:
        report = context.open_app().backups.restore(OPERATOR, place, options, bar.show)
    document = {
        "backup": report.backup,
        "collections": [vars(collection) for collection in report.collections],
        "databases": list(report.databases),
        "left": list(report.left),
        "seconds": round(report.seconds, 3),
    }
    _print_result(as_json, document, report.summary)


@click.command(short_help="Check collections, databases and backups for damage.")
@_names_option
@click.option("--originals", is_flag=True, help="Compare the original files with their pictures' ids too.")
@click.option("--mend", is_flag=True, help="Make again what can be made from the originals.")
@click.option("--backups", type=FILE, metavar="PLACE", help="Check the backups in this folder instead.")
@json_option
@pass_context
def verify(
    context: CommandContext, names: tuple[str, ...], originals: bool, mend: bool, backups: Path | None, as_json: bool
) -> int:
    """Check thumbnails, vectors, metadata, clusters and databases for damage; exit code 1 if there is any."""
    if backups and (names or originals or mend):
        raise click.UsageError("--backups checks a folder of backups alone: leave out the other options")
    service = context.open_app().backups
    with ProgressBar(sys.stderr) as bar:
        if backups:
            report = service.verify_backups(backups, bar.show)
        else:
            report = service.verify(OPERATOR, names, VerificationOptions(originals, mend), bar.show)
    if as_json:
        print_json(_report_document(report))
    else:
        for damage in report.damages[:MAX_LINES]:
            print(damage.line)
        if len(report.damages) > MAX_LINES:
            print(f"… and {len(report.damages) - MAX_LINES} more (--json lists all)")
        print(report.summary)
    return 1 if report.left else 0


def _announce(needed: int, free: int) -> None:
    print(f"needs at most {format_bytes(needed)}; {format_bytes(free)} are free", file=sys.stderr)


def _print_backups(backups: list[Backup], as_json: bool) -> None:
    if as_json:
        print_json({"backups": [_backup_document(each) for each in backups]})
        return
    for each in backups:
        held = ", ".join(collection.name for collection in each.collections) or "no collection"
        print(f"{each.id:<20} {format_bytes(each.size):>10}  {'everything: ' if each.everything else ''}{held}")
    if not backups:
        print("no backups yet", file=sys.stderr)


def _backup_document(each: Backup) -> dict[str, Any]:
    return {
        "backup": each.id,
        "made_at": each.made_at.isoformat(),
        "everything": each.everything,
        "collections": [{**vars(collection), "siblings": list(collection.siblings)} for collection in each.collections],
        "bytes": each.size,
        "files": len(each.files),
        "damaged": dict(each.damaged),
    }


def _report_document(report: VerificationReport) -> dict[str, Any]:
    numbers = {name: value for name, value in vars(report).items() if name != "damages"}
    damages = [_damage_document(damage) for damage in report.damages]
    return {**numbers, "seconds": round(report.seconds, 3), "damages": damages, "left": len(report.left)}


def _damage_document(damage: Damage) -> dict[str, Any]:
    return {**vars(damage), "line": damage.line}


def _print_result(as_json: bool, document: dict[str, Any], line: str) -> None:
    if as_json:
        print_json(document)
    else:
        print(line)
