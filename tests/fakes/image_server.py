"""A server of the routes of images alone, and requests as no client library would send them."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware

from core.api.connection_guard import ConnectionGuard
from core.api.image_routes import image_routes
from core.api.served_hosts import ServedHosts
from core.app import App


def server(app: Callable[[], App], base_path: str = "") -> Starlette:
    guard = Middleware(ConnectionGuard, hosts=ServedHosts())
    return Starlette(routes=image_routes(app, base_path), middleware=[guard])


def raw(port: int, target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request, its target and headers sent as they are: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, target, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found
