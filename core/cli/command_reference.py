"""docs/reference/commands.md, made from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click

from core.cli.main import PROGRAM, commands

_HEAD = f"""\
# Commands

Made from the code by `python -m core.cli.command_reference > docs/reference/commands.md`; a test compares it.

`python` is the environment's own: write `.venv/bin/python`, or `source .venv/bin/activate` first.

Every command takes `--help`, and `--json` to print [one JSON document](json.md) on standard output. Progress and errors
go to standard error. Exit code 0; 1 with one line that says what to do; 2 for wrong usage.

`{PROGRAM} --version` prints the version.
"""


def command_reference() -> str:
    """Markdown with a section per command: what it does, its usage and its options."""
    with click.Context(commands, info_name=PROGRAM) as parent:
        sections = ["\n".join(_section(command, parent)) for command in commands.commands.values()]
    return "\n".join([_HEAD, *sections])


def _section(command: click.Command, parent: click.Context) -> Iterator[str]:
    with click.Context(command, info_name=command.name, parent=parent, max_content_width=10_000) as context:
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)[1:]])
        yield f"## {command.name}\n"
        yield f"{cleandoc(command.help or '')}\n"
        yield f"```\n{usage} [OPTIONS]\n```\n"
        yield "| option | meaning |\n|---|---|"
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None and record[1] and "--help" not in parameter.opts:
                option, meaning = (" ".join(text.replace("|", r"\|").split()) for text in record)
                yield f"| `{option}` | {meaning} |"
        yield ""


if __name__ == "__main__":
    print(command_reference(), end="")
