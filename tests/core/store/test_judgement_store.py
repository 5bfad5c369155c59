"""Thumbs up and down: one per person, query and picture, changed and taken back, counted and bounded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import QueryError
from core.records.judgements import Judgement, JudgementCounts, RecordedJudgement
from core.store.sql.judgement_store import JudgementStore

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
A, B = "a" * 64, "b" * 64
UP = Judgement("demo", "red car", A, True, "bundled", "vector", 1)


class Clock:
    """A moment that tests move."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def judgements(tmp_path: Path, clock: Clock) -> JudgementStore:
    return JudgementStore(tmp_path / "judgements.db", max_judgements=5, now=clock)


def test_a_judgement_keeps_all_that_was_known_of_the_result(judgements: JudgementStore) -> None:
    blind = replace(UP, ranker="gemini", position=3, blind=True)
    judgements.save(blind, "Ada")
    assert judgements.latest() == [RecordedJudgement(blind, "Ada", START)]


def test_a_person_has_one_opinion_of_a_picture_for_a_query_and_may_change_it(
    judgements: JudgementStore, clock: Clock
) -> None:
    judgements.save(UP, "Ada")
    clock.moment += timedelta(minutes=1)
    judgements.save(replace(UP, query="  red   car ", up=False), "Ada")
    assert judgements.by_author("Ada", "demo", "red car") == {A: False}
    assert [(o.judgement.up, o.at) for o in judgements.latest()] == [(False, clock.moment)]


def test_people_queries_collections_and_pictures_do_not_mix(judgements: JudgementStore) -> None:
    judgements.save(UP, "Ada")
    judgements.save(replace(UP, up=False), "Bo")
    judgements.save(replace(UP, asset_id=B), "Ada")
    judgements.save(replace(UP, query="blue car", up=False), "Ada")
    judgements.save(replace(UP, collection="other", up=False), "Ada")
    assert judgements.by_author("Ada", "demo", "red car") == {A: True, B: True}
    assert judgements.by_author("Bo", "demo", "red car") == {A: False}
    assert judgements.by_author("Ada", "other", "red car") == {A: False}


def test_an_opinion_can_be_taken_back_by_its_author_alone(judgements: JudgementStore) -> None:
    judgements.save(UP, "Ada")
    assert not judgements.delete("Bo", "demo", "red car", A)
    assert judgements.delete("Ada", "demo", " red car", A)
    assert not judgements.delete("Ada", "demo", "red car", A)
    assert judgements.latest() == []


def test_the_oldest_go_where_there_are_too_many(judgements: JudgementStore) -> None:
    for number in range(8):
        judgements.save(replace(UP, query=f"query {number}"), "Ada")
    assert [o.judgement.query for o in judgements.latest()] == [f"query {n}" for n in (7, 6, 5, 4, 3)]


def test_thumbs_are_counted_over_a_range_of_time_by_collection_and_ranker(
    judgements: JudgementStore, clock: Clock
) -> None:
    judgements.save(UP, "Ada")
    clock.moment += timedelta(hours=1)
    judgements.save(replace(UP, up=False, ranker="gemini"), "Bo")
    judgements.save(replace(UP, collection="other"), "Cy")
    later = START + timedelta(hours=2)
    assert judgements.counts(START, later) == (2, 3)
    assert judgements.counts(START, START + timedelta(hours=1)) == (1, 1)
    assert judgements.counts(START, later, collection="demo") == (1, 2)
    assert judgements.counts(START, later, ranker="gemini") == (0, 1)
    assert judgements.counts(later, later) == (0, 0)


def test_tallies_add_up_what_people_think(judgements: JudgementStore) -> None:
    judgements.save(UP, "Ada")
    judgements.save(replace(UP, up=False), "Bo")
    judgements.save(replace(UP, asset_id=B), "Bo")
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 1, 1), JudgementCounts("red car", B, 1, 0)]
    assert judgements.tallies("other") == []


def test_queries_that_no_search_takes_are_refused(judgements: JudgementStore) -> None:
    for query in ("", "   ", "x" * 2001):
        with pytest.raises(QueryError, match="judged are those of 1 to 2000"):
            judgements.save(replace(UP, query=query), "Ada")


def test_text_that_sqlite_cannot_hold_is_kept_as_question_marks(judgements: JudgementStore) -> None:
    judgements.save(replace(UP, query="red \ud800 car"), "Ada")
    assert judgements.by_author("Ada", "demo", "red \ud800 car") == {A: True}


def test_two_processes_may_judge_at_once(tmp_path: Path) -> None:
    first, second = JudgementStore(tmp_path / "j.db"), JudgementStore(tmp_path / "j.db")
    first.save(UP, "Ada")
    second.save(replace(UP, up=False), "Ada")
    assert first.by_author("Ada", "demo", "red car") == {A: False}
    with closing(sqlite3.connect(tmp_path / "j.db")) as db:
        assert db.execute("SELECT count(*) FROM judgements").fetchone() == (1,)


moves = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from([A, B]), st.sampled_from([True, False, None])))


@settings(max_examples=15)
@given(moves)
def test_what_is_kept_is_the_last_word_of_each_person(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str, bool | None]]
) -> None:
    judgements = JudgementStore(tmp_path_factory.mktemp("j") / "j.db")
    expected: dict[tuple[str, str], bool] = {}
    for author, asset_id, up in changes[:12]:
        if up is None:
            assert judgements.delete(author, "demo", "q", asset_id) == ((author, asset_id) in expected)
            expected.pop((author, asset_id), None)
        else:
            judgements.save(replace(UP, query="q", asset_id=asset_id, up=up), author)
            expected[author, asset_id] = up
    assert {(o.author, o.judgement.asset_id): o.judgement.up for o in judgements.latest()} == expected
