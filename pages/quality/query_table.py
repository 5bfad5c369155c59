"""A table of queries, one of which can be opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

HEIGHT_PX = 320


def query_table(
    rows: Sequence[Mapping[str, object]],
    labels: Sequence[str],
    key: str,
    choice_key: str,
    columns: Mapping[str, Any],
) -> int | None:
    """Show a row per query and a selectbox of their labels; return the index of the open query, None if none is.

    A selected row chooses its label in the selectbox, whose key `choice_key` is also its name in the URL. `columns` is
    the configuration of the columns by name.
    """

    def open_selected_row() -> None:
        selected = st.session_state[key]["selection"]["rows"]
        if selected and selected[0] < len(labels):
            st.session_state[choice_key] = labels[selected[0]]

    st.dataframe(
        rows,
        hide_index=True,
        height=HEIGHT_PX,
        key=key,
        selection_mode="single-row",
        on_select=open_selected_row,
        column_config=dict(columns),
    )
    opened = st.selectbox(
        "Open a query",
        labels,
        index=None,
        key=choice_key,
        bind="query-params",
        placeholder="Choose one here, or tick a row above",
    )
    return labels.index(opened) if opened else None
