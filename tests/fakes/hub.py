"""A mock Hugging Face hub: answers what huggingface_hub 2.4 requests of huggingface.co, with faults on demand.

Small files are served after a redirect on the hub itself, large ones by a storage server at another origin, whose URL
the hub sends together with size and SHA-256. Both record their requests.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote

from huggingface_hub.utils.sha import git_hash

DRIPS = 12
DRIP_PAUSE_S = 0.02


@dataclass(frozen=True)
class HubRequest:
    """One received request; `offset` is the start of its range."""

    method: str
    server: str
    path: str
    offset: int
    signed_in: bool


@dataclass(frozen=True)
class HubFile:
    """One file of a repository."""

    data: bytes
    large: bool
    etag: str


@dataclass(frozen=True)
class Refusal:
    """An answer without a file: a status, and the headers that huggingface_hub reads."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


# How a body can fail: `cut` and `stall` after the half, `drip` in pieces, `wrong` bytes, `whole` despite a range.
Fault = str | Refusal | None


class FakeHub:
    """Two servers on 127.0.0.1. Each request for a file (HEAD) or body (GET) consumes one of its method's `faults`.

    The fault `silent` accepts the request and sends no file.
    """

    def __init__(self) -> None:
        self.requests: list[HubRequest] = []
        self.commit = "a" * 40
        self.faults: dict[str, deque[Fault]] = {"HEAD": deque(), "GET": deque()}
        self.closing = threading.Event()
        self._files: dict[tuple[str, str], HubFile] = {}
        self._servers = {name: self._start(name) for name in ("hub", "storage")}

    @property
    def endpoint(self) -> str:
        return self.origin("hub")

    def origin(self, server: str) -> str:
        return f"http://127.0.0.1:{self._servers[server].server_port}"

    def add(self, repository: str, name: str, data: bytes, large: bool = True, etag: str = "") -> bytes:
        """Add a file; `etag` overrides the hash of its content."""
        etag = etag or (hashlib.sha256(data).hexdigest() if large else git_hash(data))
        self._files[repository, name] = HubFile(data, large, etag)
        return data

    def fail(self, method: str, *faults: Fault) -> None:
        """The faults of a method's next requests, in this order; None is no fault."""
        self.faults[method].extend(faults)

    def offsets(self) -> list[int]:
        """The offsets of the requests for bodies of large files."""
        return [r.offset for r in self.requests if (r.method, r.server) == ("GET", "storage")]

    def file(self, repository: str, name: str) -> HubFile | None:
        return self._files.get((repository, name))

    def has_repository(self, repository: str) -> bool:
        return any(known == repository for known, _ in self._files)

    def by_etag(self, etag: str) -> HubFile:
        return next(file for file in self._files.values() if file.etag == etag)

    def close(self) -> None:
        """Stop the servers; open connections are cut off."""
        self.closing.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def _start(self, name: str) -> _Server:
        server = _Server(self, name)
        threading.Thread(target=server.serve_forever, args=(0.01,), name=f"fake-{name}", daemon=True).start()
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: FakeHub, name: str) -> None:
        self.hub, self.name = hub, name
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Tests look at `requests` instead."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, path = self.server.hub, unquote(self.path)
        offset = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        hub.requests.append(HubRequest(self.command, self.server.name, path, offset, "authorization" in self.headers))
        if self.server.name == "storage":
            self._send_file(hub.by_etag(path.rpartition("/")[2]), offset, self._fault())
        elif path.startswith("/api/resolve-cache/models/"):
            owner, name, _, file_name = path.removeprefix("/api/resolve-cache/models/").split("/", 3)
            file = hub.file(f"{owner}/{name}", file_name)
            assert file is not None
            self._send_file(file, offset, None)
        else:
            self._resolve(path)

    def _resolve(self, path: str) -> None:
        hub = self.server.hub
        repository, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        fault = self._fault() if self.command == "HEAD" else None
        file = hub.file(repository, name)
        if fault == "silent":
            hub.closing.wait()
            self.close_connection = True
        elif isinstance(fault, Refusal):
            self._send(fault.status, fault.headers)
        elif not hub.has_repository(repository):
            self._send(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."})
        elif revision not in ("main", hub.commit):
            self._send(404, {"X-Error-Code": "RevisionNotFound"})
        elif file is None:
            self._send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": hub.commit})
        elif file.large:
            self._send(302, self._large_file_headers(repository, file))
        else:
            location = f"/api/resolve-cache/models/{repository}/{hub.commit}/{name}"
            self._send(307, {"Location": location, "X-Repo-Commit": hub.commit})

    def _large_file_headers(self, repository: str, file: HubFile) -> dict[str, str]:
        hub = self.server.hub
        token = f"{hub.endpoint}/api/models/{repository}/xet-read-token/{hub.commit}"
        return {
            "Location": f"{hub.origin('storage')}/{file.etag}",
            "X-Repo-Commit": hub.commit,
            "X-Linked-Size": str(len(file.data)),
            "X-Linked-ETag": f'"{file.etag}"',
            "ETag": '"pointer"',
            "X-Xet-Hash": "f" * 64,
            "Link": f'<{token}>; rel="xet-auth"',
        }

    def _send_file(self, file: HubFile, offset: int, fault: Fault) -> None:
        if isinstance(fault, Refusal):
            self._send(fault.status, fault.headers)
            return
        offset = 0 if fault == "whole" else offset
        data = bytes(255 - byte for byte in file.data) if fault == "wrong" else file.data
        headers = {"ETag": f'"{file.etag}"', "X-Repo-Commit": self.server.hub.commit}
        if offset:
            headers["Content-Range"] = f"bytes {offset}-{len(data) - 1}/{len(data)}"
        self._send(206 if offset else 200, headers, len(data) - offset)
        if self.command == "GET":
            self._send_body(data[offset:], fault)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        if fault == "drip":
            step = len(body) // DRIPS + 1
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                self.server.hub.closing.wait(DRIP_PAUSE_S)
        elif fault in ("cut", "stall", "silent"):
            self.wfile.write(body[: 0 if fault == "silent" else len(body) // 2])
            self.wfile.flush()
            if fault != "cut":
                self.server.hub.closing.wait()
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _send(self, status: int, headers: dict[str, str], length: int = 0) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _fault(self) -> Fault:
        waiting = self.server.hub.faults[self.command]
        return waiting.popleft() if waiting else None
