"""docs/captions.md says which headings and dates are read: exactly those that are."""

from __future__ import annotations

import re

import pytest

from core.ingest.metadata.table_headings import HEADINGS
from core.records.written_dates import read_written_date
from core.settings import PROJECT

PAGE = (PROJECT / "docs" / "captions.md").read_text(encoding="utf-8")
KEPT_AS = {
    "the year": "year",
    "about that year": "circa",
    "the decade": "decade",
    "the month": "month",
    "the day": "day",
    "the minute or second, and the offset from UTC": "minute second",
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def code(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def test_the_page_names_every_heading_in_the_order_in_which_they_count() -> None:
    assert [code(cells[1]) for cells in rows("Headings")] == [names.split() for names in HEADINGS.values()]


@pytest.mark.parametrize(("text", "kept"), [(text, kept) for written, kept in rows("Dates") for text in code(written)])
def test_every_date_of_the_page_is_kept_as_it_says(text: str, kept: str) -> None:
    created = read_written_date(text).created
    assert created is not None
    assert created.precision in KEPT_AS[kept].split()
