"""The receipt of a search: how its order came about, its times and its cost."""

from __future__ import annotations

import streamlit as st

from core.records.assets import Found
from core.records.reasons import reason_words
from core.search.answer import Answer, Ranking
from core.text import counted
from pages.ui.format import cost_line, escape_markdown, format_ms, format_usd

UNRANKED_ROWS = 10


def show_receipt(answer: Answer) -> None:
    """Everything that determined the order, its times and its cost; hidden behind a toggle."""
    if not st.toggle("Receipt", key="receipt", help="How the ranking was made, how long it took and what it cost"):
        return
    with st.container(border=True):
        st.dataframe(place_rows(answer), hide_index=True, width="stretch")
        for name, value in cost_lines(answer).items():
            st.markdown(f"**{name}** · {escape_markdown(value)}")


def place_rows(answer: Answer) -> list[dict[str, object]]:
    """A row per candidate, in the final order."""
    rows = []
    count = len(answer.ranking.candidates) if answer.ranking else UNRANKED_ROWS
    for final_rank, hit in enumerate(answer.hits[:count], 1):
        candidate = answer.candidate(hit.asset.id)
        rows.append(
            {
                "Final": final_rank,
                "By similarity": hit.rank,
                "Title": hit.asset.title,
                "Similarity": round(hit.similarity, 4),
                "Found by": found_by(hit.found),
                "Score": candidate.score if candidate else None,
                "Reason": candidate.reason if candidate else "",
            }
        )
    return rows


def found_by(found: Found | None) -> str:
    """`pixels 2.1 sd above the mean · words 0.93 of the best: gnu (title, keyword)`."""
    if found is None:
        return ""
    parts = [] if found.pixels is None else [f"pixels {found.pixels:+.1f} sd"]
    words = found_words(found)
    if found.words:
        parts.append(f"words {found.words:.2f} of the best: {words}")
    elif words:
        parts.append(words)
    return " · ".join(parts)


def found_words(found: Found) -> str:
    """`gnu (title, keyword), young (title)`."""
    fields: dict[str, list[str]] = {}
    for text in found.texts:
        for word in text.words:
            fields.setdefault(word.lower(), []).append(text.field)
    return ", ".join(f"{word} ({', '.join(dict.fromkeys(places))})" for word, places in fields.items())


def cost_lines(answer: Answer) -> dict[str, str]:
    """Times, tokens and cost of the search, by name."""
    stages = " · ".join(f"{name} {format_ms(ms)}" for name, ms in answer.stage_ms.items())
    cost = answer.cost
    lines = {
        "Time": stages,
        "Cost": cost_line(cost.total_usd, cost.clip_usd, cost.compute_usd, cost.gemini_usd),
    }
    ranking = answer.ranking
    if ranking is not None:
        usage = ranking.usage
        lines["Tokens"] = (
            f"{usage.prompt:,} prompt (of them {usage.cached:,} cached), {usage.output:,} output, "
            f"{usage.thoughts:,} thoughts"
        )
        lines["Ranking"] = _ranking_line(ranking)
    return lines | {"Request": answer.id}


def _ranking_line(ranking: Ranking) -> str:
    parts = [
        ranking.outcome,
        ranking.model_version or ranking.model,
        f"prompt {ranking.prompt_version}",
        ranking.send,
        f"{counted(ranking.requests, 'request')}",
    ]
    if ranking.failure is not None:
        detail = f" ({ranking.failure.detail})" if ranking.failure.detail else ""
        parts.append(f"{reason_words(ranking.failure.cause)}{detail}")
    if not ranking.price_known:
        parts.append("price not known: charged at the ceiling, CONTACTSHEET_UNKNOWN_PRICE")
    if ranking.unknown_usd:
        parts.append(f"up to {format_usd(ranking.unknown_usd)} more for requests whose usage is not known")
    return " · ".join(parts)
