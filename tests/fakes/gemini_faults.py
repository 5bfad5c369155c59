"""What the Gemini mock server can be scripted to do with a request: answer, refuse, or break off."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Wire = dict[str, Any]
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


def unchanged(text: str) -> str:
    return text


@dataclass(frozen=True)
class AnswerStep:
    """A 200; without arguments the honest one.

    `rewrite` gets the honest text. Where thoughts and text do not fit into maxOutputTokens, or into `output_limit` in
    its place, the text is cut and the finishReason is MAX_TOKENS. `parts` is how many the text is sent in: 0 for
    content without parts, None for no content. An int as `finish_reason` is sent as it is. `usage` replaces counts of
    usageMetadata by what cannot be true. `delay_s` replaces the server's, `drip_s` spreads the reply over so many
    seconds, or its body if `drip_from_body`.
    """

    rewrite: Callable[[str], str] = unchanged
    finish_reason: str | int = "STOP"
    parts: int | None = 1
    output_limit: int | None = None
    thoughts_tokens: int = 0
    cached_tokens: int = 0
    usage_sent: bool = True
    usage: Wire = field(default_factory=dict)
    reset_halfway: bool = False
    delay_s: float | None = None
    drip_s: float = 0.0
    drip_from_body: bool = False


@dataclass(frozen=True)
class BlockedStep:
    """A 200 without candidates; without a reason there is no promptFeedback either."""

    reason: str | int | None = None


@dataclass(frozen=True)
class ErrorStep:
    """An error in Google's JSON shape."""

    code: int
    status: str
    message: str
    details: tuple[Wire, ...] = ()


@dataclass(frozen=True)
class PageStep:
    """A body that is not the API's: what a proxy or a captive portal sends."""

    code: int = 200
    content_type: str = "text/html; charset=utf-8"
    body: bytes = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"


@dataclass(frozen=True)
class ResetStep:
    """The connection is reset before anything is answered."""


@dataclass(frozen=True)
class StreamStep:
    """`head`, then `again` so many times, one every `pause_s`, or until the client goes away."""

    head: bytes
    again: bytes = b""
    times: int = 0
    pause_s: float = 0.0


Step = AnswerStep | BlockedStep | ErrorStep | PageStep | ResetStep | StreamStep


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


def head(*lines: str, status: str = "200 OK") -> bytes:
    """The head of a JSON reply with more header lines."""
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, "", "")).encode()


def _bomb() -> bytes:
    """256 KB that gzip makes 256 MB of."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()


_MB, _ENDLESS_MB = b" " * (1 << 20), 1 << 10
_CHUNK_MB = b"100000\r\n" + _MB + b"\r\n"
_HOSTILE: Mapping[str, Step] = {
    "silent": StreamStep(b"", times=3600, pause_s=0.05),
    "dripped-head": StreamStep(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 3600, 0.05),
    "dripped-status": StreamStep(b"HTTP/1.1 ", b"2", 3600, 0.05),
    "dripped-body": AnswerStep(drip_s=20.0, drip_from_body=True),
    "dripped-until-closed": StreamStep(head("Connection: close"), b" ", 3600, 0.05),
    "dripped-continue": StreamStep(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 3600, 0.05),
    "dripped-error": StreamStep(head("Content-Length: 9000", status="503 No"), b" ", 3600, 0.05),
    "endless-body": StreamStep(head("Connection: close"), _MB, _ENDLESS_MB),
    "endless-chunks": StreamStep(head("Transfer-Encoding: chunked"), _CHUNK_MB, _ENDLESS_MB),
    "endless-chunk-size": StreamStep(head("Transfer-Encoding: chunked"), b"0" * (1 << 20), _ENDLESS_MB),
    "endless-error": StreamStep(head("Connection: close", status="429 No"), _MB, _ENDLESS_MB),
    "endless-header": StreamStep(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * (1 << 20), _ENDLESS_MB),
    "endless-headers": StreamStep(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 60_000 + b"\r\n", 16 * _ENDLESS_MB),
    "endless-continue": StreamStep(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, 10_000),
    "gzip-bomb": StreamStep(head("Content-Encoding: gzip", "Connection: close") + _bomb()),
    "gzip-bomb-error": StreamStep(head("Content-Encoding: gzip", "Connection: close", status="503 No") + _bomb()),
    "huge-length": StreamStep(head("Content-Length: 1000000000000"), _MB, _ENDLESS_MB),
}
# Usage that no request can have had: these are read, and the request is charged at its maximum.
_IMPOSSIBLE: Mapping[str, Step] = {
    "usage-negative-prompt": AnswerStep(usage={"promptTokenCount": -2_000_000_000}),
    "usage-negative-output": AnswerStep(usage={"candidatesTokenCount": -400_000_000}),
    "usage-negative-cached": AnswerStep(usage={"cachedContentTokenCount": -400_000_000}),
    "usage-negative-total": AnswerStep(usage={"totalTokenCount": -1}),
    "usage-no-prompt": AnswerStep(usage={"promptTokenCount": 0}),
    "usage-cached-above-prompt": AnswerStep(usage={"cachedContentTokenCount": 2_000_000_000}),
    "usage-total-too-small": AnswerStep(usage={"totalTokenCount": 3}),
    "usage-huge": AnswerStep(usage={"totalTokenCount": 2**31 - 1}),
    "usage-zero": AnswerStep(usage=dict.fromkeys(("promptTokenCount", "candidatesTokenCount", "totalTokenCount"), 0)),
}
# The client's own library reads nothing of a reply with one of these.
_UNREADABLE: Mapping[str, Step] = {
    "usage-nan": AnswerStep(usage={"promptTokenCount": "NaN"}),
    "usage-bare-nan": AnswerStep(usage={"candidatesTokenCount": float("nan")}),
    "usage-infinite": AnswerStep(usage={"totalTokenCount": float("inf")}),
    "usage-text": AnswerStep(usage={"promptTokenCount": "many"}),
    "usage-fraction": AnswerStep(usage={"candidatesTokenCount": 0.5}),
    "usage-beyond-32-bits": AnswerStep(usage={"totalTokenCount": 10**30}),
    "usage-list": AnswerStep(usage={"promptTokenCount": [1]}),
}
IMPOSSIBLE_USAGES, UNREADABLE_USAGES, HOSTILE = frozenset(_IMPOSSIBLE), frozenset(_UNREADABLE), frozenset(_HOSTILE)
FAULTS: Mapping[str, Step] = {**_REFUSALS, **_BLOCKED, **_TEXTS, **_CONNECTIONS, **_HOSTILE, **_IMPOSSIBLE, **_UNREADABLE}
