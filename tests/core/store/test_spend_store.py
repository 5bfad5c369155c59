"""Budgets: a hard stop, for one and for several processes, per day and per month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.app import App
from core.errors import StoreError
from core.store.sql.database import Database
from core.store.sql.spend_store import RETENTION_DAYS, Budgets, Share, Spending, SpendStore
from tests.fakes.child_processes import FORKS
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import billed_usd, cause_of, make_collections, ranking_app, spent_usd
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import FAULTS

PATIENCE_S = 120.0
PROCESSES, SEARCHES_EACH, ALLOWED = 3, 4, 5


class Calendar:
    """A moment that tests move."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def calendar() -> Calendar:
    return Calendar(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))


@pytest.fixture
def with_budgets(tmp_path: Path, calendar: Calendar) -> Callable[[float, float], SpendStore]:
    return lambda daily, monthly: SpendStore(Database(tmp_path / "spend.db"), Budgets(daily, monthly), calendar)


def test_a_reservation_counts_until_its_true_cost_takes_its_place(
    with_budgets: Callable[[float, float], SpendStore],
) -> None:
    spend = with_budgets(1.0, 9.0)
    reservation = spend.reserve(0.8)
    assert isinstance(reservation, int)
    assert spend.reserve(0.3) == "day"
    assert spend.spent() == Spending(0.8, 0.8)
    spend.settle(reservation, 0.1)
    assert spend.spent() == Spending(0.1, 0.1)
    assert isinstance(spend.reserve(0.9), int)


def test_a_day_ends_at_midnight_utc_and_the_month_goes_on(
    with_budgets: Callable[[float, float], SpendStore], calendar: Calendar
) -> None:
    calendar.moment = datetime(2026, 11, 29, 23, 59, tzinfo=UTC)
    spend = with_budgets(1.0, 1.5)
    assert isinstance(spend.reserve(1.0), int)
    assert spend.reserve(0.1) == "day"
    calendar.moment += timedelta(minutes=1)
    assert spend.reserve(0.6) == "month"
    assert isinstance(spend.reserve(0.5), int)
    assert spend.spent() == Spending(0.5, 1.5)


def test_requests_are_counted_by_the_day_they_were_sent(
    with_budgets: Callable[[float, float], SpendStore], calendar: Calendar
) -> None:
    spend = with_budgets(9.0, 9.0)
    calendar.moment = datetime(2026, 11, 29, 23, 59, tzinfo=UTC)
    spend.settle(int(spend.reserve(0.1)), 0.0)
    spend.reserve(0.1)
    assert spend.requests_today() == 2
    calendar.moment += timedelta(minutes=1)
    assert spend.requests_today() == 0


def test_a_month_ends_with_its_last_day(with_budgets: Callable[[float, float], SpendStore], calendar: Calendar) -> None:
    spend = with_budgets(9.0, 1.0)
    assert isinstance(spend.reserve(1.0), int)
    assert spend.reserve(0.1) == "month"
    calendar.moment += timedelta(minutes=1)
    assert spend.spent() == Spending(0, 0)
    assert isinstance(spend.reserve(1.0), int)


def test_a_request_over_midnight_belongs_to_the_day_it_was_sent(
    with_budgets: Callable[[float, float], SpendStore], calendar: Calendar
) -> None:
    spend = with_budgets(1.0, 9.0)
    reservation = spend.reserve(1.0)
    assert isinstance(reservation, int)
    calendar.moment += timedelta(minutes=1)
    spend.settle(reservation, 0.7)
    assert spend.spent() == Spending(0, 0)
    calendar.moment -= timedelta(minutes=1)
    assert spend.spent() == Spending(0.7, 0.7)


def test_days_long_gone_are_dropped(
    with_budgets: Callable[[float, float], SpendStore], calendar: Calendar, tmp_path: Path
) -> None:
    spend = with_budgets(9.0, 9.0)
    for days in (0, RETENTION_DAYS, RETENTION_DAYS + 1):
        calendar.moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days)
        spend.reserve(1.0)
    with Database(tmp_path / "spend.db").reading() as db:
        assert [row["day"] for row in db.execute("SELECT day FROM spend")] == ["2027-02-05", "2027-02-06"]


def test_a_budget_of_nothing_allows_nothing(with_budgets: Callable[[float, float], SpendStore]) -> None:
    assert with_budgets(0.0, 9.0).reserve(1e-9) == "day"


@pytest.mark.parametrize("usd", [-1e-9, -600.0, float("nan"), float("inf"), -float("inf"), 1e300])
def test_an_amount_that_cannot_be_one_is_neither_reserved_nor_settled(
    with_budgets: Callable[[float, float], SpendStore], usd: float
) -> None:
    spend = with_budgets(9.0, 9.0)
    reservation = spend.reserve(0.5)
    assert isinstance(reservation, int)
    with pytest.raises(StoreError, match="cannot be recorded: an amount must be between 0 and"):
        spend.settle(reservation, usd)
    with pytest.raises(StoreError, match="cannot be recorded: an amount must be between 0 and"):
        spend.reserve(usd)
    assert spend.spent() == Spending(0.5, 0.5)


# -- shares ------------------------------------------------------------------------------------------------------

ADA, BO = Share("account:ada", 1.0), Share("visitor:192.0.2.1", 0.5)


def test_a_share_is_held_beside_the_budgets_and_comes_back_with_the_day(
    with_budgets: Callable[[float, float], SpendStore], calendar: Calendar
) -> None:
    calendar.moment = datetime(2026, 11, 29, 23, 59, tzinfo=UTC)
    spend = with_budgets(1.4, 9.0)
    assert spend.reserve(0.6, BO) == "visitor"
    reservation = spend.reserve(0.5, BO)
    assert isinstance(reservation, int)
    assert spend.reserve(0.1, BO) == "visitor"
    spend.settle(reservation, 0.2)
    assert isinstance(spend.reserve(0.2, BO), int)
    assert isinstance(spend.reserve(0.9, ADA), int)
    assert spend.reserve(0.2, ADA) == "day"
    assert spend.reserve(0.2) == "day"
    calendar.moment += timedelta(minutes=1)
    assert isinstance(spend.reserve(0.5, BO), int)


def test_nothing_of_a_share_tells_whose_it_was_once_its_day_is_over(
    with_budgets: Callable[[float, float], SpendStore], calendar: Calendar, tmp_path: Path
) -> None:
    spend = with_budgets(9.0, 9.0)
    for _ in range(2):
        spend.reserve(0.1, BO)
    calendar.moment += timedelta(days=1)
    spend.reserve(0.1, BO)
    spend.reserve(0.1)
    with Database(tmp_path / "spend.db").reading() as db:
        first, second, next_day, nobody = (row["payer"] for row in db.execute("SELECT payer FROM spend ORDER BY id"))
        assert [row["day"] for row in db.execute("SELECT day FROM salts")] == ["2026-12-01"]
    assert first == second != next_day
    assert nobody is None


REQUESTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans(), st.integers(0, 12)), max_size=25)


@settings(max_examples=30, deadline=None)
@given(REQUESTS)
def test_whatever_is_asked_no_budget_is_ever_passed(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[float, float, bool, int]]
) -> None:
    calendar = Calendar(datetime(2026, 1, 25, tzinfo=UTC))
    spend = SpendStore(Database(tmp_path_factory.mktemp("spend") / "s.db"), Budgets(1.0, 2.5), calendar)
    model: dict[str, float] = {}
    for most, share, settled, hours in requests:
        calendar.moment += timedelta(hours=hours)
        day = calendar.moment.date().isoformat()
        month = sum(usd for when, usd in model.items() if when[:7] == day[:7])
        reservation = spend.reserve(most)
        if isinstance(reservation, str):
            spent, budget = (model.get(day, 0), 1.0) if reservation == "day" else (month, 2.5)
            assert spent + most > budget - 1e-9
        else:
            model[day] = model.get(day, 0) + (most * share if settled else most)
            if settled:
                spend.settle(reservation, most * share)
        assert spend.spent().day_usd == pytest.approx(model.get(day, 0), abs=1e-9)
        assert spend.spent().day_usd <= 1.0 + 1e-9
        assert spend.spent().month_usd <= 2.5 + 1e-9


@pytest.fixture(scope="module")
def source_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collections(tmp_path_factory.mktemp("kept"), dict.fromkeys(("red", "green", "blue", "black"), ""))


class AppOptions(NamedTuple):
    """The data folder of an app, the collections it starts with, its Gemini server and its budget."""

    data: Path
    collections: Path
    address: str
    daily_usd: float

    def open(self) -> App:
        return ranking_app(self.data, self.collections, self.address, daily_usd=self.daily_usd, rank_deadline_s=60.0)


def _search_once_all_are_ready(options: AppOptions, name: int, ready: Any, results: Any) -> None:
    app = options.open()
    ready.wait(PATIENCE_S)
    results.put([cause_of(app.search(f"red {name}{i}", "c", ranked=True)) for i in range(SEARCHES_EACH)])


def _in_several_processes(options: AppOptions) -> list[str | None]:
    """The causes of searches that several processes make at once."""
    ready, results = FORKS.Barrier(PROCESSES), FORKS.Queue()
    processes = [
        FORKS.Process(target=_search_once_all_are_ready, args=(options, name, ready, results))
        for name in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    causes = [cause for _ in processes for cause in results.get(timeout=PATIENCE_S)]
    for process in processes:
        process.join(PATIENCE_S)
    return causes


def _max_usd(folder: Path, source_data: Path, server: MockGeminiServer) -> float:
    """The maximum cost of one of these requests."""
    server.script(FAULTS["no-usage"])
    ranking = (
        ranking_app(folder, source_data, server.address, rank_deadline_s=60.0)
        .search("red 00", "c", ranked=True)
        .ranking
    )
    assert ranking is not None
    return ranking.unknown_usd


def test_several_processes_together_stop_at_the_budget(
    source_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MockGeminiServer(key=KEY) as server:
        max_usd = _max_usd(tmp_path / "first", source_data, server)
        budget_usd, before = (ALLOWED + 0.5) * max_usd, len(server.ledger)
        server.always(FAULTS["no-usage"])  # so that every request keeps counting at its maximum
        causes = _in_several_processes(AppOptions(tmp_path / "data", source_data, server.address, budget_usd))
        rows = server.ledger[before:]
    assert causes.count(None) == len(rows) == ALLOWED
    assert causes.count("budget_day") == len(causes) - ALLOWED > 0
    assert billed_usd(rows) < spent_usd(ranking_app(tmp_path / "data", source_data, "")) <= budget_usd
