"""The command that searches a collection by words."""

from __future__ import annotations

import sys
from typing import Any

import click

from core.access import OPERATOR
from core.cli.command_context import DEMO, CommandContext, collection_option, json_option, pass_context
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.cli.query_argument import QueryCommand
from core.cli.query_reading import guesses, query_document, read_query, remarks, what_to_loosen
from core.errors import ContactSheetError, QueryError
from core.records.assets import Filters, Orientation, shown_path
from core.records.created_time import CreatedTime
from core.records.description_json import description_json
from core.records.searches import SearchOptions
from core.records.written_dates import parse_period
from core.search.answer import Answer
from core.search.conditions import unknown_condition_values
from core.search.filters import impossible_span, unknown_values
from core.text import listed

MAX_TOP = 10_000


class Period(click.ParamType[CreatedTime]):
    """A day, a month or a year, as people write them."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CreatedTime:
        """Raises click.BadParameter."""
        if isinstance(value, CreatedTime):
            return value
        try:
            return parse_period(value)
        except ContactSheetError as error:
            self.fail(str(error), param, ctx)


@click.command(short_help="Find pictures by words.", cls=QueryCommand)
@click.argument("query")
@collection_option()
@click.option(
    "--top", type=click.IntRange(1, MAX_TOP), default=10, show_default=True, metavar="N", help="Number of results."
)
@click.option("--floor", type=float, default=-1.0, metavar="COSINE", help="Minimum similarity, from -1 to 1.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source; repeatable.")
@click.option("--keyword", "keywords", multiple=True, metavar="WORD", help="Only this keyword; repeatable.")
@click.option(
    "--orientation",
    "orientations",
    multiple=True,
    type=click.Choice(("landscape", "portrait", "square")),
    help="Only this shape; repeatable.",
)
@click.option("--person", "people", multiple=True, metavar="NAME", help="Only with this person; repeatable.")
@click.option("--place", "places", multiple=True, metavar="NAME", help="Only of this place; repeatable.")
@click.option("--camera", "cameras", multiple=True, metavar="NAME", help="Only by this camera; repeatable.")
@click.option("--rating", type=click.IntRange(-1, 5), metavar="N", help="Only with at least this rating, 1 to 5.")
@click.option("--gps/--no-gps", "gps", default=None, help="Only with, or only without, coordinates.")
@click.option("--as-typed", is_flag=True, help="Read no sentences in QUERY: dates and names are words too.")
@click.option("--rank", is_flag=True, help="Let Gemini rank the first results, which costs money.")
@click.option(
    "--since", type=Period(), metavar="DATE", help="Only pictures taken on this day, month or year, or later."
)
@click.option(
    "--until", type=Period(), metavar="DATE", help="Only pictures taken on this day, month or year, or earlier."
)
@json_option
@pass_context
def search(
    context: CommandContext,
    query: str,
    collection: str,
    top: int,
    floor: float,
    sources: tuple[str, ...],
    keywords: tuple[str, ...],
    orientations: tuple[Orientation, ...],
    people: tuple[str, ...],
    places: tuple[str, ...],
    cameras: tuple[str, ...],
    rating: int | None,
    gps: bool | None,
    as_typed: bool,
    rank: bool,
    since: CreatedTime | None,
    until: CreatedTime | None,
    as_json: bool,
) -> None:
    """Find the pictures of a collection that match the words of QUERY.

    QUERY may exclude things (-boat), name exact words ("two words") and fields (place:Lisbon, rating:>3, date:1998):
    docs/searching.md.
    """
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        if collection == DEMO:
            app.ensure_demo(bar.show)
        app.warm(collection, bar.show)
    filters = Filters(sources, keywords, orientations, since, until, people, places, cameras, rating, gps)
    if span := impossible_span(filters):
        raise QueryError(span)
    read = read_query(app, query, collection, as_typed, rank)
    names = app.searches.names(collection)
    unknown = unknown_values(names.facets, filters) + unknown_condition_values(names, read.parsed.query)
    if unknown:
        raise QueryError(f"{collection} has no {listed(unknown)}: check the spelling")
    if understood := guesses(read.parsed):
        print(understood, file=sys.stderr)
    options = SearchOptions(top, filters, floor, correct=not as_typed)
    answer = app.searches.by_query(OPERATOR, read.parsed.query, collection, options, rank)
    for sentence in remarks(answer.result):
        print(sentence, file=sys.stderr)
    if not answer.hits:
        print(what_to_loosen(read.parsed, filters, floor), file=sys.stderr)
    if as_json:
        print_json(search_document(answer, top) | {"query": read.typed, "understood": query_document(read)})
        return
    if answer.ranking is not None and answer.ranking.failure is not None:
        print(answer.ranking.failure.notice, file=sys.stderr)
    for place, hit in enumerate(answer.hits[:top], 1):
        path = shown_path(hit.asset.uris[0]) if hit.asset.uris else ""
        path += "  (missing)" if hit.asset.missing else ""
        print(f"{place:>4}  {hit.similarity:.4f}  {hit.asset.title}  {path}")


def search_document(answer: Answer, top: int) -> dict[str, Any]:
    """The JSON document of `search --json`: the first `top` pictures in their final order, and the receipt."""
    result = answer.result
    return {
        "collection": result.collection,
        "collection_version": result.collection_version,
        "query": result.query,
        "matching": result.matching,
        "stage_ms": {name: round(ms, 3) for name, ms in answer.stage_ms.items()},
        "receipt": answer.receipt(),
        "results": [
            {
                "rank": rank,
                "similarity": round(hit.similarity, 6),
                "id": hit.asset.id,
                "title": hit.asset.title,
                "description": hit.asset.about.description,
                "keywords": list(hit.asset.about.keywords),
                "author": hit.asset.about.author,
                "licence": hit.asset.about.licence,
                "source": hit.asset.sources[0] if hit.asset.sources else "",
                "sources": list(hit.asset.sources),
                "uris": list(hit.asset.uris),
                "width": hit.asset.width,
                "height": hit.asset.height,
                "created_at": str(hit.asset.about.created) if hit.asset.about.created else None,
                "missing": hit.asset.missing,
                "metadata": description_json(hit.asset.about),
            }
            for rank, hit in enumerate(answer.hits[:top], 1)
        ],
    }
