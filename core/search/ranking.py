"""Puts the candidates of a search in order by asking Gemini; whatever happens, there is an order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.embedding.contact_sheet import contact_sheet
from core.errors import ContactSheetError
from core.gemini.calls import CallOutcome, GeminiCalls, GeminiRequest
from core.gemini.refusals import GeminiFault, Refusal
from core.gemini.replies import CandidateScore, read_ranking
from core.logs import log
from core.records.assets import Hit
from core.search import prompts
from core.search.answer import CandidateRank, Ranking
from core.settings import Secret
from core.store.sql.ranking_cache import RankingCache
from core.text import as_json

TOKENS_PER_CANDIDATE, TOKENS_ANYWAY = 90, 600


@dataclass(frozen=True)
class RankOptions:
    """How candidates are ranked: how many are sent, how many come first, until when, as what, with which prompt.

    `source` names who answers, so that what one service said is never shown as another's.
    """

    candidates: int = 10
    results: int = 4
    deadline_s: float = 8.0
    send: str = "images"
    prompt_version: str = "1"
    source: str = ""


class Ranker:
    """Ranks candidates. May be shared between threads; never raises."""

    def __init__(self, calls: GeminiCalls, kept: RankingCache, options: RankOptions, key: Secret) -> None:
        """`key` is what no reason may repeat."""
        self._calls, self._kept, self.options, self._key = calls, kept, options, key

    def rank(self, query: str, hits: Sequence[Hit], before_asking: Callable[[], None] = lambda: None) -> Ranking:
        """An order of the first candidates of a search; the vector order where Gemini gives none.

        `before_asking` is called where the order is not known already and Gemini can be asked.
        """
        candidates = hits[: self.options.candidates]
        blank = self._blank(candidates)
        asked = self._asked(query, candidates)
        known = self._recall(asked)
        if known is not None:
            return replace(blank, outcome="cached", places=_places(candidates, known))
        if self._calls.open:
            before_asking()
        outcome = self._calls.ask(self._question(query, candidates), self.options.deadline_s)
        ranking = replace(
            blank,
            usage=outcome.usage,
            usd=outcome.usd,
            unknown_usd=outcome.unknown_usd,
            requests=outcome.requests,
            price_known=outcome.price_known,
            model_version=outcome.model_version,
            refusal=outcome.refusal,
        )
        if outcome.text is None:
            return ranking
        try:
            found = self._read(outcome, len(candidates))
        except GeminiFault as fault:
            log("search", "ranking unusable", logging.WARNING, cause=fault.cause, detail=fault.detail)
            return replace(ranking, refusal=Refusal(fault.cause, detail=fault.detail))
        self._remember(asked, found)
        return replace(ranking, outcome="ranked", places=_places(candidates, found))

    def _question(self, query: str, candidates: Sequence[Hit]) -> GeminiRequest:
        most = TOKENS_ANYWAY + TOKENS_PER_CANDIDATE * len(candidates)
        parts = request_parts(query, candidates, self.options.send)
        return GeminiRequest(self._instruction, tuple(parts), RANKING_SCHEMA, most)

    @property
    def _instruction(self) -> str:
        return prompts.RANKING[self.options.prompt_version]

    def _read(self, outcome: CallOutcome, count: int) -> list[CandidateScore]:
        return read_ranking(outcome.text or "", count, [self._instruction], self._key.reveal())

    def _blank(self, candidates: Sequence[Hit]) -> Ranking:
        places = tuple(CandidateRank(hit.asset.id, rank, rank) for rank, hit in enumerate(candidates, 1))
        options = self.options
        return Ranking("fallback", places, None, self._calls.model, "", options.prompt_version, options.send)

    def _asked(self, query: str, candidates: Sequence[Hit]) -> tuple[Any, ...]:
        ids = [hit.asset.id for hit in candidates]
        options = self.options
        return (query, ids, self._calls.model, options.prompt_version, options.send, options.source)

    def _recall(self, asked: tuple[Any, ...]) -> list[CandidateScore] | None:
        try:
            kept = self._kept.get(asked)
            return None if kept is None else [CandidateScore(**entry) for entry in kept]
        except (ContactSheetError, TypeError, ValueError) as error:
            log("search", "kept rankings cannot be read", logging.WARNING, error=str(error))
            return None

    def _remember(self, asked: tuple[Any, ...], found: Sequence[CandidateScore]) -> None:
        try:
            self._kept.put(asked, [asdict(judgement) for judgement in found])
        except ContactSheetError as error:
            log("search", "a ranking cannot be kept", logging.WARNING, error=str(error))


def _places(candidates: Sequence[Hit], found: Sequence[CandidateScore]) -> tuple[CandidateRank, ...]:
    said = {judgement.number: judgement for judgement in found}
    places = []
    for final_rank, number in enumerate(final_order(found, len(candidates)), 1):
        judgement = said.get(number)
        score, reason = (judgement.score, judgement.reason) if judgement else (None, "")
        places.append(CandidateRank(candidates[number - 1].asset.id, number, final_rank, score, reason))
    return tuple(places)


NOTE_LENGTH = 160


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


def request_parts(query: str, hits: Sequence[Hit], send: str) -> list[str | bytes]:
    """The message: the query, the pictures (`images`, or one numbered `sheet`; JPEG) and notes, all of it data."""
    parts: list[str | bytes] = ["QUERY:\n" + as_json(query)]
    if send == "sheet":
        parts += [f"SHEET of {len(hits)} numbered pictures", contact_sheet([hit.thumbnail for hit in hits])]
    else:
        for number, hit in enumerate(hits, 1):
            parts += [f"IMAGE {number}", hit.thumbnail]
    notes = [{"n": number, **_note(hit)} for number, hit in enumerate(hits, 1) if _note(hit)]
    return [*parts, "NOTES:\n" + as_json(notes)] if notes else parts


def _note(hit: Hit) -> dict[str, str]:
    about = hit.asset.about
    return {
        name: text[:NOTE_LENGTH] for name, text in (("title", about.title), ("description", about.description)) if text
    }


def final_order(found: Sequence[CandidateScore], count: int) -> list[int]:
    """The numbers 1..count: those judged in the order given, then the rest as they were sent."""
    judged = [judgement.number for judgement in found]
    return judged + [number for number in range(1, count + 1) if number not in set(judged)]
