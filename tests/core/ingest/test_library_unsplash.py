from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.access import Person
from core.app import App
from core.errors import NotAllowed
from core.jobs.background import BackgroundJobs
from core.store.lance.collections import Collections
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import ColourEncoder

ADA, VISITOR = Person("Ada", over_loopback=True), Person("", over_loopback=False)
ADDRESS = "https://unsplash.com/data/lite/latest"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    settings = replace(colour_app(tmp_path / "data").settings, roots=(tmp_path / "pictures",))
    (tmp_path / "pictures" / "lite").mkdir(parents=True)
    return App(settings, Collections(settings.data / "collections"), lambda *_: ColourEncoder())


def test_a_dataset_of_the_server_or_of_an_address_becomes_a_job(app: App, tmp_path: Path) -> None:
    local = app.library.add_unsplash(ADA, str(tmp_path / "pictures" / "lite"), "lite", width=1080)
    distant = app.library.add_unsplash(ADA, ADDRESS, "distant")
    assert (local.kind, local.arguments) == ("unsplash", {"place": str(tmp_path / "pictures" / "lite"), "width": 1080})
    assert distant.arguments["place"] == ADDRESS


def test_a_dataset_outside_the_roots_is_refused(app: App, tmp_path: Path) -> None:
    for location in (str(tmp_path), "/etc", "http://unsplash.com/data"):
        with pytest.raises(NotAllowed, match="CONTACTSHEET_ROOTS"):
            app.library.add_unsplash(ADA, location, "lite")


def test_only_curators_add_a_dataset(app: App) -> None:
    with pytest.raises(NotAllowed, match="curator"):
        app.library.add_unsplash(VISITOR, ADDRESS, "lite")
    assert app.library.jobs() == []


def test_a_job_without_a_readable_dataset_ends_with_its_reason(app: App, tmp_path: Path) -> None:
    job = app.library.add_unsplash(ADA, str(tmp_path / "pictures" / "lite"), "lite")
    ended = app.run_job(job.id)
    assert (ended.state, "photos" in ended.message) == ("failed", True)
