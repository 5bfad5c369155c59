from __future__ import annotations

import logging
from urllib.parse import urljoin

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.runtime.context import ContextProxy

from core.api.served_hosts import ServedHosts
from pages.ui import routes
from pages.ui.plotly_js import PATH, plotly_route
from pages.ui.routes import base_path, connection_guard, image_address, image_url, is_behind_proxy, served_hosts

ASSET = "ab" * 32


@pytest.fixture
def below_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    option = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: "/gallery/" if name == "server.baseUrlPath" else option(name))


def test_an_images_address_holds_the_collection_and_the_id_alone() -> None:
    assert image_url("demo", ASSET) == f"images/demo/{ASSET}/thumbnail"
    assert image_url("demo", ASSET, "bin") == f"images/demo/{ASSET}/bin"
    assert image_url("../a b", "x/y?z#%", "view") == "images/..%2Fa%20b/x%2Fy%3Fz%23%25/view"


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("http://127.0.0.1:8501/search", "http://127.0.0.1:8501/images/demo/"),
        ("http://127.0.0.1:8501/", "http://127.0.0.1:8501/images/demo/"),
        ("https://example.org/gallery/search", "https://example.org/gallery/images/demo/"),
        (None, "http://localhost/images/demo/"),
    ],
)
def test_an_images_whole_address_is_that_of_the_persons_browser(
    monkeypatch: pytest.MonkeyPatch, page: str | None, address: str
) -> None:
    monkeypatch.setattr(ContextProxy, "url", page)
    assert image_address("demo", ASSET) == f"{address}{ASSET}/thumbnail"


def test_routes_lie_below_the_base_path(below_gallery: None) -> None:
    assert base_path() == "/gallery"
    assert plotly_route().path == f"/gallery/{PATH}"  # type: ignore[attr-defined]
    assert paths_of_routes() == ["/gallery/images", "/gallery/session", "/gallery", "/gallery/"]


def test_without_a_base_path_routes_lie_at_the_top() -> None:
    assert base_path() == ""
    assert paths_of_routes() == ["/images", "/session", "/"]


def paths_of_routes() -> list[str]:
    return [route.path for route in routes.routes()]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/", "/search"),
        ("/?q=a+b&photo=%22%0d", "/search?q=a+b&photo=%22%0d"),
        ("/?//elsewhere.example", "/search?//elsewhere.example"),
    ],
)
def test_the_bare_address_leads_to_the_search_and_keeps_what_it_asks_for(asked: str, leads_to: str) -> None:
    server = Starlette(routes=routes.routes())
    answer = TestClient(server, "https://photos.example").get(asked, follow_redirects=False)
    assert answer.status_code == 307
    assert urljoin(str(answer.request.url), answer.headers["location"]) == f"https://photos.example{leads_to}"


@pytest.mark.parametrize("asked", ["/gallery", "/gallery/"])
def test_the_bare_address_below_a_base_path_leads_to_the_search_there(below_gallery: None, asked: str) -> None:
    answer = TestClient(Starlette(routes=routes.routes())).get(f"{asked}?q=a", follow_redirects=False)
    assert urljoin(str(answer.request.url), answer.headers["location"]).endswith("testserver/gallery/search?q=a")


def test_the_served_hosts_are_those_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACTSHEET_HOSTS", "photos.example,localhost")
    assert served_hosts().names == {"photos.example", "localhost"}
    monkeypatch.setenv("CONTACTSHEET_HOSTS", "http://photos.example/")
    assert served_hosts() == ServedHosts()


@pytest.mark.parametrize(
    ("hosts", "bound", "expected"),
    [
        ("localhost", "localhost", False),
        ("localhost,127.0.0.1,::1", "127.0.0.1", False),
        ("localhost,192.168.1.7", "0.0.0.0", False),
        ("localhost,192.168.1.7", "", False),
        ("localhost,photos.example", "localhost", True),
        ("photos.example", "127.0.0.1", True),
        ("photos.example:8443", "::1", True),
    ],
)
def test_other_names_on_a_server_for_this_computer_alone_mean_a_proxy(hosts: str, bound: str, expected: bool) -> None:
    assert is_behind_proxy(ServedHosts.from_setting(hosts.split(",")), bound) is expected


def test_a_server_behind_a_proxy_says_that_it_needs_a_key(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    assert connection_guard().kwargs == {"hosts": ServedHosts(), "behind_proxy": False, "client_header": ""}
    assert caplog.records == []
    monkeypatch.setenv("CONTACTSHEET_HOSTS", "photos.example")
    assert connection_guard().kwargs["behind_proxy"] is True
    assert "CONTACTSHEET_CURATOR_KEY" in caplog.records[0].getMessage()
    caplog.clear()
    monkeypatch.setenv("CONTACTSHEET_CURATOR_KEY", "sesame")
    connection_guard()
    assert caplog.records == []
