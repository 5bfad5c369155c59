"""The Gemini mock server's replies as they go over the wire, and its ledger of what each would be billed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes.gemini_request import Prompt, prompt_tokens, text_tokens
from tests.fakes.gemini_steps import AnswerStep, BlockedStep, ErrorStep, PageStep, StreamStep, Wire

# Numbers of the enums, for clients that ask for `enum-encoding=int`.
FINISH_REASONS = {
    "STOP": 1,
    "MAX_TOKENS": 2,
    "SAFETY": 3,
    "RECITATION": 4,
    "OTHER": 5,
    "LANGUAGE": 6,
    "BLOCKLIST": 7,
    "PROHIBITED_CONTENT": 8,
    "SPII": 9,
}
BLOCK_REASONS = {"SAFETY": 1, "OTHER": 2, "BLOCKLIST": 3, "PROHIBITED_CONTENT": 4, "IMAGE_SAFETY": 5}
MODALITIES = {"TEXT": 1, "IMAGE": 2}


@dataclass(frozen=True)
class LedgerRow:
    """What one request would be billed. `cached_tokens` are part of `prompt_tokens`; a refusal costs nothing.

    `reported` says whether the client received the usage: a reply without usageMetadata, or one that was cut off or
    that nobody waited for, is billed all the same.
    """

    model: str
    outcome: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    candidates_tokens: int = 0
    thoughts_tokens: int = 0
    reported: bool = False


@dataclass(frozen=True)
class WireReply:
    """One reply as it goes out, and what is written to the ledger for it.

    With `reset_after` the connection is reset after so many bytes of the body; after 0 the head is not sent either.
    A `stream` is sent in place of head and body.
    """

    code: int
    content_type: str
    body: bytes
    row: LedgerRow
    delay_s: float | None = None
    drip_s: float = 0.0
    drip_from_body: bool = False
    reset_after: int | None = None
    stream: StreamStep | None = None


class EnumEncoder:
    """Enums as names, or as numbers where the client asks for them. A number, or an unknown name, stays as it is."""

    def __init__(self, as_numbers: bool) -> None:
        self._as_numbers = as_numbers

    def __call__(self, value: str | int, numbers: Mapping[str, int]) -> str | int:
        return numbers.get(value, value) if self._as_numbers and isinstance(value, str) else value


def refused(refusal: ErrorStep, model: str) -> WireReply:
    error = {"code": refusal.code, "message": refusal.message, "status": refusal.status}
    body = {"error": error | ({"details": list(refusal.details)} if refusal.details else {})}
    return _json_reply(refusal.code, body, LedgerRow(model, f"{refusal.code} {refusal.status}"))


def page(step: PageStep, model: str) -> WireReply:
    return WireReply(step.code, step.content_type, step.body, LedgerRow(model, f"{step.code} {step.content_type}"))


def stream(step: StreamStep, model: str) -> WireReply:
    return WireReply(200, "", b"", LedgerRow(model, "stream"), stream=step)


def reset(model: str) -> WireReply:
    return WireReply(200, "", b"", LedgerRow(model, "reset"), reset_after=0)


def blocked(step: BlockedStep, model: str, prompt: Prompt, response_id: str, enum: EnumEncoder) -> WireReply:
    tokens = prompt_tokens(model, prompt)
    outcome = "no candidates" if step.reason is None else f"prompt blocked: {step.reason}"
    row = LedgerRow(model, outcome, sum(tokens.values()), reported=True)
    feedback = {} if step.reason is None else {"promptFeedback": {"blockReason": enum(step.reason, BLOCK_REASONS)}}
    return _json_reply(200, {**feedback, **_trailer(row, tokens, response_id, enum)}, row)


def answered(step: AnswerStep, text: str, model: str, prompt: Prompt, response_id: str, enum: EnumEncoder) -> WireReply:
    """The honest `text`, bent as the step says, within the limit on output."""
    limit = step.output_limit or prompt.output_limit
    thoughts = min(step.thoughts_tokens, limit)
    whole = step.rewrite(text) if step.parts else ""
    sent = whole[: 4 * (limit - thoughts)]
    reason = "MAX_TOKENS" if len(sent) < len(whole) else step.finish_reason
    tokens = prompt_tokens(model, prompt)
    row = LedgerRow(
        model=model,
        outcome=str(reason),
        prompt_tokens=sum(tokens.values()),
        cached_tokens=min(step.cached_tokens, sum(tokens.values())),
        candidates_tokens=text_tokens(sent),
        thoughts_tokens=thoughts,
        reported=step.usage_sent and not step.usage,
    )
    candidate = {**_content(sent, step.parts), "finishReason": enum(reason, FINISH_REASONS), "index": 0}
    trailer = _trailer(row, tokens, response_id, enum)
    trailer["usageMetadata"] |= step.usage
    if not step.usage_sent:
        del trailer["usageMetadata"]
    reply = _json_reply(200, {"candidates": [candidate], **trailer}, row)
    reset_after = len(reply.body) // 2 if step.reset_halfway else None
    drip = {"drip_s": step.drip_s, "drip_from_body": step.drip_from_body}
    return replace(reply, delay_s=step.delay_s, reset_after=reset_after, **drip)


def _content(text: str, parts: int | None) -> Wire:
    if parts is None:
        return {}
    if not text:
        return {"content": {"role": "model"}}
    size = -(-len(text) // parts)
    pieces = [{"text": text[start : start + size]} for start in range(0, len(text), size)]
    return {"content": {"role": "model", "parts": pieces}}


def _trailer(row: LedgerRow, tokens: Mapping[str, int], response_id: str, enum: EnumEncoder) -> Wire:
    counts = {
        "promptTokenCount": row.prompt_tokens,
        "cachedContentTokenCount": row.cached_tokens,
        "candidatesTokenCount": row.candidates_tokens,
        "thoughtsTokenCount": row.thoughts_tokens,
        "totalTokenCount": row.prompt_tokens + row.candidates_tokens + row.thoughts_tokens,
    }
    details = [{"modality": enum(name, MODALITIES), "tokenCount": count} for name, count in tokens.items()]
    usage: dict[str, Any] = {name: count for name, count in counts.items() if count} | {"promptTokensDetails": details}
    return {"usageMetadata": usage, "modelVersion": f"{row.model}-mock", "responseId": response_id}


def _json_reply(code: int, body: Wire, row: LedgerRow) -> WireReply:
    return WireReply(code, "application/json; charset=UTF-8", json.dumps(body, ensure_ascii=False).encode(), row)
