from __future__ import annotations

import math
import sqlite3
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.events import Event
from core.records.money import MAX_PICO_USD, MAX_USD, PICO_PER_USD, pico_usd, usd
from core.store.sql.database import Database
from core.store.sql.event_log import EventLog
from core.store.sql.migrations import CONTACTSHEET, EVENTS, Migration
from core.store.sql.released_usd import pico_usd_from_real
from core.store.sql.spend_store import Budgets, SpendStore

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
AMOUNTS = st.floats(0, MAX_USD)


@given(AMOUNTS)
def test_an_amount_is_rounded_to_the_nearest_pico_usd(amount: float) -> None:
    assert abs(Fraction(amount) * PICO_PER_USD - pico_usd(amount)) <= Fraction(1, 2)


@given(st.integers(0, 4_000 * PICO_PER_USD))
def test_what_was_recorded_comes_back_the_same(pico: int) -> None:
    assert pico_usd(usd(pico)) == pico


@given(AMOUNTS)
def test_recording_an_amount_again_does_not_change_it(amount: float) -> None:
    assert usd(pico_usd(usd(pico_usd(amount)))) == usd(pico_usd(amount))


@pytest.mark.parametrize("amount", [-1e-13, -1.0, math.inf, math.nan, 9_223_373.0])
def test_what_is_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match=r"an amount must be between 0 and 9,223,372 USD, not "):
        pico_usd(amount)


# -- databases of earlier versions ------------------------------------------------------------------------------


def earlier(path: Path, migrations: tuple[Migration, ...], last: str) -> sqlite3.Connection:
    """A database as it was before the migration called `last`."""
    names = [migration.name for migration in migrations]
    Database(path, migrations[: names.index(last)])
    return sqlite3.connect(path)


def binary(amount: float) -> bytes:
    """An amount as earlier versions stored sums."""
    numerator, denominator = amount.as_integer_ratio()
    units = numerator << (1075 - denominator.bit_length())
    if not units:
        return b""
    zeros = (units & -units).bit_length() - 1
    rest = units >> zeros
    return zeros.to_bytes(2, "little") + rest.to_bytes(rest.bit_length() // 8 + 1, "little", signed=True)


@pytest.mark.parametrize("amounts", [[0.1] * 10, [0.0, 5e-324, 1e-13, 4_321.987654321098], [0.00012345678912345] * 999])
def test_events_of_an_earlier_version_cost_the_same_to_the_cent(tmp_path: Path, amounts: list[float]) -> None:
    path, true = tmp_path / "events.db", math.fsum(amounts)
    old = earlier(path, EVENTS, "costs in pico-USD")
    with old:
        for number, amount in enumerate(amounts):
            old.execute(
                "INSERT INTO events VALUES"
                " (NULL, ?, ?, 'search', 'c', 'ok', '', 1, 1, 1, 1, 1, 0, 0, 0, 0, ?, ?, ?, '', 0, '{}', 0)",
                (str(number), round(NOON.timestamp() * 1000), amount, 2 * amount, 0.0),
            )
        old.execute(
            "INSERT INTO rollups VALUES"
            " (0, 0, 'search', 'gone', 'ok', '', 1, 0, 0, 0, 0, 0, 0, ?, ?, ?, x'', x'', x'', x'', x'')",
            (binary(true), binary(0.0), binary(1e-3)),
        )
    old.close()
    log = EventLog(path, now=lambda: NOON)
    window = log.window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert window.usd == {
        "clip": pytest.approx(true, abs=1e-9),
        "compute": pytest.approx(2 * true, abs=1e-9),
        "gemini": 0,
    }
    gone = log.totals()["search", "gone"]
    assert gone.usd == {"clip": pytest.approx(true, abs=1e-12), "compute": 0.0, "gemini": 0.001}
    log.append(Event("new", "search", NOON, "gone", gemini_usd=0.5))
    log.fold()
    assert log.totals()["search", "gone"].usd["gemini"] == 0.501


def test_spending_of_an_earlier_version_counts_against_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "contactsheet.db"
    old = earlier(path, CONTACTSHEET, "spending in pico-USD")
    with old:
        for amount in (0.1, 0.2, 0.3):
            old.execute("INSERT INTO spend (day, usd, settled) VALUES ('2026-11-20', ?, 1)", (amount,))
    old.close()
    spend = SpendStore(Database(path), Budgets(1.0, 1.0), lambda: NOON)
    assert spend.spent().day_usd == 0.6
    assert spend.reserve(0.400000001) == "day"
    assert isinstance(spend.reserve(0.4), int)
    assert spend.spent().day_usd == 1.0


def test_sums_stay_at_the_largest_amount_that_can_be_stored(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db", now=lambda: NOON)
    for number in range(3):
        log.append(Event(str(number), "search", NOON, "c", gemini_usd=float(MAX_USD)))
    log.fold()
    assert log.totals()["search", "c"].usd["gemini"] == usd(MAX_PICO_USD)


@pytest.mark.parametrize(
    ("amount", "pico"), [(math.inf, MAX_PICO_USD), (-math.inf, 0), (-0.5, 0), (1e300, MAX_PICO_USD)]
)
def test_an_amount_that_was_none_keeps_no_database_from_opening(amount: float, pico: int) -> None:
    assert pico_usd_from_real(amount) == pico
