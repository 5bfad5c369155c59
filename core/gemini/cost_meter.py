"""What calls to Gemini cost: reserved against the budget before a request is sent, settled once its usage is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from core.errors import ContactSheetError
from core.gemini.failures import Cause, GeminiError
from core.gemini.prices import PricedUsage, PriceTable, TokenUsage
from core.logs import log
from core.store.sql.spend_store import Share, SpendStore

EXCEEDED: dict[str, Cause] = {"visitor": "budget_visitor", "day": "budget_day", "month": "budget_month"}


class CostMeter:
    """Prices the requests to one model and holds them to the budget."""

    def __init__(self, model: str, prices: PriceTable, spend: SpendStore, now: Callable[[], datetime]) -> None:
        self.model, self._prices, self._spend, self._now = model, prices, spend, now

    @property
    def has_price(self) -> bool:
        """Whether a request to the model can be priced today."""
        return self._prices.cost(self.model, TokenUsage(), self._now().date()) is not None

    def price(self, usage: TokenUsage) -> PricedUsage:
        """The cost of a request at today's rates.

        Raises GeminiError("unpriced") if the price of the model is not known and such models are refused.
        """
        priced = self._prices.cost(self.model, usage, self._now().date())
        if priced is None:
            raise GeminiError("unpriced", self.model)
        return priced if usage.total else PricedUsage(0.0, priced.known)

    def reserve(self, max_usd: float, share: Share | None) -> int:
        """Reserve the most that a request can cost.

        Raises GeminiError where the budget or the share does not allow it, or where spending cannot be recorded.
        """
        try:
            reservation = self._spend.reserve(max_usd, share)
        except ContactSheetError as error:
            log("search", "spend cannot be noted", logging.ERROR, error=str(error))
            raise GeminiError("unmetered", type(error).__name__) from error
        if isinstance(reservation, str):
            raise GeminiError(EXCEEDED[reservation])
        return reservation

    def settle(self, reservation: int, usage: TokenUsage) -> None:
        """Replace a reservation by the actual cost."""
        try:
            self._spend.settle(reservation, self.price(usage).usd)
        except ContactSheetError as error:  # the reservation keeps counting, so the budget holds
            log("search", "a cost could not be settled", logging.ERROR, error=str(error))
