"""What searches took, how they ended and what they cost, beside the predecessor's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from core.app import App
from core.cli.progress_bar import duration
from core.metrics.summary import SEARCHES_PER_MONTH, TARGET_ERROR_RATE, TARGET_P95_MS, StageLatency, Summary
from core.records.events import SEARCH_KINDS, STAGES, EventWindow
from pages.metrics.charts import COST, LATENCY, SERVICES, TRAFFIC, cost_rows, latency_rows, traffic_rows
from pages.metrics.time_spans import SPANS
from pages.ui.format import escape_markdown, format_ms, format_usd

NO_VALUE = "–"
REASONS_HEIGHT_PX = 178
PERIODS = {"day": "Today", "month": "This month"}


def show_overview(app: App, span_name: str, collection: str | None) -> None:
    """The key figures, then latency, traffic and cost over time."""
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
    """Six figures, each with what it is measured against."""
    p95_ms = next(target.value for target in summary.targets if target.name == "p95_ms")
    day, budget = summary.money.day_usd, summary.money.daily_budget_usd
    minutes = max((summary.until - summary.since).total_seconds() / 60, 1)
    with st.grid("auto", min_column_width=150):
        show_figure("Searches", f"{summary.searches:,}", f"{summary.searches / minutes:.3g} a minute")
        show_figure(
            "p95", NO_VALUE if p95_ms is None else format_ms(p95_ms), "target 1.5 s", target_met(p95_ms, TARGET_P95_MS)
        )
        show_figure("Answered", percent(summary.success_rate), "ranked or not")
        show_figure(
            "Errors", percent(summary.error_rate), "target below 1 %", target_met(summary.error_rate, TARGET_ERROR_RATE)
        )
        show_figure(
            "By similarity instead", percent(summary.fallback_rate), f"{percent(summary.cache_hit_rate)} remembered"
        )
        show_figure(
            "Gemini today",
            format_usd(day),
            f"of {format_usd(budget)}",
            None if day < 0.8 * budget or not budget else False,
        )


def show_figure(label: str, value: str, beside: str, good: bool | None = None) -> None:
    """One figure; what stands beside it is green or red where there is a target."""
    colour = {True: "green", False: "red", None: "off"}[good]
    st.metric(label, value, beside, delta_color=colour, delta_arrow="off", border=True)  # type: ignore[arg-type]


def target_met(value: float | None, limit: float) -> bool | None:
    return None if value is None else value < limit


def show_latency(summary: Summary, searches: Sequence[EventWindow]) -> None:
    """Percentiles of one stage over time, and of all stages beside the predecessor's."""
    st.subheader("How long searches take", anchor=False)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        stage = st.segmented_control(
            "Stage", STAGES, default="total", required=True, key="stage", label_visibility="collapsed"
        )
        st.vega_lite_chart(latency_rows(searches, stage), LATENCY, key="latency")
    with right:
        st.dataframe([latency_row(row) for row in summary.latencies], key="latencies", hide_index=True)
        st.caption("The predecessor's figures come from its hand-written table; the median is compared with them.")


def latency_row(latency: StageLatency) -> dict[str, str]:
    """One stage as the table shows it."""
    figures = {"p50": latency.p50_ms, "p95": latency.p95_ms, "p99": latency.p99_ms}
    return {
        "Stage": latency.stage,
        **{name: NO_VALUE if ms is None else format_ms(ms) for name, ms in figures.items()},
        "Predecessor": format_ms(latency.predecessor_ms),
        "Verdict": {"better": "✓ better", "worse": "✗ worse", "no data": NO_VALUE}[latency.verdict],
    }


def show_traffic(summary: Summary, searches: Sequence[EventWindow]) -> None:
    """Searches per minute, and why some were not ranked or failed."""
    st.subheader("How many there are, and how they end", anchor=False)
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
    return [{"Reason": reason, "Searches": n, "Share": f"{n / searches:.1%}"} for reason, n in ordered]


def satisfaction_line(app: App, summary: Summary) -> str:
    """How many of the judged results were found good, with the interval that so few leave open."""
    found, judged = app.quality.judging.satisfaction(summary.since, summary.until, summary.collection)
    if found is None:
        return "Satisfaction: no result was judged in this time."
    return (
        f"Satisfaction: {percent(found.value)} of {judged:,} judged results were good "
        f"({percent(found.low)} to {percent(found.high)})."
    )


def show_cost(app: App, summary: Summary, billed: Sequence[EventWindow]) -> None:
    """Money over time, per search, against the budgets and against the predecessor's month."""
    st.subheader("What they cost", anchor=False)
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
    each = summary.usd_per_search
    if each is None:
        return "A search costs – (there was none)"
    parts = ", ".join(f"{name} {format_usd(each[service])}" for service, name in SERVICES.items())
    return f"A search costs **{escape_markdown(format_usd(sum(each.values())))}** ({escape_markdown(parts)})"


def projection_line(summary: Summary) -> str:
    """What a month of searches would cost, and what it did cost the predecessor."""
    projected = summary.projected_month_usd
    theirs = escape_markdown(format_usd(summary.predecessor_month_usd))
    if projected is None:
        return f"{SEARCHES_PER_MONTH:,} searches a month cost –; the predecessor's {theirs}"
    colour = "green" if projected <= summary.predecessor_month_usd else "red"
    return f"{SEARCHES_PER_MONTH:,} searches a month cost :{colour}[**{escape_markdown(format_usd(projected))}**]; the predecessor's {theirs}"


def closing_line(summary: Summary) -> str:
    """Other requests, pictures, uptime."""
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(summary.requests_by_kind.items())) or "none"
    began = summary.began_at
    up = f"{duration(summary.uptime_s)} since the first event, {began:%-d %B %Y, %H:%M}" if began else "no event yet"
    return (
        f"Requests of all kinds: {kinds} · {summary.images:,} pictures decoded and handed over · {up} · times are UTC"
    )


def percent(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value * 100:.1f} %"
