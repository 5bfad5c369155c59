"""Single searches with their receipts: those that took longest, and those that cost most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.events import SEARCH_KINDS, Event
from pages.metrics.time_spans import SPANS
from pages.ui.format import escape_markdown, format_ms, format_usd

MAX_REQUESTS = 10
LIST_KEY = "requests_shown"


def show_requests(app: App, span_name: str, collection: str | None) -> None:
    """A list that moves with what happens, and rests while someone reads a receipt."""
    order = st.segmented_control(
        "Order",
        ("Slowest", "Dearest"),
        default="Slowest",
        required=True,
        key="order",
        bind="query-params",
        label_visibility="collapsed",
    )
    found, rests = listed_requests(app, span_name, collection, order)
    days = app.settings.event_days
    st.caption("The list rests while a receipt is open." if rests else f"Receipts are kept for {days} days.")
    if not found:
        st.info("No search was made in this time.", icon=":material/search_off:")
    for event in found:
        shown = st.expander(
            request_title(event), key=f"receipt_{event.uid}", on_change="rerun", icon=outcome_icon(event)
        )
        if shown.open:
            with shown:
                show_request_receipt(app, event)


def listed_requests(app: App, span_name: str, collection: str | None, order: str) -> tuple[Sequence[Event], bool]:
    """The searches to show, and whether they are kept as they were because one of them is open."""
    asked = (span_name, collection, order)
    before, kept = st.session_state.get(LIST_KEY, (None, ()))
    if before == asked and any(st.session_state.get(f"receipt_{event.uid}") for event in kept):
        return kept, True
    now = datetime.now(UTC)
    most = app.events.slowest if order == "Slowest" else app.events.dearest
    found = most(now - SPANS[span_name].length, now, MAX_REQUESTS, SEARCH_KINDS, collection)
    st.session_state[LIST_KEY] = (asked, found)
    return found, False


def request_title(event: Event) -> str:
    """`2.3 s · $0.0004 · "red sail" in demo · 22 November, 14:02:11`."""
    query = str(event.detail.get("query", ""))[:60] or ("a picture" if event.kind == "search" else event.kind)
    where = f" in {event.collection}" if event.collection else ""
    parts = [
        format_ms(event.stage_ms.get("total", 0.0)),
        format_usd(event.total_usd),
        query + where,
        f"{event.at:%-d %B, %H:%M:%S}",
    ]
    return " · ".join(map(escape_markdown, parts))


def outcome_icon(event: Event) -> str:
    icons = {"ok": ":material/check:", "fallback": ":material/low_priority:", "error": ":material/error:"}
    return icons[event.outcome]


def show_request_receipt(app: App, event: Event) -> None:
    """All that was written down about one search."""
    for name, value in receipt_lines(event).items():
        st.markdown(f"**{name}** · {escape_markdown(value)}")
    places = event.detail.get("ranking", {}).get("places", [])
    if places:
        st.dataframe(candidate_rows(app, event.collection, places), key=f"places_{event.uid}", hide_index=True)


def receipt_lines(event: Event) -> dict[str, str]:
    """Outcome, times, tokens and money of one request, as people read them."""
    ranking = event.detail.get("ranking", {})
    outcome = " · ".join(part for part in (event.outcome, event.reason, str(ranking.get("notice", ""))) if part)
    found = {
        "Outcome": outcome,
        "Time": " · ".join(f"{stage} {format_ms(ms)}" for stage, ms in event.stage_ms.items()),
        "Cost": f"{format_usd(event.total_usd)} (CLIP {format_usd(event.clip_usd)}, compute {format_usd(event.compute_usd)}, "
        f"Gemini {format_usd(event.gemini_usd)})",
    }
    if event.model:
        cached = ", remembered" if event.cache_hit else ""
        found["Model"] = f"{event.model}{cached}"
        found["Tokens"] = (
            f"{event.prompt_tokens:,} prompt (of them {event.cached_tokens:,} cached), {event.output_tokens:,} output, "
            f"{event.thought_tokens:,} thoughts"
        )
    return found | {"Request": event.uid}


def candidate_rows(app: App, collection: str, places: Sequence[dict[str, Any]]) -> list[dict[str, object]]:
    """A row per candidate in its final place."""
    try:
        titles = {hit.asset.id: hit.asset.title for hit in app.pictures(collection, [p["asset_id"] for p in places])}
    except ContactSheetError:  # the collection is gone, its receipts are not
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
