"""docs/searching.md says what queries, sentences and follow-ups mean: exactly what they do mean."""

from __future__ import annotations

import re

import pytest

from core.search.filters import Facets
from core.search.follow_up_rules import interpret_by_rule
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.parser import parse
from core.search.query_language.tokens import TEXT_FIELDS
from core.settings import PROJECT

PAGE = (PROJECT / "docs" / "searching.md").read_text(encoding="utf-8")
YEARS = (2004, 2001, 1998, 1932, 1925)
NAMES = CollectionNames(
    Facets(
        sources=(),
        keywords=(("boat", 9),),
        orientations=(),
        earliest=None,
        latest=None,
        people=(("Ada", 2),),
        places=(("Lisbon", 3),),
        years=tuple((year, 1) for year in YEARS),
        rated=1,
        authors=(("Ada", 1),),
    )
)


def rows(heading: str) -> list[tuple[str, str]]:
    """The two cells of each row of the tables of a section, without their heads."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \| (.+) \|$", section, re.MULTILINE)


UNDERSTOOD = [row for heading in ("Words", "Fields", "Dates", "Sentences") for row in rows(heading)]


@pytest.mark.parametrize(("typed", "understood"), UNDERSTOOD, ids=[typed for typed, _ in UNDERSTOOD])
def test_a_query_is_understood_as_the_page_says(typed: str, understood: str) -> None:
    parsed = parse(typed, NAMES, this_year=2026)
    assert " · ".join(part.label for part in parsed.parts) == understood
    assert parsed.problems == ()


@pytest.mark.parametrize(("typed", "said"), rows("Mistakes"))
def test_a_mistake_is_named_as_the_page_says(typed: str, said: str) -> None:
    assert [problem.sentence for problem in parse(typed, NAMES).problems] == [said]


@pytest.mark.parametrize(("said", "meant"), rows("Follow-ups"))
def test_a_follow_up_means_what_the_page_says(said: str, meant: str) -> None:
    assert interpret_by_rule("streets in Rome", said, 4).query == meant.strip("`")


def test_the_page_has_examples_of_everything_and_names_every_field() -> None:
    assert (len(UNDERSTOOD), len(rows("Mistakes")), len(rows("Follow-ups"))) == (40, 3, 6)
    assert set(TEXT_FIELDS) <= set(re.findall("`([a-z]+)`", PAGE))
