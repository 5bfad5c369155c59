"""The command about metrics: what searches took, cost and how they ended, compared with the baseline."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from core.cli.command_context import CommandContext, Span, json_option, pass_context
from core.cli.output import print_json
from core.metrics.summary import SEARCHES_PER_MONTH, BaselineTarget, StageLatency, Summary
from core.records.reasons import reason_words
from core.text import counted, duration


@click.command(short_help="Print latency, cost and outcomes of searches.")
@click.option(
    "--since", type=Span(), default="1h", show_default=True, metavar="SPAN", help="How far back: 30m, 12h, 7d."
)
@click.option("--collection", metavar="NAME", help="Only this collection.  [default: all]")
@json_option
@pass_context
def metrics(context: CommandContext, since: timedelta, collection: str | None, as_json: bool) -> None:
    """Print how long searches took, what they cost and how they ended."""
    until = context.now()
    summary = context.open_app().metrics(until - since, until, collection)
    if as_json:
        print_json(document(summary))
    else:
        print("\n".join(lines(summary)))


def document(summary: Summary) -> dict[str, Any]:
    """The JSON document of `metrics --json`."""
    began_at = summary.began_at
    return {
        **_renamed(asdict(summary), "baseline_month_usd", "predecessor_month_usd"),
        "latencies": [_renamed(asdict(found), "baseline_ms", "predecessor_ms") for found in summary.latencies],
        "since": summary.since.isoformat(),
        "until": summary.until.isoformat(),
        "began_at": began_at.isoformat() if began_at else None,
    }


def _renamed(document: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    """The document with the field `name` under its key in JSON, which other programs read."""
    return {key if field == name else field: value for field, value in document.items()}


def lines(summary: Summary) -> list[str]:
    """The same for people."""
    return [
        _searches_line(summary),
        _rates_line(summary),
        *(
            f"    {count:>8,}  {reason_words(reason)}"
            for reason, count in sorted(summary.reasons.items(), key=lambda r: -r[1])
        ),
        f"{'':<8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'baseline':>14}",
        *map(_latency_line, summary.latencies),
        *map(_target_line, summary.targets),
        *_money_lines(summary),
        f"requests {', '.join(f'{kind} {n:,}' for kind, n in summary.requests_by_kind.items()) or 'none'}",
        f"images   {summary.images:,} processed",
        _uptime_line(summary),
    ]


def _searches_line(summary: Summary) -> str:
    where = f" in {summary.collection}" if summary.collection else ""
    searches, since, until = counted(summary.searches, "search", "searches"), summary.since, summary.until
    return f"{searches}{where} from {_minute(since)} to {_minute(until)} UTC"


def _reason_line(reason: tuple[str, int]) -> str:
    code, count = reason
    return f"    {count:>8,}  {reason_words(code)}"


def _rates_line(summary: Summary) -> str:
    rates = {
        "answered": summary.success_rate,
        "by similarity instead": summary.fallback_rate,
        "failed": summary.error_rate,
        "from the cache": summary.cache_hit_rate,
    }
    return ", ".join(f"{name} {_share(rate)}" for name, rate in rates.items())


def _latency_line(latency: StageLatency) -> str:
    figures = (latency.p50_ms, latency.p95_ms, latency.p99_ms)
    cells = "".join(f"{'–' if ms is None else format(ms, ',.1f'):>10}" for ms in figures)
    return f"{latency.stage:<8}{cells}{latency.baseline_ms:>11,.0f} ms  {latency.verdict}"


def _target_line(target: BaselineTarget) -> str:
    met = {True: "met", False: "missed", None: "no data"}[target.met]
    if target.name == "error_rate":
        return f"target   errors {_share(target.value)}, below {target.limit:.0%}: {met}"
    value = "–" if target.value is None else f"{target.value:,.0f} ms"
    return f"target   p95 {value}, below {target.limit:,.0f} ms: {met}"


def _money_lines(summary: Summary) -> list[str]:
    money, per_search = summary.money, summary.usd_per_search
    today = f"today {money.day_usd:.4f} of {money.daily_budget_usd:g} USD"
    month = f"this month {money.month_usd:.4f} of {money.monthly_budget_usd:g} USD"
    spent = f"Gemini   {today}, {month}"
    if per_search is None:
        return [spent]
    parts = ", ".join(f"{service} {usd:.6f}" for service, usd in per_search.items())
    projected = f"{SEARCHES_PER_MONTH:,} searches {summary.projected_month_usd:.2f} USD"
    return [
        f"cost per search {sum(per_search.values()):.6f} USD: {parts}",
        f"a month  of {projected}, baseline {summary.baseline_month_usd:g} USD",
        spent,
    ]


def _uptime_line(summary: Summary) -> str:
    if summary.began_at is None:
        return "uptime   no event yet"
    return f"uptime   {duration(summary.uptime_s)} since the first event, {_minute(summary.began_at)} UTC"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
