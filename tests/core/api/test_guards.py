from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from core.app import App


@pytest.fixture
def target(shades: App) -> str:
    return f"/images/shades/{sorted(shades.titles('shades'))[0]}/thumbnail"


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
