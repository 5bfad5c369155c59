from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import SettingError
from core.metrics.alert_rules import load_rules
from core.metrics.prometheus_rules import RULES_FILE, promql_expression, rules_file
from core.records.alerts import ALERT_MEASURES, AlertRule

RULES = {rule.name: rule for rule in load_rules()}
ROW = """
[[alert]]
name = "SlowSearches"
title = "Searches are slow"
measure = "total_p95_s"
kinds = ["search"]
threshold = 2
clear = 1.5
for_s = 60
window_s = 300
least = 10
severity = "warning"
advice = "Look."
"""
BUDGET = """
[[alert]]
name = "Budget"
title = "Budget"
measure = "budget_share"
threshold = 0.8
clear = 0.7
for_s = 0
severity = "warning"
advice = "Look."
"""


def test_the_predecessors_rules_are_there_with_budget_and_jobs() -> None:
    assert {name: rule.threshold for name, rule in RULES.items()} == {
        "SlowSearches": 2.0,
        "ManyErrors": 0.05,
        "QuotaNearlyUsed": 0.8,
        "BudgetNearlySpent": 0.8,
        "JobsFailed": 0,
    }
    assert {rule.measure for rule in RULES.values()} == set(ALERT_MEASURES)


def test_a_row_is_read_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text(ROW)
    assert load_rules(tmp_path / "alerts.toml") == (
        AlertRule(
            "SlowSearches", "Searches are slow", "total_p95_s", 2, 1.5, 60, "warning", "Look.", ("search",), 300, 10
        ),
    )


def test_a_rule_over_requests_without_a_minimum_gets_one_and_others_have_none(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text(ROW.replace("least = 10\n", "") + BUDGET)
    slow, budget = load_rules(tmp_path / "alerts.toml")
    assert (slow.min_requests, budget.min_requests) == (20, 0)
    assert promql_expression(slow).count(">= 20") == 2


def test_the_committed_rules_over_requests_need_enough_of_them() -> None:
    needed = {rule.name: rule.min_requests for rule in RULES.values() if ALERT_MEASURES[rule.measure].over_requests}
    assert needed == {"SlowSearches": 20, "ManyErrors": 20}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"cannot be read as a file of alerts .*restore it"),
        ("[[alert", "cannot be read as a file of alerts"),
        ("alert = 3", "holds 3 where"),
        ("alert = [3]", r"holds \[3\] where"),
        (ROW + ROW, "two alerts are named SlowSearches: rename one"),
        (ROW.replace("threshold", "treshold"), "has 'treshold': did you mean 'threshold'"),
        (ROW.replace("clear = 1.5\n", ""), "'SlowSearches' has no clear: it must be a number from 0 on"),
        (ROW.replace("threshold = 2", "threshold = '2'"), "threshold = '2', but it must be a number"),
        (ROW.replace("threshold = 2", "threshold = true"), "threshold = True, but it must be a number"),
        (ROW.replace("threshold = 2", "threshold = nan"), "threshold = nan, but it must be a number"),
        (ROW.replace("threshold = 2", "threshold = -2"), "threshold = -2, but it must be a number"),
        (ROW.replace("for_s = 60", "for_s = 1e9"), "for_s = 1000000000.0, but it must be seconds, 0 to 86400"),
        (ROW.replace("least = 10", "least = 1.5"), "least = 1.5, but it must be a whole number from 1 on"),
        (ROW.replace("least = 10", "least = 0"), "'SlowSearches' has least = 0, but it must be a whole number"),
        (ROW.replace("least = 10", "least = true"), "least = True, but it must be a whole number from 1 on"),
        (ROW.replace('"warning"', '"loud"'), "severity = 'loud', but it must be one of warning, critical"),
        (ROW.replace('"total_p95_s"', '"p95"'), "measure = 'p95', but it must be one of total_p95_s"),
        (ROW.replace('"total_p95_s"', "[]"), r"measure = \[\], but it must be one of"),
        (ROW.replace('["search"]', '["serach"]'), r"kinds = \['serach'\], but it must be a list of some of search"),
        (ROW.replace('["search"]', "[]"), r"kinds = \[\], but it must be a list"),
        (ROW.replace('name = "Slow', 'name = "slow '), "name = 'slow Searches', but it must be a name like"),
        (ROW.replace('"Look."', '"Look {{ here }}."'), "advice = .*but it must be one line"),
        (ROW.replace('"Look."', '"Look\\nhere"'), "advice = .*but it must be one line"),
        (ROW.replace("clear = 1.5", "clear = 2.5"), "clears at 2.5, above its threshold 2"),
        (ROW.replace("window_s = 300\n", ""), "window_s = 0.0, but total_p95_s needs a window_s above 0"),
        (ROW.replace('kinds = ["search"]\n', ""), "has no kinds, but total_p95_s needs them"),
        (BUDGET.replace("threshold = 0.8", "threshold = 80"), "threshold = 80, but a share is below 1: 80 % is 0.8"),
        (BUDGET + "window_s = 60\n", "window_s = 60, but budget_share looks at the moment"),
        (BUDGET + "least = 5\n", "has kinds or least, but budget_share counts no requests"),
    ],
)
def test_a_file_that_is_wrong_says_what_is_and_what_is_allowed(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "alerts.toml").write_text(text)
    with pytest.raises(SettingError, match=problem):
        load_rules(tmp_path / "alerts.toml")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="restore it"):
        load_rules(tmp_path / "none.toml")


def test_values_are_shown_with_their_unit() -> None:
    shown = [RULES[name].format(value) for name, value in (("SlowSearches", 2.345), ("ManyErrors", 0.0512))]
    assert [*shown, RULES["JobsFailed"].format(3)] == ["2.35 s", "5.1 %", "3"]


def test_the_rules_file_of_prometheus_is_made_from_the_alerts() -> None:
    made = rules_file(load_rules())
    assert RULES_FILE.read_text(encoding="utf-8") == made, "write rules_file(load_rules()) to it"


def test_the_rules_file_follows_the_rules_it_is_made_from() -> None:
    hasty = replace(RULES["SlowSearches"], window_s=10, for_s=1.5, threshold=0.25)
    made = rules_file([hasty], interval_s=1)
    assert "interval: 1s\n" in made
    assert "for: 1500ms\n" in made
    assert "[10s]" in made
    assert "> 0.25\n" in made
    assert "300" not in made


def test_traffic_counts_only_where_a_rule_asks_for_some() -> None:
    assert promql_expression(RULES["SlowSearches"]).count(">= 20") == 2
    assert ">=" not in promql_expression(replace(RULES["SlowSearches"], min_requests=0))
