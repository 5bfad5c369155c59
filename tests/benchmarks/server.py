"""A real server for a benchmark: `streamlit run` on a free port of loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.settings import PROJECT
from tests.browser.conftest import free_port


@contextmanager
def serving(script: str, data: Path, project: Path = PROJECT, **settings: str) -> Iterator[tuple[str, int]]:
    """Serve a script of a checkout with these environment variables; yields the server's address and process id."""
    port = free_port()
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    command = [sys.executable, "-m", "streamlit", "run", script, *options]
    settings = {"CONTACTSHEET_DATA": str(data), "CONTACTSHEET_MODEL": "bundled", "PYTHONPATH": str(project), **settings}
    environment = {**os.environ, **settings}
    with (data / "server.log").open("a") as log:
        server = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/_stcore/health")
            yield address, server.pid
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
