"""A clustering as its curator means it: thresholds and edits that apply to any cut of the dendrogram.

The result depends on the plan alone, never on the order in which a slider was moved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.clusters.edits.model import (
    Branch,
    ClearBranch,
    Curation,
    Edit,
    Pin,
    Rename,
    SetBranch,
    SetMinClusterSize,
    SetThreshold,
    Unpin,
)
from core.clusters.edits.validation import check_edit
from core.errors import ClusterError

DEFAULT_THRESHOLD, DEFAULT_MIN_CLUSTER_SIZE = 0.82, 2


@dataclass(frozen=True)
class Plan:
    """Thresholds (cosine similarity), the minimum cluster size, and edits in the order they were made.

    Where two branches are the same subtree, the later one counts. Build plans with `apply`, which validates each edit.
    """

    threshold: float = DEFAULT_THRESHOLD
    min_cluster_size: int = DEFAULT_MIN_CLUSTER_SIZE
    branches: tuple[Branch, ...] = ()
    edits: tuple[Curation, ...] = ()


@dataclass(frozen=True)
class UndoStep:
    """What an edit replaced in a plan: the old values, None where it changed nothing, and the old number of edits."""

    threshold: float | None = None
    min_cluster_size: int | None = None
    branches: tuple[Branch, ...] | None = None
    edit_count: int | None = None


def apply(plan: Plan, edit: Edit) -> Plan:
    """The plan with one more edit. Raises ClusterError, with a sentence for curators, for one that is not possible."""
    check_edit(edit)
    match edit:
        case SetThreshold(threshold):
            return replace(plan, threshold=threshold)
        case SetMinClusterSize(size):
            return replace(plan, min_cluster_size=size)
        case SetBranch(branch):
            return replace(plan, branches=(*_without(plan.branches, branch.leaf_ids), branch))
        case ClearBranch(leaf_ids):
            return replace(plan, branches=_cleared(plan.branches, leaf_ids))
        case Rename(ref, name):
            return replace(plan, edits=(*plan.edits, Rename(ref, " ".join(name.split()))))
        case Unpin(asset_ids) if pins(plan).keys().isdisjoint(asset_ids):
            raise ClusterError(f"none of the pictures chosen ({len(asset_ids)}) is pinned: there is nothing to unpin")
        case _:
            return replace(plan, edits=(*plan.edits, edit))


def inverse(plan: Plan, edit: Edit) -> UndoStep:
    """The step that undoes `edit` in `plan`: undo(apply(plan, edit), inverse(plan, edit)) == plan."""
    match edit:
        case SetThreshold():
            return UndoStep(threshold=plan.threshold)
        case SetMinClusterSize():
            return UndoStep(min_cluster_size=plan.min_cluster_size)
        case SetBranch() | ClearBranch():
            return UndoStep(branches=plan.branches)
        case _:
            return UndoStep(edit_count=len(plan.edits))


def undo(plan: Plan, step: UndoStep) -> Plan:
    """The plan before the edit that `step` is the inverse of."""
    return Plan(
        plan.threshold if step.threshold is None else step.threshold,
        plan.min_cluster_size if step.min_cluster_size is None else step.min_cluster_size,
        plan.branches if step.branches is None else step.branches,
        plan.edits[: step.edit_count],
    )


def pins(plan: Plan) -> dict[str, Pin]:
    """The pin in effect for each pinned asset: its latest one, unless it was unpinned since."""
    held: dict[str, Pin] = {}
    for edit in plan.edits:
        if isinstance(edit, Pin):
            held.update(dict.fromkeys(edit.asset_ids, edit))
        elif isinstance(edit, Unpin):
            for asset_id in edit.asset_ids:
                held.pop(asset_id, None)
    return held


def _without(branches: tuple[Branch, ...], leaf_ids: tuple[str, ...]) -> tuple[Branch, ...]:
    return tuple(branch for branch in branches if branch.leaf_ids != leaf_ids)


def _cleared(branches: tuple[Branch, ...], leaf_ids: tuple[str, ...]) -> tuple[Branch, ...]:
    remaining = _without(branches, leaf_ids)
    if len(remaining) == len(branches):
        raise ClusterError("this branch has no separate threshold: there is nothing to clear")
    return remaining
