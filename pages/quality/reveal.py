"""What judging blind reveals; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.quality.blind import PooledPicture
from core.quality.relevance import DEPTH, SHOWN

RANKER_TITLES = {"both": "By pixels and words", "gemini": "By Gemini"}


def reveal_rows(pool: Sequence[PooledPicture], thumbs: Mapping[str, bool]) -> list[dict[str, str]]:
    """A row per order that there is: how many of its first pictures that were judged are good."""
    rows = []
    for ranker, name in RANKER_TITLES.items():
        if not any(ranker in picture.positions for picture in pool):
            continue
        row = {"Order": name}
        for depth in (SHOWN, DEPTH):
            judged = [
                thumbs[p.asset_id] for p in pool if p.positions.get(ranker, depth + 1) <= depth and p.asset_id in thumbs
            ]
            row[f"Good of its first {depth}"] = f"{sum(judged)} of {len(judged)} judged"
        rows.append(row)
    return rows


def place_captions(pool: Sequence[PooledPicture]) -> dict[str, str]:
    """The position of each picture in both orders, by asset id: `by similarity 3 · by Gemini 1`."""
    return {
        p.asset_id: " · ".join(
            f"{name.lower().replace('gemini', 'Gemini')} {p.positions[ranker]}"
            for ranker, name in RANKER_TITLES.items()
            if ranker in p.positions
        )
        for p in pool
    }


def same_order(pool: Sequence[PooledPicture]) -> bool:
    """Whether there is nothing to compare: Gemini gave no order, or the same."""
    is_ranked = any("gemini" in p.positions for p in pool)
    return not is_ranked or all(p.positions.get("both") == p.positions.get("gemini") for p in pool)
