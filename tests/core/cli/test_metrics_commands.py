from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from core.app import App
from core.cli.command_context import Span
from core.metrics.summary import BASELINE_MS, GeminiSpending, summarise
from core.records.events import STAGES, Event, EventWindow
from tests.fakes.commands import run_command

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
Run = Callable[..., str]


@pytest.fixture
def run(app: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `metrics` at a fixed moment: what it prints."""

    def print_json(document: Any) -> None:
        print(json.dumps(document, allow_nan=False))

    monkeypatch.setattr("core.cli.metrics_commands.print_json", print_json)

    def command(*arguments: str) -> str:
        assert run_command(app, "metrics", *arguments, now=NOW) == 0
        return capsys.readouterr().out

    return command


def log_searches(app: App) -> None:
    """A hundred searches of the last hour, three of them fallbacks and one an error, and what belongs to them."""
    for number in range(100):
        outcome = "error" if number == 99 else "fallback" if number > 95 else "ok"
        reason = {"error": "ModelUnavailable", "fallback": "timeout", "ok": ""}[outcome]
        app.events.append(
            Event(
                f"{number}",
                "search",
                NOW - timedelta(seconds=30 * number),
                "demo",
                outcome,
                reason,
                {"encode": 20.0, "search": 30.0, "total": 100.0 + number},
                10,
                1,
                5,
                2,
                1e-6,
                2e-6,
                0.001,
                "m",
                number < 20,
                images=10,
            )
        )
    app.events.append(Event("late", "late", NOW - timedelta(minutes=2), outcome="fallback", gemini_usd=0.1))
    app.events.append(Event("cut", "cut", NOW - timedelta(minutes=2), "c", images=1))
    app.events.append(Event("old", "search", NOW - timedelta(hours=30), "c"))


def test_the_document_says_what_happened_in_the_last_hour(app: App, run: Run) -> None:
    log_searches(app)
    found = json.loads(run("--since", "1h", "--json"))
    assert (found["since"], found["until"]) == ("2026-11-20T11:30:00+00:00", "2026-11-20T12:30:00+00:00")
    assert (found["searches"], found["success_rate"], found["error_rate"], found["fallback_rate"]) == (
        99,
        98 / 99,
        1 / 99,
        3 / 99,
    )
    assert found["reasons"] == {"timeout": 3, "ModelUnavailable": 1}
    assert found["requests_by_kind"] == {"search": 99, "late": 1, "cut": 1}
    assert found["errors_by_kind"] == {"search": 1}
    assert found["images"] == 99 * 10 + 1
    assert found["tokens"] == {"prompt": 990, "cached": 99, "output": 495, "thought": 198}
    assert found["usd_per_search"]["gemini"] == pytest.approx(0.001 + 0.1 / 99)
    assert found["projected_month_usd"] == pytest.approx(sum(found["usd_per_search"].values()) * 10_000)
    assert found["predecessor_month_usd"] == 31
    assert found["began_at"] == "2026-11-19T06:30:00+00:00"
    assert found["uptime_s"] == 30 * 3600


def test_percentiles_are_compared_with_the_baseline(app: App, run: Run) -> None:
    log_searches(app)
    stages = {row["stage"]: row for row in json.loads(run("--json"))["latencies"]}
    assert {stage: row["predecessor_ms"] for stage, row in stages.items()} == BASELINE_MS
    assert [stages[stage]["verdict"] for stage in STAGES] == ["better", "worse", "no data", "no data", "better"]
    assert stages["total"]["p95_ms"] == pytest.approx(194, rel=0.01)
    assert stages["rank"]["p50_ms"] is None
    targets = {row["name"]: row["met"] for row in json.loads(run("--json"))["targets"]}
    assert targets == {"p95_ms": True, "error_rate": False}


def test_metrics_can_be_limited_to_one_collection(app: App, run: Run) -> None:
    log_searches(app)
    found = json.loads(run("--since", "2d", "--collection", "c", "--json"))
    assert (found["collection"], found["searches"], found["requests_by_kind"]) == ("c", 1, {"search": 1, "cut": 1})


def test_spending_is_shown_beside_the_budgets(app: App, run: Run) -> None:
    reservation = app.spend.reserve(0.5)
    assert isinstance(reservation, int)
    app.spend.settle(reservation, 0.25)
    money = json.loads(run("--json"))["money"]
    assert money == {"day_usd": 0.25, "month_usd": 0.25, "daily_budget_usd": 2.0, "monthly_budget_usd": 30.0}


def test_people_read_the_same_in_lines(app: App, run: Run) -> None:
    log_searches(app)
    output = run()
    assert "99 searches from 2026-11-20 11:30 to 2026-11-20 12:30 UTC" in output
    assert "answered 99.0%" in output
    assert "Gemini did not answer in time" in output
    assert "150 ms  better" in output
    assert "25 ms  worse" in output
    assert "target   errors 1.0%, below 1%: missed" in output
    assert "baseline 31 USD" in output
    assert "uptime   30:00:00 since the first event, 2026-11-19 06:30 UTC" in output


def test_an_empty_log_is_reported_without_figures(run: Run) -> None:
    output = run("--since", "30m")
    assert "0 searches" in output
    assert "no data" in output
    found = json.loads(run("--json"))
    assert (found["searches"], found["success_rate"], found["projected_month_usd"], found["began_at"]) == (
        0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("365d", timedelta(days=365)),
    ],
)
def test_a_span_is_minutes_hours_or_days(text: str, length: timedelta) -> None:
    assert Span().convert(text, None, None) == length


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "-1h", "1.5h", "9999999d", "1 h", "1w"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a span like 30m, 12h or 7d"):
        Span().convert(text, None, None)


def test_a_summary_is_made_of_windows_alone() -> None:
    quiet = EventWindow(NOW - timedelta(hours=1), NOW)
    found = summarise(quiet, quiet, quiet, None, GeminiSpending(0, 0, 2, 30), None)
    assert (found.searches, found.error_rate, found.usd_per_search, found.uptime_s) == (0, None, None, 0.0)
