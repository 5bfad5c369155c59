"""How many searches a visitor gets in a minute, and what of Gemini they may spend on them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.access import Access, Person
from core.errors import StoreError, TooManyTries
from core.gemini.failures import CallFailure
from core.logs import log
from core.settings import Settings
from core.store.sql.rate_limits import RateLimits
from core.store.sql.spend_store import Share
from core.text import counted

MINUTE_S = 60.0
REFUSED_AT = 3  # times the searches per minute


@dataclass(frozen=True)
class Allowance:
    """What one request may ask of Gemini: charged to `share` too, if there is one; not at all if there is a `failure`.

    The command line has neither: it counts against the whole budget alone.
    """

    share: Share | None = None
    failure: CallFailure | None = None


class SearchLimits:
    """Counts searches per visitor or account, over all processes. May be shared between threads.

    Above the searches per minute Gemini is not asked, above three times as many a search is refused. Neither holds for
    curators, who have their share of Gemini's budget, nor for the command line, which has no share.
    """

    def __init__(
        self,
        access: Access,
        rates: RateLimits,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._access, self._rates, self._settings, self._now = access, rates, settings, now

    def begin_search(self, person: Person) -> Allowance:
        """Count a search. Raises TooManyTries if there were far too many."""
        per_minute = self._limit(person)
        wait_s = self._take("search", person, per_minute * REFUSED_AT) if per_minute else None
        if wait_s is not None:
            searches = counted(per_minute * REFUSED_AT, "search", "searches")
            raise TooManyTries(f"{searches} a minute are the limit: try again in {math.ceil(wait_s)} s", wait_s)
        return self._allowance(person, "ranked search", per_minute)

    def begin_follow_up(self, person: Person) -> Allowance:
        """Count a follow-up or sentence that Gemini may interpret; the search it becomes is counted by itself."""
        return self._allowance(person, "follow-up", self._limit(person))

    def _allowance(self, person: Person, kind: str, per_minute: int) -> Allowance:
        wait_s = self._take(kind, person, per_minute) if per_minute else None
        if wait_s is not None:
            return Allowance(failure=CallFailure("many_searches", self._now() + timedelta(seconds=wait_s)))
        return Allowance(self._share(person))

    def _limit(self, person: Person) -> int:
        return 0 if self._access.is_curator(person) else self._settings.searches_per_minute

    def _share(self, person: Person) -> Share | None:
        if person.is_operator:
            return None
        known = person.account is not None or self._access.is_curator(person)
        usd = self._settings.person_daily_usd if known else self._settings.visitor_daily_usd
        return Share(person.quota_key, usd)

    def _take(self, kind: str, person: Person, limit: int) -> float | None:
        try:
            return self._rates.take(kind, person.quota_key, limit, MINUTE_S)
        except StoreError as error:  # a search is worth more than its count; Gemini's share is counted elsewhere
            log("search", "a search cannot be counted", logging.ERROR, error=str(error))
            return None
