"""Alert rules: loading and validation. Source: data/alerts.toml."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import SettingError
from core.records.alerts import ALERT_MEASURES, AlertRule
from core.records.events import EVENT_KINDS
from core.settings import PROJECT

ALERTS_FILE = PROJECT / "data" / "alerts.toml"
SEVERITIES = ("warning", "critical")
MAX_SECONDS = 86_400
# What a rule over requests without `least` gets, as files of earlier releases may have them: with fewer requests, the
# slowest or the failed one alone decides a 95th percentile or a share of 5 %.
DEFAULT_LEAST = 20


def load_rules(path: Path = ALERTS_FILE) -> tuple[AlertRule, ...]:
    """Read a file of alerts. Raises SettingError with the value that is wrong and what is allowed.

    A rule over requests without `least` gets a minimum of DEFAULT_LEAST requests.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["alert"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise SettingError(f"{path} cannot be read as a file of alerts ({error!r}): restore it") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingError(f"{path} holds {rows!r} where [[alert]] tables belong: restore it")
    try:
        rules = tuple(_rule(row) for row in rows)
    except ValueError as error:
        raise SettingError(f"{path}: {error}") from error
    names = [rule.name for rule in rules]
    if duplicate := next((name for name in names if names.count(name) > 1), None):
        raise SettingError(f"{path}: two alerts are named {duplicate}: rename one")
    return rules


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_seconds(value: object) -> bool:
    return _is_number(value) and value <= MAX_SECONDS  # type: ignore[operator]


def _is_count(value: object) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= 1


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and value.isprintable() and "{{" not in value


def _matches(pattern: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _are_kinds(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(kind in tuple(EVENT_KINDS) for kind in value)


@dataclass(frozen=True)
class _Field:
    allowed: str
    is_valid: Callable[[object], bool]
    required: bool = True


_SECONDS = f"seconds, 0 to {MAX_SECONDS}"
_FIELDS: Mapping[str, _Field] = {
    "name": _Field("a name like 'SlowSearches'", _matches("[A-Z][A-Za-z0-9]{0,63}")),
    "title": _Field("one line of text", _is_line),
    "measure": _Field("one of " + ", ".join(ALERT_MEASURES), lambda value: value in tuple(ALERT_MEASURES)),
    "threshold": _Field("a number from 0 on", _is_number),
    "clear": _Field("a number from 0 on", _is_number),
    "for_s": _Field(_SECONDS, _is_seconds),
    "severity": _Field("one of " + ", ".join(SEVERITIES), lambda value: value in SEVERITIES),
    "advice": _Field("one line of text", _is_line),
    "kinds": _Field("a list of some of " + ", ".join(EVENT_KINDS), _are_kinds, required=False),
    "window_s": _Field(_SECONDS, _is_seconds, required=False),
    "least": _Field("a whole number from 1 on", _is_count, required=False),
}
# Fields of the file that have another name in an AlertRule.
_ATTRIBUTES = {"least": "min_requests"}


def _rule(row: Mapping[str, Any]) -> AlertRule:
    who = f"alert {row.get('name', '')!r}"
    for name in row:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            raise ValueError(f"{who} has {name!r}: did you mean {(near or list(_FIELDS))[0]!r}?")
    for name, field in _FIELDS.items():
        if name not in row and field.required:
            raise ValueError(f"{who} has no {name}: it must be {field.allowed}")
        if name in row and not field.is_valid(row[name]):
            raise ValueError(f"{who} has {name} = {row[name]!r}, but it must be {field.allowed}")
    values: dict[str, Any] = {_ATTRIBUTES.get(name, name): value for name, value in row.items()}
    if ALERT_MEASURES[row["measure"]].over_requests:
        values.setdefault(_ATTRIBUTES["least"], DEFAULT_LEAST)
    rule = AlertRule(**{**values, "kinds": tuple(row.get("kinds", ()))})
    _check_combination(who, rule)
    return rule


def _check_combination(who: str, rule: AlertRule) -> None:
    """Check values that depend on each other. Raises ValueError."""
    measure = ALERT_MEASURES[rule.measure]
    if rule.clear > rule.threshold:
        raise ValueError(f"{who} clears at {rule.clear}, above its threshold {rule.threshold}: it would never rest")
    if measure.unit == "share" and rule.threshold >= 1:
        raise ValueError(f"{who} has threshold = {rule.threshold}, but a share is below 1: 80 % is 0.8")
    if measure.windowed != (rule.window_s > 0):
        expected = "needs a window_s above 0" if measure.windowed else "looks at the moment: remove window_s"
        raise ValueError(f"{who} has window_s = {rule.window_s}, but {rule.measure} {expected}")
    if not measure.over_requests and (rule.kinds or rule.min_requests):
        raise ValueError(f"{who} has kinds or least, but {rule.measure} counts no requests: remove them")
    if measure.over_requests and not rule.kinds:
        raise ValueError(f"{who} has no kinds, but {rule.measure} needs them: for example ['search']")
