from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient

from core.api.guards import LOOPBACK_NAMES, ServedHosts, host_name
from core.app import App
from tests.fakes.image_server import raw


@pytest.fixture
def target(shades: App) -> str:
    return f"/images/shades/{sorted(shades.titles('shades'))[0]}/thumbnail"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8501", "LOCALHOST:1", "localhost.", "127.0.0.1:80", "[::1]", "[::1]:9"]
)
def test_loopback_is_allowed_under_any_port(port: int, target: str, host: str) -> None:
    assert raw(port, target, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost/evil",
        "192.168.1.7",
        "[::2]",
        "",
        "localhost:0",
        "localhost:99999",
        "localhost:x",
        "[::1",
    ],
)
def test_another_host_is_refused_with_a_line_that_says_what_to_set(
    port: int, target: str, host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    assert raw(port, target, Host=host)[0] == 421
    assert [record.getMessage() for record in caplog.records] == [
        f"request for another host refused host={host!r} advice=set it"
    ]


def test_a_host_of_a_stranger_cannot_forge_a_line_of_the_log(
    client: TestClient, target: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    assert client.get(target, headers={"Host": "evil\x1b[2J" + "x" * 5000}).status_code == 421
    line = caplog.records[0].getMessage()
    assert len(line) < 250
    assert line.isprintable()


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)]
)
def test_pages_of_other_sites_may_not_ask(client: TestClient, target: str, site: str, status: int) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client.get(target, headers=headers).status_code == status


def test_what_is_refused_is_not_counted(client: TestClient, target: str, shades: App) -> None:
    client.get(target, headers={"Host": "evil.example"})
    client.get(target, headers={"Sec-Fetch-Site": "cross-site"})
    assert set(shades.monitor.image_counts.totals().values()) == {0}


def test_every_address_is_allowed_where_that_is_set_and_no_name_is() -> None:
    hosts = ServedHosts(any_address=True)
    assert all(name in hosts for name in (*LOOPBACK_NAMES, "192.168.1.7", "10.0.0.1", "fe80::1"))
    assert not any(name in hosts for name in ("", "evil.example", "1.2.3", "192.168.1.7.nip.io", "0x7f.1"))


def test_a_host_header_is_read_as_a_browser_writes_it() -> None:
    assert host_name("Example.ORG:8501") == "example.org"
    assert host_name("[FE80::1]:8501") == "fe80::1"
