from __future__ import annotations

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy

from pages.ui import routes
from pages.ui.plotly_js import PATH, plotly_route
from pages.ui.routes import allowed_hosts, base_path, hosts_for, image_address, image_url

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
    assert [route.path for route in routes.routes()] == ["/gallery/images"]  # type: ignore[attr-defined]


def test_without_a_base_path_routes_lie_at_the_top() -> None:
    assert base_path() == ""
    assert [route.path for route in routes.routes()] == ["/images"]  # type: ignore[attr-defined]


def test_a_server_for_this_computer_alone_is_reached_by_loopback_alone() -> None:
    hosts = hosts_for("localhost", "localhost", (), "sun")
    assert all(name in hosts for name in ("localhost", "127.0.0.1", "::1"))
    assert not any(name in hosts for name in ("sun", "sun.local", "192.168.1.7", "evil.example"))


@pytest.mark.parametrize("bound", ["", "0.0.0.0", "::", "192.168.1.7"])
def test_a_server_for_others_is_reached_by_this_machines_name_and_by_any_address(bound: str) -> None:
    hosts = hosts_for(bound, "", (), "Sun")
    assert all(name in hosts for name in ("localhost", "sun", "sun.local", "192.168.1.7", "fe80::1"))
    assert not any(name in hosts for name in ("", "evil.example", "sun.evil.example"))


def test_the_names_that_streamlits_options_tell_are_allowed() -> None:
    hosts = hosts_for("localhost", "https://Photos.example.org/", ["https://a.example:8443", "http://[::1", "*"])
    assert all(name in hosts for name in ("photos.example.org", "a.example"))


def test_the_options_in_force_are_those_of_this_computer_alone() -> None:
    assert "127.0.0.1" in allowed_hosts()
    assert "192.168.1.7" not in allowed_hosts()
