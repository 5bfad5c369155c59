from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client import parser as classic_parser
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.registry import Collector

from core.errors import CollectionError, SettingError, StoreError
from core.metrics.alert_readings import LimitUsage
from core.metrics.alert_rules import load_rules
from core.metrics.metrics_server import MetricsServer
from core.metrics.prometheus import BOUNDS_S, MAX_COLLECTIONS, OTHER_COLLECTIONS, MetricsCollector, MetricSources
from core.metrics.prometheus_rules import promql_expression
from core.records.alerts import Alert, AlertState
from core.records.events import EVENT_KINDS, EventWindow
from core.records.latency_sketch import LatencySketch
from core.settings import PROJECT

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
RULE = load_rules()[0]
SEARCHES = EventWindow(
    BEGIN,
    BEGIN,
    3,
    1,
    1,
    {"timeout": 1, "QueryError": 1},
    {("search", "ok"): 1, ("search", "fallback"): 1, ("search", "error"): 1},
    {
        "encode": LatencySketch.from_values([20.0, 30.0]),
        "total": LatencySketch.from_values([40.0, 3000.0]),
        "rank": LatencySketch(),
    },
    {"prompt": 900, "cached": 400, "output": 50, "thought": 7},
    {"clip": 0.25, "compute": 0.5, "gemini": 1.0},
    1,
    0,
)
INGESTS = EventWindow(BEGIN, BEGIN, 1, outcomes_by_kind={("ingest", "ok"): 1}, images=16)
TOTALS = {("search", "demo"): SEARCHES, ("search", 'odd "name"\\\n'): SEARCHES, ("ingest", "demo"): INGESTS}


def sources(totals: Mapping[tuple[str, str], EventWindow] = TOTALS) -> dict[str, object]:
    return {
        "totals": lambda: totals,
        "assets": lambda: {"demo": 519, "caf\u00e9 \udcff": 2},
        "jobs": lambda: {"done": 3, "crashed": 1},
        "budget": lambda: {"day": LimitUsage(0.5, 2), "month": LimitUsage(4, 30)},
        "quota": lambda: {"day": LimitUsage(10, 100)},
        "alerts": lambda: [Alert(RULE, AlertState("firing", BEGIN, BEGIN, BEGIN, 3.0))],
        "memory_bytes": lambda: 123_456_789,
        "images": lambda: {"served": 7, "not_found": 1, "failed": 0},
    }


def collector(**changed: object) -> MetricsCollector:
    """Its clock says 90 s after the beginning whenever it is asked again."""
    times = chain([BEGIN], repeat(BEGIN + timedelta(seconds=90)))
    return MetricsCollector(MetricSources(**{**sources(), **changed}), "1.0", lambda: next(times))  # type: ignore[arg-type]


def classic(**changed: object) -> str:
    return generate_latest(collector(**changed).registry()).decode()


def values(**changed: object) -> dict[str, float]:
    """Every sample of the classic text by its name and labels."""
    lines = classic(**changed).splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


# -- what is said -----------------------------------------------------------------------------------------------


def test_both_formats_have_the_same_samples() -> None:
    def samples(text: bytes) -> list[str]:
        return [line for line in text.decode().splitlines() if not line.startswith("#")]

    registry = collector().registry()
    assert samples(generate_latest(registry)) == samples(openmetrics.generate_latest(registry))


def test_requests_are_counted_by_kind_collection_and_outcome() -> None:
    found = values()
    assert found['contactsheet_requests_total{collection="demo",kind="search",outcome="error"}'] == 1
    assert found['contactsheet_requests_total{collection="demo",kind="ingest",outcome="error"}'] == 0
    assert found['contactsheet_failures_total{kind="search",reason="timeout"}'] == 2
    assert found['contactsheet_cache_hits_total{kind="search"}'] == 2
    assert found["contactsheet_images_total"] == 16
    assert 'contactsheet_requests_total{collection="odd \\"name\\"\\\\\\n",kind="search",outcome="ok"}' in found


def test_stages_are_cumulative_over_all_collections_in_seconds() -> None:
    found, kind, stage = values(), 'kind="search"', 'stage="total"'
    buckets = [
        found[f'contactsheet_stage_duration_seconds_bucket{{{kind},le="{b}",{stage}}}'] for b in (*BOUNDS_S, "+Inf")
    ]
    assert buckets == sorted(buckets)
    assert dict(zip(BOUNDS_S, buckets, strict=False)) | {0.05: 2, 2.0: 2, 5.0: 4} == dict(
        zip(BOUNDS_S, buckets, strict=False)
    )
    assert buckets[-1] == found[f"contactsheet_stage_duration_seconds_count{{{kind},{stage}}}"] == 4
    assert found[f"contactsheet_stage_duration_seconds_sum{{{kind},{stage}}}"] == pytest.approx(6.08, rel=0.01)


def test_every_kind_has_its_total_from_the_start_and_no_empty_stages() -> None:
    found = values(totals=dict)
    counts = [name for name in found if name.startswith("contactsheet_stage_duration_seconds_count")]
    assert counts == [
        f'contactsheet_stage_duration_seconds_count{{kind="{k}",stage="total"}}' for k in sorted(EVENT_KINDS)
    ]
    assert not any('stage="rank"' in name for name in values())


def test_tokens_are_counted_once_each_and_usd_by_service() -> None:
    found = values()
    tokens = {name: value for name, value in found.items() if name.startswith("gen_ai_client_token_usage_total")}
    assert sorted(tokens.values()) == [14, 100, 800, 1000]
    assert sum(n for name, n in tokens.items() if 'gen_ai_token_type="input"' in name) == 2 * 900
    assert found['contactsheet_cost_usd_total{service="gemini"}'] == 2


def test_gauges_tell_of_the_moment() -> None:
    found = values()
    assert found['contactsheet_assets{collection="demo"}'] == 519
    assert found['contactsheet_assets{collection="café \\\\udcff"}'] == 2
    assert (found['contactsheet_jobs{state="crashed"}'], found['contactsheet_jobs{state="failed"}']) == (1, 0)
    assert found['contactsheet_budget_used_usd{period="month"}'] == 4
    assert found['contactsheet_quota_limit_requests{period="day"}'] == 100
    assert found['contactsheet_alert_firing{alert="SlowSearches",severity="warning"}'] == 1
    assert found["contactsheet_uptime_seconds"] == 90
    assert found["process_resident_memory_bytes"] == 123_456_789
    assert found['contactsheet_image_requests_total{outcome="served"}'] == 7
    assert found['contactsheet_image_requests_total{outcome="failed"}'] == 0
    assert any(re.fullmatch(r'contactsheet_build_info{python="3\.[\d.]+",version="1\.0"}', name) for name in found)


def test_memory_that_is_not_known_is_not_told() -> None:
    assert "process_resident_memory_bytes" not in values(memory_bytes=lambda: None)


def test_a_source_that_fails_leaves_the_others_alone() -> None:
    def fails() -> Mapping[str, int]:
        raise CollectionError("the collection demo is gone: add it again")

    found = values(assets=fails)
    assert not any(name.startswith("contactsheet_assets") for name in found)
    assert found['contactsheet_source_up{source="assets"}'] == 0
    assert found['contactsheet_source_up{source="events"}'] == 1
    assert found['contactsheet_jobs{state="done"}'] == 3


def test_collections_beyond_the_first_hundred_share_a_label_that_only_grows() -> None:
    one = collector(assets=dict)
    names = {f"c{number:03}": number for number in range(MAX_COLLECTIONS + 20)}
    totals = {("search", name): SEARCHES for name in names}
    for count in (MAX_COLLECTIONS - 1, MAX_COLLECTIONS + 20):
        some = dict(list(totals.items())[-count:])
        object.__setattr__(one, "_sources", MetricSources(**{**sources(some), "assets": dict}))  # type: ignore[arg-type]
        (requests,) = (f for f in one.collect() if f.name == "contactsheet_requests")
        labels = {dict(sample.labels)["collection"] for sample in requests.samples}
    assert len(labels) == MAX_COLLECTIONS + 1
    assert {OTHER_COLLECTIONS, "c119", "c021", "c000"} <= labels  # those of the first scrape keep their names
    assert "c001" not in labels
    assert sum(sample.value for sample in requests.samples) == 3 * len(totals)


@given(st.lists(st.floats(0, 20_000), max_size=40), st.lists(st.floats(0, 20_000), max_size=40))
def test_a_histogram_never_falls_while_events_come(first: list[float], more: list[float]) -> None:
    def buckets(some: list[float]) -> list[float]:
        totals = {("search", "demo"): EventWindow(BEGIN, BEGIN, stages={"total": LatencySketch.from_values(some)})}
        found = values(totals=lambda: totals).items()
        return [
            v for name, v in found if name.startswith("contactsheet_stage_duration_seconds_b") and '"search"' in name
        ]

    before, after = buckets(first), buckets([*first, *more])
    assert all(a <= b for a, b in zip(before, after, strict=True))
    assert after == sorted(after)
    assert after[-1] == len(first) + len(more)


# -- the server -------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with MetricsServer(collector().registry(), 0) as server:
        yield server


def get(server: MetricsServer, path: str = "/metrics", accept: str = "") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(server.address, timeout=30)
    connection.request("GET", path, headers={"Accept": accept} if accept else {})
    with connection.getresponse() as response:
        found = response.status, response.headers["Content-Type"], response.read()
    connection.close()
    return found


def test_it_listens_on_loopback_alone(server: MetricsServer) -> None:
    assert server.address.startswith("127.0.0.1:")


def test_it_answers_in_classic_text_and_in_openmetrics_for_those_who_ask(server: MetricsServer) -> None:
    assert get(server) == (200, "text/plain; version=0.0.4; charset=utf-8", classic().encode())
    status, kind, text = get(server, accept="application/openmetrics-text; version=1.0.0")
    assert (status, kind.partition("; charset")[0]) == (200, "application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"\n# EOF\n")


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=x", "text/plain; version=x", ";;,=", "*/*"])
def test_a_strange_accept_header_gets_the_classic_text(server: MetricsServer, accept: str) -> None:
    assert get(server, accept=accept) == get(server)


def test_names_that_look_the_same_when_escaped_are_one_series() -> None:
    found = values(assets=lambda: {"a \udc80": 1, "a \\udc80": 2}, totals=dict)
    assert found['contactsheet_assets{collection="a \\\\udc80"}'] == 3


def test_any_name_of_a_collection_can_be_read_back() -> None:
    names = ['odd "name"\\\n', "caf\u00e9 \udcff", '\U0001f426 {a="b"} # EOF']
    registry = collector(assets=lambda: dict.fromkeys(names, 1), totals=dict).registry()
    for parsed in (
        classic_parser.text_string_to_metric_families(generate_latest(registry).decode()),
        openmetrics_parser.text_string_to_metric_families(openmetrics.generate_latest(registry).decode()),
    ):
        (assets,) = (family for family in parsed if family.name == "contactsheet_assets")
        assert {s.labels["collection"] for s in assets.samples} == {names[0], "caf\u00e9 \\udcff", names[2]}


def test_other_paths_say_where_the_metrics_are(server: MetricsServer) -> None:
    assert get(server, "/")[0::2] == (404, b"metrics are at /metrics\n")
    assert get(server, "/metrics?format=x")[0] == 200


def test_a_scrape_that_fails_says_so_without_details_and_others_go_on() -> None:
    answers = iter([StoreError("/secret/path is full: make room"), KeyError("no such thing"), None])

    class Failing(Collector):
        def collect(self) -> list[Metric]:
            problem = next(answers)
            if problem is not None:
                raise problem
            return collector().collect()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Failing())
    with MetricsServer(registry, 0) as server:
        assert get(server) == (
            500,
            "text/plain; charset=utf-8",
            b"the metrics could not be read: see the log\n",
        )
        with pytest.raises(http.client.RemoteDisconnected, match="without response"):
            get(server)
        assert get(server)[0] == 200


def test_a_port_that_is_taken_is_refused_with_its_number() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SettingError, match=f"CONTACTSHEET_METRICS_PORT is {port}, but .*choose another port"):
            MetricsServer(collector().registry(), port)


# -- what others read -------------------------------------------------------------------------------------------


def names_served() -> set[str]:
    text = classic()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:contactsheet|gen_ai_client|process)_\w+", expression))


def test_the_dashboard_asks_for_what_is_served() -> None:
    board = json.loads((PROJECT / "data" / "grafana" / "contact-sheet.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    expressions_by_panel = {
        panel["title"]: [target["expr"] for target in panel["targets"]] for panel in board["panels"]
    }
    assert all(names_in(expression) for expressions in expressions_by_panel.values() for expression in expressions)
    names = {
        name
        for expressions in expressions_by_panel.values()
        for expression in expressions
        for name in names_in(expression)
    }
    names |= {name for v in board["templating"]["list"] for name in names_in(json.dumps(v["query"]))}
    assert names <= names_served()


def test_the_rules_ask_for_what_is_served() -> None:
    for rule in load_rules():
        names = names_in(promql_expression(rule))
        assert names
        assert names <= names_served()
