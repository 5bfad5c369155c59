"""Judging results: who may, what the votes add up to, and the label set they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from core.access import Person
from core.quality.intervals import Interval, wilson
from core.quality.label_sets import LabelledQuery, LabelSet
from core.records.judgements import Judgement, JudgementCounts, Voter
from core.records.successors import Successors
from core.store.sql.judgement_store import JudgementStore

KIND = "judged"


@dataclass(frozen=True)
class Vote:
    """A thumb on one result: up, down, or None to withdraw it.

    `ranker` is whose order the result was in, `position` its position there (from 1), and `blind` whether the person
    could not know that.
    """

    asset_id: str
    up: bool | None
    ranker: str
    position: int
    blind: bool = False


class JudgingService:
    """Thumbs up and down. Whoever may search may judge: a vote changes nothing that others rely on.

    One vote per account or name, query and picture. Who has neither is known by the session of their browser or page
    alone: nobody else can change their votes. All of them have one voice together, so that the unnamed cannot outvote
    the named.
    """

    def __init__(
        self,
        judgements: JudgementStore,
        model: Callable[[str], str],
        successors: Callable[[str], Successors] = lambda _: Successors(),
    ) -> None:
        """`model` gives the name of the model of a collection, `successors` which pictures took the place of others."""
        self._judgements, self._model, self._successors = judgements, model, successors

    def judge(self, person: Person, collection: str, query: str, vote: Vote, session: str = "") -> None:
        """Save a person's vote on a result of a query, or withdraw it; `session` is the secret of their page's session.

        Raises QueryError for an empty or overlong query, CollectionError, StoreError.
        """
        if vote.up is None:
            self.withdraw(person, collection, query, vote.asset_id, session)
            return
        judgement = Judgement(
            collection=collection,
            query=query,
            asset_id=vote.asset_id,
            up=vote.up,
            model=self._model(collection),
            ranker=vote.ranker,
            position=vote.position,
            blind=vote.blind,
        )
        self._judgements.save(judgement, voter(person, session))

    def withdraw(self, person: Person, collection: str, query: str, asset_id: str, session: str = "") -> bool:
        """Delete the person's own vote, also one on what the picture replaced; whether there was one."""
        owner, pairs = voter(person, session).owner, self._successors(collection).pairs
        ids = [asset_id, *(old for old, new in pairs if new == asset_id)]
        return sum(self._judgements.delete(owner, collection, query, each) for each in ids) > 0

    def votes(self, person: Person, collection: str, query: str, session: str = "") -> dict[str, bool]:
        """The person's own votes on a query's results, by asset id."""
        votes = self._judgements.by_owner(voter(person, session).owner, collection, query)
        by_id = self._successors(collection).by_id
        on_replaced = {by_id[asset_id]: up for asset_id, up in votes.items() if asset_id in by_id}
        return on_replaced | {asset_id: up for asset_id, up in votes.items() if asset_id not in by_id}

    def satisfaction(
        self, since: datetime, until: datetime, collection: str | None = None, ranker: str | None = None
    ) -> tuple[Interval | None, int]:
        """The share of thumbs up in a span of time with Wilson's interval (None without votes), and their number."""
        up, total = self._judgements.counts(since, until, collection, ranker)
        return wilson(up, total), total

    def label_set(self, collection: str) -> LabelSet:
        """The votes on a collection as labels that `evaluate` reads."""
        tallies = _followed(self._judgements.tallies(collection), self._successors(collection))
        return label_set(tallies, f"judged-{collection}.jsonl")


def voter(person: Person, session: str) -> Voter:
    """Whose votes a person gives: their account's or name's, else those of this computer, their browser or their page.

    All without a name at this very computer are one: they have its data folder anyway.
    """
    if person.account is not None or person.given_name:
        return Voter(person.identity, person.author)
    owner = "local" if person.over_loopback else f"session:{person.session or session}"
    return Voter(owner, person.author, person.quota_key)


def _followed(tallies: Iterable[JudgementCounts], successors: Successors) -> list[JudgementCounts]:
    """Votes on pictures that were replaced as votes on those that took their place."""
    merged: dict[tuple[str, str], JudgementCounts] = {}
    by_id = successors.by_id
    for tally in tallies:
        key = tally.query, by_id.get(tally.asset_id, tally.asset_id)
        before = merged.get(key, JudgementCounts(*key, 0, 0))
        merged[key] = replace(before, up=before.up + tally.up, down=before.down + tally.down)
    return list(merged.values())


def label_set(tallies: Iterable[JudgementCounts], name: str) -> LabelSet:
    """A label set of votes: 1 where more people say yes than no, 0 where more say no; ties are left out."""
    grades_by_query: dict[str, dict[str, int]] = {}
    for tally in tallies:
        if tally.up != tally.down:
            grades_by_query.setdefault(tally.query, {})[tally.asset_id] = int(tally.up > tally.down)
    queries = [
        LabelledQuery(f"j{number:04}", query, KIND, grades)
        for number, (query, grades) in enumerate(sorted(grades_by_query.items()), 1)
    ]
    return LabelSet(name, tuple(queries))
