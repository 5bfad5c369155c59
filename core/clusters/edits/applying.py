"""Applying a plan's edits to the labels of a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import ClusterRef, Curation, Merge, Move, Pin, Split
from core.clusters.edits.plan import Plan, pins
from core.clusters.edits.unapplied import GONE, UnappliedEdit
from core.clusters.tree.asset_index import AssetIndex, Labels, Positions, majority_label
from core.text import counted

_CLUSTER_GONE = f"the pictures that its cluster is known by are {GONE}"


@dataclass(frozen=True, eq=False)
class AppliedEdits:
    """The result of applying a plan's edits.

    `labels` (n,) int64 by position in the index, `edited` the labels that an edit created or added members to, `pinned`
    (k,) the positions of pinned assets.
    """

    labels: Labels
    edited: NDArray[np.int64]
    pinned: Positions
    unapplied: tuple[UnappliedEdit, ...]


def apply_edits(plan: Plan, labels: Labels, index: AssetIndex) -> AppliedEdits:
    """Apply a plan's merges, moves and splits in order, then its pins, to the labels (n,) of a cut, by position.

    The pictures of a split-off piece, and pictures moved into a new cluster, are collected from wherever the cut has
    put them. Pins are resolved together once all other edits are done, so that their order does not matter.
    """
    applier = EditApplier(index, labels.copy())
    for edit in plan.edits:
        match edit:
            case Merge():
                applier.merge(edit)
            case Move():
                applier.move(edit)
            case Split():
                applier.split(edit)
    pinned = applier.pin(plan)
    return AppliedEdits(
        labels=applier.labels,
        edited=np.array(sorted(applier.edited), np.int64),
        pinned=pinned,
        unapplied=tuple(applier.unapplied),
    )


class EditApplier:
    """Applies edits to `labels` in place; collects the labels it has edited and what could not be applied."""

    def __init__(self, index: AssetIndex, labels: Labels) -> None:
        self.labels = labels
        self.edited: set[int] = set()
        self.unapplied: list[UnappliedEdit] = []
        self._index = index
        self._next_label = int(labels.max(initial=-1)) + 1

    def merge(self, edit: Merge) -> None:
        """Give the members of all clusters that still exist the smallest of their labels."""
        found = [self._label_of(ref) for ref in edit.refs]
        labels = sorted({label for label in found if label is not None})
        if None in found:
            gone = f"{found.count(None)} of its {len(found)} clusters"
            self._skip(edit, f"A merge could not be done with {gone}", f"their pictures are {GONE}")
        if len(labels) > 1 or None not in found:
            self._assign(np.flatnonzero(np.isin(self.labels, labels[1:])), labels[0])

    def move(self, edit: Move) -> None:
        """Move the pictures that still exist into their cluster, or a new one."""
        positions = self._positions(edit, edit.asset_ids, "moved")
        label = self._new_label() if edit.to is None else self._label_of(edit.to)
        if label is None:
            self._skip(edit, f"The move of {counted(len(edit.asset_ids), 'picture')} is not done", _CLUSTER_GONE)
        elif len(positions):
            self._assign(positions, label)

    def split(self, edit: Split) -> None:
        """Give each piece that still has pictures a new label."""
        all_ids = tuple(asset_id for piece in edit.pieces for asset_id in piece)
        self._positions(edit, all_ids, "split off")
        for piece in edit.pieces:
            positions = self._index.positions(piece)
            if len(positions):
                self._assign(positions, self._new_label())

    def pin(self, plan: Plan) -> Positions:
        """Apply all pins in effect; returns the positions of the pinned pictures."""
        by_pin: dict[Pin, list[str]] = {}
        for asset_id, pin in pins(plan).items():
            by_pin.setdefault(pin, []).append(asset_id)
        # look up every cluster before any picture is put back into one
        resolved = [(pin, self._positions(pin, ids, "pinned"), self._label_of(pin.to)) for pin, ids in by_pin.items()]
        for pin, positions, label in resolved:
            if label is None:
                self._skip(pin, f"The pin of {counted(len(pin.asset_ids), 'picture')} is not done", _CLUSTER_GONE)
            elif len(positions):
                self._assign(positions, label)
        pinned = [positions for _, positions, label in resolved if label is not None]
        return np.concatenate([np.empty(0, np.int64), *pinned])

    def _label_of(self, ref: ClusterRef) -> int | None:
        return majority_label(self.labels, self._index.positions(ref.sample_ids))

    def _assign(self, positions: Positions, label: int) -> None:
        self.labels[positions] = label
        self.edited.add(label)

    def _new_label(self) -> int:
        self._next_label += 1
        return self._next_label - 1

    def _positions(self, edit: Curation, asset_ids: Sequence[str], action: str) -> Positions:
        """The positions of an edit's assets; reports those that are gone."""
        positions = self._index.positions(asset_ids)
        if len(positions) < len(asset_ids):
            missing = counted(len(asset_ids) - len(positions), "picture")
            self._skip(edit, f"{missing} of {len(asset_ids):,} could not be {action}", GONE)
        return positions

    def _skip(self, edit: Curation, summary: str, reason: str) -> None:
        self.unapplied.append(UnappliedEdit(edit, summary, reason))
