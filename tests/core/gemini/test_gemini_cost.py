"""What is logged is what was billed: a thousand mixed requests against the mock server's own ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import enumerate as threads
from time import sleep
from typing import Any

import pytest

from core.app import App
from core.gemini import calls
from core.records.events import Event
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import billed_usd, make_collections, ranking_app, spent_usd
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import FAULTS
from tests.fakes.gemini_steps import AnswerStep, Step
from tests.fakes.trials import trials

REQUESTS = trials(1_000, at_least=200)
TOLERANCE_USD = 1e-9
# One way of sending and one model each: without and with a price for cached tokens, and one of the generation before.
WAYS: tuple[dict[str, Any], ...] = (
    {"rank_send": "images", "gemini_model": "gemini-3.5-flash-lite"},
    {"rank_send": "sheet", "gemini_model": "gemini-3.8-flash"},
    {"rank_send": "images", "gemini_model": "gemini-3.8-flash"},
    {"rank_send": "sheet", "gemini_model": "gemini-2.5-flash-lite"},
)
# What the requests of one round meet, one after the other.
ROUND: tuple[Step, ...] = (
    AnswerStep(),
    AnswerStep(thoughts_tokens=137),
    AnswerStep(cached_tokens=901),
    AnswerStep(thoughts_tokens=53, cached_tokens=400),
    FAULTS["prompt-SAFETY"],
    FAULTS["finish-RECITATION"],
    FAULTS["max-tokens"],
    FAULTS["max-tokens-thoughts"],
    FAULTS["invalid-json"],
    FAULTS["missing-ids"],
    FAULTS["foreign-ids"],
    FAULTS["no-rows"],
    FAULTS["two-parts"],
    FAULTS["429-minute-no-retry"],
    FAULTS["400-argument"],
    FAULTS["403"],
    FAULTS["503"],
    FAULTS["500"],
    FAULTS["reason-markup"],
    AnswerStep(thoughts_tokens=11),
)


@pytest.fixture(scope="module")
def collections_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collections(
        tmp_path_factory.mktemp("collections"), {colour: f"A {colour} sheet" for colour in ("red", "navy")}
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGeminiServer]:
    """A mock server that nobody waits for: pauses and backoffs take no time."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("FIRST_BACKOFF_S", "PERSISTENT_PAUSE_S", "QUOTA_PAUSE_S"):
        monkeypatch.setattr(calls, name, 0.0)
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder in memory where there is one: thousands of commits, and none of this is about power cuts."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def events_of(app: App) -> list[Event]:
    return app.events.latest(10_000)


def test_the_log_of_mixed_requests_is_the_ledger_at_the_days_prices(
    server: MockGeminiServer, collections_dir: Path, data: Path
) -> None:
    apps = [
        ranking_app(data, collections_dir, server.address, rank_deadline_s=30.0, daily_usd=1e3, monthly_usd=1e3, **way)
        for way in WAYS
    ]
    server.script(*islice(cycle(ROUND), REQUESTS))
    for number, app in zip(range(100_000), cycle(apps), strict=False):
        if len(server.ledger) >= REQUESTS:
            break
        app.search(f"red {number}", "c", ranked=True)
        if number % 10 == 0 and server.ledger[-1].outcome == "STOP":
            repeated(app, f"red {number}", server)
    events = events_of(apps[0])
    assert sum(event.gemini_usd for event in events) == pytest.approx(billed_usd(server.ledger), abs=TOLERANCE_USD)
    assert spent_usd(apps[0]) == pytest.approx(billed_usd(server.ledger), abs=TOLERANCE_USD)
    check_tokens(events, server)
    check_mixture(events, server)


def repeated(app: App, query: str, server: MockGeminiServer) -> None:
    """Where a ranking was kept, the same question again costs nothing and is not asked."""
    before = len(server.ledger)
    ranking = app.search(query, "c", ranked=True).ranking
    assert ranking is not None
    if ranking.outcome == "cached":
        assert (ranking.usd, len(server.ledger)) == (0, before)


def check_tokens(events: list[Event], server: MockGeminiServer) -> None:
    """Not money alone: every kind of token adds up, per model."""
    logged, billed = Counter[str](), Counter[str]()
    for event in events:
        logged[f"{event.model} prompt"] += event.prompt_tokens
        logged[f"{event.model} cached"] += event.cached_tokens
        logged[f"{event.model} output"] += event.output_tokens
        logged[f"{event.model} thoughts"] += event.thought_tokens
    for row in server.ledger:
        billed[f"{row.model} prompt"] += row.prompt_tokens
        billed[f"{row.model} cached"] += row.cached_tokens
        billed[f"{row.model} output"] += row.candidates_tokens
        billed[f"{row.model} thoughts"] += row.thoughts_tokens
    assert +logged == +billed


def check_mixture(events: list[Event], server: MockGeminiServer) -> None:
    """It was a mixture: every step of the round was met, some rankings came from the cache, all ends were seen."""
    assert {row.outcome for row in server.ledger} >= {
        "STOP",
        "MAX_TOKENS",
        "RECITATION",
        "prompt blocked: SAFETY",
        "429 RESOURCE_EXHAUSTED",
        "503 UNAVAILABLE",
        "500 INTERNAL",
        "403 PERMISSION_DENIED",
        "400 INVALID_ARGUMENT",
    }
    assert {event.reason for event in events} >= {
        "",
        "blocked",
        "truncated",
        "malformed",
        "quota_minute",
        "refused",
        "forbidden",
    }
    assert sum(event.cache_hit for event in events) > REQUESTS // 100
    assert {row.model for row in server.ledger} == {way["gemini_model"] for way in WAYS}


def test_replies_cut_off_at_the_deadline_stay_reserved_at_their_maximum(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    app = ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=1.0)
    server.script(AnswerStep(drip_s=9.0), AnswerStep(), AnswerStep(drip_s=9.0, thoughts_tokens=9))
    rankings = [app.search(f"red {number}", "c", ranked=True).ranking for number in range(3)]
    wait_for_late_replies()
    while len(server.ledger) < 3:
        sleep(0.01)
    reported = [row for row in server.ledger if row.reported]
    reserved_usd = sum(ranking.unknown_usd for ranking in rankings if ranking)
    assert len(reported) == 1
    assert billed_usd([row for row in server.ledger if not row.reported]) < reserved_usd
    assert spent_usd(app) == pytest.approx(billed_usd(reported) + reserved_usd, abs=TOLERANCE_USD)
    assert [event.kind for event in events_of(app)] == ["search"] * 3


def test_replies_after_the_deadline_are_logged_as_late_and_the_rest_stays_reserved(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MIN_TIMEOUT_S", 9.0)  # requests outlive the deadline, which they do by a little
    app = ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=1.0)
    server.script(AnswerStep(drip_s=1.8), AnswerStep(), AnswerStep(drip_s=1.8, thoughts_tokens=9), FAULTS["no-usage"])
    rankings = [app.search(f"red {number}", "c", ranked=True).ranking for number in range(4)]
    wait_for_late_replies()
    reported = [row for row in server.ledger if row.reported]
    unreported = [row for row in server.ledger if not row.reported]
    events = events_of(app)
    assert Counter(event.kind for event in events) == {"search": 4, "late": 2}
    assert [event.reason for event in events if event.kind == "late"] == ["timeout", "timeout"]
    assert sum(event.gemini_usd for event in events) == pytest.approx(billed_usd(reported), abs=TOLERANCE_USD)
    assert (len(reported), len(unreported)) == (3, 1)
    reserved_usd = rankings[3].unknown_usd if rankings[3] else 0.0
    assert billed_usd(unreported) < reserved_usd
    assert spent_usd(app) == pytest.approx(billed_usd(reported) + reserved_usd, abs=TOLERANCE_USD)


def wait_for_late_replies() -> None:
    for thread in threads():
        if thread.name == "gemini":
            thread.join(30.0)
