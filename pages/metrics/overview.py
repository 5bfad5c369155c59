"""Latency, outcomes and cost of searches, compared with the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from core.app import App
from core.errors import StoreError
from core.metrics.summary import SEARCHES_PER_MONTH, TARGET_ERROR_RATE, TARGET_P95_MS, StageLatency, Summary
from core.records.events import SEARCH_KINDS, STAGES, EventWindow
from core.records.reasons import reason_words
from core.text import counted, duration
from pages.metrics.charts import COST, LATENCY, SERVICES, TRAFFIC, cost_rows, latency_rows, traffic_rows
from pages.metrics.time_spans import SPANS
from pages.ui.format import escape_markdown, format_ms, format_usd, sentence

NO_VALUE = "–"
REASONS_HEIGHT_PX = 178
PERIODS = {"day": "Today", "month": "This month"}


def show_overview(app: App, span_name: str, collection: str | None) -> None:
    """Key figures, then latency, traffic and cost over time."""
    now, span = datetime.now(UTC), SPANS[span_name]
    since = now - span.length
    summary = app.metrics(since, now, collection)
    searches = app.events.series(since, now, span.points, ("search",), collection)
    billed = app.events.series(since, now, span.points, SEARCH_KINDS, collection)
    show_key_figures(summary)
    show_latency(summary, searches)
    left, right = st.columns(2, gap="medium")
    with left:
        show_traffic(summary, searches)
        st.caption(satisfaction_line(app, summary))
    with right:
        show_cost(app, summary, billed)
    st.caption(closing_line(summary))


def show_key_figures(summary: Summary) -> None:
    """Six figures, each with what it is compared with."""
    p95_ms = next(target.value for target in summary.targets if target.name == "p95_ms")
    day, budget = summary.money.day_usd, summary.money.daily_budget_usd
    minutes = max((summary.until - summary.since).total_seconds() / 60, 1)
    with st.grid("auto", min_column_width=150):
        show_figure("Searches", f"{summary.searches:,}", f"{summary.searches / minutes:.3g} a minute")
        p95 = NO_VALUE if p95_ms is None else format_ms(p95_ms)
        show_figure("p95", p95, "target 1.5 s", target_met(p95_ms, TARGET_P95_MS))
        show_figure("Answered", percent(summary.success_rate), "ranked or not")
        errors_met = target_met(summary.error_rate, TARGET_ERROR_RATE)
        show_figure("Errors", percent(summary.error_rate), "target below 1 %", errors_met)
        remembered = f"{percent(summary.cache_hit_rate)} from the cache"
        show_figure("By similarity instead", percent(summary.fallback_rate), remembered)
        nearly_spent = budget > 0 and day >= 0.8 * budget
        show_figure("Gemini today", format_usd(day), f"of {format_usd(budget)}", False if nearly_spent else None)


def show_figure(label: str, value: str, context: str, good: bool | None = None) -> None:
    """One figure; its context is green or red if there is a target."""
    colour = {True: "green", False: "red", None: "off"}[good]
    st.metric(label, value, context, delta_color=colour, delta_arrow="off", border=True)  # type: ignore[arg-type]


def target_met(value: float | None, limit: float) -> bool | None:
    return None if value is None else value < limit


def show_latency(summary: Summary, searches: Sequence[EventWindow]) -> None:
    """Percentiles of one stage over time, and of all stages next to the baseline."""
    st.header("Search latency", anchor=False)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        stage = st.segmented_control(
            "Stage", STAGES, default="total", required=True, key="stage", label_visibility="collapsed"
        )
        st.vega_lite_chart(latency_rows(searches, stage), LATENCY, key="latency")
    with right:
        st.dataframe([latency_row(row) for row in summary.latencies], key="latencies", hide_index=True)
        st.caption("The baseline is the prototype's hand-written table; medians are compared with it.")


def latency_row(latency: StageLatency) -> dict[str, str]:
    """One stage as a table row."""
    figures = {"p50": latency.p50_ms, "p95": latency.p95_ms, "p99": latency.p99_ms}
    return {
        "Stage": latency.stage,
        **{name: NO_VALUE if ms is None else format_ms(ms) for name, ms in figures.items()},
        "Baseline": format_ms(latency.baseline_ms),
        "Verdict": {"better": "✓ better", "worse": "✗ worse", "no data": NO_VALUE}[latency.verdict],
    }


def show_traffic(summary: Summary, searches: Sequence[EventWindow]) -> None:
    """Searches per minute, and why some were not ranked or failed."""
    st.header("Traffic and outcomes", anchor=False)
    st.vega_lite_chart(traffic_rows(searches), TRAFFIC, key="traffic")
    rows = reason_rows(summary.reasons, summary.searches)
    st.dataframe(
        rows or [{"Reason": NO_VALUE, "Searches": 0, "Share": NO_VALUE}],
        key="reasons",
        hide_index=True,
        height=REASONS_HEIGHT_PX,
    )


def reason_rows(reasons: Mapping[str, int], searches: int) -> list[dict[str, object]]:
    """Why searches ended in a fallback or an error, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"Reason": sentence(reason_words(reason)), "Searches": n, "Share": f"{n / searches:.1%}"}
        for reason, n in ordered
    ]


def satisfaction_line(app: App, summary: Summary) -> str:
    """The share of judged results that were good, with its confidence interval."""
    try:
        share, judged = app.quality.judging.satisfaction(summary.since, summary.until, summary.collection)
    except StoreError as error:
        return f"Satisfaction: {escape_markdown(str(error))}"
    if share is None:
        return "Satisfaction: no result was judged in this time."
    return (
        f"Satisfaction: {percent(share.value)} of {judged:,} judged results were good "
        f"({percent(share.low)} to {percent(share.high)})."
    )


def show_cost(app: App, summary: Summary, billed: Sequence[EventWindow]) -> None:
    """Cost over time, per search, against the budgets and against the baseline's month."""
    st.header("Cost", anchor=False)
    st.vega_lite_chart(cost_rows(billed), COST, key="cost")
    st.markdown(per_search_line(summary))
    st.markdown(projection_line(summary))
    for period, allowance in app.monitor.budget().items():
        text = f"{PERIODS[period]} {format_usd(allowance.used)} of {format_usd(allowance.limit)} for Gemini"
        st.progress(min(allowance.share, 1.0), text=escape_markdown(text))
    quota = app.monitor.quota()
    for allowance in quota.values():
        text = f"Today {allowance.used:,.0f} of {allowance.limit:,.0f} requests to Gemini"
        st.progress(min(allowance.share, 1.0), text=text)
    if not quota:
        st.caption("Requests are not counted against a limit: CONTACTSHEET_DAILY_REQUESTS is not set.")


def per_search_line(summary: Summary) -> str:
    """`A search costs **$0.0004** (CLIP …, compute …, Gemini …)`."""
    costs = summary.usd_per_search
    if costs is None:
        return "A search costs – (there was none)"
    parts = ", ".join(f"{name} {format_usd(costs[service])}" for service, name in SERVICES.items())
    return f"A search costs **{escape_markdown(format_usd(sum(costs.values())))}** ({escape_markdown(parts)})"


def projection_line(summary: Summary) -> str:
    """The projected cost of a month of searches, and the baseline's."""
    projected = summary.projected_month_usd
    baseline = escape_markdown(format_usd(summary.baseline_month_usd))
    if projected is None:
        return f"{SEARCHES_PER_MONTH:,} searches a month cost –; baseline: {baseline}"
    colour = "green" if projected <= summary.baseline_month_usd else "red"
    cost = f":{colour}[**{escape_markdown(format_usd(projected))}**]"
    return f"{SEARCHES_PER_MONTH:,} searches a month cost {cost}; baseline: {baseline}"


def closing_line(summary: Summary) -> str:
    """Other requests, pictures, uptime."""
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(summary.requests_by_kind.items())) or "none"
    began = summary.began_at
    up = f"{duration(summary.uptime_s)} since the first event, {began:%-d %B %Y, %H:%M}" if began else "no event yet"
    pictures = counted(summary.images, "picture")
    return f"Requests of all kinds: {kinds} · {pictures} processed · {up} · times are UTC"


def percent(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value * 100:.1f} %"
