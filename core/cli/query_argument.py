"""A command whose argument is a query, which may begin with a dash: `search "-boat"`."""

from __future__ import annotations

from collections.abc import Sequence

import click


class QueryCommand(click.Command):
    """Takes an argument such as `-boat` for the query: its options have two dashes, or a dash and one letter."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises click.UsageError."""
        return super().parse_args(ctx, _with_queries_last(args, self._valued_options(ctx)))

    def _valued_options(self, ctx: click.Context) -> frozenset[str]:
        options = (option for option in self.get_params(ctx) if isinstance(option, click.Option))
        return frozenset(name for option in options if not (option.is_flag or option.count) for name in option.opts)


def _with_queries_last(args: Sequence[str], valued: frozenset[str]) -> list[str]:
    """The arguments with those that are queries after `--`, where nothing is taken for an option."""
    before, queries = list[str](), list[str]()
    rest = iter(args)
    for argument in rest:
        if argument == "--":
            return [*before, "--", *queries, *rest]
        if argument in valued:
            before += [argument, *(value for value in [next(rest, None)] if value is not None)]
        elif _is_query(argument):
            queries.append(argument)
        else:
            before.append(argument)
    return [*before, "--", *queries] if queries else before


def _is_query(argument: str) -> bool:
    return argument.startswith("-") and not argument.startswith("--") and len(argument) > 2
