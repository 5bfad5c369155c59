"""What the parsers of commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it

OpenApp = Callable[[], "App"]
# Runs a command and returns its exit code.
CommandFunction = Callable[[argparse.Namespace], int]
DEMO = "demo"


def add_command(commands: Any, name: str, help_text: str, description: str = "") -> argparse.ArgumentParser:
    """Add the parser of a command; its description is the help text as a sentence unless given."""
    sentence = f"{help_text[0].upper()}{help_text[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=description or sentence)
    return parser


def add_collection_option(parser: argparse.ArgumentParser, help_text: str = "the collection") -> None:
    """Add `--collection`, by default the demo collection."""
    parser.add_argument("--collection", default=DEMO, metavar="NAME", help=f"{help_text} (default: demo)")


def finish_command(parser: argparse.ArgumentParser, run: CommandFunction) -> None:
    """Add `--json`, the last option of every command, and the function that runs the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
