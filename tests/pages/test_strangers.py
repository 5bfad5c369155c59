"""Strangers before a real server: they hang up, come by a page of another site, or through a proxy."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import InvalidStatus

from core.access import Person
from core.app import open_app
from core.clusters.edits.model import SetThreshold
from core.settings import Settings
from pages.clusters.dial import DIAL_KEY
from pages.ui.person import NAME_KEY
from tests.benchmarks.session import COMPONENT, TEXT_INPUT, ScriptResult, session
from tests.browser.conftest import free_port, serving
from tests.fakes.event_loops import run_in_thread
from tests.fakes.nginx import documented_location, nginx
from tests.fakes.trials import trials

TRIES, LONGEST_S = trials(200, at_least=40), 0.008
LOOPBACK = "localhost,127.0.0.1,::1"
NETWORK_NAME = "photos.example"


def own_address() -> str:
    """The address by which others reach this computer; skips where it is in no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127."
    if address.startswith("127."):
        pytest.skip("this computer is in no network")
    return address


@pytest.fixture(scope="module")
def data(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two drafts, one of Ada and one of someone without a name."""
    data = Path(shutil.copytree(demo_data, tmp_path_factory.mktemp("strangers") / "data"))
    app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
    for person in (Person("Ada", over_loopback=True), Person(over_loopback=True)):
        app.curation.edit(person, app.curation.open(person, "demo"), SetThreshold(0.7))
    return data


@pytest.fixture(scope="module")
def shared(data: Path) -> Iterator[int]:
    """The port of a server that listens on all networks and is reached by its address and one name."""
    hosts = f"{LOOPBACK},{own_address()},{NETWORK_NAME}"
    with serving(data, CONTACTSHEET_HOSTS=hosts, STREAMLIT_SERVER_ADDRESS="0.0.0.0") as address:
        yield urlsplit(address).port or 0


def drafts(data: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data / "contactsheet.db")) as db:
        return db.execute("SELECT * FROM drafts ORDER BY id").fetchall()


async def role(address: str, **options: Any) -> str:
    """What the library is to someone who connects like this: `curator`, `viewer`, or the status of a refusal."""
    try:
        async with session(address, **options) as visitor:
            page = await visitor.open("library")
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    said = [message.body for kind, message, _ in page.elements if kind == "alert"]
    return "viewer" if any("Only curators may" in text for text in said) else "curator"


# -- hanging up -------------------------------------------------------------------------------------------------------


def dial_message(page: ScriptResult, number: int, threshold: float) -> WidgetState:
    """Both values of the dial in one message: by the time the second one is applied the client may have gone."""
    session_id = page.component(DIAL_KEY)["session"]
    asked = {"session": session_id, "threshold": [number, threshold], "smallest": [number, 3]}
    return WidgetState(id=page.widget(COMPONENT, DIAL_KEY).id, json_value=json.dumps({"asked": asked}))


async def hang_up(address: str, draft_ids: list[str]) -> None:
    """Open the page, move its dial and cut the connection at once, without a goodbye; again and again."""
    rng = random.Random(0)
    for number in range(TRIES):
        query = {"draft": draft_ids[number % 2]} if number % 4 < 2 else {}
        async with session(address) as visitor:
            page = await visitor.open("clusters", collection="demo", **query)
            moved = dial_message(page, 1, round(rng.uniform(0.6, 0.9), 6))
            fragment = {"fragment_id": page.fragment_of(COMPONENT, DIAL_KEY)} if number % 8 < 4 else {}
            await visitor.send(visitor.request(moved, **fragment))
            await asyncio.sleep(LONGEST_S * rng.random() ** 2)
            visitor.cut()


def test_who_hangs_up_writes_nothing(data: Path, shared: int) -> None:
    before = drafts(data)
    run_in_thread(hang_up(f"ws://{own_address()}:{shared}", [row[0] for row in before]))
    assert run_in_thread(role(f"ws://127.0.0.1:{shared}")) == "curator"
    time.sleep(1)  # what runs on by itself
    assert drafts(data) == before
    run_in_thread(move_as_ada(f"ws://127.0.0.1:{shared}", next(row[0] for row in before if "Ada" in row)))
    assert drafts(data) != before  # the same message does write for a curator


async def move_as_ada(address: str, draft_id: str) -> None:
    async with session(address) as ada:
        name = (await ada.open("clusters", collection="demo", draft=draft_id)).widget(TEXT_INPUT, NAME_KEY).id
        page = await ada.set(WidgetState(id=name, string_value="Ada"))
        await ada.set(dial_message(page, 1, 0.65), fragment=page.fragment_of(COMPONENT, DIAL_KEY))


# -- hosts and origins ------------------------------------------------------------------------------------------------


def test_people_of_a_network_are_viewers_under_its_names_and_refused_under_others(shared: int) -> None:
    own = own_address()

    async def under(name: str, target: str) -> str:
        return await role(f"ws://{name}:{shared}", host=target, port=shared)

    async def roles() -> list[str]:
        over_network = [
            await under(name, own) for name in (own, NETWORK_NAME, "localhost", "other.example", "10.1.2.3")
        ]
        return [*over_network, await under("localhost", "127.0.0.1"), await under(NETWORK_NAME, "127.0.0.1")]

    assert run_in_thread(roles()) == ["viewer", "viewer", "viewer", "403", "403", "curator", "viewer"]


def test_a_page_of_another_origin_gets_no_websocket_also_if_it_is_one_of_this_computer(shared: int) -> None:
    async def roles() -> list[str]:
        address = f"ws://localhost:{shared}"
        origins = (f"http://localhost:{shared}", f"http://localhost:{free_port()}", "http://localhost", "null")
        return [await role(address, origin=origin) for origin in origins]

    assert run_in_thread(roles()) == ["curator", "403", "403", "403"]


# -- proxies ----------------------------------------------------------------------------------------------------------

FORWARDING = {"none": "", "x-forwarded-for": "X-Forwarded-For $remote_addr", "via": 'Via "1.1 nginx"'}
HOSTS = {"the one asked": "", "the browser's": "Host $http_host"}


def location(port: int, *headers: str) -> str:
    set_headers = ("Upgrade $http_upgrade", 'Connection "upgrade"', *filter(None, headers))
    lines = " ".join(f"proxy_set_header {header};" for header in set_headers)
    return f"location / {{ proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; {lines} }}"


@pytest.fixture(scope="module")
def proxied(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, int]]]:
    """A server behind nginx, as different operators set it up: the ports of nginx and of the server, by the set-up."""
    with serving(data, CONTACTSHEET_HOSTS=f"{LOOPBACK},{NETWORK_NAME}") as address:
        port = urlsplit(address).port or 0
        ways = {
            f"host: {host}, forwarding: {forwarding}": location(port, HOSTS[host], FORWARDING[forwarding])
            for host in HOSTS
            for forwarding in FORWARDING
        }
        ways["docs/sharing.md"] = documented_location(port)
        ports = {name: free_port() for name in ways}
        servers = {ports[name]: f"server {{ listen 127.0.0.1:{ports[name]}; {way} }}" for name, way in ways.items()}
        with nginx(tmp_path_factory.mktemp("nginx"), servers):
            yield {name: (listening, port) for name, listening in ports.items()}


WAYS = [f"host: {host}, forwarding: {forwarding}" for host in HOSTS for forwarding in FORWARDING]


@pytest.mark.parametrize("way", [*WAYS, "docs/sharing.md"])
def test_behind_a_proxy_nobody_is_a_curator_whatever_it_adds_and_whatever_they_claim(
    proxied: dict[str, tuple[int, int]], way: str
) -> None:
    listening, port = proxied[way]

    async def through(name: str, **options: Any) -> str:
        return await role(f"ws://{name}", host="127.0.0.1", port=listening, **options)

    async def roles() -> list[str]:
        browser = await through(NETWORK_NAME, origin=f"https://{NETWORK_NAME}")
        claims = [f"127.0.0.1:{port}", "localhost", f"localhost:{listening}"]
        forged = [await through(name, origin=f"http://{name}") for name in claims]
        same = f"http://127.0.0.1:{port}"  # what nginx, by default, sends as the Host
        return [browser, *forged, await through("localhost", origin=same), await through("localhost")]

    found = run_in_thread(roles())
    assert found[0] == "viewer"
    assert set(found) <= {"viewer", "403"}
