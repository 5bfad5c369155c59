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
    SetSmallest,
    SetThreshold,
    Split,
    Unpin,
)
from core.clusters.edits.plan import Plan, apply, inverse, pins, undo
from core.clusters.edits.plan_documents import history_document, history_from_document, plan_from_document, to_document
from core.clusters.edits.undo import History
from core.errors import ClusterError
from tests.fakes.dendrograms import EDITS, IDS, PLANS, applied, asset_id

A, B, C, D = IDS[:4]
REF = ClusterRef.of([A, B])
OTHER = ClusterRef.of([C, D])


@given(PLANS, EDITS)
def test_undoing_an_edit_gives_back_the_very_same_plan(plan: Plan, edit: Edit) -> None:
    try:
        after = apply(plan, edit)
    except ClusterError:
        return
    assert undo(after, inverse(plan, edit)) == plan


@given(PLANS)
def test_a_plan_survives_being_written_as_json(plan: Plan) -> None:
    assert plan_from_document(json.loads(json.dumps(to_document(plan)))) == plan


STEPS = st.lists(st.tuples(st.sampled_from(["do", "do", "do", "drag", "undo", "redo"]), EDITS), max_size=25)


def played(base: Plan, steps: list[tuple[str, Edit]]) -> tuple[History, list[Plan], list[Plan]]:
    """A history after the steps, and what a person expects to be behind and ahead of it, the nearest last."""
    history, behind, ahead = History.of(base), list[Plan](), list[Plan]()
    for step, edit in steps:
        here = history.plan
        if step == "undo" and behind:
            history = history.undo()
            ahead.append(here)
            assert history.plan == behind.pop()
        elif step == "redo" and ahead:
            history = history.redo()
            behind.append(here)
            assert history.plan == ahead.pop()
        elif step == "do" and applied(here, [edit]) != here:
            history, ahead = history.do(edit), []
            behind.append(here)
    return history, behind, ahead


@given(PLANS, STEPS)
def test_undo_and_redo_walk_through_the_plans_that_were_there(base: Plan, steps: list[tuple[str, Edit]]) -> None:
    history, behind, ahead = played(base, steps)
    assert (history.can_undo, history.can_redo) == (bool(behind), bool(ahead))
    while history.can_redo:
        history = history.redo()
        assert history.plan == ahead.pop()
    while history.can_undo:
        history = history.undo()
    assert history.plan == history.base == base


@given(PLANS, STEPS)
def test_a_history_survives_being_written_as_json(base: Plan, steps: list[tuple[str, Edit]]) -> None:
    history = played(base, steps)[0]
    assert history_from_document(json.loads(json.dumps(history_document(history)))) == history


def test_a_drag_of_the_slider_is_one_step() -> None:
    history = History.of(Plan()).do(SetThreshold(0.7)).do(SetThreshold(0.8))
    for value in (0.81, 0.83, 0.85):
        history = history.do(SetThreshold(value), coalesce=True)
    assert [step.edit for step in history.done] == [SetThreshold(0.7), SetThreshold(0.85)]
    assert history.undo().plan.threshold == 0.7
    assert history.undo().redo().plan.threshold == 0.85


def test_only_the_same_slider_coalesces_and_never_past_an_undo() -> None:
    one, two = Branch((A, B), 0.5), Branch((C, D), 0.5)
    history = History.of(Plan()).do(SetBranch(one)).do(SetBranch(two), coalesce=True)
    assert len(history.done) == 2
    history = history.do(SetBranch(Branch((C, D), 0.6)), coalesce=True)
    assert len(history.done) == 2
    history = history.do(SetSmallest(3), coalesce=True).do(SetSmallest(4), coalesce=True)
    assert len(history.done) == 3
    assert len(history.do(SetThreshold(0.3)).undo().do(SetSmallest(5), coalesce=True).done) == 4


def test_an_edit_that_changes_nothing_leaves_no_step_and_keeps_what_can_be_redone() -> None:
    history = History.of(Plan()).do(SetThreshold(0.7)).do(SetThreshold(0.8)).undo()
    assert history.do(SetThreshold(0.7)) is history
    assert history.redo().plan.threshold == 0.8


def test_there_is_nothing_before_the_first_and_after_the_last_step() -> None:
    with pytest.raises(ClusterError, match="nothing has been done"):
        History.of(Plan()).undo()
    with pytest.raises(ClusterError, match="nothing has been undone"):
        History.of(Plan()).redo()


def test_a_name_is_kept_without_needless_spaces() -> None:
    assert apply(Plan(), Rename(REF, "  Black   cats ")).edits == (Rename(REF, "Black cats"),)


def test_a_branch_set_again_replaces_its_threshold_and_counts_as_the_latest() -> None:
    one, two, again = Branch((A, B), 0.5), Branch((C, D), 0.6), Branch((A, B), 0.7)
    plan = applied(Plan(), [SetBranch(one), SetBranch(two), SetBranch(again)])
    assert plan.branches == (two, again)
    assert apply(plan, ClearBranch((C, D))).branches == (again,)


def test_the_last_pin_holds_until_it_is_let_go() -> None:
    first, second = Pin((A, B), REF), Pin((B,), OTHER)
    plan = applied(Plan(), [first, second, Unpin((A,))])
    assert pins(plan) == {B: second}


def test_a_cluster_is_named_by_its_smallest_ids() -> None:
    ids = [asset_id(number) for number in range(1_000)]
    assert ClusterRef.of(ids).witnesses == tuple(sorted(ids)[:128])


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (SetThreshold(float("nan")), "threshold of nan"),
        (SetThreshold(1.01), "from -1 to 1"),
        (SetSmallest(0), "0 pictures: choose 1 or more"),
        (SetBranch(Branch((A, B), float("inf"))), "threshold of inf"),
        (SetBranch(Branch((A, B, C), 0.5)), "one or two pictures, not by 3"),
        (SetBranch(Branch((A, A), 0.5)), "chosen twice"),
        (ClearBranch((A, B)), "no threshold of its own"),
        (Rename(REF, "  "), "cannot be empty"),
        (Rename(REF, "x" * 81), "81 characters, allowed are 80"),
        (Rename(REF, "two\nlines"), "not one line"),
        (Rename(REF, "bell\x07"), "not one line"),
        (Rename(REF, "\u202eturned"), "not one line"),
        (Rename(REF, "half \ud800"), "not one line"),
        (Describe(REF, "x" * 2_001), "2001 characters, allowed are 2000"),
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
        ("a wish", "str is no edit"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_with_a_sentence(edit: Edit, complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        apply(Plan(), edit)


def test_names_of_any_script_and_descriptions_of_several_lines_are_welcome() -> None:
    for name in ("Katzen & Hunde", "👨‍👩‍👧 family", "می‌خواهم", "日本"):
        assert apply(Plan(), Rename(REF, name)).edits
    assert apply(Plan(), Describe(REF, "first line\nsecond\tline")).edits


def written(**changes: Any) -> dict[str, Any]:
    return {**to_document(applied(Plan(), [Rename(REF, "Cats"), Pin((A,), REF)])), **changes}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "expected an object with 'version'"),
        (written(version=2), "version 2, this program reads 1"),
        ({"version": 1}, "'threshold' is missing"),
        (written(threshold="high"), "expected a number, found 'high'"),
        (written(threshold=True), "expected a number"),
        (written(threshold=7), "threshold of 7"),
        (written(smallest=2.5), "expected a whole number"),
        (written(branches=[{"witnesses": [A], "threshold": None}]), "expected a number"),
        (written(branches={}), "expected a list"),
        (written(edits=[{"kind": "explode"}]), "edits, entry 1: 'explode' is no kind of edit"),
        (written(edits=[{"kind": "rename", "ref": [A]}]), "edits, entry 1: 'name' is missing"),
        (written(edits=[{"kind": "rename", "ref": [A], "name": 3}]), "expected a text"),
        (written(edits=[{"kind": "rename", "ref": [], "name": "x"}]), "named by 1 to 128"),
        (written(edits=[{"kind": "pin", "asset_ids": [A], "to": None}]), "a pin names no cluster"),
        (written(edits=[{"kind": "mark no group", "ref": [A], "value": 1}]), "expected true or false"),
        (written(edits=[{"kind": "set threshold", "threshold": 0.5}]), "among a plan's edits"),
    ],
)
def test_a_damaged_plan_is_refused_and_the_damage_named(document: Any, complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        plan_from_document(document)


def test_a_history_that_cannot_have_happened_is_refused() -> None:
    document = history_document(History.of(Plan()).do(SetThreshold(0.5)))
    impossible = {"kind": "clear branch", "witnesses": [A]}
    for place in ("done", "undone"):
        with pytest.raises(ClusterError, match="nothing to clear"):
            history_from_document({**document, place: [impossible]})
    with pytest.raises(ClusterError, match="the history has version None"):
        history_from_document({**document, "version": None})
