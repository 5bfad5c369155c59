"""What judging blind reveals; plain functions, no drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.quality.blind import Pooled
from core.quality.relevance import DEPTH, SHOWN

RANKER_TITLES = {"vector": "By similarity", "gemini": "By Gemini"}


def reveal_rows(pool: Sequence[Pooled], thumbs: Mapping[str, bool]) -> list[dict[str, str]]:
    """A row per order: of its first pictures, how many of those judged were good."""
    rows = []
    for ranker, name in RANKER_TITLES.items():
        row = {"Order": name}
        for depth in (SHOWN, DEPTH):
            given = [
                thumbs[p.asset_id] for p in pool if p.places.get(ranker, depth + 1) <= depth and p.asset_id in thumbs
            ]
            row[f"Good of its first {depth}"] = f"{sum(given)} of {len(given)} judged"
        rows.append(row)
    return rows


def place_captions(pool: Sequence[Pooled]) -> dict[str, str]:
    """Where each order had a picture, by id: `by similarity 3 · by Gemini 1`."""
    return {
        p.asset_id: " · ".join(
            f"{name.lower().replace('gemini', 'Gemini')} {p.places[ranker]}"
            for ranker, name in RANKER_TITLES.items()
            if ranker in p.places
        )
        for p in pool
    }


def same_order(pool: Sequence[Pooled]) -> bool:
    """Whether both orders are the same: Gemini gave none, or agrees."""
    return all(p.places.get("vector") == p.places.get("gemini") for p in pool)
