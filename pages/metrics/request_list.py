"""Single searches with their receipts: the slowest and the most expensive ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.events import SEARCH_KINDS, Event
from core.records.reasons import reason_words
from core.text import counted, one_line
from pages.metrics.time_spans import SPANS
from pages.ui.format import cost_line, escape_markdown, format_ms, format_usd

MAX_REQUESTS = 10
LIST_KEY = "requests_shown"


def show_requests(app: App, span_name: str, collection: str | None) -> None:
    """A list that refreshes, except while someone reads a receipt."""
    order = st.segmented_control(
        "Order",
        ("Slowest", "Most expensive"),
        default="Slowest",
        required=True,
        key="order",
        bind="query-params",
        label_visibility="collapsed",
    )
    events, paused = listed_requests(app, span_name, collection, order)
    days = app.settings.event_days
    st.caption("Paused while a receipt is open." if paused else f"Receipts are kept for {counted(days, 'day')}.")
    if not events:
        st.info("No search was made in this time.", icon=":material/search_off:")
    for event in events:
        shown = st.expander(
            request_title(event), key=f"receipt_{event.uid}", on_change="rerun", icon=outcome_icon(event)
        )
        if shown.open:
            with shown:
                show_request_receipt(app, event)


def listed_requests(app: App, span_name: str, collection: str | None, order: str) -> tuple[Sequence[Event], bool]:
    """The searches to show, and whether the list is paused because a receipt is open."""
    request = (span_name, collection, order)
    previous_request, previous = st.session_state.get(LIST_KEY, (None, ()))
    if previous_request == request and any(st.session_state.get(f"receipt_{event.uid}") for event in previous):
        return previous, True
    now = datetime.now(UTC)
    query = app.events.slowest if order == "Slowest" else app.events.most_expensive
    events = query(now - SPANS[span_name].length, now, MAX_REQUESTS, SEARCH_KINDS, collection)
    st.session_state[LIST_KEY] = (request, events)
    return events, False


def request_title(event: Event) -> str:
    """`2.3 s · $0.0004 · "red sail" in demo · 22 November, 14:02:11`."""
    unnamed = {"search": "a picture", "refine": "a follow-up or a sentence", "late": "a late answer"}
    query = one_line(str(event.detail.get("query", "")), 60) or unnamed.get(event.kind, event.kind)
    where = f" in {event.collection}" if event.collection else ""
    parts = [
        format_ms(event.stage_ms.get("total", 0.0)),
        format_usd(event.total_usd),
        query + where,
        f"{event.at:%-d %B, %H:%M:%S}",
    ]
    return " · ".join(map(escape_markdown, parts))


OUTCOME_WORDS = {"ok": "as asked", "fallback": "without Gemini", "error": "failed"}


def outcome_icon(event: Event) -> str:
    icons = {"ok": ":material/check:", "fallback": ":material/low_priority:", "error": ":material/error:"}
    return icons[event.outcome]


def show_request_receipt(app: App, event: Event) -> None:
    """Everything that was logged about one search."""
    for name, value in receipt_lines(event).items():
        st.markdown(f"**{name}** · {escape_markdown(value)}")
    places = event.detail.get("ranking", {}).get("places", [])
    if places:
        st.dataframe(candidate_rows(app, event.collection, places), key=f"places_{event.uid}", hide_index=True)


def receipt_lines(event: Event) -> dict[str, str]:
    """Outcome, times, tokens and cost of one request, by name."""
    ranking = event.detail.get("ranking", {})
    why = str(ranking.get("notice", "")) or reason_words(event.reason)
    outcome = " · ".join(part for part in (OUTCOME_WORDS[event.outcome], why) if part)
    lines = {
        "Outcome": outcome,
        "Time": " · ".join(f"{stage} {format_ms(ms)}" for stage, ms in event.stage_ms.items()),
        "Cost": cost_line(event.total_usd, event.clip_usd, event.compute_usd, event.gemini_usd),
    }
    if event.model:
        cached = ", from the cache" if event.cache_hit else ""
        lines["Model"] = f"{event.model}{cached}"
        lines["Tokens"] = (
            f"{event.prompt_tokens:,} prompt (of them {event.cached_tokens:,} cached), {event.output_tokens:,} output, "
            f"{event.thought_tokens:,} thoughts"
        )
    return lines | {"Request": event.uid}


def candidate_rows(app: App, collection: str, places: Sequence[dict[str, Any]]) -> list[dict[str, object]]:
    """A row per candidate, in the final order."""
    try:
        titles = {hit.asset.id: hit.asset.title for hit in app.pictures(collection, [p["asset_id"] for p in places])}
    except ContactSheetError:  # the collection was deleted, its receipts were not
        titles = {}
    return [
        {
            "Final": place["final_rank"],
            "By similarity": place["vector_rank"],
            "Title": titles.get(place["asset_id"], place["asset_id"][:12]),
            "Score": place["score"],
            "Reason": place["reason"],
        }
        for place in sorted(places, key=lambda place: int(place["final_rank"]))
    ]
