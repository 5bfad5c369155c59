"""A captions table to fill in: one row for each file."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable

from core.text import escape_formula

# Our own heading of each column, in the order in which people fill them in.
_HEADINGS = (
    "file title headline description keywords people author credit licence usage_terms date sublocation city state "
    "country latitude longitude altitude rating label camera lens source"
)
TEMPLATE_HEADINGS = tuple(_HEADINGS.split())


def captions_template(files: Iterable[str]) -> bytes:
    """A CSV that Excel opens as it is, with one row per file: paths relative to the folder, and empty cells.

    `read_captions` reads it back; a name that a spreadsheet would run as a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(TEMPLATE_HEADINGS)
    writer.writerows([escape_formula(file), *[""] * (len(TEMPLATE_HEADINGS) - 1)] for file in files)
    return codecs.BOM_UTF8 + text.getvalue().encode("utf-8", "surrogateescape")
