"""What tests share: a folder of real pictures, an App on a fresh data folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import hypothesis
import pytest
from huggingface_hub import constants
from PIL import Image

from core.app import App
from core.embedding import hub_errors as hub_faults
from core.settings import PROJECT, Settings
from core.store.lance.collections import Collections
from tests.fakes.built_demo import copy_demo
from tests.fakes.encoder import ColourEncoder
from tests.fakes.hub import FakeHub
from tests.fakes.trials import ALL_TRIALS

# Machines are noisy: no property fails for being slow.
hypothesis.settings.register_profile("ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")
# How long tests wait for a hub that is silent: short, and long enough for a machine that is busy.
PATIENCE_S = 1.5
DEMO_CACHE = PROJECT / ".pytest_cache" / "demo"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}

LONGEST_FIRST = {"browser": 0, "ingest": 1, "pages": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no process waits at the end while another runs one of them."""
    items.sort(key=lambda item: LONGEST_FIRST.get(item.path.parent.name, len(LONGEST_FIRST)))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with red.png (landscape), green.jpg (portrait) and sub/blue.webp (square)."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    Image.new("RGB", (40, 20), COLOURS["red"]).save(folder / "red.png")
    Image.new("RGB", (20, 40), COLOURS["green"]).save(folder / "green.jpg")
    Image.new("RGB", (30, 30), COLOURS["blue"]).save(folder / "sub" / "blue.webp")
    return folder


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", model="local-dir:colour", model_is_explicit=True)


@pytest.fixture
def app(settings: Settings, encoder: ColourEncoder) -> App:
    """An App whose every model is the colour encoder."""
    return App(settings, Collections(settings.data / "collections"), load_colour(encoder))


def load_colour(encoder: ColourEncoder) -> Callable[..., ColourEncoder]:
    return lambda *_: encoder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A model hub on this machine instead of the real one, an empty cache, and short patience."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", PATIENCE_S)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", PATIENCE_S)
    monkeypatch.setattr(hub_faults, "BACKOFF_S", 0.01)
    huggingface_hub.close_session()
    with FakeHub() as fake:
        monkeypatch.setattr(constants, "ENDPOINT", fake.endpoint)
        yield fake
    huggingface_hub.close_session()


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds the real demo collection, built by the bundled model."""
    return copy_demo(DEMO_CACHE, tmp_path_factory.mktemp("demo") / "data")


@pytest.fixture
def unfinished_demo_data(tmp_path: Path) -> Path:
    """A data folder where the demo collection is still to be built: before a release all of it, otherwise the rest."""
    return tmp_path / "data" if ALL_TRIALS else copy_demo(DEMO_CACHE, tmp_path / "data", "unfinished")
