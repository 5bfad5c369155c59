"""The routes beside the pages: where they lie, who may ask for them, and the addresses that pages link to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

import streamlit as st
from starlette.routing import BaseRoute

from core.api.guards import LOOPBACK_NAMES, ServedHosts
from core.api.image_routes import PREFIX, image_routes
from core.records.encoded_images import ImageKind

if TYPE_CHECKING:
    from core.app import App

ADVICE = "set browser.serverAddress in .streamlit/config.toml to the name that people open"


def base_path() -> str:
    """What every path of this server begins with: empty, or like `/gallery`."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def routes() -> list[BaseRoute]:
    """The routes of images, for the server that runs the pages."""

    def app() -> App:
        from pages.ui import resources

        return resources.app()

    return image_routes(app, allowed_hosts(), ADVICE, base_path())


def image_url(collection: str, asset_id: str, kind: ImageKind = "thumbnail") -> str:
    """The address of an image, relative to the server's base.

    Pages are one level deep, so for a browser it is relative to the page too, whatever base path the server or a proxy
    before it puts in front.
    """
    return "/".join([PREFIX.strip("/"), *(quote(part, safe="") for part in (collection, asset_id, kind))])


def image_address(collection: str, asset_id: str, kind: ImageKind = "thumbnail") -> str:
    """The same as a whole URL, as the person's browser reaches it; st.image takes no other."""
    return urljoin(st.context.url or "http://localhost/", image_url(collection, asset_id, kind))


def allowed_hosts() -> ServedHosts:
    """The hosts that Streamlit's options say this server is reached by."""
    bound = str(st.get_option("server.address") or "")
    return hosts_for(
        bound, str(st.get_option("browser.serverAddress") or ""), st.get_option("server.corsAllowedOrigins")
    )


def hosts_for(bound: str, public: str, origins: Sequence[str] = (), machine: str | None = None) -> ServedHosts:
    """Loopback, the addresses that were set and, unless `bound` is loopback, this machine by its name or any address.

    `public` is a host or URL, `origins` are URLs, `machine` is this machine's name.
    """
    names = {*LOOPBACK_NAMES, bound, _host_of(public), *map(_host_of, origins)}
    if bound not in LOOPBACK_NAMES:
        machine = (machine or socket.gethostname()).lower()
        names |= {machine, f"{machine}.local"}
    return ServedHosts(frozenset(name.lower() for name in names if name), any_address=bound not in LOOPBACK_NAMES)


def _host_of(address: str) -> str:
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""
