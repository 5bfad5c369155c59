"""The steps of a draft, with undo and redo."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.clusters.edits.model import Edit, SetBranch, SetSmallest, SetThreshold
from core.clusters.edits.plan import Plan, UndoStep, apply, inverse, undo
from core.errors import ClusterError


@dataclass(frozen=True)
class Done:
    """An edit that was made, and what takes it back."""

    edit: Edit
    undo: UndoStep


@dataclass(frozen=True)
class History:
    """What was done to `base`, and what was undone since (the last undone last); `plan` is where it stands."""

    base: Plan
    plan: Plan
    done: tuple[Done, ...] = ()
    undone: tuple[Edit, ...] = ()

    @staticmethod
    def of(base: Plan) -> History:
        """Nothing done yet."""
        return History(base, base)

    @property
    def can_undo(self) -> bool:
        return bool(self.done)

    @property
    def can_redo(self) -> bool:
        return bool(self.undone)

    def do(self, edit: Edit, coalesce: bool = False) -> History:
        """One more edit; what was undone cannot be redone any more. An edit that changes nothing leaves no step.

        With `coalesce`, a threshold, a smallest size or the same branch's threshold set right after such a step
        becomes one step with it: a slider's drag is undone at once. Raises ClusterError as `apply` does.
        """
        if apply(self.plan, edit) == self.plan:
            return self
        start = self.undo() if coalesce and not self.undone and self._continues(edit) else self
        return replace(start._then(edit), undone=())

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
        return replace(self._then(self.undone[-1]), undone=self.undone[:-1])

    def _then(self, edit: Edit) -> History:
        return replace(self, plan=apply(self.plan, edit), done=(*self.done, Done(edit, inverse(self.plan, edit))))

    def _continues(self, edit: Edit) -> bool:
        last = self.done[-1].edit if self.done else None
        match last, edit:
            case (SetThreshold(), SetThreshold()) | (SetSmallest(), SetSmallest()):
                return True
            case SetBranch(before), SetBranch(now):
                return before.witnesses == now.witnesses
            case _:
                return False
