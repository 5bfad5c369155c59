from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.proto.Metric_pb2 import Metric as MetricProto
from streamlit.testing.v1 import AppTest

from core import __version__
from core.access import OPERATOR, Person
from core.app import App
from core.errors import StoreError
from core.metrics.alert_rules import load_rules
from core.metrics.machine import Capacity, Machine
from core.quality.judging import Vote
from core.records.alerts import Alert, AlertState
from core.records.events import Event, EventWindow
from core.settings import Secret
from pages.metrics.alert_list import SILENCE_LENGTHS, alert_line, by_urgency
from pages.metrics.charts import LATENCY, cost_rows, latency_rows, traffic_rows
from pages.metrics.machine_section import figures
from pages.metrics.overview import reason_rows
from pages.metrics.request_list import request_title
from pages.ui import alert_badge, resources
from pages.ui import person as person_module
from pages.ui.alert_badge import badge_label
from pages.ui.person import SessionConnection
from tests.pages.conftest import visit

NOW = datetime.now(UTC)
RULES = load_rules()


@pytest.fixture
def measured(served: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The App that pages see, from the computer that serves them, with monitoring of its own."""
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    resources.monitoring.clear()
    yield served
    resources.monitoring.clear()


def log_search(app: App, total_ms: float = 100.0, usd: float = 0.001, ago_s: float = 10.0, **fields: Any) -> Event:
    """Append a search to the event log; `fields` are other fields of the event."""
    stage_ms = {"encode": total_ms / 2, "search": 1.0, "rank": total_ms / 4, "load": 2.0, "total": total_ms}
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    event = Event(uuid.uuid4().hex, "search", at, "demo", stage_ms=stage_ms, gemini_usd=usd)
    event = replace(event, **fields)
    app.events.append(event)
    return event


def metrics(section: str = "Overview", **params: str) -> AppTest:
    page = visit()
    page.switch_page("pages/metrics/page.py")
    for name, value in {"section": section, **params}.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def tiles(page: AppTest) -> dict[str, tuple[str, str]]:
    return {metric.label: (metric.value, metric.delta) for metric in page.metric}


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption)).replace("\\", "")


def test_without_any_event_the_page_shows_placeholders(measured: App) -> None:
    page = metrics()
    assert tiles(page)["Searches"][0] == "0"
    assert tiles(page)["p95"] == ("–", "target 1.5 s")
    assert [row["Verdict"] for row in page.dataframe[0].value.to_dict("records")] == ["–"] * 5
    assert "there was none" in words(page)


def test_key_figures_say_what_was_measured_and_whether_the_targets_are_met(measured: App) -> None:
    for total_ms in (100.0, 200.0, 3000.0):
        log_search(measured, total_ms)
    log_search(measured, 100.0, outcome="fallback", reason="timeout")
    page = metrics()
    found = tiles(page)
    assert found["Searches"][0] == "4"
    assert found["p95"][0] == "3.0 s"
    assert found["Errors"][0] == "0.0 %"
    assert found["Answered"][0] == "100.0 %"
    assert found["By similarity instead"][0] == "25.0 %"
    colours = {metric.label: metric.color for metric in page.metric}
    assert (colours["p95"], colours["Errors"]) == (MetricProto.RED, MetricProto.GREEN)


def test_every_stage_is_compared_with_the_baseline(measured: App) -> None:
    log_search(measured, 402.0)
    rows = {row["Stage"]: row for row in metrics().dataframe[0].value.to_dict("records")}
    assert rows["encode"] | {"Baseline": "150 ms", "Verdict": "✗ worse"} == rows["encode"]
    assert abs(int(rows["encode"]["p95"].removesuffix(" ms")) - 201) <= 3  # percentiles are right to 1 %
    assert rows["total"]["Verdict"] == "✓ better"


def test_cost_is_compared_with_the_budgets_the_limit_and_the_baseline(measured: App) -> None:
    log_search(measured, usd=0.002)
    measured.spend.reserve(0.5)
    measured.monitor._settings = replace(measured.settings, daily_requests=4)
    page = metrics()
    text = words(page)
    assert "A search costs **$0.002**" in text
    assert "10,000 searches a month cost :green[**$20.00**]; baseline: $31.00" in text
    bars = [bar.proto.text.replace("\\", "") for bar in page.get("progress")]
    assert bars == [
        "Today $0.50 of $2.00 for Gemini",
        "This month $0.50 of $30.00 for Gemini",
        "Today 1 of 4 requests to Gemini",
    ]


def test_a_time_and_a_collection_from_the_url_choose_what_is_measured(measured: App, pictures: object) -> None:
    measured.ingest(pictures, "birds")  # type: ignore[arg-type]
    log_search(measured, collection="birds", ago_s=30 * 60)
    log_search(measured, collection="demo")
    assert tiles(metrics())["Searches"][0] == "2"
    page = metrics(measured="birds")
    assert tiles(page)["Searches"][0] == "1"
    page.segmented_control(key="span").set_value("15 min").run()
    assert tiles(page)["Searches"][0] == "0"


def test_thumbs_add_up_to_a_satisfaction_with_its_interval(measured: App) -> None:
    assert "no result was judged" in words(metrics())
    hits = measured.search("red", top=2).hits
    for hit, up in zip(hits, (True, False), strict=True):
        vote = Vote(hit.asset.id, up, "similarity", hit.rank)
        measured.quality.judging.judge(OPERATOR, "demo", "red", vote)
    assert "Satisfaction: 50.0 % of 2 judged results were good (9.5 % to 90.5 %)" in words(metrics())


def test_a_deleted_collection_is_named_and_all_are_measured(measured: App) -> None:
    log_search(measured)
    page = metrics(measured="gone")
    assert "There is no collection gone" in page.warning[0].value
    assert tiles(page)["Searches"][0] == "1"


def test_the_slowest_and_the_most_expensive_come_first_with_their_receipts(measured: App) -> None:
    slow = log_search(measured, 3000.0, 0.001, detail={"query": "a red <b>sail</b>"})
    expensive = log_search(measured, 100.0, 0.5, detail={"query": "a blue one"})
    place = {"asset_id": "f" * 64, "vector_rank": 2, "final_rank": 1, "score": 0.9, "reason": "it is *red*"}
    ranked = log_search(measured, 200.0, detail={"ranking": {"notice": "too late", "places": [place]}})
    page = metrics("Requests")
    assert [e.label.split(" · ")[0] for e in page.expander] == ["3\\.0 s", "200 ms", "100 ms"]
    assert "a red \\<b\\>sail" in page.expander[0].label
    page.session_state[f"receipt_{ranked.uid}"] = True
    page.run()
    assert ranked.uid in words(page)
    assert "too late" in words(page)
    assert page.dataframe[0].value.to_dict("records")[0]["Reason"] == "it is *red*"
    page.segmented_control(key="order").set_value("Most expensive").run()
    assert "0\\.50" in page.expander[0].label
    assert {slow.uid, expensive.uid} <= {e.uid for e in measured.events.latest()}


def test_the_list_is_paused_while_a_receipt_is_open(measured: App) -> None:
    first = log_search(measured, 500.0)
    page = metrics("Requests")
    page.session_state[f"receipt_{first.uid}"] = True
    page.run()
    log_search(measured, 900.0)
    page.run()
    assert len(page.expander) == 1
    assert "Paused" in words(page)
    page.session_state[f"receipt_{first.uid}"] = False
    page.run()
    assert len(page.expander) == 2


def fire(app: App) -> None:
    """Spend nearly all of the day's budget."""
    app.spend.reserve(1.9)
    app.monitor.alerts.check(datetime.now(UTC) + timedelta(seconds=5))


def test_an_alert_that_fires_comes_first_with_its_value_and_advice(measured: App) -> None:
    page = metrics("Alerts")
    assert "No active alerts." in words(page)
    assert "No alert has fired yet" in words(page)
    fire(measured)
    page.run()
    assert "No active alerts." not in words(page)
    first = next(m.value for m in page.markdown if "badge" in m.value)
    assert ":red-badge" in first
    assert "The budget for Gemini is nearly spent: 95.0 % (threshold 80.0 %)" in first.replace("\\", "")
    assert "Raise CONTACTSHEET_DAILY_USD" in words(page)
    row = page.dataframe[0].value.to_dict("records")[0]
    assert (row["State"], row["Value"], row["Threshold"]) == ("firing", "95.0 %", "80.0 %")


@pytest.mark.parametrize("name", ["search", "clusters", "library"])
def test_an_alert_that_fires_shows_on_every_page_until_it_is_silenced(measured: App, name: str) -> None:
    page = visit()
    if name != "search":
        page.switch_page(f"pages/{name}/page.py").run()
    assert not page.get("page_link") or "Gemini" not in page.get("page_link")[0].proto.label
    fire(measured)
    page.run()
    assert "The budget for Gemini is nearly spent" in page.get("page_link")[0].proto.label
    measured.monitor.alerts.silence("BudgetNearlySpent", datetime.now(UTC) + timedelta(hours=1), OPERATOR)
    page.run()
    assert not any("Gemini" in link.proto.label for link in page.get("page_link"))


@pytest.mark.parametrize(("someone", "sees_it"), [(Person(), False), (OPERATOR, True)], ids=["viewer", "curator"])
@pytest.mark.parametrize("name", ["search", "metrics"])
def test_an_alert_is_shown_to_curators_alone(
    served: App, monkeypatch: pytest.MonkeyPatch, name: str, someone: Person, sees_it: bool
) -> None:
    monkeypatch.setattr(alert_badge, "person", lambda: someone)
    fire(served)
    page = visit()
    if name != "search":
        page.switch_page(f"pages/{name}/page.py").run()
    assert not page.exception
    badges = [link.proto.label for link in page.get("page_link") if "-badge" in link.proto.label]
    assert badges == ([":red-badge[The budget for Gemini is nearly spent]"] if sees_it else [])


def test_without_an_alert_a_curator_sees_no_badge(served: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_badge, "person", lambda: OPERATOR)
    page = visit()
    page.switch_page("pages/metrics/page.py").run()
    assert not page.get("page_link")


def test_a_curator_silences_an_alert_and_ends_the_silence(measured: App) -> None:
    fire(measured)
    page = metrics("Alerts")
    page.text_input(key="person_name").set_value("Ada")
    page.button(key="remember_me").click().run()
    page.selectbox(key="silence_name").set_value("BudgetNearlySpent")
    page.selectbox(key="silence_for").set_value("8 hours")
    page.text_input(key="silence_why").set_value("it is *known*")
    page.button[-1].click().run()
    silence = next(a.silence for a in measured.monitor.alerts.current(datetime.now(UTC)) if a.firing)
    assert silence is not None
    assert (silence.author, silence.reason) == ("Ada", "it is *known*")
    assert abs(silence.until - datetime.now(UTC) - SILENCE_LENGTHS["8 hours"]) < timedelta(minutes=1)
    assert "by Ada: it is *known*" in words(page)
    page.button(key="unsilence_BudgetNearlySpent").click().run()
    assert "by Ada" not in words(page)


def test_viewers_see_who_may_silence(measured: App) -> None:
    measured.access.curator_key = Secret("key")
    page = metrics("Alerts")
    assert "Only curators may silence alerts" in page.info[0].value
    assert [box.key for box in page.selectbox] == []


def test_a_refused_silence_is_reported(measured: App) -> None:
    page = metrics("Alerts")
    measured.access.curator_key = Secret("key")
    page.button[-1].click().run()
    assert "Only curators may silence alerts" in page.error[0].value.replace("\\", "")


def test_the_page_says_whether_metrics_are_served_and_where(measured: App) -> None:
    assert "CONTACTSHEET_METRICS_PORT" in words(metrics("Alerts"))
    resources.monitoring.clear()
    measured.monitor._settings = replace(measured.settings, metrics_host="no-such-host.invalid", metrics_port=1)
    page = metrics("Alerts")
    assert "cannot be listened on" in page.warning[0].value
    assert resources.monitoring().address == ""


def test_machine_and_collections_show_as_they_are(measured: App) -> None:
    page = metrics("Machine")
    assert set(tiles(page)) == {"Processor", "Memory", "This process", "Disk", "GPU memory"}
    row = page.dataframe[0].value.to_dict("records")[0]
    assert (row["Collection"], row["Pictures"], row["Fragments"], row["Search"]) == ("demo", 3, 1, "exact")
    assert "Background jobs" in words(page)
    assert f"Contact Sheet {__version__}" in words(page)


def test_unknown_machine_figures_are_dashes_not_zeros() -> None:
    shown = figures(Machine(2, None, None, None, None, None, None, Capacity(1, 2), Capacity(3 * 10**9, 4 * 10**9)))
    assert shown["Memory"] == ("–", "unknown")
    assert shown["Processor"] == ("…", "2 cores")
    assert shown["GPU memory"] == ("75 %", "3.0 GB of 4.0 GB")


def test_a_database_that_cannot_be_read_is_reported_in_place(measured: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StoreError("events.db could not be used: check the disk")

    monkeypatch.setattr(measured.events, "window", broken)
    page = metrics()
    assert "check the disk" in page.error[0].value.replace("\\", "")


def windows(count: int, requests: int = 0) -> list[EventWindow]:
    minute = timedelta(minutes=1)
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    return [
        EventWindow(begin + i * minute, begin + (i + 1) * minute, requests, errors=requests // 4) for i in range(count)
    ]


def test_a_chart_leaves_gaps_where_nothing_was_measured() -> None:
    rows = latency_rows(windows(3), "rank")
    assert [row["value"] for row in rows] == [None] * 9 + [800.0] * 2
    assert len({row["at"] for row in rows}) == 3
    assert "break" in LATENCY["mark"]["invalid"]


def test_searches_are_stacked_by_outcome() -> None:
    rows = [(row["what"], row["value"], row["base"], row["top"]) for row in traffic_rows(windows(1, 8))]
    assert rows == [("as asked", 6.0, 0.0, 6.0), ("by similarity instead", 0.0, 6.0, 6.0), ("failed", 2.0, 6.0, 8.0)]


def test_costs_are_stacked_by_service_within_their_window() -> None:
    rows = cost_rows([replace(windows(1)[0], usd={"clip": 0.25, "compute": 0.0, "gemini": 0.5})])
    assert [(row["what"], row["base"], row["top"]) for row in rows][::2] == [
        ("CLIP", 0.0, 0.25),
        ("Gemini", 0.25, 0.75),
    ]
    assert rows[0]["to"] - rows[0]["from"] == 0.8 * 60_000
    assert rows[0]["from"] < rows[0]["at"] < rows[0]["to"]


def test_reasons_are_shares_of_all_searches_the_most_frequent_first() -> None:
    assert [row["Reason"] for row in reason_rows({"timeout": 1, "QueryError": 3}, 8)] == [
        "Query error",
        "Gemini did not answer in time",
    ]
    assert reason_rows({"b": 2}, 8)[0]["Share"] == "25.0%"


def test_alerts_are_sorted_by_urgency() -> None:
    phases = ("inactive", "resolved", "firing", "pending")
    alerts = [Alert(rule, AlertState(phase)) for rule, phase in zip(RULES, phases, strict=False)]  # type: ignore[arg-type]
    assert [alert.state.phase for alert in by_urgency(alerts)] == ["firing", "pending", "resolved", "inactive"]
    assert "nothing measured yet" in alert_line(Alert(RULES[0]), NOW)
    assert "3\\:00 ago" in alert_line(Alert(RULES[0], AlertState("firing", NOW - timedelta(minutes=3), value=3.0)), NOW)


def test_a_badge_names_the_first_alert_and_counts_the_others() -> None:
    active = [Alert(replace(rule, title="Slow [x](y)"), AlertState("firing", NOW, value=math.pi)) for rule in RULES[:3]]
    assert badge_label(active[:1]) == ":red-badge[Slow \\[x\\]\\(y\\)]"
    assert badge_label(active).endswith(" and 2 more]")


def test_a_request_without_words_is_named_by_what_it_was() -> None:
    assert "a picture in demo" in request_title(Event("x", "search", NOW, "demo"))
    assert "a follow\\-up" in request_title(Event("x", "refine", NOW))
