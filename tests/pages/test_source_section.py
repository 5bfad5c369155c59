from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR
from core.app import App
from core.errors import CollectionBusy
from core.jobs.background import BackgroundJobs
from core.records.jobs import Failure
from core.records.sources import RescanOptions, ScanPreview
from pages.library.dry_run import DRY_RUN_KEY, preview_line, preview_lists
from pages.library.source_section import bin_sentence
from pages.ui import person as person_module
from pages.ui.format import escape_markdown
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


def test_a_source_is_removed_with_what_lies_nowhere_else_which_is_said_before(
    served: App, archive: Path, tmp_path: Path
) -> None:
    copy_of(archive / "green.jpg", tmp_path / "other")
    served.ingest(tmp_path / "other", "birds")
    page = open_sources()
    page.session_state[f"remove_source_{archive}"] = True
    page.run()
    assert "2 pictures that lie nowhere else go to the bin." in texts(page)
    page.button(key=f"remove_source_now_{archive}").click().run()
    assert not page.exception
    assert "2 pictures moved to the bin of birds" in texts(page)
    assert served.removal.count_removed("birds") == 2
    assert [state.source.label for state in served.sources.states("birds")] == ["other"]


def test_one_folder_of_several_is_rescanned(served: App, archive: Path, tmp_path: Path) -> None:
    copy_of(archive / "green.jpg", tmp_path / "other")
    served.ingest(tmp_path / "other", "birds")
    copy_of(archive / "green.jpg", tmp_path / "other", "again.jpg")
    (archive / "red.png").unlink()
    page = open_sources()
    page.button(key=f"rescan_{tmp_path / 'other'}").click().run()
    (job,) = served.library.jobs(1)
    served.run_job(job.id)
    assert served.sources.count_missing("birds") == 0
    assert {state.source.label: state.files for state in served.sources.states("birds")} == {"pictures": 3, "other": 2}


def copy_of(picture: Path, folder: Path, name: str = "") -> None:
    folder.mkdir(exist_ok=True)
    shutil.copy(picture, folder / (name or picture.name))


def test_a_folder_that_cannot_be_reached_says_so_and_is_not_rescanned(served: App, archive: Path) -> None:
    archive.rename(archive.with_name("elsewhere"))
    page = open_sources()
    page.button(key="preview_rescan").click().run()
    assert not page.exception
    assert any("cannot be reached now" in warning.value for warning in page.warning)
    assert "missing" not in texts(page)


def test_a_dry_run_is_forgotten_once_the_collection_changed(served: App, archive: Path, tmp_path: Path) -> None:
    page = open_sources()
    page.button(key="preview_rescan").click().run()
    assert "Nothing would change" in texts(page)
    copy_of(archive / "green.jpg", tmp_path / "other")
    served.ingest(tmp_path / "other", "birds")
    assert "Nothing would change" not in texts(page.run())


def test_a_dry_run_that_takes_long_leaves_the_page_usable(
    served: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    look = served.sources.preview

    def slow(collection: str, options: RescanOptions) -> list[ScanPreview]:
        may_end.wait(30)
        return look(collection, options)

    monkeypatch.setattr(served.sources, "preview", slow)
    page = open_sources()
    page.button(key="preview_rescan").click().run()
    assert "Looking at the folders" in texts(page)
    assert page.button(key="preview_rescan").disabled
    assert page.button(key="start_rescan")
    may_end.set()
    page.session_state[DRY_RUN_KEY].wait(30)
    assert "Nothing would change" in texts(page.run())


def test_why_a_dry_run_failed_is_said(served: App, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(collection: str, options: RescanOptions) -> list[ScanPreview]:
        raise CollectionBusy("an ingest into birds is running: wait for its end")

    monkeypatch.setattr(served.sources, "preview", busy)
    page = open_sources()
    page.button(key="preview_rescan").click().run()
    assert [error.value for error in page.error] == [
        escape_markdown("An ingest into birds is running: wait for its end")
    ]


def test_captions_are_uploaded_for_a_source_from_its_template(served: App, archive: Path) -> None:
    page = open_sources()
    page.session_state[f"captions_{archive}_0"] = True
    page.run()
    template = served.captions.template("birds", str(archive)).decode("utf-8-sig")
    table = template.replace("red.png,", "red.png,The red one", 1)
    page.file_uploader[0].set_value([("words.csv", table.encode(), "text/csv")])
    page.session_state[f"captions_{archive}_0"] = True
    page.run()
    page.session_state[f"captions_{archive}_0"] = True
    page.button(key=f"use_captions_{archive}").click().run()
    assert not page.exception
    (job,) = served.library.jobs(1)
    assert "words.csv is stored" in texts(page).replace("\\", "")
    assert "3 of 3 rows matched" in served.run_job(job.id).message
    assert "The red one" in served.titles("birds").values()


def test_whoever_is_no_curator_sees_names_and_no_buttons(
    served: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.ingest(archive, "birds", exclude=["private/"])
    assert "private" in texts(open_sources())
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(False))
    page = open_sources()
    assert not page.exception
    assert "private" not in texts(page)
    assert "**pictures**" in texts(page)
    assert str(archive) not in texts(page)
    keys = {button.key for button in page.button}
    assert not keys & {"start_rescan", "preview_rescan", "prune_now"}


def test_a_preview_is_one_line_and_lists() -> None:
    assert preview_line(ScanPreview("/a", unchanged=1200)) == "Nothing would change: 1,200 unchanged"
    assert preview_line(ScanPreview("/a", new=("/a/1",), unchanged=2)) == "A rescan finds 1 new, 2 unchanged"
    assert preview_line(ScanPreview("/a", remarks=("not there",))) == ""
    lists = preview_lists(ScanPreview("/a", new=("/a/90%25.jpg",), failures=(Failure("/a/x.jpg", "damaged", ""),)))
    assert lists["New"] == (1, ["/a/90%.jpg"])
    assert lists["Cannot be read"] == (1, ["/a/x.jpg  (damaged)"])
    many = preview_lists(ScanPreview("/a", missing=tuple(f"/a/{n}.jpg" for n in range(1000))))
    assert (many["Missing"][0], len(many["Missing"][1])) == (1000, 200)


def test_what_goes_to_the_bin_reads_as_a_sentence() -> None:
    assert bin_sentence(0) == "All of its pictures lie elsewhere as well, and stay."
    assert bin_sentence(1) == "1 picture that lies nowhere else goes to the bin."
