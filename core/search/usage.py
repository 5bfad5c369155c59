"""What a request to Gemini used, as its reply says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Tokens of one or more requests. `cached` are part of `prompt`; `thoughts` are billed like `output`."""

    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt, self.cached + other.cached, self.output + other.output,
            self.thoughts + other.thoughts,
        )  # fmt: skip

    @property
    def total(self) -> int:
        return self.prompt + self.output + self.thoughts
