from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core.ingest.http.allowed_hosts import AllowedHosts, Network
from core.ingest.http.fetch_errors import AddressRefused, FetchError, parse_retry_after, transport_errors
from core.ingest.http.fetcher import FetchEnvironment, Fetcher
from core.ingest.http.rate_limiter import RateLimit, RateLimiter
from core.records.jobs import Cancelled

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
HOST = "images.example"


@dataclass
class Reply:
    """One answer of the server; `cut` sends half of the body."""

    status: int = 200
    body: bytes = b"picture"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str = "/a", host: str = HOST) -> str:
        return f"http://{host}:{self.server_port}{path}"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        """Clients that disconnect are what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.server.requests.append((self.headers["Host"], self.path))
        reply = self.server.replies.popleft() if self.server.replies else Reply()
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.close_connection = reply.cut


@dataclass
class Clock:
    """Time that only sleeping moves."""

    now_s: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def wait(self, _: threading.Event, seconds: float) -> None:
        if seconds > 0.001:  # the distance between two requests is not what the tests of waiting are about
            self.slept.append(seconds)
        self.now_s += seconds

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def resolve_locally(host: str, _: int) -> list[str]:
    return ["10.0.0.7"] if host == "inside.example" else ["127.0.0.1"]


def environment(clock: Clock, resolve: Callable[[str, int], list[str]] = resolve_locally) -> FetchEnvironment:
    network = Network(resolve, lambda address: str(address) == "127.0.0.1", ("http",))
    return FetchEnvironment(
        network,
        clock,
        now=lambda: NOW,
        jitter=lambda: 0.5,
        wait=clock.wait,
        read_timeout_s=5.0,
        rate_limit=RateLimit(requests_per_s=1e6),
    )


def fetcher(clock: Clock, /, **changes: Any) -> Fetcher:
    return Fetcher(
        AllowedHosts(frozenset({HOST, "inside.example"}), environment(clock).network),
        replace(environment(clock), **changes),
    )


def body(client: Fetcher, url: str) -> bytes:
    with client.get(url, {}) as response:
        return client.body(response, 1000, 60.0)


def body_with_retries(client: Fetcher, url: str) -> bytes:
    return client.with_retries(lambda: body(client, url))


def test_a_connection_is_reused_and_the_host_is_named(server: Server, clock: Clock) -> None:
    client = fetcher(clock)
    assert [body(client, server.url(f"/{n}")) for n in range(3)] == [b"picture"] * 3
    assert server.requests == [(f"{HOST}:{server.server_port}", f"/{n}") for n in range(3)]
    assert server.connections == 1


def test_an_idle_connection_that_the_server_closed_is_replaced(server: Server, clock: Clock) -> None:
    client = fetcher(clock)
    body(client, server.url())
    for connection in client._idle[("http", HOST, server.server_port)]:
        connection.sock.shutdown(socket.SHUT_RDWR)
    assert body(client, server.url()) == b"picture"
    assert clock.slept == []


def test_redirects_are_followed_within_the_list(server: Server, clock: Clock) -> None:
    server.replies.append(Reply(302, b"", {"Location": "/moved"}))
    assert body(fetcher(clock), server.url()) == b"picture"
    assert [path for _, path in server.requests] == ["/a", "/moved"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://inside.example/secret", "an address that is not public"),
        ("http://169.254.169.254/latest/meta-data", "a host that is not allowed"),
        ("http://localhost/", "a host that is not allowed"),
        ("http://[::ffff:10.0.0.1]/", "a host that is not allowed"),
        ("file:///etc/passwd", "not an address that can be fetched"),
    ],
)
def test_a_redirect_to_a_private_address_is_refused_and_not_retried(
    server: Server, clock: Clock, location: str, reason: str
) -> None:
    server.replies.append(Reply(302, b"", {"Location": location}))
    with pytest.raises(AddressRefused, match=reason):
        body_with_retries(fetcher(clock), server.url())
    assert (len(server.requests), clock.slept) == (1, [])


def test_redirects_without_an_end_are_given_up(server: Server, clock: Clock) -> None:
    server.replies.extend(Reply(301, b"", {"Location": "/again"}) for _ in range(9))
    with pytest.raises(FetchError, match="redirected too often"):
        body_with_retries(fetcher(clock), server.url())
    assert len(server.requests) == 6


def test_a_name_is_resolved_once_per_connection_and_that_address_is_used(server: Server, clock: Clock) -> None:
    answers = deque([["127.0.0.1"], ["10.0.0.7"]])  # rebinding: good when it is checked, private when asked again

    def rebinding(host: str, port: int) -> list[str]:
        return answers.popleft()

    allowed_hosts = AllowedHosts(frozenset({HOST}), environment(clock, rebinding).network)
    assert body(Fetcher(allowed_hosts, environment(clock)), server.url()) == b"picture"
    assert len(answers) == 1
    with pytest.raises(AddressRefused, match=r"images\.example is 10\.0\.0\.7"):
        body(Fetcher(allowed_hosts, environment(clock)), server.url())
    assert len(server.requests) == 1


def test_where_one_address_does_not_answer_the_next_one_is_tried(server: Server, clock: Clock) -> None:
    network = Network(lambda *_: ["127.0.0.2", "127.0.0.1"], lambda address: address.is_loopback, ("http",))
    assert body(Fetcher(AllowedHosts(frozenset({HOST}), network), environment(clock)), server.url()) == b"picture"


def test_a_certificate_that_is_not_trusted_is_not_a_transient_error() -> None:
    error = ssl.SSLCertVerificationError("no")
    error.verify_message = "self-signed certificate"
    with (
        pytest.raises(FetchError, match=r"the certificate is not trusted \(h: self-signed certificate\)") as caught,
        transport_errors("h"),
    ):
        raise error
    assert not caught.value.transient


def test_tls_proves_the_name_although_the_connection_goes_to_an_address(server: Server, clock: Clock) -> None:
    server_names: list[str] = []

    class Unencrypted:
        def wrap_socket(self, sock: socket.socket, server_hostname: str) -> socket.socket:
            server_names.append(server_hostname)
            return sock

    network = replace(environment(clock).network, schemes=("https",))
    client = Fetcher(AllowedHosts(frozenset({HOST}), network), replace(environment(clock), tls_context=Unencrypted))  # type: ignore[arg-type]
    assert body(client, f"https://{HOST}:{server.server_port}/a") == b"picture"
    assert server_names == [HOST]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404), "not found"),
        (Reply(410), "not found"),
        (Reply(403), "refused by the server"),
        (Reply(200, b"x" * 1001), "too large a file"),
    ],
)
def test_permanent_errors_are_not_retried(server: Server, clock: Clock, reply: Reply, reason: str) -> None:
    server.replies.append(reply)
    with pytest.raises(FetchError, match=reason):
        body_with_retries(fetcher(clock), server.url())
    assert (len(server.requests), clock.slept) == (1, [])


@pytest.mark.parametrize("reply", [Reply(503), Reply(429), Reply(500), Reply(cut=True)])
def test_transient_errors_are_retried_after_a_doubling_wait(server: Server, clock: Clock, reply: Reply) -> None:
    server.replies.extend([reply] * 3)
    assert body_with_retries(fetcher(clock), server.url()) == b"picture"
    assert clock.slept == [1.0, 2.0, 4.0]


def test_jitter_spreads_the_waits(server: Server, clock: Clock) -> None:
    server.replies.extend([Reply(503)] * 2)
    draws = deque([0.0, 1.0])
    body_with_retries(fetcher(clock, jitter=draws.popleft), server.url())
    assert clock.slept == [0.5, 3.0]


def test_an_error_that_outlasts_the_retries_is_raised(server: Server, clock: Clock) -> None:
    server.replies.extend([Reply(503)] * 9)
    with pytest.raises(FetchError, match=r"the server failed \(status 503\)"):
        body_with_retries(fetcher(clock), server.url())
    assert len(server.requests) == 5


@pytest.mark.parametrize("header", ["7", "Sun, 22 Nov 2026 12:00:07 GMT"])
def test_a_host_that_asks_to_wait_is_left_alone_for_that_long(server: Server, clock: Clock, header: str) -> None:
    server.replies.append(Reply(429, b"", {"Retry-After": header}))
    client = fetcher(clock)
    assert body_with_retries(client, server.url()) == b"picture"
    assert clock.now_s == pytest.approx(1007.0, abs=0.01)


def test_a_pause_holds_every_thread_back(clock: Clock) -> None:
    limiter = RateLimiter(clock, clock.sleep, RateLimit(requests_per_s=10.0))
    limiter.pause("h", 5.0)
    with limiter.slot("h"):
        assert clock.now_s == 1005.0
    with limiter.slot("other"):
        assert clock.now_s == 1005.0


def test_requests_to_a_host_are_spaced(clock: Clock) -> None:
    limiter = RateLimiter(clock, clock.sleep, RateLimit(requests_per_s=10.0))
    for _ in range(5):
        with limiter.slot("h"):
            pass
    assert clock.now_s == pytest.approx(1000.4)


def test_no_more_requests_than_allowed_run_at_once(clock: Clock) -> None:
    limiter = RateLimiter(clock, clock.sleep, RateLimit(max_concurrent=3, requests_per_s=1e9))
    running, peak, lock = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(20):
            with limiter.slot("h"):
                with lock:
                    running[0] += 1
                    peak[0] = max(peak[0], running[0])
                with lock:
                    running[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak[0] <= 3


def test_a_server_that_asks_for_hours_is_not_waited_for(server: Server, clock: Clock) -> None:
    server.replies.append(Reply(429, b"", {"Retry-After": "7200"}))
    with pytest.raises(FetchError, match="too many requests"):
        body_with_retries(fetcher(clock), server.url())
    assert clock.slept == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
        ("Sunday, 22-Nov-26 12:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert parse_retry_after(text, NOW) == seconds


def test_a_server_that_cannot_be_reached_is_a_transient_error(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(FetchError, match="the server cannot be reached") as caught:
        body_with_retries(fetcher(clock), f"http://{HOST}:{port}/")
    assert caught.value.transient
    assert len(clock.slept) == 4


def test_a_body_that_takes_too_long_is_given_up(server: Server, clock: Clock) -> None:
    ticks = iter(range(0, 10_000, 100))
    with pytest.raises(FetchError, match="too slow"):
        body(fetcher(clock, clock=lambda: float(next(ticks))), server.url())


def test_a_stopped_fetcher_raises_cancelled_instead_of_waiting(server: Server, clock: Clock) -> None:
    client = fetcher(clock)
    client.stop()
    with pytest.raises(Cancelled, match="stopped"):
        body_with_retries(client, server.url())


def test_stopping_wakes_a_thread_that_waits_for_bytes(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client, ended = fetcher(clock), list[BaseException]()

        def request() -> None:
            try:
                body_with_retries(client, f"http://{HOST}:{silent.getsockname()[1]}/")
            except (Cancelled, FetchError) as error:
                ended.append(error)

        thread = threading.Thread(target=request)
        thread.start()
        connection, _ = silent.accept()
        connection.recv(1000)
        client.stop()
        thread.join(4.0)
        connection.close()
    assert not thread.is_alive()
    assert [type(error) for error in ended] == [Cancelled]
