"""Backups, restoring and verification on the Library page."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR
from core.app import App
from core.jobs.background import BackgroundJobs
from core.library.backup.service import BackupSchedule
from core.records.jobs import Progress
from core.records.verification import VerificationOptions
from core.settings import Secret
from pages.ui import person as person_module
from pages.ui import resources
from pages.ui.format import escape_markdown
from pages.ui.person import SessionConnection
from pages.ui.progress import progress_text
from tests.pages.conftest import visit


@pytest.fixture
def library(served: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """`birds` and the demo collection; jobs are queued, and run where a test says so."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    served.ensure_demo()
    served.ingest(pictures, "birds")
    return served


@pytest.fixture
def backed_up(library: App, tmp_path: Path) -> App:
    """The same with one backup of everything, and a schedule."""
    library.backups.schedule = BackupSchedule(tmp_path / "backups", timedelta(hours=24), timedelta(days=30))
    library.backups.back_up(OPERATOR)
    return library


def open_library() -> AppTest:
    return visit().switch_page("pages/library/page.py").run()


def description(app: App, name: str) -> Path:
    return app.settings.data / "collections" / name / "collection.json"


def texts(page: AppTest) -> str:
    shown = (*page.markdown, *page.caption, *page.info, *page.success, *page.warning, *page.error, *page.text)
    return "\n".join(element.value for element in shown)


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.button}


def test_without_a_folder_the_page_says_which_setting_names_one(library: App) -> None:
    page = open_library()
    assert "`CONTACTSHEET_BACKUP`" in texts(page)
    assert "back_up" not in keys(page)


def test_a_damaged_collection_has_a_card_of_its_own_among_the_others(library: App) -> None:
    description(library, "birds").write_text("{")
    page = open_library()
    assert not page.exception
    assert not page.error
    assert any("**birds** :red-badge[damaged]" in m.value for m in page.markdown)
    assert "No backup in the folder that is set holds it" in texts(page)
    assert {"open_demo", "delete_birds"} <= keys(page)
    assert not {"open_birds", "restore_birds"} & keys(page)


def test_a_damaged_collection_is_deleted_once_its_name_is_typed(library: App) -> None:
    description(library, "birds").write_text("{")
    page = open_library()
    assert page.button(key="delete_birds").disabled
    page.text_input(key="typed_birds").input("birds").run()
    page.button(key="delete_birds").click().run()
    assert "birds is deleted" in texts(page)
    assert library.existing_collections() == ["demo"]


def test_a_damaged_collection_is_restored_from_its_card(backed_up: App) -> None:
    description(backed_up, "birds").write_text("{")
    page = open_library()
    assert "Restore it from a backup" in texts(page)
    page.button(key="restore_birds").click().run()
    assert not page.exception
    job = backed_up.library.jobs()[0]
    assert (job.kind, job.collection) == ("restore", "birds")
    assert any("**birds** :gray-badge[being restored]" in m.value for m in page.markdown)
    assert backed_up.run_job(job.id).state == "done"
    page = open_library()
    assert "open_birds" in keys(page)
    assert any("**birds** · restoring · done" in m.value for m in page.markdown)


def test_a_collection_that_is_damaged_while_it_is_open_says_so(library: App) -> None:
    page = open_library()
    page.button(key="open_birds").click().run()
    description(library, "birds").write_text("{")
    page.run()
    assert not page.exception
    (line,) = page.error
    assert "birds is damaged" in line.value


def test_viewers_see_damage_and_backups_and_change_nothing(backed_up: App) -> None:
    description(backed_up, "birds").write_text("{")
    backed_up.access.curator_key = Secret("grün")
    page = open_library()
    assert "Newest backup" in texts(page)
    assert "**birds** :red-badge[damaged]" in texts(page)
    assert not {"back_up", "restore", "restore_birds", "delete_birds"} & keys(page)
    assert escape_markdown(str(backed_up.backups.schedule.folder)) not in texts(page)


def test_the_newest_backup_and_the_schedule_are_told(backed_up: App) -> None:
    page = open_library()
    assert "2 collections" in texts(page)
    assert "verified when it was made" in texts(page)
    assert "One is made every 24 hours and kept for 30 days" in texts(page)
    backed_up.backups.schedule = replace(backed_up.backups.schedule, every=None)
    assert "None are made by themselves" in texts(open_library())


def test_a_backup_is_begun_with_one_click_and_only_one_at_a_time(backed_up: App) -> None:
    page = open_library()
    page.button(key="back_up").click().run()
    job = backed_up.library.jobs()[0]
    assert (job.kind, job.collection) == ("backup", "all collections")
    assert any("**all collections** · backing up · queued" in m.value for m in page.markdown)
    assert open_library().button(key="back_up").disabled
    backed_up.run_job(job.id)
    page = open_library()
    page.session_state["all_backups"] = True
    page.run()
    assert texts(page).count(escape_markdown("birds (3 pictures), demo (3 pictures)")) == 2


def test_what_was_damaged_already_is_told_with_the_backup(backed_up: App) -> None:
    description(backed_up, "birds").write_text("{")
    page = open_library()
    page.button(key="back_up").click().run()
    backed_up.run_job(backed_up.library.jobs()[0].id)
    page = open_library()
    assert "Damaged when it was made: birds." in texts(page)
    assert any("backing up · incomplete" in m.value for m in page.markdown)
    assert not [key for key in keys(page) if key and key.startswith("retry_")]


def test_a_name_that_is_taken_is_said_before_the_click(backed_up: App) -> None:
    page = open_library()
    page.selectbox(key=f"restore_collection_{backed_up.backups.backups()[0].id}").select("birds").run()
    name = page.text_input(key="restore_name_birds")
    assert name.value == "birds-restored"
    name.input("demo").run()
    assert "nothing replaces it here" in texts(page)
    assert page.button(key="restore").disabled
    page.text_input(key="restore_name_birds").input("Not a name").run()
    assert "cannot name a collection" in texts(page)
    assert page.button(key="restore").disabled
    page.text_input(key="restore_name_birds").input("birds-2").run()
    page.button(key="restore").click().run()
    assert backed_up.run_job(backed_up.library.jobs()[0].id).state == "done"
    assert backed_up.size("birds-2") == 3


def test_a_folder_that_cannot_be_read_leaves_the_page_as_it_is(backed_up: App, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "backups")
    (tmp_path / "backups").write_text("a file")
    description(backed_up, "birds").write_text("{")
    page = open_library()
    assert not page.exception
    assert {"open_demo", "delete_birds"} <= keys(page)


def test_a_backup_that_failed_says_why(backed_up: App, tmp_path: Path) -> None:
    backed_up.backups.schedule = replace(backed_up.backups.schedule, folder=tmp_path / "pictures")
    page = open_library()
    assert "no backup of everything yet" in texts(page)
    page.button(key="back_up").click().run()
    backed_up.run_job(backed_up.library.jobs()[0].id)
    page = open_library()
    assert "did not succeed" in texts(page)
    assert "holds something else" in texts(page).replace("\\", "")


def open_condition(app: App, name: str) -> AppTest:
    page = open_library()
    page.button(key=f"open_{name}").click().run()
    page.button_group(key="care").select("Condition").run()
    assert app.existing_collections()
    return page


def damage_thumbnail(app: App, name: str) -> None:
    """Change one byte of the only file of rows that holds thumbnails."""
    for path in (app.settings.data / "collections" / name).rglob("*.lance"):
        if path.is_file():
            content = bytearray(path.read_bytes())
            start = content.find(b"\xff\xd8\xff")
            if start >= 0:
                content[start + 60] ^= 0xFF
                path.write_bytes(content)


def test_a_collection_is_verified_and_found_whole(library: App) -> None:
    page = open_condition(library, "birds")
    assert "Not verified yet" in texts(page)
    page.checkbox(key="verify_originals").check()
    next(button for button in page.button if button.label == "Verify").click().run()
    job = library.library.jobs()[0]
    assert (job.kind, job.collection, job.arguments["originals"]) == ("verify", "birds", True)
    assert library.run_job(job.id).state == "done"
    page = open_condition(library, "birds")
    assert any("No damage: 3 pictures" in m.value.replace("\\", "") for m in page.success)


def test_damaged_pictures_are_listed_by_title_and_not_as_skipped_files(library: App) -> None:
    damage_thumbnail(library, "birds")
    job = library.backups.start_verification(OPERATOR, "", VerificationOptions())
    assert library.run_job(job.id).state == "failed"
    page = open_condition(library, "birds")
    assert "thumbnail of " in texts(page)
    assert any("verifying · found damage" in m.value for m in page.markdown)
    assert not any("skipped" in e.label for e in page.expander)
    assert {f"repeat_{job.id}"} <= keys(page)
    assert not {f"retry_{job.id}", f"resume_{job.id}"} & keys(page)
    page.button(key=f"repeat_{job.id}").click().run()
    again = library.library.jobs()[0]
    assert (again.kind, again.arguments) == ("verify", job.arguments)
    assert "thumbnail of " not in texts(open_condition(library, "demo"))


def test_progress_counts_megabytes_where_files_are_copied() -> None:
    assert progress_text(Progress("back up", 3, 12)) == "Backing up: 3 of 12 MB"
    assert progress_text(Progress("verify", 3, 12)) == "Verifying: 3 of 12"


def test_the_server_makes_backups_that_are_due(library: App, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = []
    monkeypatch.setattr(library.backups, "watch", lambda: watched.append(1) or type("Watcher", (), {"close": list})())
    resources.monitoring.clear()
    resources.monitoring()
    assert watched == [1]
    resources.monitoring.clear()
