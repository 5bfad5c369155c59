"""A real server with the real demo collection, and a real Chromium looking at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.settings import PROJECT

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDE, NARROW = (1280, 900), (390, 844)
TIMEOUT_MS = 60_000
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from the system; without one these tests are skipped, but never in CI."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


def chromium_path() -> str:
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this computer (looked for " + ", ".join(CHROMIUM_NAMES) + ")")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(data: Path, port: int = 0, **settings: str) -> Iterator[str]:
    """`streamlit run` on a (free) port of loopback with its own data folder and settings; yields the address."""
    port, base = port or free_port(), settings.get("STREAMLIT_SERVER_BASE_URL_PATH", "")
    address = f"http://127.0.0.1:{port}/{base}".rstrip("/")
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    environment = {**os.environ, "CONTACTSHEET_DATA": str(data), "CONTACTSHEET_MODEL": "bundled", **settings}
    with (data.parent / f"{data.name}-server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_healthy(f"{address}/_stcore/health", server)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait_until_healthy(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: exit code {server.poll()}")


@pytest.fixture(scope="session")
def address(demo_data: Path) -> Iterator[str]:
    """A server whose demo collection is complete."""
    with serving(demo_data) as address:
        yield address


@contextmanager
def visitor(browser: Browser, size: tuple[int, int] = WIDE) -> Iterator[Page]:
    """A person with a new browser window of this size; requests to other hosts and page errors fail the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=size == NARROW)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    foreign: list[str] = []
    errors: list[str] = []
    page.on(
        "request",
        lambda r: None if "127.0.0.1" in r.url or r.url.startswith(("blob:", "data:image/")) else foreign.append(r.url),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert foreign == []
    assert errors == []


def settled(page: Page) -> None:
    """Wait until the page has been drawn to its end."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def choose_collection(page: Page, name: str) -> None:
    """Type a new name; repeated if the page was still being drawn and ignored it."""
    page.get_by_role("button", name="Add to collection").wait_for()
    settled(page)
    box = page.get_by_label("Collection", exact=True)
    for _ in range(5):
        box.fill(name)
        box.press("Enter")
        settled(page)
        page.wait_for_timeout(500)
        if box.input_value() == name:
            return
    pytest.fail(f"the page does not take the name {name}: it shows {box.input_value()!r}")
