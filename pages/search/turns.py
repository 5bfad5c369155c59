"""A conversation: its turns are searches, the latest of which are stored; pure values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.records.assets import SearchResult
from core.search.answer import Answer
from core.search.follow_up_rules import FollowUp
from core.search.interpretation import Interpretation
from pages.search.search_state import SearchParams

MAX_TURNS = 12
MAX_EARLIER_HITS = 4


@dataclass(frozen=True)
class SearchTurn:
    """A search of a collection version, its answer, and how its words and the follow-up that led to it were read.

    `fields` are the values of the page's filters and sliders, by key, with which it can be repeated.
    """

    collection: str
    version: str
    params: SearchParams
    answer: Answer
    follow_up: FollowUp | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    read: Interpretation | None = None

    @property
    def key(self) -> Hashable:
        """What identifies the search; showing more results is the same search."""
        return turn_key(self.collection, self.version, self.params)

    def is_adjusted_to(self, other: SearchTurn) -> bool:
        """Whether the other is the same search with another weight of the words or minimum similarity."""
        params = replace(self.params, weight=other.params.weight, min_similarity=other.params.min_similarity)
        return replace(self, params=params).key == other.key


def turn_key(collection: str, version: str, params: SearchParams) -> Hashable:
    return (collection, version, replace(params, top=0))


def with_turn(turns: Sequence[SearchTurn], turn: SearchTurn) -> tuple[SearchTurn, ...]:
    """The conversation with one more turn, which may be one of the earlier again; those are shortened."""
    others = [earlier for earlier in turns if earlier.key != turn.key]
    return (*(shorten(earlier) for earlier in others[-(MAX_TURNS - 1) :]), turn)


def with_more(turn: SearchTurn, params: SearchParams, result: SearchResult) -> SearchTurn:
    """The turn with more pictures."""
    return replace(turn, params=params, answer=replace(turn.answer, result=result))


def shorten(turn: SearchTurn) -> SearchTurn:
    """A turn with only the first pictures of its final order, and their ranking."""
    answer = turn.answer
    hits = answer.hits[:MAX_EARLIER_HITS]
    ids = {hit.asset.id for hit in hits}
    ranking = answer.ranking
    if ranking is not None:
        shown = tuple(candidate for candidate in ranking.candidates if candidate.asset_id in ids)
        ranking = replace(ranking, candidates=shown)
    return replace(turn, answer=replace(answer, result=replace(answer.result, hits=hits), ranking=ranking))


def queries(turns: Sequence[SearchTurn]) -> list[str]:
    """The queries in words, the latest last."""
    return [turn.params.query for turn in turns if turn.params.query]
