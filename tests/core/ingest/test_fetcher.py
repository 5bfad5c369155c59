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
from core.ingest.http.fetch_errors import AddressRefused, FetchError, retry_after_s, transport_faults
from core.ingest.http.fetcher import FetchEnvironment, Fetcher, RetryPolicy
from core.ingest.http.rate_limiter import RateLimiter
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
        self.asked: list[tuple[str, str]] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str = "/a", host: str = HOST) -> str:
        return f"http://{host}:{self.server_port}{path}"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Host"], self.path))
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


def here(host: str, _: int) -> list[str]:
    return ["10.0.0.7"] if host == "inside.example" else ["127.0.0.1"]


def world(clock: Clock, resolve: Callable[[str, int], list[str]] = here) -> FetchEnvironment:
    network = Network(resolve, lambda address: str(address) == "127.0.0.1", ("http",))
    return FetchEnvironment(
        network, clock, lambda: NOW, lambda: 0.5, clock.wait, patience=RetryPolicy(per_s=1e6, silence_s=5.0)
    )


def fetcher(clock: Clock, /, **changes: Any) -> Fetcher:
    return Fetcher(
        AllowedHosts(frozenset({HOST, "inside.example"}), world(clock).network), replace(world(clock), **changes)
    )


def body(asking: Fetcher, url: str) -> bytes:
    with asking.get(url, {}) as response:
        return asking.body(response, 1000, 60.0)


def patient(asking: Fetcher, url: str) -> bytes:
    return asking.patiently(lambda: body(asking, url))


def test_a_connection_is_kept_and_the_host_is_named(server: Server, clock: Clock) -> None:
    asking = fetcher(clock)
    assert [body(asking, server.url(f"/{n}")) for n in range(3)] == [b"picture"] * 3
    assert server.asked == [(f"{HOST}:{server.server_port}", f"/{n}") for n in range(3)]
    assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_is_replaced(server: Server, clock: Clock) -> None:
    asking = fetcher(clock)
    body(asking, server.url())
    for line in asking._idle[("http", HOST, server.server_port)]:
        line.sock.shutdown(socket.SHUT_RDWR)
    assert body(asking, server.url()) == b"picture"
    assert clock.slept == []


def test_redirects_are_followed_within_the_list(server: Server, clock: Clock) -> None:
    server.replies.append(Reply(302, b"", {"Location": "/moved"}))
    assert body(fetcher(clock), server.url()) == b"picture"
    assert [path for _, path in server.asked] == ["/a", "/moved"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("http://inside.example/secret", "an address that is not public"),
        ("http://169.254.169.254/latest/meta-data", "a host that is not allowed"),
        ("http://localhost/", "a host that is not allowed"),
        ("http://[::ffff:10.0.0.1]/", "a host that is not allowed"),
        ("file:///etc/passwd", "not an address that can be fetched"),
    ],
)
def test_a_redirect_to_a_private_address_is_refused_and_not_tried_again(
    server: Server, clock: Clock, place: str, reason: str
) -> None:
    server.replies.append(Reply(302, b"", {"Location": place}))
    with pytest.raises(AddressRefused, match=reason):
        patient(fetcher(clock), server.url())
    assert (len(server.asked), clock.slept) == (1, [])


def test_redirects_without_an_end_are_given_up(server: Server, clock: Clock) -> None:
    server.replies.extend(Reply(301, b"", {"Location": "/again"}) for _ in range(9))
    with pytest.raises(FetchError, match="redirected too often"):
        patient(fetcher(clock), server.url())
    assert len(server.asked) == 6


def test_a_name_is_resolved_once_per_connection_and_that_address_is_used(server: Server, clock: Clock) -> None:
    answers = deque([["127.0.0.1"], ["10.0.0.7"]])  # rebinding: good when it is checked, private when asked again

    def rebinding(host: str, port: int) -> list[str]:
        return answers.popleft()

    reach = AllowedHosts(frozenset({HOST}), world(clock, rebinding).network)
    assert body(Fetcher(reach, world(clock)), server.url()) == b"picture"
    assert len(answers) == 1
    with pytest.raises(AddressRefused, match=r"images\.example is 10\.0\.0\.7"):
        body(Fetcher(reach, world(clock)), server.url())
    assert len(server.asked) == 1


def test_where_one_address_does_not_answer_the_next_one_is_tried(server: Server, clock: Clock) -> None:
    network = Network(lambda *_: ["127.0.0.2", "127.0.0.1"], lambda address: address.is_loopback, ("http",))
    assert body(Fetcher(AllowedHosts(frozenset({HOST}), network), world(clock)), server.url()) == b"picture"


def test_a_certificate_that_is_not_trusted_is_no_fault_that_passes() -> None:
    error = ssl.SSLCertVerificationError("no")
    error.verify_message = "self-signed certificate"
    with (
        pytest.raises(FetchError, match=r"the certificate is not trusted \(h: self-signed certificate\)") as fault,
        transport_faults("h"),
    ):
        raise error
    assert not fault.value.passing


def test_tls_proves_the_name_although_the_connection_goes_to_an_address(server: Server, clock: Clock) -> None:
    named: list[str] = []

    class Unencrypted:
        def wrap_socket(self, sock: socket.socket, server_hostname: str) -> socket.socket:
            named.append(server_hostname)
            return sock

    network = replace(world(clock).network, schemes=("https",))
    asking = Fetcher(AllowedHosts(frozenset({HOST}), network), replace(world(clock), tls=Unencrypted))  # type: ignore[arg-type]
    assert body(asking, f"https://{HOST}:{server.server_port}/a") == b"picture"
    assert named == [HOST]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404), "not found"),
        (Reply(410), "not found"),
        (Reply(403), "refused by the server"),
        (Reply(200, b"x" * 1001), "too large a file"),
    ],
)
def test_faults_that_stay_are_not_tried_again(server: Server, clock: Clock, reply: Reply, reason: str) -> None:
    server.replies.append(reply)
    with pytest.raises(FetchError, match=reason):
        patient(fetcher(clock), server.url())
    assert (len(server.asked), clock.slept) == (1, [])


@pytest.mark.parametrize("reply", [Reply(503), Reply(429), Reply(500), Reply(cut=True)])
def test_faults_that_pass_are_met_again_after_a_doubling_wait(server: Server, clock: Clock, reply: Reply) -> None:
    server.replies.extend([reply] * 3)
    assert patient(fetcher(clock), server.url()) == b"picture"
    assert clock.slept == [1.0, 2.0, 4.0]


def test_chance_spreads_the_waits(server: Server, clock: Clock) -> None:
    server.replies.extend([Reply(503)] * 2)
    chances = deque([0.0, 1.0])
    patient(fetcher(clock, chance=chances.popleft), server.url())
    assert clock.slept == [0.5, 3.0]


def test_a_fault_that_does_not_pass_in_time_is_raised(server: Server, clock: Clock) -> None:
    server.replies.extend([Reply(503)] * 9)
    with pytest.raises(FetchError, match=r"the server failed \(status 503\)"):
        patient(fetcher(clock), server.url())
    assert len(server.asked) == 5


@pytest.mark.parametrize("header", ["7", "Sun, 22 Nov 2026 12:00:07 GMT"])
def test_a_host_that_asks_to_wait_is_left_alone_so_long(server: Server, clock: Clock, header: str) -> None:
    server.replies.append(Reply(429, b"", {"Retry-After": header}))
    asking = fetcher(clock)
    assert patient(asking, server.url()) == b"picture"
    assert clock.now_s == pytest.approx(1007.0, abs=0.01)


def test_a_pause_holds_every_thread_back(clock: Clock) -> None:
    pace = RateLimiter(clock, clock.sleep, per_s=10.0)
    pace.pause("h", 5.0)
    with pace.turn("h"):
        assert clock.now_s == 1005.0
    with pace.turn("other"):
        assert clock.now_s == 1005.0


def test_requests_to_a_host_keep_their_distance(clock: Clock) -> None:
    pace = RateLimiter(clock, clock.sleep, per_s=10.0)
    for _ in range(5):
        with pace.turn("h"):
            pass
    assert clock.now_s == pytest.approx(1000.4)


def test_no_more_requests_than_allowed_run_at_once(clock: Clock) -> None:
    pace, together, most, lock = RateLimiter(clock, clock.sleep, at_once=3, per_s=1e9), [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(20):
            with pace.turn("h"):
                with lock:
                    together[0] += 1
                    most[0] = max(most[0], together[0])
                with lock:
                    together[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 3


def test_a_server_that_asks_for_hours_is_not_waited_for(server: Server, clock: Clock) -> None:
    server.replies.append(Reply(429, b"", {"Retry-After": "7200"}))
    with pytest.raises(FetchError, match="too many requests"):
        patient(fetcher(clock), server.url())
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
    assert retry_after_s(text, NOW) == seconds


def test_a_server_that_cannot_be_reached_is_a_fault_that_passes(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(FetchError, match="the server cannot be reached") as fault:
        patient(fetcher(clock), f"http://{HOST}:{port}/")
    assert fault.value.passing
    assert len(clock.slept) == 4


def test_a_body_that_takes_too_long_is_given_up(server: Server, clock: Clock) -> None:
    ticks = iter(range(0, 10_000, 100))
    with pytest.raises(FetchError, match="too slow"):
        body(fetcher(clock, clock=lambda: float(next(ticks))), server.url())


def test_whoever_was_stopped_raises_cancelled_instead_of_waiting(server: Server, clock: Clock) -> None:
    asking = fetcher(clock)
    asking.stop()
    with pytest.raises(Cancelled, match="stopped"):
        patient(asking, server.url())


def test_stopping_wakes_a_thread_that_waits_for_bytes(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asking, ended = fetcher(clock), list[BaseException]()

        def ask() -> None:
            try:
                patient(asking, f"http://{HOST}:{silent.getsockname()[1]}/")
            except (Cancelled, FetchError) as error:
                ended.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        connection, _ = silent.accept()
        connection.recv(1000)
        asking.stop()
        thread.join(4.0)
        connection.close()
    assert not thread.is_alive()
    assert [type(error) for error in ended] == [Cancelled]
