"""Pieces of queries for random tests: marks of the query language, words of its sentences, odd characters."""

from __future__ import annotations

MARKS = (
    *' \t\n"“”„«»\\-–:：*.,;!?()<>=≤≥0123456789',
    *("title:", "rating:", "date:", "before:", "like:", "place: ", "2*", "0.5*", "-", "..", "without ", "but no "),
    *(
        "not a ",
        ", ",
        "1998",
        "1930s",
        "September ",
        "between ",
        " and ",
        " or ",
        "boat",
        "é",
        "猫",
        "stars",
        "\ud800",
        "\0",
    ),
)
