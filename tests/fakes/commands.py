"""Runs a command on an App of the test, with errors as they are raised."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.cli.command_context import CommandContext
from core.cli.main import PROGRAM, commands


def run_command(app: Any, *arguments: object, now: datetime | None = None) -> int:
    """The exit code; `now` is the command's time. Raises what the command raises, click.ClickException for usage."""
    context = CommandContext(lambda: app, lambda: now or datetime.now(UTC))
    with commands.make_context(PROGRAM, list(map(str, arguments)), obj=context) as running:
        return commands.invoke(running) or 0
