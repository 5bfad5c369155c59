"""The conversation of one person: a search is a turn, and the latest turns are kept; plain values, no drawing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from core.records.assets import SearchResult
from core.search.answer import Answer
from core.search.follow_ups import FollowUp
from pages.search.search_state import Ask

MOST_TURNS = 12
KEPT_EARLIER = 4


@dataclass(frozen=True)
class Turn:
    """One search: what was asked of which collection (and its version), what came back, how a follow-up was taken."""

    collection: str
    version: str
    ask: Ask
    answer: Answer
    understood: FollowUp | None = None

    @property
    def key(self) -> Hashable:
        """What makes it this search; showing more of it is no other."""
        return key_of(self.collection, self.version, self.ask)


def key_of(collection: str, version: str, ask: Ask) -> Hashable:
    return (collection, version, replace(ask, top=0))


def with_turn(turns: Sequence[Turn], turn: Turn) -> tuple[Turn, ...]:
    """The conversation with one more turn; earlier ones keep their first pictures only."""
    return (*(shortened(earlier) for earlier in turns[-(MOST_TURNS - 1) :]), turn)


def with_more(turn: Turn, ask: Ask, result: SearchResult) -> Turn:
    """The same turn with more pictures."""
    return replace(turn, ask=ask, answer=replace(turn.answer, result=result))


def shortened(turn: Turn) -> Turn:
    """A turn with the first pictures of its final order, and only those that were ranked among them."""
    answer = turn.answer
    hits = answer.hits[:KEPT_EARLIER]
    ids = {hit.asset.id for hit in hits}
    ranking = answer.ranking
    if ranking is not None:
        ranking = replace(ranking, places=tuple(place for place in ranking.places if place.asset_id in ids))
    return replace(turn, answer=replace(answer, result=replace(answer.result, hits=hits), ranking=ranking))


def queries(turns: Sequence[Turn]) -> list[str]:
    """What was searched for in words, the latest last."""
    return [turn.ask.query for turn in turns if turn.ask.query]
