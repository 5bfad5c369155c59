"""The events that searches and other requests to Gemini leave in the event log."""

from __future__ import annotations

import uuid
from datetime import datetime

from core.gemini.prices import TokenUsage
from core.records.events import Event
from core.search.answer import Answer, Ranking


def search_event(answer: Answer, kind: str) -> Event:
    """The event of an answer; it has a time for `rank` where Gemini was called, not where the order was cached."""
    ranking, cost = answer.ranking or Ranking("ranked", ()), answer.cost
    called = ranking.requests > 0
    return Event(
        uid=answer.id,
        kind=kind,
        at=answer.at,
        collection=answer.result.collection,
        outcome="fallback" if ranking.outcome == "fallback" else "ok",
        reason=ranking.failure.cause if ranking.failure else "",
        stage_ms={name: ms for name, ms in answer.stage_ms.items() if called or name != "rank"},
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


def search_error_event(error: Exception, kind: str, at: datetime, collection: str) -> Event:
    """The event of a search that raised `error`."""
    return Event(uuid.uuid4().hex, kind, at, collection, "error", type(error).__name__)


def gemini_event(kind: str, at: datetime, model: str, usage: TokenUsage, usd: float, cause: str = "") -> Event:
    """The event of requests to Gemini alone; `cause` says why they gave no answer, if they gave none."""
    return Event(
        uid=uuid.uuid4().hex,
        kind=kind,
        at=at,
        outcome="fallback" if cause else "ok",
        reason=cause,
        model=model,
        gemini_usd=usd,
        prompt_tokens=usage.prompt,
        cached_tokens=usage.cached,
        output_tokens=usage.output,
        thought_tokens=usage.thoughts,
    )
