"""The alert rules as a file for Prometheus, with the same thresholds, windows, durations and hysteresis."""

from __future__ import annotations

import json
from collections.abc import Iterable

from core.records.alerts import AlertRule
from core.settings import PROJECT

RULES_FILE = PROJECT / "data" / "prometheus" / "alerts.rules.yml"

_HEAD = """\
# Made from data/alerts.toml by core.metrics.prometheus_rules.rules_file; a test compares the two.
groups:
  - name: contactsheet
    interval: {interval_s:g}s
    rules:
"""


def rules_file(rules: Iterable[AlertRule], interval_s: float = 15) -> str:
    """The rules as YAML, evaluated every `interval_s` seconds."""
    return _HEAD.format(interval_s=interval_s) + "".join(map(_entry, rules))


def _entry(rule: AlertRule) -> str:
    expression = "\n".join(f"          {line}" for line in promql_expression(rule).splitlines())
    return (
        f"      - alert: {rule.name}\n"
        f"        expr: |-\n{expression}\n"
        f"        for: {_duration(rule.for_s)}\n"
        f"        labels:\n"
        f"          severity: {rule.severity}\n"
        f"        annotations:\n"
        f"          summary: {json.dumps(rule.title)}\n"
        f"          description: {json.dumps(rule.advice)}\n"
    )


def promql_expression(rule: AlertRule) -> str:
    """PromQL that is true above the threshold, and while the alert is firing until the value falls to `clear`.

    Prometheus exposes its alerts as the series ALERTS, so an expression can tell whether its alert is firing. With too
    few requests nothing changes, as on the pages.
    """
    value, firing = _value(rule), f'max(ALERTS{{alertname="{rule.name}", alertstate="firing"}})'
    enough = f"\n  and on() {_traffic(rule)} >= {rule.min_requests}" if rule.min_requests else ""
    return (
        f"(\n  {value} > {_amount(rule.threshold)}{enough}\n)\n"
        f"or on() (\n  {firing}\n  unless on() (\n  {value} <= {_amount(rule.clear)}{enough}\n  )\n)"
    )


def _value(rule: AlertRule) -> str:
    span, kinds = f"[{_duration(rule.window_s)}]", f'kind=~"{"|".join(rule.kinds)}"'
    failed = 'contactsheet_jobs{state=~"failed|crashed"}'
    values = {
        "total_p95_s": "histogram_quantile(0.95, sum by (le) "
        f'(rate(contactsheet_stage_duration_seconds_bucket{{{kinds}, stage="total"}}{span})))',
        "error_share": f'sum(rate(contactsheet_requests_total{{{kinds}, outcome="error"}}{span}))'
        f" / sum(rate(contactsheet_requests_total{{{kinds}}}{span}))",
        "failed_jobs": f"sum({failed} - min_over_time({failed}{span}))",
        "quota_share": "max(contactsheet_quota_used_requests / (contactsheet_quota_limit_requests > 0))",
        "budget_share": "max(contactsheet_budget_used_usd / (contactsheet_budget_limit_usd > 0))",
    }
    return values[rule.measure]


def _traffic(rule: AlertRule) -> str:
    kinds, span = f'kind=~"{"|".join(rule.kinds)}"', f"[{_duration(rule.window_s)}]"
    if rule.measure == "total_p95_s":
        return f'sum(increase(contactsheet_stage_duration_seconds_count{{{kinds}, stage="total"}}{span}))'
    return f"sum(increase(contactsheet_requests_total{{{kinds}}}{span}))"


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{seconds:.0f}s"


def _amount(value: float) -> str:
    return f"{value:g}"
