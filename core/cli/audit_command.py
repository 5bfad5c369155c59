"""The command that reads the audit log: who did what, as lines, as JSON or into a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from core.access import OPERATOR
from core.cli.command_context import CommandContext, Span, json_option, pass_context
from core.cli.output import print_json
from core.metrics.audit_export import FORMATS, entry_document
from core.records.audit import AuditEntry, AuditFilter
from core.text import counted


class ExportFile(click.ParamType[Path]):
    """A file whose ending is that of a format."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Raises click.BadParameter."""
        path = Path(value)
        if _format(path) not in FORMATS:
            self.fail(f"{value!r} does not end in {' or '.join(f'.{name}' for name in FORMATS)}", param, ctx)
        return path


@click.command(short_help="Print the audit log: who did what.")
@click.option(
    "--since", type=Span(), default="7d", show_default=True, metavar="SPAN", help="How far back: 30m, 12h, 90d."
)
@click.option("--action", default="", metavar="NAME", help="Only this action, as the log calls it: publish.")
@click.option("--grep", "text", default="", metavar="TEXT", help="Only entries with this text in any column.")
@click.option("--output", type=ExportFile(), metavar="FILE", help="Write them to a .csv or .jsonl file.")
@json_option
@pass_context
def audit(
    context: CommandContext, since: timedelta, action: str, text: str, output: Path | None, as_json: bool
) -> None:
    """Print the audit log, who did what, the newest entry first."""
    entries = context.open_app().audit.entries(OPERATOR, AuditFilter(text, action, context.now() - since))
    if output:
        count = _write(output, entries)
        document = {"output": str(output), "entries": count}
        print_json(document) if as_json else print(f"{output}: {counted(count, 'entry', 'entries')}")
    elif as_json:
        print_json({"entries": [entry_document(entry) for entry in entries]})
    else:
        _print_lines(entries)


def entry_line(entry: AuditEntry) -> str:
    """One entry for people: when (UTC), who, from where, what, in which collection, on what, and how it ended."""
    who = f"{entry.actor} ({entry.visitor})" if entry.visitor else entry.actor
    what = "  ".join(filter(None, (entry.collection, entry.target)))
    return f"{entry.at:%Y-%m-%d %H:%M:%S}  {who:<28}  {entry.action:<18}  {entry.outcome:<10}  {what}".rstrip()


def _print_lines(entries: Iterable[AuditEntry]) -> None:
    found = False
    for entry in entries:
        found = True
        print(entry_line(entry))
    if not found:
        print("no entries: --since 365d looks further back", file=sys.stderr)


def _format(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _write(path: Path, entries: Iterable[AuditEntry]) -> int:
    """Write all entries, or leave what was there; returns how many."""
    count, part = 0, path.with_name(f"{path.name}.part")

    def counting() -> Iterator[AuditEntry]:
        nonlocal count
        for entry in entries:
            count += 1
            yield entry

    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.writelines(FORMATS[_format(path)](counting()))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count
