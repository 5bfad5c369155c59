"""A text that was read as a query: its parts with what a chip says of each, and its mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from core.records.queries import Condition, Query, Wish
from core.text import one_line

PartKind = Literal["words", "exact", "weighted", "excluded", "field", "rating", "period", "like", "mistake"]
MAX_SHOWN_LENGTH = 40


@dataclass(frozen=True)
class Part:
    """The characters [start, end) of a text, what a chip says of them, and what they ask for.

    `guessed`: plain words were read as a condition or an exclusion; `as_typed` makes them plain words again.
    Words that say nothing of a picture, such as "photos" in "photos of Ada", ask for nothing.
    """

    start: int
    end: int
    kind: PartKind
    label: str
    query: Query = Query()
    guessed: bool = False

    @property
    def flows(self) -> bool:
        """Whether its words are part of the sentence around them."""
        return self.kind in ("words", "exact")


@dataclass(frozen=True)
class Problem:
    """A mistake in the characters [start, end) of a text, and a sentence that names it and says what to write."""

    start: int
    end: int
    sentence: str


@dataclass(frozen=True)
class ParsedQuery:
    """A text, its parts in order, all that they ask for, and the problems of those that ask for nothing."""

    text: str
    parts: tuple[Part, ...]
    query: Query
    problems: tuple[Problem, ...] = ()


def problem(text: str, start: int, end: int, advice: str) -> Problem:
    """`rating:>7 at character 12: ratings go from 1 to 5`, counted from 1 as people do."""
    return Problem(start, end, f"{one_line(text[start:end], MAX_SHOWN_LENGTH)} at character {start + 1}: {advice}")


def combined(parts: Iterable[Part]) -> Query:
    """All that parts ask for. The words of a sentence are one wish, whatever stands between them but a weight."""
    wishes: list[Wish | list[str]] = []
    sentence: list[str] | None = None
    conditions: list[Condition] = []
    like: list[str] = []
    unlike: list[str] = []
    for part in parts:
        asked = part.query
        if part.flows and asked.wishes:
            if sentence is None:
                sentence = []
                wishes.append(sentence)
            sentence.append(asked.wishes[0].text)
        elif asked.wishes:
            sentence = None if part.kind == "weighted" else sentence
            wishes += asked.wishes
        conditions += asked.conditions
        like += asked.like
        unlike += asked.unlike
    all_wishes = (wish if isinstance(wish, Wish) else Wish(" ".join(wish).strip(" ,;")) for wish in wishes)
    return Query(tuple(all_wishes), tuple(conditions), tuple(like), tuple(unlike))
