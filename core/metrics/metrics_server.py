"""`/metrics` on a separate port, for Prometheus."""

from __future__ import annotations

import logging
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from core.errors import ContactSheetError, SettingError
from core.logs import log

LOOPBACK = "127.0.0.1"
REQUEST_TIMEOUT_S = 10.0


class MetricsServer:
    """Answers scrapes in daemon threads."""

    def __init__(self, registry: CollectorRegistry, port: int, host: str = LOOPBACK) -> None:
        """Listen; port 0 takes a free one. Raises SettingError if the port is not available."""
        try:
            self._server = _Server((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise SettingError(
                f"CONTACTSHEET_METRICS_PORT is {port}, but {host}:{port} cannot be listened on ({error}): "
                "choose another port, or 0 for none"
            ) from error
        self._server.registry = registry
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True).start()

    @property
    def address(self) -> str:
        """The address that it listens on, `HOST:PORT`."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    registry: CollectorRegistry

    def handle_error(self, *_: Any, **__: Any) -> None:
        """Log a client that hung up, or a bug in a metric source; other scrapes go on."""
        log("metrics", "a scrape broke off", logging.WARNING, error=repr(sys.exc_info()[1]))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "contactsheet", ""
    timeout = REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._respond(HTTPStatus.NOT_FOUND, b"metrics are at /metrics\n")
            return
        try:
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        except TypeError:  # a version that is no number
            encode, content_type = choose_encoder("")
        try:
            body = encode(self.server.registry)
        except ContactSheetError as error:
            log("metrics", "a scrape failed", logging.ERROR, error=str(error))
            self._respond(HTTPStatus.INTERNAL_SERVER_ERROR, b"the metrics could not be read: see the log\n")
            return
        self._respond(HTTPStatus.OK, body, content_type)

    def _respond(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Scrapes are frequent and not worth logging."""
