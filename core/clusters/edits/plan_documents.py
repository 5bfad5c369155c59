"""Plans and histories as JSON documents: stamped with a version, and checked in full when they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from core.clusters.edits.model import (
    Branch,
    ClearBranch,
    ClusterRef,
    Describe,
    Edit,
    MarkNoGroup,
    Merge,
    Move,
    PairConstraint,
    Pin,
    Rename,
    SetBranch,
    SetSmallest,
    SetThreshold,
    Split,
    Unpin,
)
from core.clusters.edits.plan import Plan, apply
from core.clusters.edits.undo import History
from core.clusters.edits.validation import check_edit
from core.errors import ClusterError

VERSION = 1
_KINDS: dict[str, type[Edit]] = {
    "set threshold": SetThreshold,
    "set smallest": SetSmallest,
    "set branch": SetBranch,
    "clear branch": ClearBranch,
    "rename": Rename,
    "describe": Describe,
    "merge": Merge,
    "move": Move,
    "split": Split,
    "pin": Pin,
    "unpin": Unpin,
    "mark no group": MarkNoGroup,
    "evidence": PairConstraint,
}
_KIND_OF = {kind: name for name, kind in _KINDS.items()}


def to_document(plan: Plan) -> dict[str, Any]:
    """A plan as a JSON document."""
    return {
        "version": VERSION,
        "threshold": plan.threshold,
        "smallest": plan.smallest,
        "branches": [_written(branch) for branch in plan.branches],
        "edits": [edit_document(edit) for edit in plan.edits],
    }


def plan_from_document(document: Any) -> Plan:
    """The plan that a document holds. Raises ClusterError, saying what is wrong with it."""
    _check_version(document, "plan")
    plan = Plan()
    plan = apply(plan, SetThreshold(_number(_item(document, "threshold"))))
    plan = apply(plan, SetSmallest(_whole(_item(document, "smallest"))))
    for branch in _list(_item(document, "branches")):
        plan = apply(plan, SetBranch(_branch(branch)))
    for edit in _edits(document, "edits"):
        if isinstance(edit, SetThreshold | SetSmallest | SetBranch | ClearBranch):
            raise ClusterError(f"the document lists {_KIND_OF[type(edit)]!r} among a plan's edits: it is damaged")
        plan = apply(plan, edit)
    return plan


def history_document(history: History) -> dict[str, Any]:
    """A history as a JSON document."""
    return {
        "version": VERSION,
        "base": to_document(history.base),
        "done": [edit_document(step.edit) for step in history.done],
        "undone": [edit_document(edit) for edit in history.undone],
    }


def history_from_document(document: Any) -> History:
    """The history that a document holds. Raises ClusterError, saying what is wrong with it."""
    _check_version(document, "history")
    base = plan_from_document(_item(document, "base"))
    done, undone = _edits(document, "done"), _edits(document, "undone")
    history = History(base, base, undone=(*undone, *reversed(done)))
    for _ in done:
        history = history.redo()
    ahead = history
    while ahead.can_redo:  # so that what can be redone is known to be possible
        ahead = ahead.redo()
    return history


def edit_document(edit: Edit) -> dict[str, Any]:
    """One edit as a JSON document."""
    return {"kind": _KIND_OF[type(edit)], **{f.name: _written(getattr(edit, f.name)) for f in fields(edit)}}


def _written(value: Any) -> Any:
    if isinstance(value, ClusterRef):
        return list(value.witnesses)
    if isinstance(value, Branch):
        return {"witnesses": list(value.witnesses), "threshold": value.threshold}
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value


def _edits(document: Mapping[str, Any], name: str) -> tuple[Edit, ...]:
    read = []
    for number, item in enumerate(_list(_item(document, name)), 1):
        try:
            read.append(_edit(item))
        except ClusterError as error:
            raise ClusterError(f"{name}, entry {number}: {error}") from None
    return tuple(read)


def _edit(document: Any) -> Edit:
    name = _text(_item(document, "kind"))
    if name not in _KINDS:
        raise ClusterError(f"{name[:40]!r} is no kind of edit: the document may be of a later version")
    kind = _KINDS[name]
    read = {f.name: _READERS[f.name](_item(document, f.name)) for f in fields(kind)}
    if kind is Pin and read["to"] is None:
        raise ClusterError("a pin names no cluster")
    edit = kind(**read)
    check_edit(edit)
    return edit


def _check_version(document: Any, what: str) -> None:
    version = _item(document, "version")
    if version != VERSION:
        raise ClusterError(f"the {what} has version {version!r}, this program reads {VERSION}: update it")


def _item(document: Any, name: str) -> Any:
    if not isinstance(document, Mapping):
        raise ClusterError(f"expected an object with {name!r}, found {str(document)[:40]!r}")
    if name not in document:
        raise ClusterError(f"{name!r} is missing")
    return document[name]


def _list(value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ClusterError(f"expected a list, found {str(value)[:40]!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ClusterError(f"expected a text, found {str(value)[:40]!r}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ClusterError(f"expected a number, found {str(value)[:40]!r}")
    return float(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ClusterError(f"expected a whole number, found {str(value)[:40]!r}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ClusterError(f"expected true or false, found {str(value)[:40]!r}")
    return value


def _branch(value: Any) -> Branch:
    return Branch(_texts(_item(value, "witnesses")), _number(_item(value, "threshold")))


def _ref(value: Any) -> ClusterRef:
    return ClusterRef(_texts(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "threshold": _number,
    "size": _whole,
    "branch": _branch,
    "witnesses": _texts,
    "ref": _ref,
    "refs": lambda value: tuple(_ref(item) for item in _list(value)),
    "to": lambda value: None if value is None else _ref(value),
    "asset_ids": _texts,
    "pieces": lambda value: tuple(_texts(item) for item in _list(value)),
    "name": _text,
    "text": _text,
    "value": _flag,
    "same": _flag,
    "a": _text,
    "b": _text,
}
