"""A reply has so many bytes and so much time: over TCP, TLS and a proxy, on new and on kept connections."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
import requests

from core.gemini.bounded_adapter import MAX_REPLY_BYTES, BoundedAdapter, RefusedReply
from tests.fakes.gemini_hostile import head
from tests.fakes.nginx import certificate
from tests.fakes.raw_server import RawServer, drip, raw_server, read_request

LIMIT_S = 0.4
# What a busy machine may add to it.
MARGIN_S = 3.0
OK = head("Content-Length: 2") + b"{}"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> requests.Session:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter())
    return session


def replying(*replies: bytes) -> Callable[[socket.socket], None]:
    """A handler that answers the requests of a connection with these, one each."""

    def handle(connection: socket.socket) -> None:
        for reply in replies:
            if read_request(connection):
                connection.sendall(reply)
        read_request(connection)  # wait until the client has gone

    return handle


def dripping(begin: bytes = b"", *before: bytes) -> Callable[[socket.socket], None]:
    """A handler that answers `before`, and then with `begin` and a byte now and then."""

    def handle(connection: socket.socket) -> None:
        for reply in before:
            read_request(connection)
            connection.sendall(reply)
        read_request(connection)
        connection.sendall(begin)
        drip(connection)

    return handle


def post(session: requests.Session, server: RawServer, timeout: float = LIMIT_S) -> requests.Response:
    return session.post(f"http://127.0.0.1:{server.port}/", data=b"{}", timeout=timeout)


def check_ended(server: RawServer, began: float) -> None:
    """The client gave up in time, and its connection is gone."""
    assert monotonic() - began < LIMIT_S + MARGIN_S
    while server.open and monotonic() - began < LIMIT_S + MARGIN_S:
        sleep(0.01)
    assert server.open == 0


def test_a_reply_arrives_whole_and_its_connection_is_used_again(session: requests.Session) -> None:
    with raw_server(
        replying(OK, head("Transfer-Encoding: chunked") + b"3\r\n{  \r\n1\r\n}\r\n0\r\n\r\n", OK)
    ) as server:
        assert [post(session, server).text for _ in range(3)] == ["{}", "{  }", "{}"]
        assert server.accepted == 1


@pytest.mark.parametrize("length_sent", [True, False])
def test_the_largest_reply_is_read_and_a_byte_more_is_not(session: requests.Session, length_sent: bool) -> None:
    def handle(connection: socket.socket) -> None:
        body = bytes(MAX_REPLY_BYTES + server.accepted - 1)  # the second connection gets a byte more
        read_request(connection)
        connection.sendall(head("Connection: close", *([f"Content-Length: {len(body)}"] if length_sent else [])) + body)

    with raw_server(handle) as server:
        assert post(session, server, 20.0).content == bytes(MAX_REPLY_BYTES)
        with pytest.raises(RefusedReply, match="more than 1,048,576 bytes"):
            post(session, server, 20.0)


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-More: much\r\n" * 5_000,
        b"HTTP/1.1 200 OK\r\n" + (b"X-More: " + b"x" * 30_000 + b"\r\n") * 3,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
        b"HTTP/1.1 " + b"2" * 70_000,
    ],
)
def test_a_head_without_end_is_not_read_to_its_end(session: requests.Session, begin: bytes) -> None:
    with raw_server(replying(begin)) as server:
        with pytest.raises(requests.exceptions.ConnectionError, match="aborted") as raised:
            post(session, server, 20.0)
        assert not isinstance(raised.value, requests.exceptions.Timeout)


def test_a_long_head_with_interim_replies_is_read(session: requests.Session) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 3
    with raw_server(replying(interim + head(f"X-Long: {'x' * 60_000}", "Content-Length: 2") + b"{}")) as server:
        assert post(session, server, 20.0).text == "{}"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity, gzip", "x-made-up"])
def test_a_compressed_reply_is_refused_and_none_is_asked_for(session: requests.Session, encoding: str) -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        body = gzip.compress(b"{}")
        connection.sendall(head(f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}") + body)
        read_request(connection)

    with raw_server(handle) as server:
        began = monotonic()
        with pytest.raises(RefusedReply, match="compressed"):
            post(session, server)
        check_ended(server, began)
    assert b"accept-encoding: identity\r\n" in seen[0].lower()


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        head("Content-Length: 900"),
        head("Connection: close"),
        head("Transfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked") + b"9\r\n",
        head("Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n",
        head("Content-Length: 900", status="503 Service Unavailable"),
        head("Content-Length: 900", "Location: /elsewhere", status="302 Found"),
    ],
)
def test_a_dripped_reply_ends_in_time_with_its_connection(session: requests.Session, begin: bytes) -> None:
    with raw_server(dripping(begin)) as server:
        began = monotonic()
        with pytest.raises(requests.exceptions.ReadTimeout, match="the time is up"):
            post(session, server)
        check_ended(server, began)


def test_a_reply_dripped_on_a_kept_connection_ends_in_time(session: requests.Session) -> None:
    with raw_server(dripping(head("Content-Length: 900"), OK, OK)) as server:
        assert [post(session, server).text for _ in range(2)] == ["{}", "{}"]
        began = monotonic()
        with pytest.raises(requests.exceptions.ReadTimeout, match="the time is up"):
            post(session, server)
        assert server.accepted == 1
        check_ended(server, began)


def test_half_a_reply_that_the_deadline_cut_is_not_taken_for_a_whole_one(session: requests.Session) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head("Connection: close") + b'{"half": ')
        read_request(connection)

    with raw_server(handle) as server, pytest.raises(requests.exceptions.Timeout):
        post(session, server)


def test_a_server_that_never_reads_ends_the_request_in_time(session: requests.Session) -> None:
    with raw_server(lambda _: sleep(5.0)) as server:
        began = monotonic()
        with pytest.raises(requests.exceptions.Timeout):
            session.post(f"http://127.0.0.1:{server.port}/", data=bytes(64 << 20), timeout=LIMIT_S)
        assert monotonic() - began < LIMIT_S + MARGIN_S


def test_a_connection_that_breaks_off_is_no_timeout(session: requests.Session) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head("Content-Length: 900") + b"{")

    with raw_server(handle) as server, pytest.raises(requests.exceptions.ConnectionError) as raised:
        post(session, server, 20.0)
    assert not isinstance(raised.value, requests.exceptions.Timeout)


# -- TLS and a proxy ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost, and a server's context with it."""
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return folder / "certificate.pem", context


def test_replies_over_tls_arrive_and_dripped_ones_end_in_time(
    session: requests.Session, tls: tuple[Path, ssl.SSLContext]
) -> None:
    file, context = tls

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            dripping(head("Content-Length: 900"), OK)(secure)

    with raw_server(handle) as server:
        url = f"https://localhost:{server.port}/"
        assert session.post(url, data=b"{}", timeout=20.0, verify=str(file)).text == "{}"
        began = monotonic()
        with pytest.raises(requests.exceptions.ReadTimeout, match="the time is up"):
            session.post(url, data=b"{}", timeout=LIMIT_S, verify=str(file))
        assert server.accepted == 1
        check_ended(server, began)


@pytest.mark.parametrize("dripped", [b"\x16", b""])
def test_a_tls_handshake_that_never_ends_is_given_up_before_anything_was_sent(
    session: requests.Session, dripped: bytes
) -> None:
    def handle(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KB
        drip(connection, dripped) if dripped else connection.recv(65_536) and connection.recv(65_536)

    with raw_server(handle) as server:
        began = monotonic()
        with pytest.raises(requests.exceptions.ConnectTimeout):
            session.post(f"https://localhost:{server.port}/", data=b"{}", timeout=LIMIT_S)
        check_ended(server, began)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_proxy_drips_ends_in_time(session: requests.Session, scheme: str) -> None:
    with raw_server(dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ")) as server:
        began, proxies = monotonic(), {scheme: f"http://127.0.0.1:{server.port}"}
        with pytest.raises(requests.exceptions.Timeout):
            session.post(f"{scheme}://gemini.invalid/", data=b"{}", timeout=LIMIT_S, proxies=proxies)
        check_ended(server, began)


def test_requests_that_failed_leave_no_file_descriptor(session: requests.Session) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("only Linux lists its file descriptors there")
    with raw_server(dripping(head("Connection: close"))) as server:
        counts = []
        for _ in range(12):
            with suppress(requests.exceptions.Timeout):
                post(session, server, 0.05)
            while server.open:
                sleep(0.01)
            counts.append(sum(1 for _ in folder.iterdir()))
    assert counts[-1] <= counts[1]
