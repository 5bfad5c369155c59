"""Reads the query of a command: what was understood, where it is mistaken, what to loosen where nothing is found."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING, Any

from core.access import OPERATOR
from core.errors import QueryError
from core.records.assets import Filters, SearchResult
from core.records.queries import Query
from core.search.interpretation import Interpretation
from core.search.query_encoding import normalize_query
from core.search.query_language.parser import parse
from core.search.query_language.parts import ParsedQuery, Problem
from core.text import listed, one_line

if TYPE_CHECKING:
    from core.app import App

MAX_SHOWN = 100  # characters of a query around its mistake


def read_query(app: App, text: str, collection: str, as_typed: bool, with_gemini: bool) -> Interpretation:
    """A query as it is understood. Raises QueryError if it is overlong or mistaken, and then points at the place."""
    text = normalize_query(text)
    names = app.searches.names(collection)
    if with_gemini and not as_typed:
        read = app.interpretations.interpret(OPERATOR, text, names)
    else:
        read = Interpretation(text, parse(text, names, as_typed=as_typed))
    problems = read.parsed.problems
    for problem in problems:
        print(*pointed_at(text, problem), sep="\n", file=sys.stderr)
    if not problems and read.parsed.query == Query():
        raise QueryError("the query is empty: write what the picture should show")
    if problems:
        raise QueryError("; ".join(problem.sentence for problem in problems))
    return read


def pointed_at(text: str, problem: Problem) -> tuple[str, str]:
    """The text, or what of it is near a problem, and a line that underlines the problem's place."""
    first = max(0, min(problem.start, len(text) - MAX_SHOWN))
    last = min(first + MAX_SHOWN, len(text))
    shown = "".join(character if character.isprintable() else " " for character in text[first:last])
    before, marked = shown[: problem.start - first], shown[problem.start - first : problem.end - first]
    return f"  {shown}", f"  {' ' * _columns(before)}{'^' * max(_columns(marked), 1)}"


def _columns(text: str) -> int:
    """How many columns a terminal shows it in: Chinese characters take two, accents none."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)


def guesses(parsed: ParsedQuery) -> str:
    """What was made of a sentence, if anything was: `read as: red boats · place: Lisbon · 2004`."""
    if not any(part.guessed for part in parsed.parts):
        return ""
    return f"read as: {' · '.join(one_line(part.label) for part in parsed.parts)} (--as-typed: as plain words)"


def remarks(result: SearchResult) -> list[str]:
    """What to know about a result: the spelling that was searched for instead, and how far it can be trusted."""
    pairs = result.correction.words if result.correction else ()
    return [
        *(f"searched for {meant} instead of {typed} (--as-typed: as typed)" for typed, meant in pairs),
        *result.hints,
    ]


def what_to_loosen(parsed: ParsedQuery, filters: Filters, floor: float) -> str:
    """Why nothing may have been found: the conditions of the query, the filters, the minimum similarity."""
    labels = [one_line(part.label) for part in parsed.parts if part.query.conditions]
    advice = [f"leave out {labels[0]}" if len(labels) == 1 else f"leave out one of {listed(labels)}"] if labels else []
    advice += ["loosen the filters"] if filters.active else []
    advice += ["lower --floor"] if floor > -1 else []
    return f"nothing found: {' or '.join(advice) if advice else 'the collection has no pictures: ingest some'}"


def query_document(read: Interpretation) -> dict[str, Any]:
    """What a query was understood as, for `--json`."""
    return {
        "text": read.parsed.text,
        "by": read.by,
        "parts": [
            {
                "text": read.parsed.text[part.start : part.end],
                "kind": part.kind,
                "label": part.label,
                "guessed": part.guessed,
            }
            for part in read.parsed.parts
        ],
    }
