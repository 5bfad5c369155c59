"""Blind judging: the results of several rankers in one shuffled list that does not say which ranker found what."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PooledPicture:
    """A picture to judge, and its position (from 1) in the order of each ranker that found it."""

    asset_id: str
    positions: Mapping[str, int]


def pool_rankings(orders: Mapping[str, Sequence[str]], depth: int, seed: str) -> tuple[PooledPicture, ...]:
    """The first `depth` pictures of every ranker's order, each picture once, shuffled.

    The same `seed` (the query and the person, say) gives the same list, so that it does not change when a page is drawn
    again; the order of the rankers in `orders` makes no difference.
    """
    positions: dict[str, dict[str, int]] = {}
    for ranker in sorted(orders):
        for position, asset_id in enumerate(orders[ranker][:depth], 1):
            positions.setdefault(asset_id, {})[ranker] = position
    pool = [PooledPicture(asset_id, positions[asset_id]) for asset_id in sorted(positions)]
    random.Random(seed).shuffle(pool)  # noqa: S311 - a reproducible order, not a secret
    return tuple(pool)
