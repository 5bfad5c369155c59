"""The alert service: pages and a watcher check alerts, curators silence them, a listener is notified."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from core.access import Access, Action, Person
from core.errors import ContactSheetError
from core.logs import log
from core.metrics.alert_state import step
from core.periodic import Periodic
from core.records.alerts import Alert, AlertChange, AlertReading, AlertRule, Silence
from core.records.jobs import ignore
from core.store.sql.alert_store import AlertStore
from core.text import one_line

CHECK_INTERVAL = timedelta(seconds=1)
WATCH_INTERVAL_S = 15.0
MAX_REASON_LENGTH = 200

AlertListener = Callable[[Alert], None]


class AlertError(ContactSheetError):
    """There is no alert of the requested name."""


class AlertService:
    """All alerts of one data folder. May be shared between threads and used by many processes."""

    def __init__(
        self,
        rules: Sequence[AlertRule],
        store: AlertStore,
        measure: Callable[[AlertRule, datetime], AlertReading],
        access: Access,
        notify: AlertListener = ignore,
    ) -> None:
        """`measure` takes the reading for a rule; `notify` is called once for each alert that fires or is resolved."""
        self.rules = tuple(rules)
        self._store, self._measure, self._access, self._notify = store, measure, access, notify

    def check(self, now: datetime) -> list[Alert]:
        """Measure, unless someone has within the last second, and return all alerts. Raises StoreError."""
        if self._store.claim(now, CHECK_INTERVAL):
            readings = {rule: self._measure(rule, now) for rule in self.rules}
            for alert in self._store.advance(readings, now, step):
                log("alerts", f"{alert.state.phase}: {alert.summary}", logging.WARNING, alert=alert.rule.name)
                self._notify(alert)
        return self.current(now)

    def watch(self, interval_s: float = WATCH_INTERVAL_S) -> Periodic:
        """Check the alerts even if no page is open, until the watch is closed."""
        return Periodic("alerts", "alerts could not be checked", lambda: self.check(datetime.now(UTC)), interval_s)

    def current(self, now: datetime) -> list[Alert]:
        """All alerts as of the last check; measures nothing. Raises StoreError."""
        return self._store.alerts(self.rules, now)

    def history(self, limit: int = 100) -> list[AlertChange]:
        """Firings and resolutions, the newest first. Raises StoreError."""
        return self._store.changes(limit)

    def silence(self, name: str, until: datetime, person: Person, reason: str = "") -> Silence:
        """Silence an alert until a time. Raises NotAllowed, StoreError, and AlertError if there is no such alert."""
        with self._access.acting(person, Action.SILENCE, target=name):
            self._require_rule(name)
            silence = Silence(name, until.astimezone(UTC), person.author, one_line(reason, MAX_REASON_LENGTH))
            self._store.silence(silence)
            return silence

    def unsilence(self, name: str, person: Person) -> None:
        """End a silence. Raises NotAllowed, StoreError, and AlertError if there is no such alert."""
        with self._access.acting(person, Action.END_SILENCE, target=name):
            self._require_rule(name)
            self._store.unsilence(name)

    def _require_rule(self, name: str) -> None:
        names = [rule.name for rule in self.rules]
        if name not in names:
            raise AlertError(f"there is no alert {name!r}: choose one of {', '.join(names)}")
