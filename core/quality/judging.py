"""Judging results: who may, what it adds up to, and the label set that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from core.access import Person
from core.quality.intervals import Interval, wilson
from core.quality.label_sets import LabelledQuery, LabelSet
from core.records.judgements import Judgement, Tally
from core.store.sql.judgement_store import JudgementStore

KIND = "judged"


class JudgingService:
    """Thumbs up and down. Whoever may search may judge: an opinion changes nothing that others rely on.

    One opinion per signed name, query and picture; people who give no name share one, so that the unnamed cannot
    outvote the named.
    """

    def __init__(self, judgements: JudgementStore, model: Callable[[str], str]) -> None:
        """`model` is the name of the model of a collection."""
        self._judgements, self._model = judgements, model

    def judge(
        self,
        person: Person,
        collection: str,
        query: str,
        asset_id: str,
        up: bool | None,
        *,
        ranker: str,
        position: int,
        blind: bool = False,
    ) -> None:
        """Keep what a person thinks of a result: a thumb up, down, or None to take theirs back.

        `ranker` says whose order it was, `position` its place in it when it was judged, from 1. Raises QueryError for
        an empty or overlong query, CollectionError, StoreError.
        """
        if up is None:
            self.take_back(person, collection, query, asset_id)
            return
        model = self._model(collection)
        judged = Judgement(collection, query, asset_id, up, model, ranker, position, blind)
        self._judgements.put(judged, person.author)

    def take_back(self, person: Person, collection: str, query: str, asset_id: str) -> bool:
        """Undo: forget the person's own opinion; whether there was one."""
        return self._judgements.take_back(person.author, collection, query, asset_id)

    def of(self, person: Person, collection: str, query: str) -> dict[str, bool]:
        """The person's own thumbs for a query, by asset id."""
        return self._judgements.of(person.author, collection, query)

    def satisfaction(
        self, since: datetime, until: datetime, collection: str | None = None, ranker: str | None = None
    ) -> tuple[Interval | None, int]:
        """The share of thumbs up in a range of time with Wilson's interval (None without any), and their number."""
        up, total = self._judgements.counts(since, until, collection, ranker)
        return wilson(up, total), total

    def label_set(self, collection: str) -> LabelSet:
        """What was judged as labels that `evaluate` reads."""
        return label_set(self._judgements.tallies(collection), f"judged-{collection}.jsonl")


def label_set(tallies: Iterable[Tally], name: str) -> LabelSet:
    """A label set of thumbs: 1 where more people say yes than no, 0 where more say no; undecided ones are left out."""
    queries: dict[str, dict[str, int]] = {}
    for tally in tallies:
        if tally.up != tally.down:
            queries.setdefault(tally.query, {})[tally.asset_id] = int(tally.up > tally.down)
    return LabelSet(
        name,
        tuple(
            LabelledQuery(f"j{number:04}", query, KIND, grades)
            for number, (query, grades) in enumerate(sorted(queries.items()), 1)
        ),
    )
