"""What the Gemini mock server can be scripted to do with a request: answer, refuse, or break off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes.gemini_hostile import HOSTILE, IMPOSSIBLE_USAGES, UNREADABLE_USAGES
from tests.fakes.gemini_steps import AnswerStep, BlockedStep, ErrorStep, PageStep, ResetStep, Step, Wire, unchanged

QUOTA_IDS = {
    "minute": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
    "tokens": "GenerateContentInputTokensPerModelPerMinute-FreeTier",
    "day": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
}
BLOCK_REASONS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY")
BLOCKED_FINISHES = ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER")
MARKUP = '<script>alert("x")</script><img src=x onerror=alert(1)> **bold** [link](javascript:alert(1)) $x^2$ :red[x]'
ODD = "half a \ud800 pair, \0, \x1b[31m, \u202e and\nlines"
ALL_OF_IT = 1_000_000_000


def _detail(kind: str, **fields: Any) -> Wire:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def quota(*exceeded: str, retry_after: str | None = None) -> ErrorStep:
    """A 429 with one violation per key of QUOTA_IDS and, if given, a RetryInfo such as "37s"; or with no details."""
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    dimensions = {"location": "global", "model": "gemini"}
    violations = [
        {"quotaMetric": metric, "quotaId": QUOTA_IDS[key], "quotaDimensions": dimensions, "quotaValue": "15"}
        for key in exceeded
    ]
    details = [_detail("QuotaFailure", violations=violations)] if violations else []
    if violations:
        links = [{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs"}]
        details.append(_detail("Help", links=links))
    if retry_after is not None:
        details.append(_detail("RetryInfo", retryDelay=retry_after))
    return ErrorStep(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", tuple(details))


def bad_key() -> ErrorStep:
    info = _detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com", metadata={"service": "mock"})
    message = "API key not valid. Please pass a valid API key."
    return ErrorStep(
        400, "INVALID_ARGUMENT", message, (info, _detail("LocalizedMessage", locale="en", message=message))
    )


def retired(model: str = "gemini-1.0-pro") -> ErrorStep:
    return ErrorStep(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta.")


def invalid(message: str = "Request contains an invalid argument.") -> ErrorStep:
    return ErrorStep(400, "INVALID_ARGUMENT", message)


def rows(change: Callable[[list[Wire]], Any]) -> AnswerStep:
    """An answer whose "ranking" is `change(rows)`; an answer without a ranking stays as it is."""

    def rewrite(text: str) -> str:
        answer = json.loads(text)
        return json.dumps({**answer, "ranking": change(answer["ranking"])}) if "ranking" in answer else text

    return AnswerStep(rewrite)


def each(change: Callable[[Wire], Wire], afterwards: Callable[[str], str] = unchanged) -> AnswerStep:
    """An answer whose every row of the ranking is changed, and then the whole text."""
    changed = rows(lambda found: [change(row) for row in found]).rewrite
    return AnswerStep(lambda text: afterwards(changed(text)))


def query(value: Any) -> AnswerStep:
    """An answer whose "query" is `value`; an answer without one stays as it is."""

    def rewrite(text: str) -> str:
        return json.dumps({"query": value}) if "query" in json.loads(text) else text

    return AnswerStep(rewrite)


def _without(row: Wire, key: str) -> Wire:
    return {name: value for name, value in row.items() if name != key}


def _foreign(numbers: Iterable[int]) -> AnswerStep:
    return rows(lambda found: [{"n": n, "score": 1.0, "reason": "was never sent"} for n in numbers] + found)


_REFUSALS: Mapping[str, Step] = {
    "429": quota(),
    "429-minute": quota("minute", retry_after="37s"),
    "429-minute-short": quota("minute", retry_after="0.25s"),
    "429-minute-no-retry": quota("minute"),
    "429-tokens": quota("tokens", retry_after="12.5s"),
    "429-minute-endless": quota("minute", retry_after="999999s"),
    "429-day": quota("day", retry_after="41s"),
    "429-both": quota("minute", "day", retry_after="37s"),
    "429-retry-only": quota(retry_after="3s"),
    "400-key": bad_key(),
    "400-argument": invalid(),
    "400-precondition": ErrorStep(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
    "401": ErrorStep(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "403": ErrorStep(403, "PERMISSION_DENIED", "Your project has been denied access."),
    "404": retired(),
    "499": ErrorStep(499, "CANCELLED", "The operation was cancelled."),
    "500": ErrorStep(500, "INTERNAL", "An internal error has occurred."),
    "503": ErrorStep(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "504": ErrorStep(504, "DEADLINE_EXCEEDED", "The request timed out. Please try again."),
    "502-html": PageStep(502, body=b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "502-odd-json": PageStep(502, "application/json", b'{"error": "bad gateway"}'),
}
_BLOCKED: Mapping[str, Step] = {
    **{f"prompt-{reason}": BlockedStep(reason) for reason in BLOCK_REASONS},
    "prompt-unknown-name": BlockedStep("MADE_UP_REASON"),
    "prompt-unknown-number": BlockedStep(99),
    "no-candidates": BlockedStep(),
    **{f"finish-{reason}": AnswerStep(finish_reason=reason, parts=None) for reason in BLOCKED_FINISHES},
    **{f"finish-{reason}-empty": AnswerStep(finish_reason=reason, parts=0) for reason in BLOCKED_FINISHES},
    "finish-SAFETY-partial": AnswerStep(lambda text: text[: len(text) // 2], "SAFETY"),
    "finish-unknown-name": AnswerStep(finish_reason="MADE_UP_REASON", parts=None),
    "finish-unknown-number": AnswerStep(finish_reason=99, parts=None),
    "finish-unknown-with-text": AnswerStep(finish_reason=99),
    "max-tokens": AnswerStep(output_limit=12),
    "max-tokens-thoughts": AnswerStep(thoughts_tokens=ALL_OF_IT, output_limit=512),
    "no-content": AnswerStep(parts=None),
    "no-parts": AnswerStep(parts=0),
}
_TEXTS: Mapping[str, Step] = {
    "invalid-json": AnswerStep(lambda text: f"Here is the ranking:\n{text[:-1]},"),
    "fenced-json": AnswerStep(lambda text: f"```json\n{text}\n```"),
    "list-of-strings": rows(lambda found: [str(row["n"]) for row in found]),
    "ranking-no-list": rows(lambda found: {str(row["n"]): row["score"] for row in found}),
    "ranking-missing": AnswerStep(lambda _: "{}"),
    "nested-json": AnswerStep(lambda _: "[" * 100_000, output_limit=ALL_OF_IT),
    "answer-is-a-list": AnswerStep(lambda text: f"[{text}]"),
    "n-as-text": each(lambda row: {**row, "n": str(row["n"])}),
    "n-as-fraction": each(lambda row: {**row, "n": row["n"] + 0.5}),
    "n-as-truth": each(lambda row: {**row, "n": True}),
    "score-missing": each(lambda row: _without(row, "score")),
    "score-nan": each(lambda row: {**row, "score": float("nan")}),
    "score-infinite": each(lambda row: {**row, "score": float("inf")}, lambda text: text.replace("Infinity", "1e999")),
    "score-too-large": each(lambda row: {**row, "score": 7.5}),
    "score-huge": each(lambda row: {**row, "score": 10**400}),
    "score-negative": each(lambda row: {**row, "score": -1}),
    "score-as-text": each(lambda row: {**row, "score": "high"}),
    "reason-missing": each(lambda row: _without(row, "reason")),
    "reason-long": replace(each(lambda row: {**row, "reason": "very " * 20_000}), output_limit=ALL_OF_IT),
    "reason-odd": each(lambda row: {**row, "reason": ODD}),
    "reason-markup": each(lambda row: {**row, "reason": MARKUP}),
    "reason-no-text": each(lambda row: {**row, "reason": {"why": 1}}),
    "extra-fields": each(lambda row: {**row, "html": MARKUP, "id": "../../etc/passwd"}),
    "foreign-ids": _foreign((0, -1, 99, 10**400)),
    "duplicate-ids": rows(lambda found: found[:1] * 3 + found),
    "missing-ids": rows(lambda found: found[:1]),
    "no-rows": rows(lambda _: []),
    "query-empty": query(" "),
    "query-no-text": query(["a", "b"]),
    "query-long": query("word " * 2_000),
    "query-markup": query(MARKUP),
    "two-parts": AnswerStep(parts=2),
    "no-usage": AnswerStep(usage_sent=False),
}
_CONNECTIONS: Mapping[str, Step] = {
    "reset": ResetStep(),
    "reset-halfway": AnswerStep(reset_halfway=True),
    "dripped": AnswerStep(drip_s=20.0),
    "late": AnswerStep(delay_s=30.0),
    "200-html": PageStep(),
    "200-empty": PageStep(body=b""),
    "200-list": PageStep(content_type="application/json", body=b"[]"),
    "200-other-types": PageStep(content_type="application/json", body=b'{"candidates": 5}'),
    "200-bytes": PageStep(content_type="application/json", body=b"\xff\xfe\x00"),
}
FAULTS: Mapping[str, Step] = {
    **_REFUSALS,
    **_BLOCKED,
    **_TEXTS,
    **_CONNECTIONS,
    **HOSTILE,
    **IMPOSSIBLE_USAGES,
    **UNREADABLE_USAGES,
}
