"""A server of the routes of images alone, and requests as no client library would send them."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from starlette.applications import Starlette

from core.api.guards import ServedHosts
from core.api.image_routes import image_routes
from core.app import App


def server(app: Callable[[], App], base_path: str = "") -> Starlette:
    return Starlette(routes=image_routes(app, ServedHosts(), "set it", base_path))


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
