"""An OpenID provider: the real protocol, people of our own, in an environment and a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.settings import PROJECT

PROGRAM = PROJECT / ".venv-oidc" / "bin" / "oidc-provider-mock"
ANN = {
    "sub": "ann",
    "name": "Ann Lee",
    "email": "ann@example.org",
    "email_verified": True,
    "groups": ["picture-desk"],
}
BOB = {"sub": "bob", "name": "Bob", "email": "boss@example.org", "groups": []}  # the address is not verified
CLEO = {"sub": "cleo", "name": "Cleo", "email": "cleo@example.org", "email_verified": True}
# Of which ann is a curator, bob a viewer and cleo an admin.
ROLES = {"CONTACTSHEET_CURATORS": "picture-desk", "CONTACTSHEET_ADMINS": "cleo@example.org,boss@example.org"}


@contextmanager
def oidc_provider(port: int, *people: dict[str, Any]) -> Iterator[str]:
    """A provider on a port of loopback that knows these people; yields its address."""
    if not PROGRAM.exists():
        if os.environ.get("CI"):
            pytest.fail("CI must have an OpenID provider: `make check` installs it into .venv-oidc")
        pytest.skip("no OpenID provider here: `make .venv-oidc/.installed` installs one")
    claims = [text for person in people or (ANN, BOB, CLEO) for text in ("--user-claims", json.dumps(person))]
    process = subprocess.Popen(
        [PROGRAM, "--port", str(port), *claims], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://localhost:{port}"
    try:
        _wait(f"{address}/.well-known/openid-configuration", process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def write_secrets(file: Path, provider: str, address: str) -> Path:
    """The table [auth] of a server that people open at this address and that signs in with a provider."""
    file.write_text(
        "[auth]\n"
        f'redirect_uri = "{address}/oauth2callback"\n'
        'cookie_secret = "a secret of thirty-two letters  ."\n'
        'client_id = "contact-sheet"\n'
        'client_secret = "not secret"\n'
        f'server_metadata_url = "{provider}/.well-known/openid-configuration"\n'
    )
    return file


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the OpenID provider does not answer: exit code {process.poll()}")
