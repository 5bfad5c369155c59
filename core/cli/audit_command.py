"""The command that reads the audit log: who did what, as lines, as JSON or into a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.access import OPERATOR
from core.cli.command_parser import OpenApp, add_command, finish_command
from core.cli.metrics_commands import span
from core.cli.output import print_json
from core.metrics.audit_export import FORMATS, entry_document
from core.records.audit import AuditEntry, AuditFilter


def add_audit_command(
    commands: Any, open_app: OpenApp, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Add the command to the parser of all commands."""
    parser = add_command(
        commands, "audit", "who did what: the audit log", "Print the audit log, the newest entry first."
    )
    parser.add_argument(
        "--since", type=span, default="7d", metavar="SPAN", help="how far back: 30m, 12h, 90d (default: 7d)"
    )
    parser.add_argument("--action", default="", metavar="NAME", help="only this action, as the log calls it: publish")
    parser.add_argument("--grep", default="", metavar="TEXT", help="only entries with this text in any column")
    parser.add_argument("--output", type=_exported_file, metavar="FILE", help="write them to a .csv or .jsonl file")

    def run(options: argparse.Namespace) -> int:
        wanted = AuditFilter(options.grep, options.action, now() - options.since)
        entries = open_app().audit.entries(OPERATOR, wanted)
        if options.output:
            count = _write(options.output, entries)
            document = {"output": str(options.output), "entries": count}
            print_json(document) if options.json else print(f"{options.output}: {count} entries")
        elif options.json:
            print_json({"entries": [entry_document(entry) for entry in entries]})
        else:
            _print_lines(entries)
        return 0

    finish_command(parser, run)


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


def _exported_file(text: str) -> Path:
    """Raises argparse.ArgumentTypeError unless the name's ending is that of a format."""
    path = Path(text)
    if _format(path) not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {' or '.join(f'.{name}' for name in FORMATS)}")
    return path


def _format(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _write(path: Path, entries: Iterable[AuditEntry]) -> int:
    """Write all entries, or leave what was there; returns how many."""
    count, part = 0, path.with_name(f"{path.name}.part")

    def counted() -> Iterator[AuditEntry]:
        nonlocal count
        for entry in entries:
            count += 1
            yield entry

    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.writelines(FORMATS[_format(path)](counted()))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count
