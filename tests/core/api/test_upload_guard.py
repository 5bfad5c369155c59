"""Uploads: who may, how large, how many at once and in a minute; decided before the body is read."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from core.access import Access, Person
from core.api.upload_guard import UploadGuard
from core.settings import Secret, Settings
from core.store.sql.rate_limits import RateLimits
from core.upload_permits import BYTES_PER_MB, PERMIT_S, UploadPermits
from tests.fakes.clock import SecondsClock
from tests.fakes.event_loops import run_in_thread

MB = BYTES_PER_MB
KEY = Secret("correct horse")
CURATOR, VIEWER = Person(key=KEY, visitor="192.0.2.1"), Person(visitor="192.0.2.2")
CHUNK = b"x" * 65_536


@dataclass
class Server:
    """The guard around a route that takes whatever comes, on a data folder."""

    permits: UploadPermits
    held: dict[str, int] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None

    def application(self) -> Starlette:
        async def take(request: Request) -> Response:
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
            if self.meanwhile is not None:
                await self.meanwhile()
            self.taken.append(size)
            return Response(status_code=204)

        route = Route("/_stcore/upload_file/{session}/{file}", take, methods=["PUT", "DELETE", "OPTIONS"])
        guard = Middleware(UploadGuard, permits=lambda: self.permits, held=self.held_bytes)
        return Starlette(routes=[route, Route("/other", take, methods=["PUT"])], middleware=[guard])

    def held_bytes(self, sessions: Any) -> int:
        return sum(self.held.get(session, 0) for session in sessions)


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: dict[str, str]
    read: int  # bytes of the body that the server asked for


async def put(server: Server, session: str, size: int, length: int | str | None = -1, **scope: Any) -> Reply:
    """Put a file of `size` bytes, which claims a Content-Length (-1: the true one, None: none)."""
    sent, left, read = [], size, 0

    async def receive() -> Message:
        nonlocal left, read
        chunk = CHUNK[: min(left, len(CHUNK))]
        left -= len(chunk)
        read += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if length is None else [(b"content-length", str(size if length == -1 else length).encode())]
    path = f"/_stcore/upload_file/{session}/f1"
    whole = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        **scope,
    }
    await server.application()(whole, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    text = b"".join(message.get("body", b"") for message in sent).decode()
    return Reply(start["status"], text, {k.decode(): v.decode() for k, v in start["headers"]}, read)


def answer(server: Server, session: str, size: int, length: int | str | None = -1, **scope: Any) -> Reply:
    return run_in_thread(put(server, session, size, length, **scope))


@pytest.fixture
def clock() -> SecondsClock:
    return SecondsClock()


@pytest.fixture
def server(tmp_path: Path, clock: SecondsClock) -> Server:
    """Query pictures of 2 MB, files of collections of 5."""
    settings = Settings(data=tmp_path, query_picture_mb=2, upload_mb=5)
    rates = RateLimits(tmp_path / "limits.db", now=clock)
    return Server(UploadPermits(Access(KEY), rates, settings, clock))


def test_a_session_that_shows_no_uploader_may_upload_nothing_and_nothing_is_read(server: Server) -> None:
    reply = answer(server, "unknown", 1000)
    assert (reply.status, reply.read, server.taken) == (403, 0, [])
    assert "open the page with the uploader" in reply.text


def test_who_searches_may_upload_a_picture_to_search_by(server: Server) -> None:
    server.permits.offer("s", VIEWER, "query")
    assert answer(server, "s", 2 * MB).status == 204
    assert server.taken == [2 * MB]


def test_what_is_too_large_is_refused_before_it_is_read(server: Server) -> None:
    server.permits.offer("s", VIEWER, "query")
    reply = answer(server, "s", 1_000_000_000)
    assert (reply.status, reply.read) == (413, 0)
    assert "1,000,000,000 bytes are too many, the limit is 2,097,152" in reply.text


@pytest.mark.parametrize("claimed", [None, 10, 2 * MB])
def test_what_hides_or_understates_its_length_is_cut_off_where_it_grows_too_long(
    server: Server, claimed: int | None
) -> None:
    server.permits.offer("s", VIEWER, "query")
    reply = answer(server, "s", 1_000_000_000, claimed)
    assert (reply.status, server.taken) == (413, [])
    assert reply.read < 3 * MB
    assert answer(server, "s", 1000, None).status == 204  # the next one is free to come


@pytest.mark.parametrize("claimed", ["-1", "many", "1e9", "٣", ""])
def test_a_length_that_is_none_is_refused(server: Server, claimed: str) -> None:
    server.permits.offer("s", VIEWER, "query")
    reply = answer(server, "s", 1000, claimed)
    assert (reply.status, reply.read) == (400, 0)


def test_a_curator_may_upload_files_for_a_collection_and_those_are_bounded_too(server: Server) -> None:
    server.permits.offer("s", CURATOR, "collection")
    assert answer(server, "s", 5 * MB).status == 204
    assert answer(server, "s", 6 * MB).status == 413


def test_a_viewer_may_not_upload_what_curators_may_although_the_page_was_shown_to_one(server: Server) -> None:
    server.permits.offer("s", VIEWER, "collection")
    assert answer(server, "s", 1000).status == 403
    server.permits.offer("s", VIEWER, "query")
    assert answer(server, "s", 1000).status == 204
    assert answer(server, "s", 3 * MB).status == 413


def test_whether_someone_is_still_a_curator_is_asked_at_every_upload(server: Server, tmp_path: Path) -> None:
    live = {"device"}
    access = replace(Access(KEY), is_live=lambda session: session in live)
    settings = Settings(data=tmp_path, query_picture_mb=2, upload_mb=5)
    server.permits = UploadPermits(access, RateLimits(tmp_path / "limits.db"), settings)
    server.permits.offer("s", Person(session="device", has_key=True), "collection")
    assert answer(server, "s", 1000).status == 204
    live.clear()
    assert answer(server, "s", 1000).status == 403


def test_an_offer_can_be_withdrawn_and_ends_by_itself(server: Server, clock: SecondsClock) -> None:
    server.permits.offer("s", CURATOR, "collection")
    server.permits.withdraw("s", "collection")
    assert answer(server, "s", 1000).status == 403
    server.permits.offer("s", CURATOR, "collection")
    clock.seconds += PERMIT_S + 1
    assert answer(server, "s", 1000).status == 403


def test_twenty_pictures_a_minute_are_enough_for_a_visitor_however_many_sessions_they_have(
    server: Server, clock: SecondsClock
) -> None:
    for name in "ab":
        server.permits.offer(name, VIEWER, "query")
    server.permits.offer("c", Person(visitor="192.0.2.9"), "query")
    assert {answer(server, "ab"[number % 2], 100).status for number in range(20)} == {204}
    reply = answer(server, "a", 100)
    assert (reply.status, reply.read, reply.headers["retry-after"]) == (429, 0, "60")
    assert "20 pictures a minute are the limit: try again in 60 s" in reply.text
    assert answer(server, "c", 100).status == 204
    clock.seconds += 61
    assert answer(server, "a", 100).status == 204


def test_a_visitor_uploads_one_picture_at_a_time(server: Server) -> None:
    server.permits.offer("s", VIEWER, "query")
    second: list[Reply] = []

    async def another() -> None:
        server.meanwhile = None
        second.append(await put(server, "s", 100))

    server.meanwhile = another
    assert answer(server, "s", 100).status == 204
    assert [reply.status for reply in second] == [429]
    assert answer(server, "s", 100).status == 204


def test_what_a_visitor_holds_in_memory_is_bounded_over_all_their_sessions(server: Server) -> None:
    for name in "ab":
        server.permits.offer(name, VIEWER, "query")
    server.held = {"a": 3 * MB, "b": 2 * MB, "other": 100 * MB}
    assert answer(server, "a", MB).status == 204
    reply = answer(server, "a", 2 * MB)
    assert (reply.status, reply.read) == (413, 0)
    assert "too many files are waiting" in reply.text
    server.held = {"b": 2 * MB}  # the page has used its picture
    assert answer(server, "a", 2 * MB).status == 204


def test_what_a_curator_holds_in_memory_is_bounded_too(server: Server) -> None:
    server.permits.offer("s", CURATOR, "collection")
    server.held = {"s": 99 * MB}
    assert answer(server, "s", MB).status == 204
    assert answer(server, "s", 2 * MB).status == 413


def test_other_methods_and_other_routes_are_none_of_its_business(server: Server) -> None:
    assert answer(server, "unknown", 0, method="DELETE").status == 204
    assert answer(server, "unknown", 0, method="OPTIONS").status == 204
    assert answer(server, "unknown", 10, path="/other").status == 204


@pytest.mark.parametrize(
    "path", ["/_stcore/upload_file/", "/_stcore/upload_file//f", "/gallery/_stcore/upload_file/s/f"]
)
def test_no_spelling_of_the_route_leads_around_it(server: Server, path: str) -> None:
    assert answer(server, "s", 1000, path=path).status == 403


def test_a_store_that_fails_lets_nothing_through(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.errors import StoreError

    def fail(*_: object) -> None:
        raise StoreError("the disk is full: make room")

    monkeypatch.setattr(server.permits._rates, "take", fail)
    server.permits.offer("s", VIEWER, "query")
    assert answer(server, "s", 100).status == 503
    monkeypatch.undo()
    assert answer(server, "s", 100).status == 204


@pytest.fixture
def port(server: Server) -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = uvicorn.Server(uvicorn.Config(server.application(), log_level="error", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield int(listening.getsockname()[1])
        running.should_exit = True
        thread.join(20)


def test_on_a_real_connection_the_refusal_comes_before_the_body(server: Server, port: int) -> None:
    server.permits.offer("s", VIEWER, "query")
    head = f"PUT /_stcore/upload_file/s/f HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 1000000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_on_a_real_connection_a_stream_without_end_is_cut_off(server: Server, port: int) -> None:
    server.permits.offer("s", VIEWER, "query")
    head = f"PUT /_stcore/upload_file/s/f HTTP/1.1\r\nHost: localhost:{port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk, sent = b"10000\r\n" + CHUNK + b"\r\n", 0
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head.encode())
        try:
            while sent < 100 * MB:
                connection.sendall(chunk)
                sent += len(CHUNK)
        except OSError:
            pass  # the server has hung up
    assert sent < 100 * MB
    assert server.taken == []
