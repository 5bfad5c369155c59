"""Single searches with their receipts: those that took longest, and those that cost most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.events import SEARCHES, Event
from pages.metrics.time_spans import SPANS
from pages.ui.format import milliseconds, plain, usd

SHOWN = 10
KEPT = "requests_shown"


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
    found, rests = requests(app, span_name, collection, order)
    days = app.settings.event_days
    st.caption("The list rests while a receipt is open." if rests else f"Receipts are kept for {days} days.")
    if not found:
        st.info("No search was made in this time.", icon=":material/search_off:")
    for event in found:
        shown = st.expander(title(event), key=f"receipt_{event.uid}", on_change="rerun", icon=icon(event))
        if shown.open:
            with shown:
                receipt(app, event)


def requests(app: App, span_name: str, collection: str | None, order: str) -> tuple[Sequence[Event], bool]:
    """The searches to show, and whether they are kept as they were because one of them is open."""
    asked = (span_name, collection, order)
    before, kept = st.session_state.get(KEPT, (None, ()))
    if before == asked and any(st.session_state.get(f"receipt_{event.uid}") for event in kept):
        return kept, True
    now = datetime.now(UTC)
    most = app.events.slowest if order == "Slowest" else app.events.dearest
    found = most(now - SPANS[span_name].length, now, SHOWN, SEARCHES, collection)
    st.session_state[KEPT] = (asked, found)
    return found, False


def title(event: Event) -> str:
    """`2.3 s · $0.0004 · "red sail" in demo · 22 November, 14:02:11`."""
    query = str(event.detail.get("query", ""))[:60] or ("a picture" if event.kind == "search" else event.kind)
    where = f" in {event.collection}" if event.collection else ""
    parts = [
        milliseconds(event.stage_ms.get("total", 0.0)),
        usd(event.total_usd),
        query + where,
        f"{event.at:%-d %B, %H:%M:%S}",
    ]
    return " · ".join(map(plain, parts))


def icon(event: Event) -> str:
    icons = {"ok": ":material/check:", "fallback": ":material/low_priority:", "error": ":material/error:"}
    return icons[event.outcome]


def receipt(app: App, event: Event) -> None:
    """All that was written down about one search."""
    for name, value in rows(event).items():
        st.markdown(f"**{name}** · {plain(value)}")
    places = event.detail.get("ranking", {}).get("places", [])
    if places:
        st.dataframe(place_rows(app, event.collection, places), key=f"places_{event.uid}", hide_index=True)


def rows(event: Event) -> dict[str, str]:
    """Outcome, times, tokens and money of one request, as people read them."""
    ranking = event.detail.get("ranking", {})
    outcome = " · ".join(part for part in (event.outcome, event.reason, str(ranking.get("notice", ""))) if part)
    found = {
        "Outcome": outcome,
        "Time": " · ".join(f"{stage} {milliseconds(ms)}" for stage, ms in event.stage_ms.items()),
        "Cost": f"{usd(event.total_usd)} (CLIP {usd(event.clip_usd)}, compute {usd(event.compute_usd)}, "
        f"Gemini {usd(event.gemini_usd)})",
    }
    if event.model:
        cached = ", remembered" if event.cache_hit else ""
        found["Model"] = f"{event.model}{cached}"
        found["Tokens"] = (
            f"{event.prompt_tokens:,} prompt (of them {event.cached_tokens:,} cached), {event.output_tokens:,} output, "
            f"{event.thought_tokens:,} thoughts"
        )
    return found | {"Request": event.uid}


def place_rows(app: App, collection: str, places: Sequence[dict[str, Any]]) -> list[dict[str, object]]:
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
