"""Judging blind: the results of several rankers in one shuffled list that does not say whose they are."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pooled:
    """A picture to judge, and at which place (from 1) each ranker that found it had it."""

    asset_id: str
    places: Mapping[str, int]


def pooled(orders: Mapping[str, Sequence[str]], depth: int, seed: str) -> tuple[Pooled, ...]:
    """The first `depth` pictures of every ranker's order, each picture once, shuffled.

    The same `seed` (the query and the person, say) gives the same order, so that a page that is drawn again does not
    jump; whichever ranker comes first in `orders` makes no difference to it.
    """
    places: dict[str, dict[str, int]] = {}
    for ranker in sorted(orders):
        for place, asset_id in enumerate(orders[ranker][:depth], 1):
            places.setdefault(asset_id, {})[ranker] = place
    found = [Pooled(asset_id, places[asset_id]) for asset_id in sorted(places)]
    random.Random(seed).shuffle(found)  # noqa: S311 - an order that can be had again, no secret
    return tuple(found)
