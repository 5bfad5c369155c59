"""The routes of images on a server of their own, with a collection of colours behind them."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from core.app import App
from tests.fakes.colour_app import colour_app
from tests.fakes.image_server import server


@pytest.fixture(scope="session")
def shades_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose collection `shades` holds 60 pictures; whoever changes it takes a copy."""
    folder, rng = tmp_path_factory.mktemp("shades"), np.random.default_rng(3)
    for number in range(60):
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).save(folder / f"{number:02}.png")
    data = tmp_path_factory.mktemp("shades-data")
    colour_app(data).ingest(folder, "shades")
    return data


@pytest.fixture
def shades(shades_data: Path, tmp_path: Path) -> App:
    """An App whose collection `shades` holds 60 pictures."""
    return colour_app(Path(shutil.copytree(shades_data, tmp_path / "data")))


@pytest.fixture
def client(shades: App) -> Iterator[TestClient]:
    with TestClient(server(lambda: shades), base_url="http://localhost:8501") as client:
        yield client


@pytest.fixture
def port(shades: App) -> Iterator[int]:
    """The port of a real server of these routes, for what a client library would not send."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = uvicorn.Server(uvicorn.Config(server(lambda: shades), log_level="error", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield int(listening.getsockname()[1])
        running.should_exit = True
        thread.join(20)
