"""The bare page that `make bench NAME=slider` compares with: a slider that recolours a map of 1,000 points."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

POINTS = 1_000


@st.fragment
def page() -> None:
    threshold = st.slider("Threshold", 0.0, 1.0, 0.82, step=0.005, format="%.3f", key="threshold")
    x, y = np.random.default_rng(0).standard_normal((2, POINTS)).astype(np.float32)
    colour = np.floor((x + y) * 1000 * threshold) % 12
    marks = go.Scattergl(x=x, y=y, mode="markers", marker={"color": colour, "size": 4})
    st.plotly_chart(go.Figure(marks), key="map")


page()
