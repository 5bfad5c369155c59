"""Sends alerts to a webhook, in Alertmanager's format (version 4), in the background and without raising."""

from __future__ import annotations

import http.client
import json
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from core.errors import ContactSheetError, SettingError
from core.logs import log
from core.records.alerts import Alert
from core.retry import RetryPolicy, RetryTimes, with_retries
from core.settings import Secret

TIMEOUT_S = 5.0
QUEUE_SIZE = 100
_NEVER = "0001-01-01T00:00:00Z"


class _NotSent(ContactSheetError):
    """Why the receiver did not take an alert, without the URL; and whether it may take it later."""

    def __init__(self, problem: str, transient: bool) -> None:
        super().__init__(problem)
        self.transient = transient


RETRIES = RetryPolicy(lambda error: isinstance(error, _NotSent) and error.transient, attempts=3, first_wait_s=2.0)


class Webhook:
    """Posts to one URL, one alert after another. The URL may contain a token: it is never logged."""

    def __init__(self, address: Secret, sleep: Callable[[float], None] = time.sleep) -> None:
        """Start a daemon thread. Raises SettingError if the address is not an HTTP URL."""
        if not _is_http_url(address.reveal()):
            raise SettingError("CONTACTSHEET_ALERT_WEBHOOK must be an address that begins with http:// or https://")
        self._address, self._times = address, RetryTimes(sleep)
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._queue: queue.Queue[Alert] = queue.Queue(QUEUE_SIZE)
        threading.Thread(target=self._work, name="alert-webhook", daemon=True).start()

    def __call__(self, alert: Alert) -> None:
        """Queue an alert that fires or is resolved; returns at once and never raises."""
        try:
            self._queue.put_nowait(alert)
        except queue.Full:
            log("alerts", "the webhook is too slow: an alert was dropped", logging.ERROR, alert=alert.rule.name)

    def _work(self) -> None:
        while True:
            self._deliver(self._queue.get())

    def _deliver(self, alert: Alert) -> None:
        try:
            with_retries(partial(self._post, alert), RETRIES, "a post to the webhook", self._times)
        except _NotSent as problem:
            log(
                "alerts",
                "an alert was not sent to the webhook",
                logging.ERROR,
                alert=alert.rule.name,
                problem=str(problem),
            )

    def _post(self, alert: Alert) -> None:
        """Post once. Raises _NotSent."""
        body = json.dumps(webhook_document(alert)).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._address.reveal(), body, {"Content-Type": "application/json", "User-Agent": "contactsheet"}
        )
        try:
            self._opener.open(request, timeout=TIMEOUT_S).close()
        except urllib.error.HTTPError as error:
            error.close()
            raise _NotSent(f"status {error.code}", error.code >= 500 or error.code == 429) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _NotSent(type(error).__name__, transient=True) from None


def _is_http_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: they would send alerts to an address that nobody configured."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def webhook_document(alert: Alert) -> dict[str, Any]:
    """An alert in the format of Alertmanager's webhooks, as a group of one.

    Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    status = "firing" if alert.firing else "resolved"
    labels = {"alertname": alert.rule.name, "severity": alert.rule.severity}
    annotations = {"summary": alert.summary, "description": alert.rule.advice}
    one = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "generatorURL": "",
        "startsAt": _timestamp(alert.state.fired_at),
        "endsAt": _timestamp(None if alert.firing else alert.state.since),
        "fingerprint": alert.rule.name,
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{alert.rule.name}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "contactsheet",
        "groupLabels": {"alertname": alert.rule.name},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [one],
    }


def _timestamp(at: datetime | None) -> str:
    return at.isoformat().replace("+00:00", "Z") if at else _NEVER
