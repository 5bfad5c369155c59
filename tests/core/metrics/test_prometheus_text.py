from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.exposition import (
    HistogramData,
    counter,
    gauge,
    histogram,
    info,
    prefers_openmetrics,
    render,
)

SOME = [
    counter("a_usd", 'Say "what"\\\n', [((("b", 'x"\\\ny'),), 2)], "usd"),
    gauge("c_seconds", "C.", [((), 0.5)], "seconds"),
    histogram("d_seconds", "D.", (0.5, 1.0), [HistogramData((("k", "v"),), (1, 2), 3, 4.5)], "seconds"),
    info("e", "E.", (("version", "1"),)),
]


def test_the_classic_text() -> None:
    assert render(SOME).decode() == (
        '# HELP a_usd_total Say "what"\\\\\\n\n# TYPE a_usd_total counter\na_usd_total{b="x\\"\\\\\\ny"} 2.0\n'
        "# HELP c_seconds C.\n# TYPE c_seconds gauge\nc_seconds 0.5\n"
        "# HELP d_seconds D.\n# TYPE d_seconds histogram\n"
        'd_seconds_bucket{k="v",le="0.5"} 1.0\nd_seconds_bucket{k="v",le="1.0"} 2.0\n'
        'd_seconds_bucket{k="v",le="+Inf"} 3.0\nd_seconds_count{k="v"} 3.0\nd_seconds_sum{k="v"} 4.5\n'
        '# HELP e_info E.\n# TYPE e_info gauge\ne_info{version="1"} 1.0\n'
    )


def test_openmetrics_has_units_an_end_and_names_families_without_their_suffix() -> None:
    text = render(SOME, openmetrics=True).decode()
    assert text.startswith(
        '# HELP a_usd Say \\"what\\"\\\\\\n\n# TYPE a_usd counter\n# UNIT a_usd usd\n'
        'a_usd_total{b="x\\"\\\\\\ny"} 2.0\n'
    )
    assert '# HELP e E.\n# TYPE e info\ne_info{version="1"} 1.0\n' in text
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_label_stays_on_its_line_and_can_be_read_back(text: str) -> None:
    line = render([gauge("a", "", [((("b", text),), 1)])]).decode().split("# TYPE a gauge\n")[1]
    assert line.count("\n") == 1
    (inner,) = re.fullmatch(r'a\{b="((?:[^"\\]|\\.)*)"\} 1\.0\n', line, re.DOTALL).groups()  # type: ignore[union-attr]
    assert re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), inner) == text


@given(st.floats() | st.integers(-(2**70), 2**70))
def test_any_number_can_be_read_back(value: float) -> None:
    text = render([gauge("a", "", [((), value)])]).decode().split()[-1]
    back = int(text) if isinstance(value, int) and abs(value) >= 2**53 else float(text)
    assert back == value or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ("application/openmetrics-text; version=0.0.1", False),
        ("application/openmetrics-text;version=1.0.0;q=0", False),
        ("application/openmetrics-text;version=1.0.0;q=much", False),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.4", False),
        ("application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", False),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
    ],
)
def test_openmetrics_is_for_those_who_ask_for_it(accept: str, openmetrics: bool) -> None:
    assert prefers_openmetrics(accept) is openmetrics
