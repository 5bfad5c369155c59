"""The undo and redo history of a draft."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.clusters.edits.model import Edit, SetBranch, SetMinClusterSize, SetThreshold
from core.clusters.edits.plan import Plan, UndoStep, apply, inverse, undo
from core.errors import ClusterError


@dataclass(frozen=True)
class DoneEdit:
    """An edit that was applied, and the step that undoes it."""

    edit: Edit
    undo: UndoStep


@dataclass(frozen=True)
class History:
    """The edits applied to `base`, and those undone since (the last one undone is last); `plan` is the current plan."""

    base: Plan
    plan: Plan
    done: tuple[DoneEdit, ...] = ()
    undone: tuple[Edit, ...] = ()

    @staticmethod
    def from_plan(base: Plan) -> History:
        """A history without any edit yet."""
        return History(base, base)

    @property
    def can_undo(self) -> bool:
        return bool(self.done)

    @property
    def can_redo(self) -> bool:
        return bool(self.undone)

    def do(self, edit: Edit, coalesce: bool = False) -> History:
        """With one more edit; undone edits can no longer be redone. An edit that changes nothing adds no step.

        With `coalesce`, a threshold, a minimum size or the same branch's threshold set directly after another value of
        it becomes one step with it, so that one undo takes back a whole drag of a slider. Raises ClusterError as
        `apply` does.
        """
        if apply(self.plan, edit) == self.plan:
            return self
        start = self.undo() if coalesce and not self.undone and self._continues(edit) else self
        return replace(start._append(edit), undone=())

    def undo(self) -> History:
        """Without the last edit. Raises ClusterError if there is none."""
        if not self.done:
            raise ClusterError("nothing has been done that could be undone")
        *before, last = self.done
        return History(self.base, undo(self.plan, last.undo), tuple(before), (*self.undone, last.edit))

    def redo(self) -> History:
        """With the edit that was undone last. Raises ClusterError if there is none."""
        if not self.undone:
            raise ClusterError("nothing has been undone that could be done again")
        return replace(self._append(self.undone[-1]), undone=self.undone[:-1])

    def _append(self, edit: Edit) -> History:
        return replace(self, plan=apply(self.plan, edit), done=(*self.done, DoneEdit(edit, inverse(self.plan, edit))))

    def _continues(self, edit: Edit) -> bool:
        """Whether the edit sets the same value as the last one."""
        last = self.done[-1].edit if self.done else None
        match last, edit:
            case (SetThreshold(), SetThreshold()) | (SetMinClusterSize(), SetMinClusterSize()):
                return True
            case SetBranch(before), SetBranch(now):
                return before.leaf_ids == now.leaf_ids
            case _:
                return False
