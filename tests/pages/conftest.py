from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.app import App
from core.ingest.runner import FolderOptions
from core.records.jobs import IngestReport, ProgressListener, ignore
from core.settings import PROJECT
from pages.ui import resources


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Leave `__main__` as it is: AppTest puts its script there, and processes spawned later would run that."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


class AppWithSmallDemo(App):
    """An App whose demo collection is a folder of three pictures."""

    demo_folder: Path

    def ensure_demo(self, listener: ProgressListener = ignore) -> IngestReport | None:
        if "demo" in self._collections.names():
            return None
        return self.ingest(self.demo_folder, "demo", self.demo_folder / "captions.jsonl", listener=listener)

    def ingest(self, folder: Path, collection: str, captions: Path | None = None, **options: Any) -> IngestReport:
        """As the App does; the small demo takes whatever a test adds."""
        if collection != "demo":
            return super().ingest(folder, collection, captions, **options)
        listener = options.get("listener", ignore)
        report = self._runner.ingest_folder(folder, collection, FolderOptions(captions), listener)
        self._after_ingest(collection)
        return report


@pytest.fixture
def served(app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The App that pages see; its demo collection holds Red, Green and Blue."""
    (pictures / "captions.jsonl").write_text(
        '{"file":"red.png","title":"Red <b>sail</b>","caption":"A *red* sail","tags":["warm"],"date":"2001-05-01"}\n'
        '{"file":"green.jpg","title":"Green","keywords":["cold"],"date":"2003-05-01","author":"C. Camera"}\n'
        '{"file":"sub/blue.webp","title":"Blue"}\n'
    )
    app.__class__ = AppWithSmallDemo
    app.demo_folder = pictures  # type: ignore[attr-defined]
    monkeypatch.setattr(resources, "open_app", lambda: app)
    resources.app.clear()
    resources.demo_build.clear()
    yield app
    resources.app.clear()
    resources.demo_build.clear()


def visit(page: str = "", **params: str) -> AppTest:
    """Run a page from streamlit_app.py, with the demo collection built."""
    test = AppTest.from_file(str(PROJECT / "streamlit_app.py"), default_timeout=60)
    for name, value in params.items():
        test.query_params[name] = value
    resources.demo_build().wait(60)
    return test.run()


def frames(test: AppTest) -> list[dict[str, Any]]:
    """What the first gallery of the page was given to show."""
    found = galleries(test)
    return found[0] if found else []


def galleries(test: AppTest) -> list[list[dict[str, Any]]]:
    """The pictures that every gallery was given to show, from the top of the page down."""
    return [data["frames"] for data in gallery_data(test)]


def gallery_data(test: AppTest) -> list[dict[str, Any]]:
    """All that every gallery was given."""
    given = [json.loads(e.proto.json) for e in test.main if e.type == "bidi_component"]
    return [data for data in given if "frames" in data]
