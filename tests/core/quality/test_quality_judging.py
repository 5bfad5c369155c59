"""Judging: who may, what it adds up to, the label set that comes of it, and the blind order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import Account, Person
from core.quality.blind import pool_rankings
from core.quality.judging import JudgingService, Vote, label_set
from core.quality.label_sets import read_label_set, to_jsonl
from core.records.judgements import JudgementCounts
from core.store.sql.judgement_store import JudgementStore

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
A, B = "a" * 64, "b" * 64
MODEL = "bundled"
BROWSER, ADA = Person(), Person("  Ada  L. ", over_loopback=True)


@pytest.fixture
def judging(tmp_path: Path) -> JudgingService:
    return JudgingService(JudgementStore(tmp_path / "judgements.db", now=lambda: START), lambda _: MODEL)


def judge(
    judging: JudgingService, person: Person, query: str = "red car", asset_id: str = A, up: bool | None = True
) -> None:
    judging.judge(person, "demo", query, Vote(asset_id, up, "vector", 1))


def test_whoever_may_search_may_judge_and_sees_and_undoes_their_own_thumbs_only(judging: JudgingService) -> None:
    judge(judging, BROWSER)
    assert judging.votes(BROWSER, "demo", "red car") == {A: True}
    assert judging.votes(ADA, "demo", "red car") == {}
    assert not judging.withdraw(ADA, "demo", "red car", A)
    assert judging.withdraw(BROWSER, "demo", "red car", A)


def test_no_stranger_without_a_name_can_see_change_or_withdraw_the_thumb_of_another(judging: JudgingService) -> None:
    mine, theirs = Person(visitor="192.0.2.1"), Person(visitor="192.0.2.1")
    judging.judge(mine, "demo", "red car", Vote(A, True, "vector", 1), "my session")
    judging.judge(theirs, "demo", "red car", Vote(A, False, "vector", 1), "their session")
    assert not judging.withdraw(theirs, "demo", "red car", A, "another session")
    assert judging.votes(mine, "demo", "red car", "my session") == {A: True}
    assert judging.votes(theirs, "demo", "red car", "their session") == {A: False}


def test_who_needs_no_name_at_this_computer_keeps_their_thumbs_when_the_page_is_loaded_again(
    judging: JudgingService,
) -> None:
    here = Person(over_loopback=True, visitor="127.0.0.1")
    judging.judge(here, "demo", "red car", Vote(A, True, "vector", 1), "before")
    assert judging.votes(here, "demo", "red car", "after") == {A: True}
    for stranger in (Person("someone at this computer"), Person(visitor="127.0.0.1"), Person("local")):
        assert not judging.withdraw(stranger, "demo", "red car", A, "before")


def test_a_browser_that_is_remembered_keeps_its_thumbs(judging: JudgingService) -> None:
    known = Person(visitor="192.0.2.1", session="device")
    judging.judge(known, "demo", "red car", Vote(A, True, "vector", 1), "before")
    assert judging.votes(known, "demo", "red car", "after") == {A: True}


def test_a_thumb_follows_who_signed_in_whatever_name_and_session_they_have(judging: JudgingService) -> None:
    ada, other = Person(account=Account("idp|1", "Ada")), Person(account=Account("idp|2", "Ada"))
    judging.judge(ada, "demo", "red car", Vote(A, True, "vector", 1), "morning")
    assert judging.votes(replace(ada, account=Account("idp|1", "A. L.")), "demo", "red car", "evening") == {A: True}
    assert judging.votes(other, "demo", "red car", "morning") == {}
    assert not judging.withdraw(Person("Ada"), "demo", "red car", A)


def test_a_thumb_of_none_takes_ones_own_back(judging: JudgingService) -> None:
    judge(judging, ADA)
    judge(judging, ADA, up=None)
    assert judging.votes(ADA, "demo", "red car") == {}


def test_a_vote_is_saved_with_the_model_of_its_collection(tmp_path: Path) -> None:
    judgements = JudgementStore(tmp_path / "judgements.db", now=lambda: START)
    judge(JudgingService(judgements, lambda _: MODEL), ADA)
    (opinion,) = judgements.latest()
    assert (opinion.judgement.model, opinion.judgement.ranker, opinion.judgement.position) == (MODEL, "vector", 1)


def test_satisfaction_is_the_share_of_thumbs_up_with_an_interval(judging: JudgingService) -> None:
    until = START + timedelta(hours=1)
    assert judging.satisfaction(START, until) == (None, 0)
    for number in range(4):
        judge(judging, Person(f"p{number}"), up=number > 0)
    share, total = judging.satisfaction(START, until)
    assert share is not None
    assert (share.value, total) == (0.75, 4)
    assert share.low < 0.75 < share.high


def test_what_was_judged_is_a_label_set_that_can_be_read(judging: JudgingService, tmp_path: Path) -> None:
    judge(judging, ADA)
    judge(judging, BROWSER, "blue car", B, up=False)
    labels = judging.label_set("demo")
    path = tmp_path / labels.name
    path.write_text(to_jsonl(labels.queries), encoding="utf-8")
    assert read_label_set(path) == labels
    assert [(q.id, q.query, q.relevant) for q in labels.queries] == [
        ("j0001", "blue car", {B: 0}),
        ("j0002", "red car", {A: 1}),
    ]


def test_the_majority_decides_and_a_tie_is_no_label() -> None:
    found = label_set(
        [JudgementCounts("q", A, 2, 1), JudgementCounts("q", B, 1, 1), JudgementCounts("r", A, 0, 1)], "x"
    )
    assert [(q.query, q.relevant) for q in found.queries] == [("q", {A: 1}), ("r", {A: 0})]


orders = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(orders, orders, st.integers(1, 8), st.text())
def test_a_blind_list_holds_the_first_of_both_orders_once_and_does_not_say_which_came_first(
    first: list[str], second: list[str], depth: int, seed: str
) -> None:
    found = pool_rankings({"vector": first, "gemini": second}, depth, seed)
    assert sorted(p.asset_id for p in found) == sorted({*first[:depth], *second[:depth]})
    for picture in found:
        for ranker, order in (("vector", first), ("gemini", second)):
            position = picture.positions.get(ranker)
            assert (order[position - 1] == picture.asset_id) if position else picture.asset_id not in order[:depth]
    assert pool_rankings({"gemini": second, "vector": first}, depth, seed) == found


def test_a_seed_gives_one_order_and_another_seed_another() -> None:
    letters = "abcdefghijklmnop"
    drawn = {tuple(p.asset_id for p in pool_rankings({"vector": letters}, 16, str(seed))) for seed in range(20)}
    assert len(drawn) == 20
    assert tuple(letters) not in drawn
