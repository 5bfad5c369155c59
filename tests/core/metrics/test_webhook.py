from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core.errors import SettingError
from core.metrics import webhook
from core.metrics.webhook import Webhook, webhook_document
from core.records.alerts import Alert, AlertRule, AlertState
from core.settings import Secret

RULE = AlertRule("Slow", "Searches are slow", "total_p95_s", 2.0, 1.5, 60, "critical", "Look.", ("search",), 300, 10)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRING = Alert(RULE, AlertState("firing", NOON, NOON, NOON, 3.2))
RESOLVED = Alert(RULE, AlertState("resolved", NOON + timedelta(minutes=5), NOON, NOON, 0.4))
PATIENCE_S = 30


class Receiver:
    """A webhook on this computer that answers with the statuses it was given, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.paths = list(statuses), list[str]()
        self.bodies: queue.Queue[dict[str, Any]] = queue.Queue()

    def next(self) -> dict[str, Any]:
        return self.bodies.get(timeout=PATIENCE_S)


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.receiver.paths.append(self.path)
        self.receiver.bodies.put({"type": self.headers["Content-Type"], **body})
        status = self.receiver.statuses.pop(0) if self.receiver.statuses else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving(*statuses: int) -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver(*statuses)
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield receiver, f"http://127.0.0.1:{server.server_address[1]}/hook/token-123"
        server.shutdown()


class Pauses:
    def __init__(self) -> None:
        self.taken = list[float]()

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Pauses()


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[str]:
    """What is logged at the level of an error, as one line each."""
    lines: queue.Queue[str] = queue.Queue()

    def note(room: str, message: str, level: int = logging.INFO, **fields: object) -> None:
        lines.put(f"{room} {message} {fields}")

    monkeypatch.setattr(webhook, "log", note)
    return lines


def test_firing_and_resolved_are_posted_as_alertmanager_does(pauses: Pauses) -> None:
    with receiving() as (receiver, address):
        hook = Webhook(Secret(address), pauses)
        hook(FIRING)
        hook(RESOLVED)
        firing, resolved = receiver.next(), receiver.next()
    assert (firing["type"], firing["version"], firing["status"]) == ("application/json", "4", "firing")
    (alert,) = firing["alerts"]
    assert alert["labels"] == {"alertname": "Slow", "severity": "critical"}
    assert alert["annotations"] == {"summary": "Searches are slow: 3.20 s (threshold 2.00 s)", "description": "Look."}
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-20T12:00:00Z", "0001-01-01T00:00:00Z")
    (alert,) = resolved["alerts"]
    assert (resolved["status"], alert["status"]) == ("resolved", "resolved")
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:05:00Z")
    assert pauses.taken == []


def test_a_receiver_in_trouble_is_tried_three_times_with_longer_pauses(
    pauses: Pauses, spoken: queue.Queue[str]
) -> None:
    with receiving(503, 429, 500) as (receiver, address):
        hook = Webhook(Secret(address), pauses)
        hook(FIRING)
        line = spoken.get(timeout=PATIENCE_S)
        hook(RESOLVED)
        assert [receiver.next()["status"] for _ in range(4)] == ["firing"] * 3 + ["resolved"]
    assert pauses.taken == [2, 4]
    assert "'problem': 'status 500'" in line


def test_a_second_try_that_succeeds_is_the_last(pauses: Pauses) -> None:
    with receiving(500) as (receiver, address):
        hook = Webhook(Secret(address), pauses)
        hook(FIRING)
        hook(RESOLVED)
        assert [receiver.next()["status"] for _ in range(3)] == ["firing", "firing", "resolved"]
    assert pauses.taken == [2]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 404])
def test_redirects_and_refusals_are_not_followed_and_not_tried_again(
    status: int, pauses: Pauses, spoken: queue.Queue[str]
) -> None:
    with receiving(status) as (receiver, address):
        Webhook(Secret(address), pauses)(FIRING)
        line = spoken.get(timeout=PATIENCE_S)
        assert receiver.paths == ["/hook/token-123"]
    assert f"status {status}" in line
    assert pauses.taken == []


def test_the_address_is_in_no_log(pauses: Pauses, spoken: queue.Queue[str]) -> None:
    with receiving() as (_, address):
        pass
    Webhook(Secret(address), pauses)(FIRING)
    line = spoken.get(timeout=PATIENCE_S)
    assert "was not sent" in line
    assert "token-123" not in line
    assert "127.0.0.1" not in line
    assert len(pauses.taken) == 2


def test_an_address_that_is_none_of_http_is_refused_without_showing_it() -> None:
    for address in ("file:///etc/token-123", "token-123", "http://", "http://[token-123", "ftp://host/token-123"):
        with pytest.raises(SettingError, match="must be an address that begins with http") as caught:
            Webhook(Secret(address))
        assert "token-123" not in str(caught.value)


def test_telling_never_waits_and_never_raises(spoken: queue.Queue[str]) -> None:
    release = threading.Event()

    def pause(_: float) -> None:
        release.wait(PATIENCE_S)

    with receiving(*[500] * 3) as (receiver, address):
        hook = Webhook(Secret(address), pause)
        hook(FIRING)
        receiver.next()
        for _ in range(webhook.QUEUE_SIZE + 1):
            hook(RESOLVED)
        assert "an alert was dropped" in spoken.get(timeout=PATIENCE_S)
        release.set()
        assert receiver.next()["status"] == "firing"


def test_a_document_is_plain_json() -> None:
    assert json.loads(json.dumps(webhook_document(RESOLVED))) == webhook_document(RESOLVED)
