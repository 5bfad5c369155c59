"""What goes to Gemini and what comes back: a request, a reply, and the transport interface."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from core.gemini.prices import TokenUsage
from core.settings import Secret

MAX_IMAGE_TOKENS = 1120


@dataclass(frozen=True)
class GeminiRequest:
    """A system instruction of our own, a message of texts and JPEGs, and the schema of the JSON to answer with."""

    instruction: str
    parts: tuple[str | bytes, ...]
    schema: dict[str, Any]
    max_output_tokens: int

    @property
    def max_usage(self) -> TokenUsage:
        """An upper bound: a token per byte of text, the highest price of an image, all of the output."""
        texts = [self.instruction, json.dumps(self.schema), *(p for p in self.parts if isinstance(p, str))]
        images = sum(isinstance(p, bytes) for p in self.parts)
        prompt = sum(len(text.encode()) for text in texts) + images * MAX_IMAGE_TOKENS
        return TokenUsage(prompt=prompt, output=self.max_output_tokens)


@dataclass(frozen=True)
class GeminiReply:
    """The text of a reply, its usage (None if not reported), and the version of the model that gave it."""

    text: str
    usage: TokenUsage | None
    model_version: str = ""


class GeminiTransport(Protocol):
    """Sends one request and waits for its reply."""

    @property
    def key(self) -> Secret:
        """The API key, which no answer may repeat."""
        ...

    def generate(self, model: str, request: GeminiRequest, timeout_s: float) -> GeminiReply:
        """Send one request, without retries. Raises GeminiError."""
        ...
