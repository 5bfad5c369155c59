"""Judgements: thumbs up and down on search results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Judgement:
    """A thumb on a search result: `up` for a good one. `position` is its rank when it was judged, from 1.

    `ranker` says who ranked it; `blind` whether that was hidden from the person.
    """

    collection: str
    query: str
    asset_id: str
    up: bool
    model: str
    ranker: str
    position: int
    blind: bool = False


@dataclass(frozen=True)
class Voter:
    """Whose thumb it is: the `owner` alone may change it, `name` is shown beside it.

    `unnamed_visitor` is the address of someone without a name or account, None for everyone else: the unnamed have one
    voice together.
    """

    owner: str
    name: str
    unnamed_visitor: str | None = None


@dataclass(frozen=True)
class RecordedJudgement:
    """A judgement with its author and time."""

    judgement: Judgement
    author: str
    at: datetime


@dataclass(frozen=True)
class JudgementCounts:
    """How many people say that a picture answers a query, and how many say that it does not.

    All without a name count as one of them, who says what most of them say.
    """

    query: str
    asset_id: str
    up: int
    down: int
