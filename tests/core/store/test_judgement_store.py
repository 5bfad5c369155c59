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
from core.records.judgements import Judgement, JudgementCounts, RecordedJudgement, Voter
from core.store.sql.database import Database
from core.store.sql.judgement_store import JudgementStore
from core.store.sql.migrations import JUDGEMENTS

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
A, B = "a" * 64, "b" * 64
UP = Judgement("demo", "red car", A, True, "bundled", "vector", 1)


def named(name: str) -> Voter:
    return Voter(f"name:{name}", name)


def unnamed(session: str, address: str = "192.0.2.1") -> Voter:
    return Voter(f"session:{session}", "a visitor", f"visitor:{address}")


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
    judgements.save(blind, named("Ada"))
    assert judgements.latest() == [RecordedJudgement(blind, "Ada", START)]


def test_a_person_has_one_opinion_of_a_picture_for_a_query_and_may_change_it(
    judgements: JudgementStore, clock: Clock
) -> None:
    judgements.save(UP, named("Ada"))
    clock.moment += timedelta(minutes=1)
    judgements.save(replace(UP, query="  red   car ", up=False), named("Ada"))
    assert judgements.by_owner("name:Ada", "demo", "red car") == {A: False}
    assert [(o.judgement.up, o.at) for o in judgements.latest()] == [(False, clock.moment)]


def test_people_queries_collections_and_pictures_do_not_mix(judgements: JudgementStore) -> None:
    judgements.save(UP, named("Ada"))
    judgements.save(replace(UP, up=False), named("Bo"))
    judgements.save(replace(UP, asset_id=B), named("Ada"))
    judgements.save(replace(UP, query="blue car", up=False), named("Ada"))
    judgements.save(replace(UP, collection="other", up=False), named("Ada"))
    assert judgements.by_owner("name:Ada", "demo", "red car") == {A: True, B: True}
    assert judgements.by_owner("name:Bo", "demo", "red car") == {A: False}
    assert judgements.by_owner("name:Ada", "other", "red car") == {A: False}


def test_an_opinion_can_be_taken_back_by_its_author_alone(judgements: JudgementStore) -> None:
    judgements.save(UP, named("Ada"))
    assert not judgements.delete("name:Bo", "demo", "red car", A)
    assert judgements.delete("name:Ada", "demo", " red car", A)
    assert not judgements.delete("name:Ada", "demo", "red car", A)
    assert judgements.latest() == []


def test_the_oldest_go_where_there_are_too_many(judgements: JudgementStore) -> None:
    for number in range(8):
        judgements.save(replace(UP, query=f"query {number}"), named("Ada"))
    assert [o.judgement.query for o in judgements.latest()] == [f"query {n}" for n in (7, 6, 5, 4, 3)]


def test_thumbs_are_counted_over_a_range_of_time_by_collection_and_ranker(
    judgements: JudgementStore, clock: Clock
) -> None:
    judgements.save(UP, named("Ada"))
    clock.moment += timedelta(hours=1)
    judgements.save(replace(UP, up=False, ranker="gemini"), named("Bo"))
    judgements.save(replace(UP, collection="other"), named("Cy"))
    later = START + timedelta(hours=2)
    assert judgements.counts(START, later) == (2, 3)
    assert judgements.counts(START, START + timedelta(hours=1)) == (1, 1)
    assert judgements.counts(START, later, collection="demo") == (1, 2)
    assert judgements.counts(START, later, ranker="gemini") == (0, 1)
    assert judgements.counts(later, later) == (0, 0)


def test_tallies_add_up_what_people_think(judgements: JudgementStore) -> None:
    judgements.save(UP, named("Ada"))
    judgements.save(replace(UP, up=False), named("Bo"))
    judgements.save(replace(UP, asset_id=B), named("Bo"))
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 1, 1), JudgementCounts("red car", B, 1, 0)]
    assert judgements.tallies("other") == []


def test_queries_that_no_search_takes_are_refused(judgements: JudgementStore) -> None:
    for query in ("", "   ", "x" * 2001):
        with pytest.raises(QueryError, match="judged are those of 1 to 2000"):
            judgements.save(replace(UP, query=query), named("Ada"))


def test_text_that_sqlite_cannot_hold_is_kept_as_question_marks(judgements: JudgementStore) -> None:
    judgements.save(replace(UP, query="red \ud800 car"), named("Ada"))
    assert judgements.by_owner("name:Ada", "demo", "red \ud800 car") == {A: True}


def test_two_processes_may_judge_at_once(tmp_path: Path) -> None:
    first, second = JudgementStore(tmp_path / "j.db"), JudgementStore(tmp_path / "j.db")
    first.save(UP, named("Ada"))
    second.save(replace(UP, up=False), named("Ada"))
    assert first.by_owner("name:Ada", "demo", "red car") == {A: False}
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
            assert judgements.delete(f"name:{author}", "demo", "q", asset_id) == ((author, asset_id) in expected)
            expected.pop((author, asset_id), None)
        else:
            judgements.save(replace(UP, query="q", asset_id=asset_id, up=up), named(author))
            expected[author, asset_id] = up
    assert {(o.author, o.judgement.asset_id): o.judgement.up for o in judgements.latest()} == expected


# -- people without a name ---------------------------------------------------------------------------------------

LATER = START + timedelta(days=9)


def test_the_thumb_of_someone_without_a_name_is_theirs_alone(judgements: JudgementStore) -> None:
    judgements.save(UP, unnamed("one"))
    judgements.save(replace(UP, up=False), unnamed("two"))
    assert not judgements.delete("session:three", "demo", "red car", A)
    assert judgements.by_owner("session:one", "demo", "red car") == {A: True}
    assert judgements.by_owner("session:two", "demo", "red car") == {A: False}


def test_all_without_a_name_have_one_voice_which_says_what_most_of_them_say(judgements: JudgementStore) -> None:
    judgements.save(replace(UP, up=False), named("Ada"))
    for number in range(3):
        judgements.save(UP, unnamed(str(number), f"192.0.2.{number}"))
    judgements.save(replace(UP, up=False), unnamed("more", "192.0.2.9"))
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 1, 1)]
    assert judgements.counts(START, LATER) == (1, 2)


def test_many_sessions_of_one_address_count_once_a_day(judgements: JudgementStore, clock: Clock) -> None:
    for session in "abc":
        judgements.save(UP, unnamed(session))
    judgements.save(replace(UP, up=False), unnamed("x", "192.0.2.7"))
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 0, 0)]  # one address each way
    assert judgements.counts(START, LATER) == (0, 0)
    clock.moment += timedelta(days=1)
    judgements.save(UP, unnamed("d"))
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 1, 0)]


def test_thumbs_on_several_rankers_are_still_one_voice_of_those_without_a_name(judgements: JudgementStore) -> None:
    judgements.save(UP, unnamed("a"))
    judgements.save(replace(UP, ranker="gemini"), unnamed("b", "192.0.2.7"))
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 1, 0)]


def test_those_without_a_name_cannot_push_out_what_others_said(judgements: JudgementStore) -> None:
    judgements.save(UP, named("Ada"))
    for number in range(9):
        judgements.save(replace(UP, query=f"query {number}"), unnamed("a"))
    assert {opinion.author for opinion in judgements.latest()} == {"Ada", "a visitor"}
    assert len(judgements.latest()) == 5


def test_an_address_is_not_kept_and_its_alias_holds_for_a_day(
    judgements: JudgementStore, clock: Clock, tmp_path: Path
) -> None:
    judgements.save(UP, unnamed("a"))
    clock.moment += timedelta(days=1)
    judgements.save(replace(UP, asset_id=B), unnamed("a"))
    with closing(sqlite3.connect(tmp_path / "judgements.db")) as db:
        first, second = (alias for (alias,) in db.execute("SELECT visitor FROM judgements ORDER BY id"))
        assert db.execute("SELECT day FROM salts").fetchall() == [("2026-11-23",)]
    assert first != second
    assert b"192.0.2" not in (tmp_path / "judgements.db").read_bytes()


def test_thumbs_of_an_earlier_version_keep_their_meaning(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    Database(path, JUDGEMENTS[:1])
    with closing(sqlite3.connect(path)) as db:
        for author, up in (("Ada", 1), ("a visitor", 0), ("someone at this computer", 0)):
            row = (author, "demo", "red car", A, up, "bundled", "vector", 1, 0, round(START.timestamp() * 1000))
            db.execute(f"INSERT INTO judgements VALUES (NULL{', ?' * 10})", row)
        db.commit()
    judgements = JudgementStore(path)
    assert judgements.by_owner("name:Ada", "demo", "red car") == {A: True}
    assert judgements.tallies("demo") == [JudgementCounts("red car", A, 1, 1)]
    assert judgements.by_owner("local", "demo", "red car") == {A: False}
    assert judgements.by_owner("name:a visitor", "demo", "red car") == {}
    assert judgements.delete("name:Ada", "demo", "red car", A)
