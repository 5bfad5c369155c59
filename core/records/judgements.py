"""Judgements: thumbs up and down on search results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Judgement:
    """A result that was judged: `up` for a good one. `position` is its place when it was judged, from 1.

    `ranker` says whose order it was; `blind` whether the person could not know that.
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
class RecordedJudgement:
    """A judgement with whose it is and since when."""

    judged: Judgement
    author: str
    at: datetime


@dataclass(frozen=True)
class Tally:
    """How many people think a picture answers a query, and how many do not."""

    query: str
    asset_id: str
    up: int
    down: int
