"""Plans and histories as JSON documents: versioned, and validated in full when they are read."""

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
    SetMinClusterSize,
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
    "set smallest": SetMinClusterSize,
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
_KIND_NAMES = {kind: name for name, kind in _KINDS.items()}
_STORED_KEYS = {"leaf_ids": "witnesses", "must_link": "same"}  # fields that are stored under another name


def plan_to_document(plan: Plan) -> dict[str, Any]:
    """A plan as a JSON document."""
    return {
        "version": VERSION,
        "threshold": plan.threshold,
        "smallest": plan.min_cluster_size,
        "branches": [_to_json(branch) for branch in plan.branches],
        "edits": [edit_to_document(edit) for edit in plan.edits],
    }


def plan_from_document(document: Any) -> Plan:
    """Read a plan. Raises ClusterError that says what is wrong with the document."""
    _check_version(document, "plan")
    plan = Plan()
    plan = apply(plan, SetThreshold(_number(_item(document, "threshold"))))
    plan = apply(plan, SetMinClusterSize(_integer(_item(document, "smallest"))))
    for branch in _list(_item(document, "branches")):
        plan = apply(plan, SetBranch(_branch(branch)))
    for edit in _edits(document, "edits"):
        if isinstance(edit, SetThreshold | SetMinClusterSize | SetBranch | ClearBranch):
            raise ClusterError(f"the document lists {_KIND_NAMES[type(edit)]!r} among a plan's edits: it is damaged")
        plan = apply(plan, edit)
    return plan


def history_to_document(history: History) -> dict[str, Any]:
    """A history as a JSON document."""
    return {
        "version": VERSION,
        "base": plan_to_document(history.base),
        "done": [edit_to_document(step.edit) for step in history.done],
        "undone": [edit_to_document(edit) for edit in history.undone],
    }


def history_from_document(document: Any) -> History:
    """Read a history. Raises ClusterError that says what is wrong with the document."""
    _check_version(document, "history")
    base = plan_from_document(_item(document, "base"))
    done, undone = _edits(document, "done"), _edits(document, "undone")
    history = History(base, base, undone=(*undone, *reversed(done)))
    for _ in done:
        history = history.redo()
    ahead = history
    while ahead.can_redo:  # check that every undone edit is possible
        ahead = ahead.redo()
    return history


def edit_to_document(edit: Edit) -> dict[str, Any]:
    """One edit as a JSON document."""
    values = {_stored_key(field.name): _to_json(getattr(edit, field.name)) for field in fields(edit)}
    return {"kind": _KIND_NAMES[type(edit)], **values}


def _stored_key(field_name: str) -> str:
    return _STORED_KEYS.get(field_name, field_name)


def _to_json(value: Any) -> Any:
    if isinstance(value, ClusterRef):
        return list(value.sample_ids)
    if isinstance(value, Branch):
        return {"witnesses": list(value.leaf_ids), "threshold": value.threshold}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _edits(document: Mapping[str, Any], name: str) -> tuple[Edit, ...]:
    edits = []
    for number, item in enumerate(_list(_item(document, name)), 1):
        try:
            edits.append(_edit(item))
        except ClusterError as error:
            raise ClusterError(f"{name}, entry {number}: {error}") from None
    return tuple(edits)


def _edit(document: Any) -> Edit:
    name = _string(_item(document, "kind"))
    if name not in _KINDS:
        raise ClusterError(f"{name[:40]!r} is not a kind of edit: the document may be of a later version")
    kind = _KINDS[name]
    values = {field.name: _field(document, _stored_key(field.name)) for field in fields(kind)}
    if kind is Pin and values["to"] is None:
        raise ClusterError("a pin names no cluster")
    edit = kind(**values)
    check_edit(edit)
    return edit


def _field(document: Any, key: str) -> Any:
    return _READERS[key](_item(document, key))


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


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ClusterError(f"expected a text, found {str(value)[:40]!r}")
    return value


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(_string(item) for item in _list(value))


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ClusterError(f"expected a number, found {str(value)[:40]!r}")
    return float(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ClusterError(f"expected a whole number, found {str(value)[:40]!r}")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ClusterError(f"expected true or false, found {str(value)[:40]!r}")
    return value


def _branch(value: Any) -> Branch:
    return Branch(_strings(_item(value, "witnesses")), _number(_item(value, "threshold")))


def _ref(value: Any) -> ClusterRef:
    return ClusterRef(_strings(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "threshold": _number,
    "size": _integer,
    "branch": _branch,
    "witnesses": _strings,
    "ref": _ref,
    "refs": lambda value: tuple(_ref(item) for item in _list(value)),
    "to": lambda value: None if value is None else _ref(value),
    "asset_ids": _strings,
    "pieces": lambda value: tuple(_strings(item) for item in _list(value)),
    "name": _string,
    "text": _string,
    "value": _boolean,
    "same": _boolean,
    "a": _string,
    "b": _string,
}
