"""A clustering as its curator means it: thresholds and edits, laid over whatever the dendrogram is cut into.

What comes out depends on the plan alone, never on the order in which a slider was moved.
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
    SetSmallest,
    SetThreshold,
    Unpin,
)
from core.clusters.edits.validation import check_edit
from core.errors import ClusterError

DEFAULT_THRESHOLD, DEFAULT_SMALLEST = 0.82, 2


@dataclass(frozen=True)
class Plan:
    """Thresholds (cosine similarity), the smallest cluster that counts, and edits in the order they were made.

    Where two branches mean the same subtree, the later one holds. Make one by `apply`, which checks what it is given.
    """

    threshold: float = DEFAULT_THRESHOLD
    smallest: int = DEFAULT_SMALLEST
    branches: tuple[Branch, ...] = ()
    edits: tuple[Curation, ...] = ()


@dataclass(frozen=True)
class UndoStep:
    """What an edit changed in a plan, as it was before; None is what it left alone. `edits` is how many there were."""

    threshold: float | None = None
    smallest: int | None = None
    branches: tuple[Branch, ...] | None = None
    edits: int | None = None


def apply(plan: Plan, edit: Edit) -> Plan:
    """The plan after one more edit. Raises ClusterError, with a sentence for curators, for one that is not possible."""
    check_edit(edit)
    match edit:
        case SetThreshold(threshold):
            return replace(plan, threshold=threshold)
        case SetSmallest(size):
            return replace(plan, smallest=size)
        case SetBranch(branch):
            return replace(plan, branches=(*_without(plan.branches, branch.witnesses), branch))
        case ClearBranch(witnesses):
            return replace(plan, branches=_cleared(plan.branches, witnesses))
        case Rename(ref, name):
            return replace(plan, edits=(*plan.edits, Rename(ref, " ".join(name.split()))))
        case Unpin(asset_ids) if pins(plan).keys().isdisjoint(asset_ids):
            raise ClusterError(f"none of the pictures chosen ({len(asset_ids)}) is pinned: there is nothing to let go")
        case _:
            return replace(plan, edits=(*plan.edits, edit))


def inverse(plan: Plan, edit: Edit) -> UndoStep:
    """What takes `edit` back once it is applied to `plan`: undo(apply(plan, edit), inverse(plan, edit)) == plan."""
    match edit:
        case SetThreshold():
            return UndoStep(threshold=plan.threshold)
        case SetSmallest():
            return UndoStep(smallest=plan.smallest)
        case SetBranch() | ClearBranch():
            return UndoStep(branches=plan.branches)
        case _:
            return UndoStep(edits=len(plan.edits))


def undo(plan: Plan, step: UndoStep) -> Plan:
    """The plan before the edit that `step` is the inverse of."""
    return Plan(
        plan.threshold if step.threshold is None else step.threshold,
        plan.smallest if step.smallest is None else step.smallest,
        plan.branches if step.branches is None else step.branches,
        plan.edits[: step.edits],
    )


def pins(plan: Plan) -> dict[str, Pin]:
    """The pin that holds each pinned asset: the last one made and not let go."""
    held: dict[str, Pin] = {}
    for edit in plan.edits:
        if isinstance(edit, Pin):
            held.update(dict.fromkeys(edit.asset_ids, edit))
        elif isinstance(edit, Unpin):
            for asset_id in edit.asset_ids:
                held.pop(asset_id, None)
    return held


def _without(branches: tuple[Branch, ...], witnesses: tuple[str, ...]) -> tuple[Branch, ...]:
    return tuple(branch for branch in branches if branch.witnesses != witnesses)


def _cleared(branches: tuple[Branch, ...], witnesses: tuple[str, ...]) -> tuple[Branch, ...]:
    left = _without(branches, witnesses)
    if len(left) == len(branches):
        raise ClusterError("this branch has no threshold of its own: there is nothing to clear")
    return left
