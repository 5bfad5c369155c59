"""Edits carried out on a cut, whichever cut it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import ClusterRef, Curation, Merge, Move, Pin, Split
from core.clusters.edits.plan import Plan, pins
from core.clusters.edits.unapplied import GONE, UnappliedEdit
from core.clusters.tree.asset_index import AssetIndex, Labels, Places, holder
from core.text import counted

_NOWHERE = f"the pictures that its cluster is known by are {GONE}"


@dataclass(frozen=True, eq=False)
class AppliedEdits:
    """What came of a plan's edits.

    `labels` (n,) int64 by place, `edited` those of them that an edit put together or gave members, `pinned` (k,) the
    places that a pin holds.
    """

    labels: Labels
    edited: NDArray[np.int64]
    pinned: Places
    losses: tuple[UnappliedEdit, ...]


def replay(plan: Plan, labels: Labels, roster: AssetIndex) -> AppliedEdits:
    """Carry out a plan's merges, moves and splits in their order, then its pins, on the labels (n,) of a cut by place.

    A piece that was split off and pictures moved into a new cluster are gathered from wherever the cut has put them.
    Pins go where their cluster is once the other edits are done, all at once, so that their order does not matter.
    """
    bench = EditApplier(roster, labels.copy())
    for edit in plan.edits:
        match edit:
            case Merge():
                bench.merge(edit)
            case Move():
                bench.move(edit)
            case Split():
                bench.split(edit)
    pinned = bench.pin(plan)
    return AppliedEdits(bench.labels, np.array(sorted(bench.edited), np.int64), pinned, tuple(bench.losses))


class EditApplier:
    """Labels that are being worked on."""

    def __init__(self, roster: AssetIndex, labels: Labels) -> None:
        self.labels, self.edited, self.losses = labels, set[int](), list[UnappliedEdit]()
        self._roster, self._next_label = roster, int(labels.max(initial=-1)) + 1

    def merge(self, edit: Merge) -> None:
        found = [self._find(ref) for ref in edit.refs]
        labels = sorted({label for label in found if label is not None})
        if None in found:
            gone = f"{found.count(None)} of its {len(found)} clusters"
            self._lose(edit, f"A merge could not be done with {gone}", f"their pictures are {GONE}")
        if len(labels) > 1 or None not in found:
            self._put(np.flatnonzero(np.isin(self.labels, labels[1:])), labels[0])

    def move(self, edit: Move) -> None:
        places = self._here(edit, edit.asset_ids, "moved")
        label = self._new_label() if edit.to is None else self._find(edit.to)
        if label is None:
            self._lose(edit, f"The move of {counted(len(edit.asset_ids), 'picture')} is not done", _NOWHERE)
        elif len(places):
            self._put(places, label)

    def split(self, edit: Split) -> None:
        together = tuple(asset_id for piece in edit.pieces for asset_id in piece)
        self._here(edit, together, "split off")
        for piece in edit.pieces:
            places = self._roster.places(piece)
            if len(places):
                self._put(places, self._new_label())

    def pin(self, plan: Plan) -> Places:
        """Carry out the pins that hold; returns the places of what is pinned."""
        by_pin: dict[Pin, list[str]] = {}
        for asset_id, pin in pins(plan).items():
            by_pin.setdefault(pin, []).append(asset_id)
        held = [(self._here(pin, ids, "pinned"), self._find(pin.to), pin) for pin, ids in by_pin.items()]
        for places, label, pin in held:
            if label is None:
                self._lose(pin, f"The pin of {counted(len(pin.asset_ids), 'picture')} is not done", _NOWHERE)
            elif len(places):
                self._put(places, label)
        return np.concatenate([np.empty(0, np.int64), *(places for places, label, _ in held if label is not None)])

    def _find(self, ref: ClusterRef) -> int | None:
        return holder(self.labels, self._roster.places(ref.witnesses))

    def _put(self, places: Places, label: int) -> None:
        self.labels[places] = label
        self.edited.add(label)

    def _new_label(self) -> int:
        self._next_label += 1
        return self._next_label - 1

    def _here(self, edit: Curation, asset_ids: Sequence[str], doing: str) -> Places:
        """The places of an edit's assets; those that are gone are a loss."""
        places = self._roster.places(asset_ids)
        if len(places) < len(asset_ids):
            missing = counted(len(asset_ids) - len(places), "picture")
            self._lose(edit, f"{missing} of {len(asset_ids):,} could not be {doing}", GONE)
        return places

    def _lose(self, edit: Curation, what: str, why: str) -> None:
        self.losses.append(UnappliedEdit(edit, what, why))
