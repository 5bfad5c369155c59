"""A search from query to logged answer: find, rank, add up the cost, log."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from core.records.assets import SearchResult
from core.records.jobs import ignore
from core.search.answer import Answer, HourlyRates
from core.search.ranking import Ranker
from core.search.request_events import search_error_event, search_event
from core.search.search_limits import Allowance
from core.store.sql.event_log import EventLog

CandidatesListener = Callable[[SearchResult], None]


class SearchPipeline:
    """Answers searches; each one leaves an event. May be shared between threads."""

    def __init__(
        self,
        ranker: Ranker,
        events: EventLog,
        hourly_rates: HourlyRates,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ranker, self._events, self._hourly_rates = ranker, events, hourly_rates
        self._clock, self._now = clock, now

    def run(
        self,
        find: Callable[[], SearchResult],
        collection: str,
        ranked: bool = False,
        on_candidates: CandidatesListener = ignore,
        kind: str = "search",
        allowance: Allowance = Allowance(),
    ) -> Answer:
        """Call `find` and, if `ranked`, rank its result; `on_candidates` gets the vector order while Gemini ranks.

        `allowance` is what may be asked of Gemini. Raises what `find` raises, after logging it.
        """
        try:
            result = find()
        except Exception as error:
            self._events.try_append(search_error_event(error, kind, self._now(), collection))
            raise
        ranking, stage_ms = None, dict(result.stage_ms)
        if ranked and result.query and result.hits:
            started = self._clock()
            ranking = self._ranker.rank(result, lambda: on_candidates(result), allowance)
            rank_ms = (self._clock() - started) * 1000
            stage_ms |= {"rank": rank_ms, "total": stage_ms.pop("total") + rank_ms}
        cost = self._hourly_rates.cost(stage_ms, ranking.usd if ranking else 0.0)
        answer = Answer(uuid.uuid4().hex, self._now(), result, stage_ms, cost, ranking)
        self._events.try_append(search_event(answer, kind))
        return answer
