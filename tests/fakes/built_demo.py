"""The demo collection, built once for all processes that run tests, and again when what it is made from changes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Literal

import pytest
from filelock import FileLock

from core.app import open_app
from core.records.jobs import Cancelled, Progress
from core.settings import PROJECT, Settings

# Photographs, model, versions of libraries, and the code between them.
SOURCES = (
    "data/demo",
    "data/models/demo",
    "constraints.txt",
    "requirements.txt",
    "core/app.py",
    "core/settings.py",
    "core/embedding",
    "core/ingest",
    "core/records",
    "core/store",
    "tests/fakes/built_demo.py",
)


def copy_demo(cache: Path, target: Path, state: Literal["complete", "unfinished"] = "complete") -> Path:
    """Copy a data folder with the demo collection, or most of it, to `target`.

    The first process builds both in `cache` while others wait; what was made from other sources is removed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    built = cache / _fingerprint()
    with FileLock(cache / "lock"):
        if not built.exists():
            for earlier in (path for path in cache.iterdir() if path.is_dir()):
                shutil.rmtree(earlier)
            _build(cache / "building")
            (cache / "building").rename(built)
        return Path(shutil.copytree(built / state, target))


def _build(folder: Path) -> None:
    app = open_app(Settings(data=folder / "complete", model="bundled", model_is_explicit=True))
    with pytest.raises(Cancelled):
        app.ensure_demo(_stop_when_most_is_done)
    shutil.copytree(folder / "complete", folder / "unfinished")
    report = app.ensure_demo()
    assert report is not None
    assert report.failures == ()


def _stop_when_most_is_done(progress: Progress) -> None:
    if progress.phase == "embed" and progress.done > 0.8 * (progress.total or 0):
        raise Cancelled("this is enough")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for source in SOURCES:
        path = PROJECT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(PROJECT)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:20]
