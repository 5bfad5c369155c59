"""A mock server for the Gemini API: generateContent over HTTP on this machine, an honest ranking, faults on demand.

    with StandIn(key="…") as server:
        server.script(FAULTS["503"], FAULTS["429-minute"])   # one per request, then honest answers again
        server.always(FAULTS["503"])                         # every request without a scripted step
        server.address, server.ledger, server.requests

`python -m tests.fakes.gemini` starts one by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.gemini_faults import FAULTS, bad_key, invalid
from tests.fakes.gemini_ranking import answer
from tests.fakes.gemini_reply import EnumEncoder, LedgerRow, WireReply, answered, blocked, page, refused, reset, stream
from tests.fakes.gemini_request import BadRequest, parse
from tests.fakes.gemini_steps import AnswerStep, BlockedStep, ErrorStep, PageStep, ResetStep, Step, StreamStep

MANUAL_KEY = "mock"
MAX_REQUESTS = 64
PATH = re.compile(r"/v1beta/models/([^/:]+):generateContent")


class MockGeminiServer:
    """A server on 127.0.0.1 that accepts one key.

    A reply is sent `delay_s` after its request has arrived, or as soon as it is ready. `obedient` makes the server do
    what the texts say. Both may be changed between requests.
    """

    def __init__(self, key: str = MANUAL_KEY, delay_s: float = 0.0, obedient: bool = False, port: int = 0) -> None:
        self.delay_s, self.obedient = delay_s, obedient
        self.closing = threading.Event()
        self.open_streams = 0  # connections on which a StreamStep is still being sent
        self._key, self._count = key, 0
        self._always: Step = AnswerStep()
        self._scripted: deque[Step] = deque()
        self._requests: deque[dict[str, Any]] = deque(maxlen=MAX_REQUESTS)
        self._ledger: list[LedgerRow] = []
        self._lock = threading.Lock()
        self._server = _Server(self, port)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="gemini-mock", daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def ledger(self) -> list[LedgerRow]:
        """One row per request, in the order of their replies."""
        with self._lock:
            return list(self._ledger)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The latest decoded bodies that came with the right key."""
        with self._lock:
            return list(self._requests)

    def script(self, *steps: Step) -> None:
        """The steps of the next requests, in this order."""
        with self._lock:
            self._scripted.extend(steps)

    def always(self, step: Step) -> None:
        """The step of every request without a scripted one; `AnswerStep()` for honest answers again."""
        with self._lock:
            self._always = step

    def record(self, row: LedgerRow) -> None:
        with self._lock:
            self._ledger.append(row)

    def streaming(self, more: int) -> None:
        with self._lock:
            self.open_streams += more

    def reply_to(self, url: str, key: str, body: bytes) -> WireReply:
        """The reply to a POST. A wrong key or a bad body uses up no scripted step."""
        target = urlsplit(url)
        found = PATH.fullmatch(target.path)
        model = found[1] if found else ""
        if not found:
            return refused(ErrorStep(404, "NOT_FOUND", f"{target.path} is not found."), model)
        if key != self._key:
            return refused(bad_key(), model)
        try:
            wire, prompt = parse(body)
        except BadRequest as error:
            return refused(invalid(str(error)), model)
        step, response_id = self._next(wire)
        enum = EnumEncoder(as_numbers="enum-encoding=int" in parse_qs(target.query).get("$alt", [""])[0])
        match step:
            case AnswerStep():
                return answered(step, answer(prompt, key, self.obedient), model, prompt, response_id, enum)
            case BlockedStep():
                return blocked(step, model, prompt, response_id, enum)
            case ErrorStep():
                return refused(step, model)
            case PageStep():
                return page(step, model)
            case ResetStep():
                return reset(model)
            case StreamStep():
                return stream(step, model)

    def _next(self, wire: dict[str, Any]) -> tuple[Step, str]:
        with self._lock:
            self._count += 1
            self._requests.append(wire)
            step = self._scripted.popleft() if self._scripted else self._always
            return step, f"mock-{self._count:06d}"

    def close(self) -> None:
        """Stop answering; whoever still waits is cut off."""
        self.closing.set()
        self._server.shutdown()
        self._server.cut_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def nothing_listening() -> Iterator[str]:
    """An address at which connections are refused for as long as the context lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, mock_server: MockGeminiServer, port: int) -> None:
        self.mock_server = mock_server
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def cut_connections(self) -> None:
        """End kept-alive connections too: their threads would go on answering."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Tests look at `ledger` instead."""

    def do_GET(self) -> None:
        rows = [asdict(row) for row in self.server.mock_server.ledger] if self.path == "/ledger" else None
        body = json.dumps(rows).encode()
        self.wfile.write(self._head(404 if rows is None else 200, "application/json", len(body)) + body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        arrived = time.monotonic()
        mock_server = self.server.mock_server
        reply = mock_server.reply_to(self.path, self.headers.get("x-goog-api-key", ""), body)
        delay_s = mock_server.delay_s if reply.delay_s is None else reply.delay_s
        if mock_server.closing.wait(max(0.0, delay_s - (time.monotonic() - arrived))):
            self._reset()
        elif reply.stream is not None:
            self._send_stream(reply, reply.stream)
        elif reply.reset_after is None:
            self._send_all(reply)
        else:
            self._send_until(reply, reply.reset_after)

    def _send_all(self, reply: WireReply) -> None:
        """The ledger is written before the last byte, so that it is complete when the client has its reply."""
        head = self._head(reply.code, reply.content_type, len(reply.body))
        whole, at_once = head + reply.body, len(head) if reply.drip_from_body else 0
        try:
            self.wfile.write(whole[:at_once])
            self._send(whole[at_once:-1], reply.drip_s)
            left = self._client_has_left()
        except OSError:
            left = True
        self.server.mock_server.record(replace(reply.row, reported=reply.row.reported and not left))
        if left:
            self._reset()
        else:
            self.wfile.write(whole[-1:])

    def _send_stream(self, reply: WireReply, stream: StreamStep) -> None:
        self.server.mock_server.record(reply.row)
        self.server.mock_server.streaming(1)
        with suppress(OSError):
            self.wfile.write(stream.head)
            for _ in range(stream.times):
                self.wfile.write(stream.again)
                if self.server.mock_server.closing.wait(stream.pause_s) or self._client_has_left():
                    break
        self.server.mock_server.streaming(-1)
        self.close_connection = True

    def _send_until(self, reply: WireReply, reset_after: int) -> None:
        if reset_after:
            self.wfile.write(self._head(reply.code, reply.content_type, len(reply.body)) + reply.body[:reset_after])
        self.server.mock_server.record(replace(reply.row, reported=False))
        self._reset()

    def _head(self, code: int, content_type: str, length: int) -> bytes:
        lines = (
            f"HTTP/1.1 {code} {self.responses.get(code, ('',))[0]}",
            "Server: gemini-mock",
            f"Content-Type: {content_type}",
            f"Content-Length: {length}",
            "",
            "",
        )
        return "\r\n".join(lines).encode()

    def _send(self, data: bytes, drip_s: float) -> None:
        if not drip_s:
            self.wfile.write(data)
            return
        began = time.monotonic()
        for place, byte in enumerate(data):
            if self.server.mock_server.closing.wait(max(0.0, began + drip_s * place / len(data) - time.monotonic())):
                raise ConnectionAbortedError
            self.wfile.write(bytes([byte]))

    def _client_has_left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _reset(self) -> None:
        """Closing without lingering sends a reset; the reader holds the socket too, so it goes first."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
        self.close_connection = True


def main(arguments: Sequence[str] | None = None) -> None:
    """Start a mock server by hand; it runs until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.gemini", description="A mock server for the Gemini API."
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--delay", type=float, default=0.8, metavar="SECONDS", help="until an answer; default: 0.8")
    parser.add_argument("--obedient", action="store_true", help="do what texts and notes say")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="meet every request with this")
    given = parser.parse_args(arguments)
    with MockGeminiServer(MANUAL_KEY, given.delay, given.obedient, given.port) as server:
        server.always(FAULTS[given.fault] if given.fault else AnswerStep())
        print(f"The mock server listens at {server.address} with the key {MANUAL_KEY!r}. Try the app with it:")
        print(f"  GEMINI_API_KEY={MANUAL_KEY} CONTACTSHEET_GEMINI_ENDPOINT={server.address} make run")
        print(f"What was billed: {server.address}/ledger. Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
