"""What the codes that the event log and receipts hold for fallbacks and errors mean, in words."""

from __future__ import annotations

import re
from typing import Literal

Cause = Literal[
    "no_key",
    "budget_day",
    "budget_month",
    "budget_visitor",
    "many_searches",
    "quota_minute",
    "quota_day",
    "bad_key",
    "forbidden",
    "retired",
    "refused",
    "overloaded",
    "timeout",
    "unreachable",
    "blocked",
    "truncated",
    "malformed",
    "busy",
    "paused",
    "unmetered",
    "unpriced",
]

# Why Gemini did not rank, as a clause.
FALLBACK_WORDS: dict[Cause, str] = {
    "no_key": "no Gemini key is set",
    "budget_day": "today's budget for Gemini is used up",
    "budget_month": "this month's budget for Gemini is used up",
    "budget_visitor": "your share of Gemini for today is used up; it returns at midnight UTC",
    "many_searches": "you made too many searches this minute to ask Gemini about all of them",
    "quota_minute": "Gemini's quota per minute is used up",
    "quota_day": "Gemini's quota for today is used up; it returns at midnight Pacific time",
    "bad_key": "Gemini does not accept the key. Check GEMINI_API_KEY",
    "forbidden": "the Gemini key may not use this model or service",
    "retired": "Gemini does not know the model. Check CONTACTSHEET_GEMINI_MODEL",
    "refused": "Gemini rejected the request as invalid",
    "overloaded": "Gemini is overloaded or has an internal error",
    "timeout": "Gemini did not answer in time",
    "unreachable": "Gemini cannot be reached",
    "blocked": "Gemini declined to judge these pictures or words",
    "truncated": "Gemini's answer was cut off",
    "malformed": "Gemini's answer could not be read",
    "busy": "too many requests to Gemini are waiting for an answer",
    "paused": "Gemini failed several times in a row and is not asked for a moment",
    "unmetered": "the cost of Gemini cannot be recorded, so nothing is sent",
    "unpriced": "the price of the model is not known. Add it to data/prices.toml, or set CONTACTSHEET_UNKNOWN_PRICE",
}
# Of many requests by different people: some shorter, and addressed to nobody.
_WORDS: dict[str, str] = {
    **{str(code): words for code, words in FALLBACK_WORDS.items()},
    "budget_day": "daily budget for Gemini used up",
    "budget_month": "monthly budget for Gemini used up",
    "budget_visitor": "a visitor's share of Gemini used up",
    "many_searches": "too many searches by a visitor in a minute",
    "quota_day": "Gemini's daily quota used up",
    "bad_key": "Gemini does not accept the key",
    "retired": "Gemini does not know the model",
    "unpriced": "no price for the model in data/prices.toml",
}
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


def reason_words(code: str) -> str:
    """A reason of the event log for people: a code in words, the class of an error as words (`query error`)."""
    return _WORDS.get(code) or _WORD_START.sub(" ", code).lower()
