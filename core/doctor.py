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
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from core import __version__
from core.errors import ContactSheetError
from core.settings import Settings
from core.store.sql.damage import check_file, set_aside_files
from core.store.stores import DATABASES
from core.text import listed

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
CALLBACK = "/oauth2callback"
LEAST_COOKIE_SECRET = 32
HOW_TO_MAKE_ONE = """make a longer one with python -c 'import secrets; print(secrets.token_urlsafe(32))'"""


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
        _databases,
        _gemini_key,
        _gemini_price,
        _curators,
    )
    steps = (*steps, _sign_in_package, _sign_in_table) if settings.sign_in else steps
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
        return Check("model", False, f"{settings.model} is not available here", advice)
    return Check(
        "model",
        True,
        f"{settings.model} is not available here, new collections use the bundled model",
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

    collections, damaged = Collections(settings.data / "collections").survey()
    found = [f"{c.name} ({c.size}, {c.model.name})" for c in collections] + [f"{d.name} (damaged)" for d in damaged]
    advice = "; ".join(d.message for d in damaged) or ("" if found else "make run builds the demo collection")
    return Check("collections", not damaged, ", ".join(found) or "none yet", advice)


def _databases(settings: Settings) -> Check:
    for name in DATABASES:
        check_file(settings.data / name)  # its error becomes the check's
    aside = [path.name for path in set_aside_files(settings.data)]
    advice = "they were damaged, and new ones were begun: delete them, or keep them to look into" if aside else ""
    return Check("databases", True, f"set aside: {listed(aside)}" if aside else "none damaged", advice)


def _gemini_key(settings: Settings) -> Check:
    advice = "" if settings.gemini_api_key else f"optional: set GEMINI_API_KEY, or write it to {settings.secrets}"
    return Check("Gemini key", True, "present" if settings.gemini_api_key else "not set", advice)


def _gemini_price(settings: Settings) -> Check:
    from core.gemini.prices import load_prices

    model, unknown = settings.gemini_model, settings.unknown_price
    price = load_prices(unknown).price(model, datetime.now(UTC).date())
    if price is not None:
        return Check("Gemini price", True, f"{model}: {price.source}, checked {price.checked:%Y-%m-%d}")
    advice = f"add the price of {model} to data/prices.toml"
    if unknown == "refuse":
        return Check("Gemini price", False, f"not known for {model}, so nothing is sent", advice)
    return Check(
        "Gemini price", True, f"not known for {model}: charged at CONTACTSHEET_UNKNOWN_PRICE={unknown}", advice
    )


def _curators(settings: Settings) -> Check:
    """How people become curators on this server."""
    known = settings.curators | settings.admins
    if settings.sign_in and not known:
        advice = "list addresses or groups in CONTACTSHEET_CURATORS or CONTACTSHEET_ADMINS"
        return Check("curators", True, "people sign in, but nobody is a curator", advice)
    if settings.sign_in:
        found = f"those of CONTACTSHEET_CURATORS and CONTACTSHEET_ADMINS, who sign in ({len(known)} listed)"
        advice = "unset CONTACTSHEET_CURATOR_KEY: it is not asked for" if settings.curator_key else ""
        return Check("curators", True, found, advice)
    if known:
        advice = f"add the table [auth] to {settings.secrets}, or unset CONTACTSHEET_CURATORS and CONTACTSHEET_ADMINS"
        return Check("curators", False, "people are listed, but cannot sign in", advice)
    if settings.curator_key:
        return Check("curators", True, "whoever enters the curator key")
    advice = "" if settings.hosts == Settings().hosts else "for curators elsewhere, and behind a proxy: docs/sharing.md"
    return Check("curators", True, "everyone at this computer, nobody elsewhere", advice)


def _sign_in_package(_: Settings) -> Check:
    try:
        return Check("Authlib", True, importlib.metadata.version("Authlib"))
    except importlib.metadata.PackageNotFoundError:
        advice = "pip install -r requirements-sign-in.txt -c constraints.txt"
        return Check("Authlib", False, "not installed, but [auth] needs it", advice)


def _sign_in_table(settings: Settings) -> Check:
    """Whether `[auth]` is complete, and leads back to this server. Shows no value but the host."""
    table, where = settings.sign_in_table, f"[auth] in {settings.secrets}"
    host = _host(table.redirect_uri)
    if table.missing:
        return Check("sign-in", False, f"{where} lacks {listed(table.missing)}", "add them: docs/sharing.md")
    if table.cookie_secret_length < LEAST_COOKIE_SECRET:
        found = f"cookie_secret has {table.cookie_secret_length} characters, fewer than {LEAST_COOKIE_SECRET}"
        return Check("sign-in", False, found, HOW_TO_MAKE_ONE)
    if not table.redirect_uri.endswith(CALLBACK):
        return Check("sign-in", False, f"redirect_uri does not end with {CALLBACK}", f"correct it: {where}")
    if host not in map(_host, (f"//{name}" for name in settings.hosts)) and host not in settings.hosts:
        found = f"redirect_uri leads to {host or 'no host'}, which is not in CONTACTSHEET_HOSTS"
        return Check("sign-in", False, found, "add it to CONTACTSHEET_HOSTS, or correct redirect_uri")
    return Check("sign-in", True, f"people come back to {host}")


def _host(address: str) -> str:
    """The name in an address, without its port; empty if there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
