"""A request from question to logged answer: find, rank, add up, write down."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from core.gemini.prices import TokenUsage
from core.records.assets import SearchResult
from core.records.events import Event
from core.records.jobs import ignore
from core.search.answer import Answer, HourlyRates, Ranking
from core.search.ranking import Ranker
from core.store.sql.event_log import EventLog

Candidates = Callable[[SearchResult], None]


class SearchPipeline:
    """Answers searches; every one leaves an event. May be shared between threads."""

    def __init__(
        self,
        ranker: Ranker,
        events: EventLog,
        hourly: HourlyRates,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ranker, self._events, self._hourly, self._clock, self._now = ranker, events, hourly, clock, now

    def answer(
        self,
        find: Callable[[], SearchResult],
        collection: str,
        ranked: bool = False,
        on_candidates: Candidates = ignore,
        kind: str = "search",
    ) -> Answer:
        """Run `find` and, where wanted, rank what it found; while Gemini is asked `on_candidates` has the vector order.

        Raises what `find` raises, with an event of it.
        """
        try:
            result = find()
        except Exception as error:
            name = type(error).__name__
            self._events.note(Event(uuid.uuid4().hex, kind, self._now(), collection, "error", name))
            raise
        ranking, stage_ms = None, dict(result.stage_ms)
        if ranked and result.query and result.hits:
            began = self._clock()
            ranking = self._ranker.rank(result.query, result.hits, lambda: on_candidates(result))
            rank_ms = (self._clock() - began) * 1000
            stage_ms |= {"rank": rank_ms, "total": stage_ms.pop("total") + rank_ms}
        cost = self._hourly.cost(stage_ms, ranking.usd if ranking else 0.0)
        answer = Answer(uuid.uuid4().hex, self._now(), result, stage_ms, cost, ranking)
        self._events.note(_event(answer, kind))
        return answer


def gemini_event(kind: str, at: datetime, model: str, usage: TokenUsage, usd: float, cause: str = "") -> Event:
    """An event of requests to Gemini alone; `cause` says why they brought no answer, where they did not."""
    return Event(
        uuid.uuid4().hex,
        kind,
        at,
        outcome="fallback" if cause else "ok",
        reason=cause,
        model=model,
        gemini_usd=usd,
        prompt_tokens=usage.prompt,
        cached_tokens=usage.cached,
        output_tokens=usage.output,
        thought_tokens=usage.thoughts,
    )


def _event(answer: Answer, kind: str) -> Event:
    """The event of an answer; it has a time for `rank` where Gemini was asked, not where an order was known."""
    ranking, cost = answer.ranking or Ranking("ranked", ()), answer.cost
    asked = ranking.requests > 0
    return Event(
        uid=answer.id,
        kind=kind,
        at=answer.at,
        collection=answer.result.collection,
        outcome="fallback" if ranking.outcome == "fallback" else "ok",
        reason=ranking.refusal.cause if ranking.refusal else "",
        stage_ms={name: ms for name, ms in answer.stage_ms.items() if asked or name != "rank"},
        prompt_tokens=ranking.usage.prompt,
        cached_tokens=ranking.usage.cached,
        output_tokens=ranking.usage.output,
        thought_tokens=ranking.usage.thoughts,
        clip_usd=cost.clip_usd,
        compute_usd=cost.compute_usd,
        gemini_usd=cost.gemini_usd,
        model=ranking.model,
        cache_hit=ranking.outcome == "cached",
        images=len(answer.hits),
        detail=answer.receipt(),
    )
