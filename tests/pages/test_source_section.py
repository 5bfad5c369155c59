from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR
from core.app import App
from core.jobs.background import BackgroundJobs
from core.records.sources import ScanPreview
from pages.library.source_section import preview_line
from pages.ui import person as person_module
from pages.ui.person import SessionConnection
from tests.pages.conftest import visit


@pytest.fixture
def archive(served: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a collection `birds`; jobs are queued, but their processes are not started."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    served.ensure_demo()
    served.ingest(pictures, "birds")
    return pictures


def open_sources(collection: str = "birds") -> AppTest:
    page = visit().switch_page("pages/library/page.py").run()
    page.query_params["collection"], page.query_params["care"] = collection, "Sources"
    return page.run()


def texts(page: AppTest) -> str:
    return "\n".join(e.value for e in (*page.markdown, *page.caption, *page.text, *page.success, *page.info))


def test_a_dry_run_tells_what_would_change_and_a_rescan_is_a_job(served: App, archive: Path) -> None:
    (archive / "red.png").rename(archive / "crimson.png")
    (archive / "green.jpg").unlink()
    page = open_sources()
    assert not page.exception
    assert "3 files" in texts(page)
    page.button(key="preview_rescan").click().run()
    assert "1 moved, 1 missing, 1 unchanged" in texts(page).replace("\\", "")
    assert any("red.png → " in text.value for text in page.text)
    page.button(key="start_rescan").click().run()
    (job,) = served.library.jobs(1)
    assert (job.kind, job.collection, job.author) == ("rescan", "birds", "someone at this computer")
    assert served.run_job(job.id).message.startswith("0 added, 2 known already")


def test_missing_files_are_listed_and_moved_to_the_bin(served: App, archive: Path) -> None:
    (archive / "green.jpg").unlink()
    served.run_job(served.sources.start(OPERATOR, "birds").id)
    page = open_sources()
    assert "**Missing files** · 1 picture" in texts(page)
    page.button(key="prune_now").click().run()
    assert not page.exception
    assert "1 missing picture moved to the bin of birds" in texts(page)
    assert served.removal.count_removed("birds") == 1


def test_a_source_is_removed_with_what_lies_nowhere_else(served: App, archive: Path) -> None:
    page = open_sources()
    root = str(archive)
    page.button(key=f"remove_source_now_{root}").click().run()
    assert not page.exception
    assert "No folder is known" in texts(page)
    assert served.removal.count_removed("birds") == 3


def test_whoever_is_no_curator_sees_names_and_no_buttons(
    served: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(False))
    page = open_sources()
    assert not page.exception
    assert "**pictures**" in texts(page)
    assert str(archive) not in texts(page)
    keys = {button.key for button in page.button}
    assert not keys & {"start_rescan", "preview_rescan", "prune_now"}


def test_nothing_to_do_is_said() -> None:
    assert preview_line(ScanPreview("/a", unchanged=1200)) == "nothing would change, 1,200 unchanged"
    assert preview_line(ScanPreview("/a", new=("/a/1",), unchanged=2)) == "1 new, 2 unchanged"
