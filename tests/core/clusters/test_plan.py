from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from core.clusters.edits.plan import Plan, apply, inverse, pins, undo
from core.clusters.edits.plan_documents import (
    history_from_document,
    history_to_document,
    plan_from_document,
    plan_to_document,
)
from core.clusters.edits.undo import History
from core.errors import ClusterError
from tests.fakes.dendrograms import EDITS, IDS, PLANS, applied, asset_id

A, B, C, D = IDS[:4]
REF = ClusterRef.from_members([A, B])
OTHER = ClusterRef.from_members([C, D])


@given(PLANS, EDITS)
def test_undoing_an_edit_restores_the_same_plan(plan: Plan, edit: Edit) -> None:
    try:
        after = apply(plan, edit)
    except ClusterError:
        return
    assert undo(after, inverse(plan, edit)) == plan


@given(PLANS)
def test_a_plan_survives_a_json_round_trip(plan: Plan) -> None:
    assert plan_from_document(json.loads(json.dumps(plan_to_document(plan)))) == plan


STEPS = st.lists(st.tuples(st.sampled_from(["do", "do", "do", "drag", "undo", "redo"]), EDITS), max_size=25)


def play(base: Plan, steps: list[tuple[str, Edit]]) -> tuple[History, list[Plan], list[Plan]]:
    """A history after the steps, and the plans that undo and redo should lead to, the nearest last."""
    history, past, future = History.from_plan(base), list[Plan](), list[Plan]()
    for step, edit in steps:
        current = history.plan
        if step == "undo" and past:
            history = history.undo()
            future.append(current)
            assert history.plan == past.pop()
        elif step == "redo" and future:
            history = history.redo()
            past.append(current)
            assert history.plan == future.pop()
        elif step == "do" and applied(current, [edit]) != current:
            history, future = history.do(edit), []
            past.append(current)
    return history, past, future


@given(PLANS, STEPS)
def test_undo_and_redo_step_through_the_earlier_plans(base: Plan, steps: list[tuple[str, Edit]]) -> None:
    history, past, future = play(base, steps)
    assert (history.can_undo, history.can_redo) == (bool(past), bool(future))
    while history.can_redo:
        history = history.redo()
        assert history.plan == future.pop()
    while history.can_undo:
        history = history.undo()
    assert history.plan == history.base == base


@given(PLANS, STEPS)
def test_a_history_survives_a_json_round_trip(base: Plan, steps: list[tuple[str, Edit]]) -> None:
    history = play(base, steps)[0]
    assert history_from_document(json.loads(json.dumps(history_to_document(history)))) == history


def test_dragging_the_slider_is_one_step() -> None:
    history = History.from_plan(Plan()).do(SetThreshold(0.7)).do(SetThreshold(0.8))
    for value in (0.81, 0.83, 0.85):
        history = history.do(SetThreshold(value), coalesce=True)
    assert [step.edit for step in history.done] == [SetThreshold(0.7), SetThreshold(0.85)]
    assert history.undo().plan.threshold == 0.7
    assert history.undo().redo().plan.threshold == 0.85


def test_only_the_same_slider_coalesces_and_never_across_an_undo() -> None:
    one, two = Branch((A, B), 0.5), Branch((C, D), 0.5)
    history = History.from_plan(Plan()).do(SetBranch(one)).do(SetBranch(two), coalesce=True)
    assert len(history.done) == 2
    history = history.do(SetBranch(Branch((C, D), 0.6)), coalesce=True)
    assert len(history.done) == 2
    history = history.do(SetMinClusterSize(3), coalesce=True).do(SetMinClusterSize(4), coalesce=True)
    assert len(history.done) == 3
    assert len(history.do(SetThreshold(0.3)).undo().do(SetMinClusterSize(5), coalesce=True).done) == 4


def test_an_edit_that_changes_nothing_adds_no_step_and_keeps_the_undone_edits() -> None:
    history = History.from_plan(Plan()).do(SetThreshold(0.7)).do(SetThreshold(0.8)).undo()
    assert history.do(SetThreshold(0.7)) is history
    assert history.redo().plan.threshold == 0.8


def test_undo_and_redo_need_something_to_undo_or_redo() -> None:
    with pytest.raises(ClusterError, match="nothing has been done"):
        History.from_plan(Plan()).undo()
    with pytest.raises(ClusterError, match="nothing has been undone"):
        History.from_plan(Plan()).redo()


def test_a_name_loses_its_superfluous_spaces() -> None:
    assert apply(Plan(), Rename(REF, "  Black   cats ")).edits == (Rename(REF, "Black cats"),)


def test_setting_a_branch_again_replaces_its_threshold_and_makes_it_the_latest() -> None:
    one, two, again = Branch((A, B), 0.5), Branch((C, D), 0.6), Branch((A, B), 0.7)
    plan = applied(Plan(), [SetBranch(one), SetBranch(two), SetBranch(again)])
    assert plan.branches == (two, again)
    assert apply(plan, ClearBranch((C, D))).branches == (again,)


def test_the_last_pin_holds_until_it_is_released() -> None:
    first, second = Pin((A, B), REF), Pin((B,), OTHER)
    plan = applied(Plan(), [first, second, Unpin((A,))])
    assert pins(plan) == {B: second}


def test_a_cluster_is_referred_to_by_its_smallest_ids() -> None:
    ids = [asset_id(number) for number in range(1_000)]
    assert ClusterRef.from_members(ids).sample_ids == tuple(sorted(ids)[:128])


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (SetThreshold(float("nan")), "threshold of nan"),
        (SetThreshold(1.01), "from -1 to 1"),
        (SetMinClusterSize(0), "0 pictures: choose 1 or more"),
        (SetBranch(Branch((A, B), float("inf"))), "threshold of inf"),
        (SetBranch(Branch((A, B, C), 0.5)), "one or two pictures, not by 3"),
        (SetBranch(Branch((A, A), 0.5)), "chosen twice"),
        (ClearBranch((A, B)), "no separate threshold"),
        (Rename(REF, "  "), "cannot be empty"),
        (Rename(REF, "x" * 81), "81 characters, the limit is 80"),
        (Rename(REF, "two\nlines"), "not one line"),
        (Rename(REF, "bell\x07"), "not one line"),
        (Rename(REF, "\u202eturned"), "not one line"),
        (Rename(REF, "half \ud800"), "not one line"),
        (Describe(REF, "x" * 2_001), "2001 characters, the limit is 2000"),
        (Describe(REF, "bell\x07"), "not text"),
        (Rename(ClusterRef(()), "Cats"), "named by 1 to 128"),
        (Rename(ClusterRef(tuple(sorted((A, B), reverse=True))), "Cats"), "in ascending order"),
        (Rename(ClusterRef(("cat",)), "Cats"), "'cat' is not a picture's id"),
        (Merge((REF,)), "1 cluster cannot be merged"),
        (Merge((REF, REF)), "1 cluster cannot be merged"),
        (Move((), REF), "no pictures to move"),
        (Move((A, A), REF), "chosen twice"),
        (Move(("cat",), None), "not a picture's id"),
        (Split(REF, ()), "no piece"),
        (Split(REF, ((A,), ())), "no pictures in a piece"),
        (Split(REF, ((A,), (A, B))), "in two pieces"),
        (Pin((), REF), "no pictures to pin"),
        (Unpin((A,)), "none of the pictures chosen .1. is pinned"),
        (MarkNoGroup(ClusterRef(()), True), "named by 1 to 128"),
        (PairConstraint(A, A, True), "chosen twice"),
        ("no edit", "str is not an edit"),
    ],
)
def test_an_invalid_edit_is_refused_with_a_sentence(edit: Edit, complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        apply(Plan(), edit)


def test_names_in_any_script_and_multi_line_descriptions_are_accepted() -> None:
    for name in ("Katzen & Hunde", "👨‍👩‍👧 family", "می‌خواهم", "日本"):
        assert apply(Plan(), Rename(REF, name)).edits
    assert apply(Plan(), Describe(REF, "first line\nsecond\tline")).edits


def document_with(**changes: Any) -> dict[str, Any]:
    return {**plan_to_document(applied(Plan(), [Rename(REF, "Cats"), Pin((A,), REF)])), **changes}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "expected an object with 'version'"),
        (document_with(version=2), "version 2, this program reads 1"),
        ({"version": 1}, "'threshold' is missing"),
        (document_with(threshold="high"), "expected a number, found 'high'"),
        (document_with(threshold=True), "expected a number"),
        (document_with(threshold=7), "threshold of 7"),
        (document_with(smallest=2.5), "expected a whole number"),
        (document_with(branches=[{"witnesses": [A], "threshold": None}]), "expected a number"),
        (document_with(branches={}), "expected a list"),
        (document_with(edits=[{"kind": "explode"}]), "edits, entry 1: 'explode' is not a kind of edit"),
        (document_with(edits=[{"kind": "rename", "ref": [A]}]), "edits, entry 1: 'name' is missing"),
        (document_with(edits=[{"kind": "rename", "ref": [A], "name": 3}]), "expected a text"),
        (document_with(edits=[{"kind": "rename", "ref": [], "name": "x"}]), "named by 1 to 128"),
        (document_with(edits=[{"kind": "pin", "asset_ids": [A], "to": None}]), "a pin names no cluster"),
        (document_with(edits=[{"kind": "mark no group", "ref": [A], "value": 1}]), "expected true or false"),
        (document_with(edits=[{"kind": "set threshold", "threshold": 0.5}]), "among a plan's edits"),
    ],
)
def test_a_damaged_plan_is_refused_with_the_damage(document: Any, complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        plan_from_document(document)


def test_documents_stored_by_earlier_versions_are_read_and_written_unchanged() -> None:
    stored = {
        "version": 1,
        "threshold": 0.7,
        "smallest": 3,
        "branches": [{"witnesses": [A, B], "threshold": 0.9}],
        "edits": [
            {"kind": "evidence", "a": A, "b": B, "same": True},
            {"kind": "evidence", "a": A, "b": C, "same": False},
            {"kind": "rename", "ref": sorted([A, B]), "name": "Cats"},
        ],
    }
    branch = Branch((A, B), 0.9)
    edits = (PairConstraint(A, B, must_link=True), PairConstraint(A, C, must_link=False), Rename(REF, "Cats"))
    plan = Plan(0.7, 3, (branch,), edits)
    assert plan_from_document(stored) == plan
    assert plan_to_document(plan) == stored


def test_settings_stored_in_a_history_are_read_and_written_unchanged() -> None:
    done = [
        {"kind": "set smallest", "size": 4},
        {"kind": "set branch", "branch": {"witnesses": [A, B], "threshold": 0.9}},
        {"kind": "clear branch", "witnesses": [A, B]},
    ]
    stored = {**history_to_document(History.from_plan(Plan())), "done": done}
    history = history_from_document(stored)
    edits = [SetMinClusterSize(4), SetBranch(Branch((A, B), 0.9)), ClearBranch((A, B))]
    assert [step.edit for step in history.done] == edits
    assert history_to_document(history) == stored


def test_an_impossible_history_is_refused() -> None:
    document = history_to_document(History.from_plan(Plan()).do(SetThreshold(0.5)))
    impossible = {"kind": "clear branch", "witnesses": [A]}
    for key in ("done", "undone"):
        with pytest.raises(ClusterError, match="nothing to clear"):
            history_from_document({**document, key: [impossible]})
    with pytest.raises(ClusterError, match="the history has version None"):
        history_from_document({**document, "version": None})
