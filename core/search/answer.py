"""The answer to a search: the pictures in their final order, and the receipt of how that order came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from core.gemini.failures import CallFailure
from core.gemini.prices import TokenUsage
from core.records.assets import Found, Hit, SearchResult
from core.records.queries import Correction

RankingOutcome = Literal["ranked", "cached", "fallback"]


@dataclass(frozen=True)
class CandidateRank:
    """A candidate's rank in the vector order and in the final one (from 1), with Gemini's score and reason."""

    asset_id: str
    vector_rank: int
    final_rank: int
    score: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Ranking:
    """An order of the candidates, and where it comes from.

    `failure` says why the vector order was kept, if it was. `usd` is the billed cost of this search; where
    `price_known` is false the price table lacks the model, and the cost is at the ceiling for such models.
    `unknown_usd` is the most that requests of unknown usage may have cost on top.
    """

    outcome: RankingOutcome
    candidates: tuple[CandidateRank, ...]
    failure: CallFailure | None = None
    model: str = ""
    model_version: str = ""
    prompt_version: str = ""
    send: str = ""
    usage: TokenUsage = TokenUsage()
    usd: float = 0.0
    unknown_usd: float = 0.0
    price_known: bool = True
    requests: int = 0


@dataclass(frozen=True)
class RequestCost:
    """USD by service: CLIP for the seconds of encoding, compute for the other stages', Gemini for its usage."""

    clip_usd: float = 0.0
    compute_usd: float = 0.0
    gemini_usd: float = 0.0

    @property
    def total_usd(self) -> float:
        return self.clip_usd + self.compute_usd + self.gemini_usd


@dataclass(frozen=True)
class HourlyRates:
    """USD per hour of work: encoding, and everything else."""

    clip_usd: float
    compute_usd: float

    def cost(self, stage_ms: Mapping[str, float], gemini_usd: float = 0.0) -> RequestCost:
        """The cost of one request from the times of its stages."""
        others = sum(ms for stage, ms in stage_ms.items() if stage not in ("encode", "total"))
        hour_ms = 3_600_000
        return RequestCost(
            stage_ms.get("encode", 0.0) / hour_ms * self.clip_usd, others / hour_ms * self.compute_usd, gemini_usd
        )

    def stages_usd(self, stage_ms: Mapping[str, float]) -> tuple[float, float]:
        """The cost of stages without Gemini: CLIP and compute, in USD."""
        cost = self.cost(stage_ms)
        return cost.clip_usd, cost.compute_usd


@dataclass(frozen=True)
class Answer:
    """A search's result with its ranking, if one was requested, and its receipt.

    `stage_ms` has the keys `encode`, `search`, `load`, `total`, and `rank` where pictures were ranked.
    """

    id: str
    at: datetime
    result: SearchResult
    stage_ms: Mapping[str, float]
    cost: RequestCost
    ranking: Ranking | None = None

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The pictures in their final order: candidates as ranked, then the others by similarity."""
        if self.ranking is None:
            return self.result.hits
        by_id = {hit.asset.id: hit for hit in self.result.hits}
        ids = [candidate.asset_id for candidate in self.ranking.candidates]
        first = [by_id.pop(asset_id) for asset_id in ids if asset_id in by_id]
        return (*first, *by_id.values())

    def candidate(self, asset_id: str) -> CandidateRank | None:
        """The ranks of one picture, None if it was not a candidate."""
        candidates = self.ranking.candidates if self.ranking else ()
        return next((candidate for candidate in candidates if candidate.asset_id == asset_id), None)

    def receipt(self) -> dict[str, Any]:
        """The receipt as a JSON document."""
        document: dict[str, Any] = {
            "id": self.id,
            "at": self.at.isoformat(),
            "query": self.result.query,
            "collection": self.result.collection,
            "collection_version": self.result.collection_version,
            "stage_ms": dict(self.stage_ms),
            "cost_usd": {**asdict(self.cost), "total_usd": self.cost.total_usd},
            "closest": self.result.closest,
            "correction": _correction_document(self.result.correction),
            "hints": list(self.result.hints),
            "found": [{"asset_id": hit.asset.id, **_found_document(hit.found)} for hit in self.hits if hit.found],
        }
        if self.ranking is not None:
            document["ranking"] = _ranking_document(self.ranking)
        return document


def _correction_document(correction: Correction | None) -> dict[str, Any] | None:
    return None if correction is None else {"searched": correction.text, "words": dict(correction.words)}


def _found_document(found: Found) -> dict[str, Any]:
    """What a picture was found by; `pixels` in standard deviations, `words` as a share of the best match."""
    return {
        "pixels": found.pixels,
        "words": found.words,
        "texts": [{"field": text.field, "words": list(text.words)} for text in found.texts],
    }


def _ranking_document(ranking: Ranking) -> dict[str, Any]:
    failure = ranking.failure
    return {
        "outcome": ranking.outcome,
        "cause": failure.cause if failure else "",
        "notice": failure.notice if failure else "",
        "ask_again_at": failure.retry_at.isoformat() if failure and failure.retry_at else None,
        "model": ranking.model,
        "model_version": ranking.model_version,
        "prompt_version": ranking.prompt_version,
        "send": ranking.send,
        "tokens": asdict(ranking.usage),
        "usd": ranking.usd,
        "unknown_usd": ranking.unknown_usd,
        "price_known": ranking.price_known,
        "requests": ranking.requests,
        "places": [asdict(candidate) for candidate in ranking.candidates],
    }
