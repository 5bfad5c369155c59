"""nginx before a server: Debian's, in a process of its own, as docs/sharing.md says or as a test does."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.settings import PROJECT

KINDS_OF_FILES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def documented_location(port: int) -> str:
    """What docs/sharing.md says to write into nginx's configuration, for a server on this port."""
    guide = (PROJECT / "docs" / "sharing.md").read_text(encoding="utf-8")
    found = re.search(r"```nginx\n(.*?)```", guide, re.DOTALL)
    assert found is not None
    assert "127.0.0.1:8501" in found[1]
    return found[1].replace("127.0.0.1:8501", f"127.0.0.1:{port}")


def certificate(folder: Path, name: str) -> str:
    """The directives for TLS with a certificate that this host name has signed itself."""
    key, file = folder / "key.pem", folder / "certificate.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run(
        [*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", file],
        check=True,
        capture_output=True,
    )
    return f"ssl_certificate {file}; ssl_certificate_key {key};"


@contextmanager
def nginx(folder: Path, servers: dict[int, str]) -> Iterator[None]:
    """Runs nginx with these `server { … }` blocks, by the port of 127.0.0.1 that each listens on.

    Without the program the test is skipped, but never in CI.
    """
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS_OF_FILES)
    user = "user root;" if os.geteuid() == 0 else ""  # its workers would be nobody, who may not enter the folder
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n" + "\n".join(servers.values()) + "\n}"
    )
    process = subprocess.Popen([_program(), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        for port in servers:
            _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _program() -> str:
    path = shutil.which("nginx")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have nginx: .ci/run installs Debian's package nginx-light")
        pytest.skip("no nginx on this computer (Debian's package nginx-light has it)")
    return path


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"nginx does not listen: exit code {process.poll()}")
