"""Orders the candidates of a search by asking Gemini; whatever happens, there is an order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.embedding.contact_sheet import contact_sheet
from core.errors import ContactSheetError
from core.gemini.calls import CallOutcome, GeminiCalls
from core.gemini.failures import CallFailure, GeminiError
from core.gemini.replies import CandidateScore, parse_ranking
from core.gemini.transport import GeminiRequest
from core.logs import log
from core.records.assets import Hit, SearchResult
from core.search import prompts
from core.search.answer import CandidateRank, Ranking
from core.search.search_limits import Allowance
from core.settings import Secret
from core.store.sql.ranking_cache import RankingCache
from core.text import as_json

TOKENS_PER_CANDIDATE, BASE_TOKENS = 90, 600
MAX_NOTE_LENGTH = 160
RANKING_SCHEMA: dict[str, Any] = {
    "type": "OBJECT",
    "properties": {
        "ranking": {
            "type": "ARRAY",
            "items": {
                "type": "OBJECT",
                "properties": {
                    "n": {"type": "INTEGER"},
                    "score": {"type": "NUMBER"},
                    "reason": {"type": "STRING"},
                },
                "required": ["n", "score", "reason"],
            },
        }
    },
    "required": ["ranking"],
}


@dataclass(frozen=True)
class RankingOptions:
    """How candidates are ranked: how many are sent, by when, in which form (`images`, `sheet`), by which prompt.

    `endpoint` is the address that answers, so that one service's rankings are never shown as another's.
    """

    candidates: int = 10
    deadline_s: float = 8.0
    send: str = "images"
    prompt_version: str = "1"
    endpoint: str = ""


class Ranker:
    """Ranks candidates. May be shared between threads; never raises."""

    def __init__(self, calls: GeminiCalls, cache: RankingCache, options: RankingOptions, key: Secret) -> None:
        """`key` is the API key, which no reason may repeat."""
        self._calls, self._cache, self._options, self._key = calls, cache, options, key

    def rank(
        self,
        result: SearchResult,
        before_request: Callable[[], None] = lambda: None,
        allowance: Allowance = Allowance(),
    ) -> Ranking:
        """An order of the first hits of a search; the vector order where Gemini gives none.

        `before_request` is called if the order is not cached and Gemini is available. A cached order costs nothing and
        needs no `allowance`.
        """
        candidates = result.hits[: self._options.candidates]
        fallback, cache_key = self._vector_order(candidates), self._cache_key(result.query, candidates)
        cached = self._cached(cache_key)
        if cached is not None:
            return replace(fallback, outcome="cached", candidates=_candidate_ranks(candidates, cached))
        if allowance.failure is not None:
            return replace(fallback, failure=allowance.failure)
        if self._calls.available:
            before_request()
        request = self._request(result.query, candidates)
        outcome = self._calls.send(request, self._options.deadline_s, allowance.share)
        ranking = _with_costs(fallback, outcome)
        if outcome.text is None:
            return ranking
        try:
            scores = parse_ranking(outcome.text, len(candidates), [self._instruction], self._key.reveal())
        except GeminiError as error:
            log("search", "ranking unusable", logging.WARNING, cause=error.cause, detail=error.detail)
            return replace(ranking, failure=CallFailure(error.cause, detail=error.detail))
        self._store(cache_key, scores, result.collection)
        return replace(ranking, outcome="ranked", candidates=_candidate_ranks(candidates, scores))

    def _request(self, query: str, candidates: Sequence[Hit]) -> GeminiRequest:
        max_tokens = BASE_TOKENS + TOKENS_PER_CANDIDATE * len(candidates)
        parts = ranking_request_parts(query, candidates, self._options.send)
        return GeminiRequest(self._instruction, tuple(parts), RANKING_SCHEMA, max_tokens)

    @property
    def _instruction(self) -> str:
        return prompts.RANKING[self._options.prompt_version]

    def _vector_order(self, candidates: Sequence[Hit]) -> Ranking:
        return Ranking(
            outcome="fallback",
            candidates=tuple(CandidateRank(hit.asset.id, rank, rank) for rank, hit in enumerate(candidates, 1)),
            model=self._calls.model,
            prompt_version=self._options.prompt_version,
            send=self._options.send,
        )

    def _cache_key(self, query: str, candidates: Sequence[Hit]) -> tuple[Any, ...]:
        ids, options = [hit.asset.id for hit in candidates], self._options
        return (query, ids, self._calls.model, options.prompt_version, options.send, options.endpoint)

    def _cached(self, cache_key: tuple[Any, ...]) -> list[CandidateScore] | None:
        try:
            entries = self._cache.get(cache_key)
            return None if entries is None else [CandidateScore(**entry) for entry in entries]
        except (ContactSheetError, TypeError, ValueError) as error:
            log("search", "kept rankings cannot be read", logging.WARNING, error=str(error))
            return None

    def _store(self, cache_key: tuple[Any, ...], scores: Sequence[CandidateScore], collection: str) -> None:
        try:
            self._cache.put(cache_key, [asdict(score) for score in scores], collection)
        except ContactSheetError as error:
            log("search", "a ranking cannot be kept", logging.WARNING, error=str(error))


def ranking_request_parts(query: str, hits: Sequence[Hit], send: str) -> list[str | bytes]:
    """The message: the query, the pictures (`images`, or one numbered `sheet`; JPEG) and notes, all of it data."""
    parts: list[str | bytes] = ["QUERY:\n" + as_json(query)]
    if send == "sheet":
        parts += [f"SHEET of {len(hits)} numbered pictures", contact_sheet([hit.thumbnail for hit in hits])]
    else:
        for number, hit in enumerate(hits, 1):
            parts += [f"IMAGE {number}", hit.thumbnail]
    notes = [{"n": number, **_note(hit)} for number, hit in enumerate(hits, 1) if _note(hit)]
    return [*parts, "NOTES:\n" + as_json(notes)] if notes else parts


def final_order(scores: Sequence[CandidateScore], count: int) -> list[int]:
    """The numbers 1 to `count`: the scored ones in the order given, then the rest in the order sent."""
    scored = [score.number for score in scores]
    return scored + [number for number in range(1, count + 1) if number not in set(scored)]


def _with_costs(ranking: Ranking, outcome: CallOutcome) -> Ranking:
    return replace(
        ranking,
        usage=outcome.usage,
        usd=outcome.usd,
        unknown_usd=outcome.unknown_usd,
        requests=outcome.requests,
        price_known=outcome.price_known,
        model_version=outcome.model_version,
        failure=outcome.failure,
    )


def _candidate_ranks(candidates: Sequence[Hit], scores: Sequence[CandidateScore]) -> tuple[CandidateRank, ...]:
    by_number, ranks = {score.number: score for score in scores}, []
    for final_rank, number in enumerate(final_order(scores, len(candidates)), 1):
        scored = by_number.get(number)
        score, reason = (scored.score, scored.reason) if scored else (None, "")
        ranks.append(CandidateRank(candidates[number - 1].asset.id, number, final_rank, score, reason))
    return tuple(ranks)


def _note(hit: Hit) -> dict[str, str]:
    texts = {"title": hit.asset.about.title, "description": hit.asset.about.description}
    return {name: text[:MAX_NOTE_LENGTH] for name, text in texts.items() if text}
