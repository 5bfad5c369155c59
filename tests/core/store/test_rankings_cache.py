"""Rankings that were paid for once: found again after a restart, never for another question, bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.app import App
from core.errors import StoreError
from core.search.answer import Answer
from core.store.sql.database import Database
from core.store.sql.ranking_cache import RankingCache
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import make_collections, ranking_app
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import FAULTS

TITLES = {colour: f"A {colour} sheet" for colour in ("red", "green", "blue", "white", "black", "yellow")}


@pytest.fixture
def rankings(tmp_path: Path) -> RankingCache:
    return RankingCache(Database(tmp_path / "contactsheet.db"), max_entries=3)


def test_only_the_same_question_is_answered(rankings: RankingCache) -> None:
    rankings.put(("red", ["a", "b"], 1), [{"number": 1}], "c")
    assert rankings.get(("red", ["a", "b"], 1)) == [{"number": 1}]
    for other in [("red", ["b", "a"], 1), ("red", ["a"], "b", 1), ("Red", ["a", "b"], 1), ("red", ["a", "b"], "1"), ()]:
        assert rankings.get(other) is None


def test_a_question_asked_again_replaces_what_was_kept(rankings: RankingCache) -> None:
    rankings.put(("red",), 1, "c")
    rankings.put(("red",), 2, "c")
    assert rankings.get(("red",)) == 2


def test_the_one_unused_for_longest_goes_first(rankings: RankingCache) -> None:
    for number in range(3):
        rankings.put((number,), number, "c")
    assert rankings.get((0,)) == 0
    rankings.put((3,), 3, "c")
    assert [rankings.get((number,)) for number in range(4)] == [0, None, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=25))
def test_it_holds_what_was_used_last_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int]]
) -> None:
    rankings, model = RankingCache(Database(tmp_path_factory.mktemp("kept") / "r.db"), max_entries=3), list[int]()
    for puts, number in steps:
        if puts:
            rankings.put((number,), number, "c")
        else:
            assert rankings.get((number,)) == (number if number in model else None)
        if puts or number in model:
            model = [*(other for other in model if other != number), number][-3:]


def test_many_threads_may_share_it(rankings: RankingCache) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: (rankings.put((n % 3,), n % 3, "c"), rankings.get((n % 3,))), range(24)))
    assert [rankings.get((number,)) for number in range(3)] == [0, 1, 2]


def test_any_text_can_be_part_of_a_question(rankings: RankingCache) -> None:
    rankings.put(("half a \ud800 pair", "\0"), "ä", "c")
    assert rankings.get(("half a \ud800 pair", "\0")) == "ä"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGeminiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture(scope="module")
def source_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collections(tmp_path_factory.mktemp("kept"), TITLES)


@pytest.fixture
def started(server: MockGeminiServer, source_data: Path, tmp_path: Path) -> Callable[..., App]:
    """An App just started, always on the same data."""

    def start(address: str = server.address, **given: Any) -> App:
        return ranking_app(
            tmp_path / "data", source_data, address, **{"rank_candidates": 4, "rank_deadline_s": 20.0, **given}
        )

    return start


def outcome(answer: Answer) -> str:
    assert answer.ranking is not None
    return answer.ranking.outcome


def test_a_ranking_survives_a_restart_and_costs_nothing(started: Callable[..., App], server: MockGeminiServer) -> None:
    first = started().search("a blue sheet", "c", ranked=True)
    app = started()
    again = app.search("  a  blue sheet ", "c", ranked=True)
    assert (outcome(first), outcome(again), len(server.ledger)) == ("ranked", "cached", 1)
    assert first.ranking is not None
    assert again.ranking is not None
    assert again.ranking.candidates == first.ranking.candidates
    assert [hit.asset.id for hit in again.hits] == [hit.asset.id for hit in first.hits]
    assert (again.ranking.usd, again.ranking.usage.total, again.ranking.requests) == (0, 0, 0)
    event = app.events.get(again.id)
    assert event is not None
    assert (event.cache_hit, event.outcome, event.gemini_usd, event.prompt_tokens) == (True, "ok", 0, 0)


@pytest.mark.parametrize(
    "change",
    [{"gemini_model": "gemini-3.8-flash"}, {"rank_prompt": "2"}, {"rank_send": "sheet"}, {"rank_candidates": 3}],
    ids=str,
)
def test_what_changes_the_question_is_asked_anew(
    started: Callable[..., App], server: MockGeminiServer, change: dict[str, Any]
) -> None:
    assert outcome(started().search("red", "c", ranked=True)) == "ranked"
    assert outcome(started(**change).search("red", "c", ranked=True)) == "ranked"
    assert outcome(started().search("red", "c", ranked=True)) == "cached"
    assert len(server.ledger) == 2


def test_what_a_stand_in_said_is_never_shown_as_another_services(started: Callable[..., App]) -> None:
    assert outcome(started().search("red", "c", ranked=True)) == "ranked"
    with MockGeminiServer(key=KEY) as other:
        assert outcome(started(other.address).search("red", "c", ranked=True)) == "ranked"
        assert len(other.ledger) == 1


def test_what_does_not_change_the_question_does_not_cost_another(
    started: Callable[..., App], server: MockGeminiServer
) -> None:
    started().search("red", "c", ranked=True)
    assert outcome(started(rank_results=2).search("red", "c", top=4, ranked=True)) == "cached"
    assert len(server.ledger) == 1


def test_a_picture_more_makes_other_candidates(server: MockGeminiServer, tmp_path: Path) -> None:
    source_data = make_collections(tmp_path, TITLES)
    app = ranking_app(tmp_path / "data", source_data, server.address, rank_candidates=4, rank_deadline_s=20.0)
    app.search("red", "c", ranked=True)
    (tmp_path / "more").mkdir()
    Image.new("RGB", (48, 32), "#fe0000").save(tmp_path / "more" / "a.png")
    app.ingest(tmp_path / "more", "c")
    assert outcome(app.search("red", "c", ranked=True)) == "ranked"
    assert len(server.ledger) == 2


@pytest.mark.parametrize("name", ["invalid-json", "prompt-SAFETY", "429-minute", "max-tokens"])
def test_a_failure_is_not_kept(started: Callable[..., App], server: MockGeminiServer, name: str) -> None:
    server.script(FAULTS[name])
    assert outcome(started().search("red", "c", ranked=True)) == "fallback"
    assert outcome(started().search("red", "c", ranked=True)) == "ranked"


@pytest.mark.parametrize("document", ["no json", "3", '"text"', '[{"place": 1}]', "[3]"])
def test_what_cannot_be_read_any_more_is_asked_again(
    started: Callable[..., App], server: MockGeminiServer, document: str
) -> None:
    app = started()
    app.search("red", "c", ranked=True)
    with Database(app.settings.data / "contactsheet.db").transaction() as db:
        db.execute("UPDATE rankings SET document = ?", (document,))
    assert outcome(app.search("red", "c", ranked=True)) == "ranked"
    assert outcome(app.search("red", "c", ranked=True)) == "cached"


def test_a_store_that_fails_costs_nobody_their_ranking(
    started: Callable[..., App], server: MockGeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StoreError("database is locked")

    monkeypatch.setattr(RankingCache, "get", fails)
    monkeypatch.setattr(RankingCache, "put", fails)
    app = started()
    assert [outcome(app.search("red", "c", ranked=True)) for _ in range(2)] == ["ranked", "ranked"]
    assert len(server.ledger) == 2
