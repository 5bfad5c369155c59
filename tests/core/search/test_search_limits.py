"""What a visitor may ask for: searches in a minute, and a share of Gemini's budget; over all ways to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.access import OPERATOR, Account, Person
from core.app import App
from core.errors import NotAllowed, TooManyTries
from core.gemini.failures import Cause
from core.quality.label_sets import LabelledQuery, LabelSet
from core.search.answer import Answer
from core.settings import Secret
from tests.fakes.child_processes import FORKS
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import cause_of, make_collections, ranking_app, spent_usd
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import FAULTS

PATIENCE_S = 120.0
CURATOR_KEY = Secret("correct horse")
VISITOR, OTHER = Person(visitor="192.0.2.1"), Person(visitor="192.0.2.2")
CURATOR = Person("Ada", key=CURATOR_KEY, visitor="192.0.2.1")
ADA = Person(account=Account("idp|1", "Ada"), visitor="192.0.2.1")


@pytest.fixture(scope="module")
def source_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collections(tmp_path_factory.mktemp("kept"), dict.fromkeys(("red", "green", "blue", "black"), ""))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGeminiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture
def make_app(source_data: Path, tmp_path: Path, server: MockGeminiServer) -> Callable[..., App]:
    """An App on this test's data folder, with a mock server as its Gemini."""

    def make(**settings: Any) -> App:
        given = {"curator_key": CURATOR_KEY, "rank_deadline_s": 30.0, **settings}
        return ranking_app(tmp_path / "data", source_data, server.address, **given)

    return make


def ask(app: App, person: Person, query: str = "red") -> Answer:
    return app.searches.by_text(person, query, "c", ranked=True)


def causes(app: App, person: Person, count: int, word: str = "red") -> list[Cause | None]:
    """Why Gemini was not asked, for `count` different searches."""
    return [cause_of(ask(app, person, f"{word} {number}")) for number in range(count)]


def max_usd(server: MockGeminiServer, app: App) -> float:
    """The most that one of these searches may cost."""
    server.script(FAULTS["no-usage"])
    ranking = ask(app, OPERATOR, "red 00").ranking
    assert ranking is not None
    return ranking.unknown_usd


# -- who they are ------------------------------------------------------------------------------------------------


def test_limits_count_accounts_by_themselves_and_everyone_else_by_address() -> None:
    assert ADA.quota_key == Person(account=Account("idp|1", "A. L."), visitor="198.51.100.7").quota_key
    assert VISITOR.quota_key == Person("Ada", visitor="192.0.2.1").quota_key
    assert len({ADA.quota_key, VISITOR.quota_key, OTHER.quota_key, Person().quota_key}) == 4
    assert Person(visitor="account:idp|1").quota_key != ADA.quota_key


# -- searches in a minute ----------------------------------------------------------------------------------------


def test_above_the_searches_per_minute_gemini_is_not_asked_and_the_page_can_say_until_when(
    make_app: Callable[..., App], server: MockGeminiServer
) -> None:
    app = make_app(searches_per_minute=2)
    assert causes(app, VISITOR, 3) == [None, None, "many_searches"]
    answer = ask(app, VISITOR, "red again")
    assert len(answer.hits) == 4
    assert answer.ranking is not None
    assert answer.ranking.failure is not None
    assert answer.ranking.failure.retry_at is not None
    assert 0 < (answer.ranking.failure.retry_at - answer.at).total_seconds() <= 60
    assert len(server.ledger) == 2


def test_above_three_times_as_many_a_search_is_refused_for_some_seconds(make_app: Callable[..., App]) -> None:
    app = make_app(searches_per_minute=2)
    causes(app, VISITOR, 6)
    with pytest.raises(TooManyTries, match=r"^6 searches a minute are the limit: try again in \d+ s$"):
        ask(app, VISITOR)
    picture = ask(app, OTHER).hits[0].asset.id
    with pytest.raises(TooManyTries, match="6 searches a minute are the limit"):
        app.searches.by_asset(VISITOR, picture, "c")
    with pytest.raises(TooManyTries, match="6 searches a minute are the limit"):
        app.quality.blind_pool(VISITOR, "red", "c", 2, "seed")


def test_searches_by_picture_count_as_well(make_app: Callable[..., App]) -> None:
    app = make_app(searches_per_minute=1)
    picture = ask(app, OPERATOR).hits[0].asset.id
    for _ in range(3):
        app.searches.by_asset(VISITOR, picture, "c")
    with pytest.raises(TooManyTries, match="3 searches a minute are the limit"):
        ask(app, VISITOR)


def test_curators_and_the_command_line_are_not_counted_and_zero_counts_nobody(make_app: Callable[..., App]) -> None:
    app = make_app(searches_per_minute=1)
    assert causes(app, CURATOR, 5) == [None] * 5
    assert causes(app, OPERATOR, 5, "blue") == [None] * 5
    assert causes(make_app(searches_per_minute=0), VISITOR, 5, "green") == [None] * 5


def test_a_ranking_that_is_cached_costs_nothing_and_is_shown_to_whoever_asks(make_app: Callable[..., App]) -> None:
    app = make_app(searches_per_minute=1, visitor_daily_usd=0.0)
    assert cause_of(ask(app, VISITOR)) == "budget_visitor"
    ask(app, OPERATOR)
    for _ in range(2):
        ranking = ask(app, VISITOR).ranking
        assert ranking is not None
        assert (ranking.outcome, ranking.failure) == ("cached", None)


def test_a_follow_up_above_the_limit_is_understood_by_rule(
    make_app: Callable[..., App], server: MockGeminiServer
) -> None:
    app = make_app(searches_per_minute=2)
    found = [app.follow_ups.interpret(VISITOR, ["streets"], f"at night {n}", 4).by for n in range(3)]
    assert found == ["gemini", "gemini", "rule"]
    assert app.follow_ups.interpret(OTHER, ["streets"], "at night", 4).by == "gemini"


def test_counts_that_cannot_be_stored_do_not_stop_a_search(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import StoreError

    app = make_app()

    def fail(*_: object) -> None:
        raise StoreError("the disk is full: make room")

    monkeypatch.setattr(app.rates, "take", fail)
    assert cause_of(ask(app, VISITOR)) is None


# -- the share of a day ------------------------------------------------------------------------------------------


def test_a_visitors_share_stops_them_and_nobody_else(make_app: Callable[..., App], server: MockGeminiServer) -> None:
    most = max_usd(server, make_app())
    server.always(FAULTS["no-usage"])  # every request keeps counting at its maximum
    app = make_app(visitor_daily_usd=2.5 * most)
    assert causes(app, VISITOR, 3) == [None, None, "budget_visitor"]
    assert causes(app, OTHER, 1, "green") == [None]
    ranking = ask(app, VISITOR, "blue").ranking
    assert ranking is not None
    assert ranking.failure is not None
    assert "your share of Gemini for today is used up" in ranking.failure.notice


def test_accounts_and_curators_have_a_larger_share_and_the_command_line_the_whole_budget(
    make_app: Callable[..., App], server: MockGeminiServer
) -> None:
    most = max_usd(server, make_app())
    server.always(FAULTS["no-usage"])
    app = make_app(visitor_daily_usd=0.0, person_daily_usd=1.5 * most)
    assert causes(app, ADA, 2) == [None, "budget_visitor"]
    assert causes(app, CURATOR, 2, "blue") == [None, "budget_visitor"]
    assert causes(app, VISITOR, 1, "black") == ["budget_visitor"]
    assert causes(app, OPERATOR, 4, "green") == [None] * 4


def test_follow_ups_count_against_the_share(make_app: Callable[..., App], server: MockGeminiServer) -> None:
    app = make_app(visitor_daily_usd=0.0)
    assert app.follow_ups.interpret(VISITOR, ["streets"], "at night", 4).by == "rule"
    assert app.follow_ups.interpret(OPERATOR, ["streets"], "at night", 4).by == "gemini"
    assert len(server.ledger) == 1


def test_evaluations_and_blind_lists_count_against_the_share_of_who_starts_them(
    make_app: Callable[..., App], server: MockGeminiServer
) -> None:
    app = make_app(person_daily_usd=0.0, visitor_daily_usd=0.0)
    red = ask(app, OPERATOR).hits[0].asset.id
    asked = len(server.ledger)
    queries = tuple(LabelledQuery(f"q{n}", f"red {n}", "x", {red: 1}) for n in range(3))
    run = app.quality.evaluate(CURATOR, LabelSet("x.jsonl", queries), "c", "gemini")
    assert run.fallbacks == 3
    app.quality.blind_pool(VISITOR, "green", "c", 2, "seed")
    assert len(server.ledger) == asked


def test_what_is_stored_of_a_share_does_not_tell_the_address(
    make_app: Callable[..., App], tmp_path: Path, server: MockGeminiServer
) -> None:
    app = make_app()
    assert cause_of(ask(app, VISITOR)) is None
    assert spent_usd(app) > 0
    files = [path for path in (tmp_path / "data").glob("*.db*") if path.is_file()]
    assert files
    assert not [path.name for path in files if b"192.0.2.1" in path.read_bytes()]


def _search_once_all_are_ready(options: tuple[Path, Path, str, float], name: int, ready: Any, results: Any) -> None:
    data, collections, address, usd = options
    app = ranking_app(data, collections, address, rank_deadline_s=60.0, visitor_daily_usd=usd)
    ready.wait(PATIENCE_S)
    results.put(causes(app, VISITOR, 3, f"red {name}"))


def test_two_processes_hold_one_share_together(
    make_app: Callable[..., App], source_data: Path, tmp_path: Path, server: MockGeminiServer
) -> None:
    most = max_usd(server, make_app())
    server.always(FAULTS["no-usage"])
    before, options = len(server.ledger), (tmp_path / "data", source_data, server.address, 2.5 * most)
    ready, results = FORKS.Barrier(2), FORKS.Queue()
    processes = [FORKS.Process(target=_search_once_all_are_ready, args=(options, n, ready, results)) for n in range(2)]
    for process in processes:
        process.start()
    found = [cause for _ in processes for cause in results.get(timeout=PATIENCE_S)]
    for process in processes:
        process.join(PATIENCE_S)
    assert (found.count(None), found.count("budget_visitor")) == (2, 4)
    assert len(server.ledger) - before == 2


# -- heavy work --------------------------------------------------------------------------------------------------


def test_looking_for_duplicates_is_for_curators(make_app: Callable[..., App]) -> None:
    app = make_app()
    with pytest.raises(NotAllowed, match="only curators may look for duplicates"):
        app.searches.duplicates(VISITOR, "c")
    assert app.searches.duplicates(CURATOR, "c").groups == ()
