"""What is installed and set here, and what to do about each problem."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import __version__
from core.errors import ContactSheetError
from core.settings import PROJECT, Settings

PACKAGES = (
    "streamlit",
    "open_clip_torch",
    "torch",
    "torchvision",
    "numpy",
    "lancedb",
    "pyarrow",
    "google-generativeai",
    "plotly",
    "umap-learn",
)


LEAST_FREE_GB = 1.0


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do where something can be done."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def examine(load: Callable[[], Settings] = Settings.load) -> list[Check]:
    """Look at everything that a run depends on."""
    checks = [Check("contact sheet", True, __version__), _python(), *map(_package, PACKAGES)]
    try:
        settings = load()
    except ContactSheetError as error:
        return [*checks, Check("settings", False, str(error), "correct this setting; the rest was not examined")]
    return [*checks, Check("settings", True, "all allowed"), *_settings_checks(settings)]


def _settings_checks(settings: Settings) -> list[Check]:
    steps: tuple[Callable[[Settings], Check], ...] = (
        _device,
        _model,
        _bundled_model,
        _data_folder,
        _collections,
        _gemini_key,
    )
    checks = []
    for step in steps:
        try:
            checks.append(step(settings))
        except ContactSheetError as error:
            checks.append(Check(step.__name__.strip("_").replace("_", " "), False, str(error)))
    return checks


def _python() -> Check:
    version = platform.python_version()
    ok = sys.version_info >= (3, 11)
    return Check("python", ok, version, "" if ok else "install Python 3.11 or newer")


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", "pip install -r requirements.txt -c constraints.txt")


def _device(settings: Settings) -> Check:
    from core.embedding.models import resolve_device

    return Check("device", True, f"{resolve_device(settings.device)} ({os.cpu_count()} processor cores)")


def _model(settings: Settings) -> Check:
    from core.embedding.models import is_available, is_on_disk

    if is_on_disk(settings.model):
        return Check("model", True, f"{settings.model} (on disk)")
    if is_available(settings.model):
        return Check("model", True, f"{settings.model} (downloaded on first use, or by download-model)")
    if settings.model_is_explicit:
        advice = "connect to the network, or set CONTACTSHEET_MODEL=bundled"
        return Check("model", False, f"{settings.model} cannot be had here", advice)
    return Check(
        "model",
        True,
        f"{settings.model} cannot be had here, new collections use the bundled model",
        "connect to the network to use it",
    )


def _bundled_model(_: Settings) -> Check:
    from core.embedding.model_source import BUNDLED, model_checkpoint

    return Check("bundled model", True, model_checkpoint(BUNDLED)[:19])


def _data_folder(settings: Settings) -> Check:
    folder = _existing(settings.data)
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "data folder",
            False,
            f"{settings.data}: {error.strerror}",
            "set CONTACTSHEET_DATA to a folder one may write",
        )
    free_gb = shutil.disk_usage(folder).free / 1e9
    advice = "" if free_gb >= LEAST_FREE_GB else "free some space, or move CONTACTSHEET_DATA"
    return Check("data folder", free_gb >= LEAST_FREE_GB, f"{settings.data} ({free_gb:.1f} GB free)", advice)


def _collections(settings: Settings) -> Check:
    from core.store.lance.collections import Collections

    collections = Collections(settings.data / "collections")
    found = [f"{c.name} ({c.size}, {c.model.name})" for c in map(collections.describe, collections.names())]
    return Check(
        "collections", True, ", ".join(found) or "none yet", "" if found else "make run builds the demo collection"
    )


def _gemini_key(settings: Settings) -> Check:
    where = PROJECT / ".streamlit" / "secrets.toml"
    advice = "" if settings.gemini_api_key else f"optional: set GEMINI_API_KEY, or write it to {where}"
    return Check("Gemini key", True, "present" if settings.gemini_api_key else "not set", advice)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
