"""Token usage and what it costs: prices with effective dates. Source: data/prices.toml."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from core.errors import SettingError
from core.settings import PROJECT

PRICES = PROJECT / "data" / "prices.toml"
TOKENS_PER_RATE = 1_000_000


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of one or more requests. `cached` are part of `prompt`; `thoughts` are billed like `output`."""

    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.output + other.output,
            self.thoughts + other.thoughts,
        )

    @property
    def total(self) -> int:
        return self.prompt + self.output + self.thoughts


@dataclass(frozen=True)
class TokenRates:
    """USD per million tokens."""

    input: float
    output: float
    cached: float

    def cost_usd(self, usage: TokenUsage) -> float:
        """(prompt − cached) · input + cached · cached + (output + thoughts) · output."""
        fresh = (usage.prompt - usage.cached) * self.input
        output = (usage.output + usage.thoughts) * self.output
        return (fresh + usage.cached * self.cached + output) / TOKENS_PER_RATE


@dataclass(frozen=True)
class Price:
    """The rates of a model from a day on; requests with more prompt tokens than `limit` cost the rates of `above`."""

    model: str
    since: date
    rates: TokenRates
    limit: int | None = None
    above: TokenRates | None = None

    def cost_usd(self, usage: TokenUsage) -> float:
        """USD for one request."""
        long = self.above is not None and self.limit is not None and usage.prompt > self.limit
        return (self.above if long and self.above else self.rates).cost_usd(usage)


@dataclass(frozen=True)
class PricedUsage:
    """USD, and whether the model's price is known; if not, `usd` is the cost at the highest known rate."""

    usd: float
    known: bool


class PriceTable:
    """The prices of all known models."""

    def __init__(self, prices: list[Price]) -> None:
        """`prices` must not be empty."""
        self._prices = sorted(prices, key=lambda price: price.since)

    def price(self, model: str, day: date) -> Price | None:
        """The price of a model on a day (UTC), None if the table does not know it."""
        name = model.removeprefix("models/")
        found = [price for price in self._prices if price.model == name and price.since <= day]
        return found[-1] if found else None

    def cost(self, model: str, usage: TokenUsage, day: date) -> PricedUsage:
        """The cost of one request; an unknown model is charged at the highest known rate, never at zero."""
        price = self.price(model, day)
        if price is not None:
            return PricedUsage(price.cost_usd(usage), known=True)
        in_force = [price for price in self._prices if price.since <= day] or self._prices
        return PricedUsage(max(price.cost_usd(usage) for price in in_force), known=False)


def load_prices(path: Path = PRICES) -> PriceTable:
    """Read a price table. Raises SettingError with the row that is wrong."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["price"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise SettingError(f"{path} cannot be read as a table of prices ({error!r}): restore it") from error
    if not isinstance(rows, list) or not rows:
        raise SettingError(f"{path} holds no prices: restore it")
    return PriceTable([_price(path, row) for row in rows])


def _price(path: Path, row: Mapping[str, Any]) -> Price:
    try:
        above = row.get("above")
        return Price(
            model=str(row["model"]),
            since=_day(row["from"]),
            rates=_rates(row),
            limit=int(above["prompt_tokens"]) if above else None,
            above=_rates(above) if above else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{path} has a row that is not a price ({row}: {error!r}): correct it") from error


def _day(value: object) -> date:
    if type(value) is not date:
        raise TypeError(f"from is {value!r}, not a date")
    return value


def _rates(row: Mapping[str, Any]) -> TokenRates:
    rates = TokenRates(float(row["input"]), float(row["output"]), float(row.get("cached", row["input"])))
    if not all(0 <= usd < math.inf for usd in (rates.input, rates.output, rates.cached)):
        raise ValueError(f"{rates} holds something that is not a price")
    return rates
