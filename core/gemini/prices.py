"""Token usage and what it costs: prices with effective dates. Source: data/prices.toml."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

from core.errors import SettingError
from core.setting_kinds import UnknownPrice
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
    """The rates of a model from a day on; requests with more prompt tokens than `limit` cost the rates of `above`.

    `source` says where they are from, `checked` when they were last compared with it.
    """

    model: str
    since: date
    rates: TokenRates
    source: str
    checked: date
    limit: int | None = None
    above: TokenRates | None = None

    def cost_usd(self, usage: TokenUsage) -> float:
        """USD for one request."""
        long = self.above is not None and self.limit is not None and usage.prompt > self.limit
        return (self.above if long and self.above else self.rates).cost_usd(usage)


@dataclass(frozen=True)
class PricedUsage:
    """USD, and whether the model's price is known; if not, `usd` is the cost at the ceiling for unknown prices."""

    usd: float
    known: bool


class PriceTable:
    """The prices of all known models, and what a model without a price is charged at."""

    def __init__(self, prices: list[Price], ceiling: TokenRates | None) -> None:
        """Without a `ceiling` a model without a price has no cost: nothing may be sent to it."""
        self._prices, self._ceiling = sorted(prices, key=lambda price: price.since), ceiling

    def price(self, model: str, day: date) -> Price | None:
        """The price of a model on a day (UTC), None if the table does not know it."""
        name = model.removeprefix("models/")
        found = [price for price in self._prices if price.model == name and price.since <= day]
        return found[-1] if found else None

    def cost(self, model: str, usage: TokenUsage, day: date) -> PricedUsage | None:
        """The cost of one request; None if the model has no price and there is no ceiling."""
        price = self.price(model, day)
        if price is not None:
            return PricedUsage(price.cost_usd(usage), known=True)
        return PricedUsage(self._ceiling.cost_usd(usage), known=False) if self._ceiling else None


def load_prices(unknown: UnknownPrice, path: Path = PRICES) -> PriceTable:
    """Read a price table; `unknown` is what models that it lacks cost, as set.

    Raises SettingError with the row that is wrong.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["price"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise SettingError(f"{path} cannot be read as a table of prices ({error!r}): restore it") from error
    if not isinstance(rows, list) or not rows:
        raise SettingError(f"{path} holds no prices: restore it")
    ceiling = None if unknown == "refuse" else TokenRates(unknown.input, unknown.output, cached=unknown.input)
    return PriceTable([_price(path, row) for row in rows], ceiling)


def _price(path: Path, row: Mapping[str, Any]) -> Price:
    try:
        above = row.get("above")
        return Price(
            model=str(row["model"]),
            since=_day(row, "from"),
            rates=_rates(row),
            source=_text(row, "source"),
            checked=_day(row, "checked"),
            limit=int(above["prompt_tokens"]) if above else None,
            above=_rates(above) if above else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{path} has a row that is not a price ({row}: {error!r}): correct it") from error


def _day(row: Mapping[str, Any], name: str) -> date:
    if type(row[name]) is not date:
        raise TypeError(f"{name} is {row[name]!r}, not a date")
    return cast("date", row[name])


def _text(row: Mapping[str, Any], name: str) -> str:
    if not isinstance(row[name], str) or not row[name].strip():
        raise TypeError(f"{name} is {row[name]!r}, not a text")
    return str(row[name])


def _rates(row: Mapping[str, Any]) -> TokenRates:
    rates = TokenRates(float(row["input"]), float(row["output"]), float(row.get("cached", row["input"])))
    if not all(0 <= usd < math.inf for usd in (rates.input, rates.output, rates.cached)):
        raise ValueError(f"{rates} holds something that is not a price")
    return rates
