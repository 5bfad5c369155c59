"""The receipt of a search: how its order came about, what it took and what it cost."""

from __future__ import annotations

import streamlit as st

from core.search.answer import Answer, Ranking
from pages.ui.format import milliseconds, plain, usd


def show_receipt(answer: Answer) -> None:
    """Everything that decided about the order, and what it took; closed until someone asks."""
    if not st.toggle("Receipt", key="receipt", help="How this order came about, what it took and what it cost"):
        return
    with st.container(border=True):
        st.dataframe(places(answer), hide_index=True, width="stretch")
        for name, value in costs(answer).items():
            st.markdown(f"**{name}** · {plain(value)}")


def places(answer: Answer) -> list[dict[str, object]]:
    """A row per candidate in its final place."""
    rows = []
    for final_rank, hit in enumerate(answer.hits[: len(answer.ranking.places) if answer.ranking else 10], 1):
        place = answer.place(hit.asset.id)
        rows.append(
            {
                "Final": final_rank,
                "By similarity": hit.rank,
                "Title": hit.asset.title,
                "Similarity": round(hit.similarity, 4),
                "Score": place.score if place else None,
                "Reason": place.reason if place else "",
            }
        )
    return rows


def costs(answer: Answer) -> dict[str, str]:
    """Times, tokens and money of one request, as people read them."""
    stages = " · ".join(f"{name} {milliseconds(ms)}" for name, ms in answer.stage_ms.items())
    cost = answer.cost
    rows = {
        "Time": stages,
        "Cost": f"{usd(cost.total_usd)} (CLIP {usd(cost.clip_usd)}, compute "
        f"{usd(cost.compute_usd)}, Gemini {usd(cost.gemini_usd)})",
    }
    ranking = answer.ranking
    if ranking is not None:
        usage = ranking.usage
        rows["Tokens"] = (
            f"{usage.prompt:,} prompt (of them {usage.cached:,} cached), {usage.output:,} output, "
            f"{usage.thoughts:,} thoughts"
        )
        rows["Ranking"] = _ranking_row(ranking)
    return rows | {"Request": answer.id}


def _ranking_row(ranking: Ranking) -> str:
    parts = [
        ranking.outcome,
        ranking.model_version or ranking.model,
        f"prompt {ranking.prompt_version}",
        ranking.send,
        f"{ranking.requests} request{'' if ranking.requests == 1 else 's'}",
    ]
    if ranking.refusal is not None:
        parts.append(f"{ranking.refusal.cause} {ranking.refusal.detail}".strip())
    if not ranking.price_known:
        parts.append("price not known: the dearest known one was taken")
    if ranking.unknown_usd:
        parts.append(f"up to {usd(ranking.unknown_usd)} more for requests without a reply")
    return " · ".join(parts)
