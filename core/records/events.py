"""Events: what one request took and cost; event windows: the totals of a time span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from core.records.latency_sketch import LatencySketch

EventOutcome = Literal["ok", "fallback", "error"]


@dataclass(frozen=True)
class Event:
    """One request: its kind and outcome, what it took (milliseconds, tokens) and cost (USD by service).

    `kind` is one of EVENT_KINDS. `reason` is a short code if the outcome is not `ok`; `images` counts those decoded or
    returned; `detail` is a JSON document, a receipt for instance.
    """

    uid: str
    kind: str
    at: datetime
    collection: str = ""
    outcome: EventOutcome = "ok"
    reason: str = ""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    clip_usd: float = 0.0
    compute_usd: float = 0.0
    gemini_usd: float = 0.0
    model: str = ""
    cache_hit: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)
    images: int = 0

    @property
    def total_usd(self) -> float:
        """The cost of all services."""
        return self.clip_usd + self.compute_usd + self.gemini_usd


EVENT_KINDS = {
    "search": "a search by words or by picture, ranked or not, from question to pictures",
    "refine": "a follow-up or a sentence that Gemini was asked to understand",
    "late": "an answer of Gemini that came after its search had been shown, and is billed all the same",
    "evaluate": "a query of a label set, asked to measure the search, not by a person",
    "assign": "new pictures assigned to the published clusters",
    "ingest": "a batch of pictures decoded, encoded and committed",
    "cut": "a view of the clusters computed: a cut of the dendrogram with its edits",
    "page": "a page rendered as a whole; `detail` says which",
}


# The cost of searches is spread over these kinds; only the first counts as a search.
SEARCH_KINDS = ("search", "refine", "late")


STAGES = ("encode", "search", "rank", "load", "total")


TOKEN_TYPES = ("prompt", "cached", "output", "thought")


COST_SERVICES = ("clip", "compute", "gemini")


@dataclass(frozen=True)
class EventWindow:
    """The totals of the events in [since, until), of some kinds and collections.

    `reasons` counts fallbacks and errors by reason code, `outcomes_by_kind` requests by (kind, outcome). `stages` has
    all STAGES, `tokens` all TOKEN_TYPES, `usd` all COST_SERVICES: the float nearest to the sum of what was
    recorded. `images` counts those decoded or returned.
    """

    since: datetime
    until: datetime
    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    outcomes_by_kind: Mapping[tuple[str, str], int] = field(default_factory=dict)
    stages: Mapping[str, LatencySketch] = field(default_factory=lambda: dict.fromkeys(STAGES, LatencySketch()))
    tokens: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(TOKEN_TYPES, 0))
    usd: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(COST_SERVICES, 0.0))
    cache_hits: int = 0
    images: int = 0

    @property
    def total_usd(self) -> float:
        """The cost of all services."""
        return sum(self.usd.values())


def to_milliseconds(at: datetime) -> int:
    """A time as the event log stores it: milliseconds since 1970, UTC."""
    return round(at.timestamp() * 1000)


def from_milliseconds(at_ms: int) -> datetime:
    """The time (UTC) of a number of milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
