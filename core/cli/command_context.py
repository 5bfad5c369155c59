"""What all commands share: how they get the App, the options that most of them have, kinds of values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from core.settings import Settings

if TYPE_CHECKING:
    from core.app import App  # loads torch and LanceDB: only commands that need it should wait for it

DEMO = "demo"
FILE = click.Path(path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MAX_SPAN = timedelta(days=3660)


def _open_app() -> App:
    from core.app import open_app

    return open_app(Settings.load())


@dataclass(frozen=True)
class CommandContext:
    """What a command runs with: how to open the App, and the time."""

    open_app: Callable[[], App] = lambda: _open_app()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


pass_context = click.make_pass_decorator(CommandContext)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
required_collection_option = click.option("--collection", required=True, metavar="NAME", help="The collection.")


def collection_option(help_text: str = "The collection.") -> Callable[[Command], Command]:
    """`--collection`, by default the demo collection."""
    return click.option("--collection", default=DEMO, show_default=True, metavar="NAME", help=help_text)


class Span(click.ParamType[timedelta]):
    """A length of time: `90m`, `12h` or `7d`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Raises click.BadParameter."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,6})([mhd])", value)
        length = int(found[1]) * _UNITS[found[2]] if found else None
        if length is None or length > _MAX_SPAN:
            self.fail(f"{value!r} is not a span like 30m, 12h or 7d, of at most 3660 days", param, ctx)
        return length
