"""The kinds of steps that the Gemini mock server can be scripted to take with a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Wire = dict[str, Any]


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
