"""The routes beside the pages, what guards them and the pages, and the addresses that pages link to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from core.api.connection_guard import ConnectionGuard
from core.api.image_routes import PREFIX, image_routes
from core.api.local_connections import is_loopback_host
from core.api.served_hosts import ServedHosts
from core.api.session_guard import SessionGuard, session_route
from core.api.upload_guard import UploadGuard
from core.errors import SettingError
from core.logs import log
from core.records.encoded_images import ImageKind
from core.sessions import SessionService
from core.settings import Settings
from core.upload_permits import UploadPermits
from pages.ui.streamlit_internals import allow_upload_size, held_upload_bytes, sign_in_routes

if TYPE_CHECKING:
    from core.app import App


def base_path() -> str:
    """What every path of this server begins with: empty, or like `/gallery`."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def routes() -> list[BaseRoute]:
    """The routes beside the pages, for the server that runs them: images, the cookies of sessions, and the start."""

    def app() -> App:
        from pages.ui import resources

        return resources.app()

    served = [*image_routes(app, base_path()), session_route(lambda: app().sessions, base_path())]
    return [*served, *(Route(path, lead_to_search) for path in sorted({base_path() or "/", f"{base_path()}/"}))]


async def lead_to_search(request: Request) -> RedirectResponse:
    """Leads from the bare address to the search and keeps what it asks for.

    A page that led on would stay in the browser's history, where Back would end. The address is relative, since a proxy
    may put a path in front.
    """
    last = request.url.path.rpartition("/")[2]
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{last}/search{query}" if last else f"search{query}", 307)


def image_url(collection: str, asset_id: str, kind: ImageKind = "thumbnail") -> str:
    """The address of an image, relative to the server's base.

    Pages are one level deep, so for a browser it is relative to the page too, whatever base path the server or a proxy
    before it puts in front.
    """
    return "/".join([images_url(collection), *(quote(part, safe="") for part in (asset_id, kind))])


def images_url(collection: str) -> str:
    """What the addresses of all images of a collection begin with."""
    return f"{PREFIX.strip('/')}/{quote(collection, safe='')}"


def image_address(collection: str, asset_id: str, kind: ImageKind = "thumbnail") -> str:
    """The same as a whole URL, as the person's browser reaches it; st.image takes no other."""
    return urljoin(st.context.url or "http://localhost/", image_url(collection, asset_id, kind))


def connection_guard() -> Middleware:
    """What every request to this server passes first."""
    settings = settings_or_defaults()
    hosts = ServedHosts.from_setting(settings.hosts)
    behind_proxy = is_behind_proxy(hosts, str(st.get_option("server.address") or ""))
    if behind_proxy and not settings.sign_in and not settings.curator_key:
        log(
            "server",
            "a proxy is expected: nobody changes anything without signing in or the curator key",
            logging.WARNING,
            because="CONTACTSHEET_HOSTS names other computers and the server listens on this one alone",
            advice="set CONTACTSHEET_CURATOR_KEY or [auth], or without a proxy --server.address 0.0.0.0",
        )
    return Middleware(ConnectionGuard, hosts=hosts, behind_proxy=behind_proxy, client_header=settings.client_header)


def session_guard() -> Middleware:
    """What tells which session a connection belongs to."""

    def sessions() -> SessionService:
        from pages.ui import resources

        return resources.app().sessions

    return Middleware(SessionGuard, sessions=sessions, routes=sign_in_routes(), base_path=base_path())


def upload_guard() -> Middleware:
    """What every upload to this server passes before it is read."""
    settings = settings_or_defaults()
    allow_upload_size(max(settings.upload_mb, settings.query_picture_mb))

    def permits() -> UploadPermits:
        from pages.ui import resources

        return resources.app().upload_permits

    return Middleware(UploadGuard, permits=permits, held=held_upload_bytes)


def served_hosts() -> ServedHosts:
    """The hosts of CONTACTSHEET_HOSTS."""
    return ServedHosts.from_setting(settings_or_defaults().hosts)


def settings_or_defaults() -> Settings:
    """The settings in force; the strict defaults where one is wrong, which pages then say."""
    try:
        return Settings.load()
    except SettingError:
        return Settings()


def is_behind_proxy(hosts: ServedHosts, bound: str) -> bool:
    """Whether people at other computers reach this server and it listens on loopback alone (`bound`).

    Only a proxy on this computer makes that work, and it need not leave a trace: nginx by default adds no header, and
    sends the address that it asks, or what the client said, as the Host.
    """
    return is_loopback_host(bound) and not hosts.all_loopback
