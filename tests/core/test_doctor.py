from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from core.doctor import examine
from core.settings import Settings

TABLE = {
    "redirect_uri": "https://photos.example/oauth2callback",
    "cookie_secret": "a secret that nobody may read here",
    "client_id": "the-client-id",
    "client_secret": "the-client-secret",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
HOSTS = {"CONTACTSHEET_HOSTS": "localhost,photos.example:8443"}
CURATORS = {"CONTACTSHEET_CURATORS": "ann@example.org", "CONTACTSHEET_ADMINS": "desk"}


def checks(
    tmp_path: Path, table: dict[str, str] | None = None, section: str = "auth", **environ: str
) -> dict[str, tuple[bool, str, str]]:
    """What the doctor says, by the name of the check, of a server with this table `[auth]` and these settings."""
    secrets = tmp_path / "secrets.toml"
    lines = [f"{name} = {value!r}" for name, value in (table or {}).items()]
    secrets.write_text("\n".join([f"[{section}]", *lines] if table is not None else []))
    settings = {"CONTACTSHEET_DATA": str(tmp_path / "data"), "CONTACTSHEET_MODEL": "bundled", **environ}
    return {c.name: (c.ok, c.found, c.advice) for c in examine(lambda: Settings.load(settings, secrets))}


def test_it_says_how_people_become_curators_without_sign_in(tmp_path: Path) -> None:
    here = checks(tmp_path)
    assert here["curators"] == (True, "everyone at this computer, nobody elsewhere", "")
    assert not {"sign-in", "Authlib"} & set(here)
    assert "docs/sharing.md" in checks(tmp_path, **HOSTS)["curators"][2]
    assert checks(tmp_path, CONTACTSHEET_CURATOR_KEY="sesame")["curators"] == (
        True,
        "whoever enters the curator key",
        "",
    )


def test_it_says_where_the_price_of_the_model_is_from_or_that_there_is_none(tmp_path: Path) -> None:
    ok, found, advice = checks(tmp_path)["Gemini price"]
    assert (ok, advice) == (True, "")
    assert found.startswith("gemini-3.5-flash-lite: https://ai.google.dev/gemini-api/docs/pricing, checked 20")
    new = {"CONTACTSHEET_GEMINI_MODEL": "gemini-of-tomorrow"}
    assert checks(tmp_path, **new)["Gemini price"] == (
        True,
        "not known for gemini-of-tomorrow: charged at CONTACTSHEET_UNKNOWN_PRICE=20/100",
        "add the price of gemini-of-tomorrow to data/prices.toml",
    )
    ok, found, _ = checks(tmp_path, **new, CONTACTSHEET_UNKNOWN_PRICE="refuse")["Gemini price"]
    assert (ok, found) == (False, "not known for gemini-of-tomorrow, so nothing is sent")


def test_lists_of_people_who_cannot_sign_in_are_reported(tmp_path: Path) -> None:
    ok, found, advice = checks(tmp_path, **CURATORS)["curators"]
    assert (ok, found) == (False, "people are listed, but cannot sign in")
    assert "[auth]" in advice


def test_a_complete_sign_in_has_nothing_to_mend(tmp_path: Path) -> None:
    found = checks(tmp_path, TABLE, **HOSTS, **CURATORS)
    assert found["sign-in"] == (True, "people come back to photos.example", "")
    assert found["Authlib"] == (True, importlib.metadata.version("Authlib"), "")
    assert found["curators"][0]
    assert "(2 listed)" in found["curators"][1]
    assert found["curators"][2] == ""


def test_without_a_list_nobody_who_signs_in_is_a_curator(tmp_path: Path) -> None:
    ok, found, advice = checks(tmp_path, TABLE, **HOSTS)["curators"]
    assert (ok, found) == (True, "people sign in, but nobody is a curator")
    assert "CONTACTSHEET_CURATORS" in advice


def test_a_curator_key_beside_sign_in_is_not_asked_for(tmp_path: Path) -> None:
    found = checks(tmp_path, TABLE, CONTACTSHEET_CURATOR_KEY="sesame", **HOSTS, **CURATORS)
    assert found["curators"][2] == "unset CONTACTSHEET_CURATOR_KEY: it is not asked for"


def test_keys_that_sign_in_lacks_are_named(tmp_path: Path) -> None:
    partly = {name: TABLE[name] for name in ("redirect_uri", "cookie_secret")} | {"client_id": ""}
    ok, found, advice = checks(tmp_path, partly, **HOSTS)["sign-in"]
    assert not ok
    assert found.endswith("lacks client_id, client_secret and server_metadata_url")
    assert advice
    assert "redirect_uri, cookie_secret, client_id" in checks(tmp_path, {}, **HOSTS)["sign-in"][1]


def test_a_provider_may_have_a_table_of_its_own(tmp_path: Path) -> None:
    provider = {name: TABLE[name] for name in ("client_id", "client_secret", "server_metadata_url")}
    found = checks(tmp_path, provider, section="auth.default", **HOSTS)["sign-in"][1]
    assert found.endswith("lacks redirect_uri and cookie_secret")


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"cookie_secret": "x" * 31}, "cookie_secret has 31 characters, fewer than 32"),
        ({"redirect_uri": "https://photos.example/"}, "redirect_uri does not end with /oauth2callback"),
        (
            {"redirect_uri": "https://other.example:8443/oauth2callback"},
            "redirect_uri leads to other.example, which is not in CONTACTSHEET_HOSTS",
        ),
        ({"redirect_uri": "https://[/oauth2callback"}, "redirect_uri leads to no host, which is not in"),
    ],
)
def test_a_sign_in_that_leads_nowhere_or_is_weak_is_reported(
    tmp_path: Path, changed: dict[str, str], found: str
) -> None:
    ok, said, advice = checks(tmp_path, TABLE | changed, **HOSTS)["sign-in"]
    assert not ok
    assert said.startswith(found)
    assert advice


def test_a_redirect_to_an_address_of_this_computer_is_served(tmp_path: Path) -> None:
    for host in ("localhost:8501", "127.0.0.1:8501", "[::1]:8501"):
        assert checks(tmp_path, TABLE | {"redirect_uri": f"http://{host}/oauth2callback"})["sign-in"][0]


def test_sign_in_without_authlib_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_authlib(name: str) -> str:
        if name == "Authlib":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_authlib)
    ok, _, advice = checks(tmp_path, TABLE, **HOSTS)["Authlib"]
    assert (ok, advice) == (False, "pip install -r requirements-sign-in.txt -c constraints.txt")


def test_no_secret_and_no_id_of_the_table_is_shown(tmp_path: Path) -> None:
    for changed in ({}, {"client_secret": ""}, {"redirect_uri": "https://other.example/oauth2callback"}):
        shown = str(checks(tmp_path, TABLE | changed, CONTACTSHEET_CURATOR_KEY="sesame", **HOSTS, **CURATORS))
        for secret in (TABLE["cookie_secret"], TABLE["client_id"], TABLE["client_secret"], "sesame"):
            assert secret not in shown
