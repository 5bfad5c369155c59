from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR, Person
from core.app import App
from core.errors import NotAllowed
from core.jobs.background import BackgroundJobs
from core.records.jobs import Failure, IngestReport, Job
from core.settings import Secret
from core.store.objects.locks import ingest_lock
from core.text import format_bytes
from pages.library.add_pictures import UPLOAD_TABLE
from pages.ui import person as person_module
from pages.ui.format import escape_markdown, model_label
from pages.ui.person import SessionConnection
from tests.pages.conftest import frames, visit


@pytest.fixture
def library(served: App, monkeypatch: pytest.MonkeyPatch) -> App:
    """The App behind the page; its jobs are queued, but their processes are not started."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    served.ensure_demo()
    return served


def open_library() -> AppTest:
    return visit().switch_page("pages/library/page.py").run()


def finish(app: App, job: Job, *failures: Failure) -> None:
    """Run a queued job's ingest to its end, here, as its own process would."""
    report = IngestReport("c", 2, 1, failures, 3.0, 1.5)
    app._background.run(job.id, {"ingest": lambda job, listener: report})


def test_every_collection_is_shown_with_its_size_and_model(library: App) -> None:
    page = open_library()
    assert not page.exception
    assert "**demo**" in [m.value for m in page.markdown]
    assert any("3 pictures" in c.value and "colour" in c.value for c in page.caption)


def test_a_folder_is_added_by_choosing_a_collection_and_starting(library: App, pictures: Path) -> None:
    library.library._roots.append(pictures)
    library.ingest(pictures / "sub", "birds")
    page = open_library()
    page.session_state["folder"] = str(pictures)
    page.selectbox(key="library_collection").set_value("birds").run()
    page.button_group(key="way").select("Folder on this computer").run()
    page.button(key="add_folder").click().run()
    assert not page.exception
    job = library.library.jobs()[0]
    assert (job.collection, job.arguments["folder"], job.state) == ("birds", str(pictures), "queued")
    assert any("birds" in m.value and "queued" in m.value for m in page.markdown)


def test_a_folder_is_added_with_a_table_that_lies_in_it_and_without_what_is_excluded(
    library: App, pictures: Path
) -> None:
    (pictures / "words.csv").write_text("file,title\nred.png,From the table\n")
    page = open_folder_form(library, pictures)
    page.text_area(key=f"exclude_birds_{pictures}").set_value("*.jpg").run()
    page.selectbox(key=f"captions_in_{pictures}").set_value("words.csv").run()
    page.button(key="add_folder").click().run()
    assert not page.exception
    library.run_job(library.library.jobs(1)[0].id)
    assert "From the table" in library.titles("birds").values()
    assert library.size("birds") == 2
    again = open_folder_form(library, pictures)
    assert again.text_area(key=f"exclude_birds_{pictures}").value == "*.jpg"
    assert again.selectbox(key=f"captions_in_{pictures}").placeholder == "As before"


def test_a_folder_is_added_with_a_table_that_is_uploaded(library: App, pictures: Path) -> None:
    page = open_folder_form(library, pictures)
    page.selectbox(key=f"captions_in_{pictures}").set_value(UPLOAD_TABLE).run()
    page.file_uploader[0].set_value([("words.csv", b"file,title\nred.png,Uploaded words\n", "text/csv")]).run()
    page.button(key="add_folder").click().run()
    assert not page.exception
    library.run_job(library.library.jobs(1)[0].id)
    assert "Uploaded words" in library.titles("birds").values()


def test_a_table_that_cannot_be_read_adds_nothing(library: App, pictures: Path) -> None:
    (pictures / "words.csv").write_text("name of the boat,title\nx,y\n")
    page = open_folder_form(library, pictures)
    page.selectbox(key=f"captions_in_{pictures}").set_value("words.csv").run()
    page.button(key="add_folder").click().run()
    assert any("words" in error.value for error in page.error)
    assert library.library.jobs(1) == []


def test_tables_of_other_folders_are_out_of_reach(library: App, pictures: Path) -> None:
    library.library._roots[:] = [pictures / "sub"]
    (pictures / "words.csv").write_text("file,title\nblue.webp,Secret\n")
    with pytest.raises(NotAllowed, match="is not below"):
        library.library.add_folder(OPERATOR, pictures / "sub", "birds", captions=pictures / "words.csv")
    theirs = library.captions.store(OPERATOR, "others", "words.csv", (pictures / "words.csv").read_bytes())
    with pytest.raises(NotAllowed, match="is not below"):
        library.library.add_folder(OPERATOR, pictures / "sub", "birds", captions=theirs)


def open_folder_form(library: App, folder: Path) -> AppTest:
    """The form to add a folder to a collection `birds`."""
    library.library._roots.append(folder)
    library.ingest(folder / "sub", "birds")
    page = open_library()
    page.session_state["folder"] = str(folder)
    page.selectbox(key="library_collection").set_value("birds").run()
    return page.button_group(key="way").select("Folder on this computer").run()


def test_an_unsplash_dataset_is_added_from_its_address(library: App, pictures: Path) -> None:
    library.ingest(pictures, "birds")
    page = open_library()
    page.selectbox(key="library_collection").set_value("birds").run()
    page.button_group(key="way").select("Unsplash").run()
    page.button(key="add_dataset").click().run()
    assert not page.exception
    job = library.library.jobs()[0]
    assert (job.kind, job.collection) == ("unsplash", "birds")
    assert job.arguments == {"place": "https://unsplash.com/data/lite/latest", "width": 640}


def test_uploads_are_stored_whole_and_added(library: App, pictures: Path) -> None:
    red = (pictures / "red.png").read_bytes()
    job = library.library.add_files(
        OPERATOR, [("../../Red.PNG", red), ("Red.PNG", b"other"), ("Red.PNG", red)], "birds"
    )
    kept = library.settings.data / "uploads" / "birds"
    assert sorted(p.name for p in kept.iterdir()) == ["Red-2.png", "Red.png"]
    assert (kept / "Red.png").read_bytes() == red
    done = library.run_job(job.id)
    assert (done.state, done.added) == ("done", 1)
    assert library.search("red", "birds", 1).hits[0].asset.sources == ("uploads",)
    assert [f.reason for f in library.library.failures(job.id, 9)] == ["not an image in a supported format"]


@pytest.mark.parametrize(
    "name", ["写" * 300 + ".png", "a\0b.png", "." * 40, "x" * 5000 + ".png", "no suffix", "\ud800.png"]
)
def test_an_upload_with_an_invalid_file_name_is_stored_under_a_valid_one(
    library: App, pictures: Path, name: str
) -> None:
    red = (pictures / "red.png").read_bytes()
    library.library.add_files(OPERATOR, [(name, red), (name, b"other")], "birds")
    kept = sorted((library.settings.data / "uploads" / "birds").iterdir())
    assert len(kept) == 2
    assert red in [path.read_bytes() for path in kept]


def test_an_ended_job_says_what_it_did_and_lists_failures_by_reason(library: App) -> None:
    job = library.library.add_folder(OPERATOR, library.library.roots[0], "birds")
    finish(library, job, Failure("/x/a.jpg", "truncated"), Failure("/x/b.jpg", "truncated", "at byte 7"))
    page = open_library()
    assert any(escape_markdown("2 added, 1 known already, 2 skipped") in c.value for c in page.caption)
    page.session_state[f"failures_{job.id}"] = True
    page.run()
    assert any("truncated" in m.value and "2" in m.value for m in page.markdown)
    assert "/x/b.jpg  (at byte 7)" in [t.value for t in page.text]


def test_failed_files_are_retried_alone(library: App) -> None:
    job = library.library.add_folder(OPERATOR, library.library.roots[0], "birds")
    finish(library, job, Failure("/x/a.jpg", "truncated"))
    page = open_library()
    page.button(key=f"retry_{job.id}").click().run()
    again = library.library.jobs()[0]
    assert again.id != job.id
    assert again.arguments["only"] == ["/x/a.jpg"]


def test_a_running_job_can_be_cancelled_and_resumed(library: App) -> None:
    job = library.library.add_folder(OPERATOR, library.library.roots[0], "birds")
    page = open_library()
    page.button(key=f"cancel_{job.id}").click().run()
    assert library.library.jobs()[0].state == "cancelled"
    page = open_library()
    page.button(key=f"resume_{job.id}").click().run()
    assert library.library.jobs()[0].arguments == job.arguments


def test_viewers_see_everything_and_how_to_become_a_curator(library: App) -> None:
    library.access.curator_key = Secret("grün")
    page = open_library()
    assert "Only curators may add pictures" in page.info[0].value
    assert not page.get("file_uploader")
    page.text_input(key="curator_key_entry").set_value("blau")
    page.button(key="remember_me").click().run()
    assert "not the key" in page.error[0].value
    page.text_input(key="curator_key_entry").set_value("grün")
    page.button(key="remember_me").click().run()
    assert page.get("file_uploader")


def test_permission_is_checked_in_core_not_in_the_page(library: App) -> None:
    stranger = Person("x")
    for attempt in (
        lambda: library.library.add_folder(stranger, library.library.roots[0], "birds"),
        lambda: library.library.add_files(stranger, [("a.jpg", b"")], "birds"),
        lambda: library.library.cancel(stranger, 1),
        lambda: library.library.resume(stranger, 1),
        lambda: library.library.retry(stranger, 1),
    ):
        with pytest.raises(NotAllowed, match="only curators may"):
            attempt()


@pytest.mark.parametrize("folder", ["/etc", "~/../..", "/"])
def test_folders_outside_the_roots_are_refused(library: App, folder: str, tmp_path: Path) -> None:
    library.library._roots[:] = [tmp_path.resolve()]
    (tmp_path / "link").symlink_to("/etc")
    for path in (Path(folder), tmp_path / "link", tmp_path / ".." / ".."):
        with pytest.raises(NotAllowed, match="CONTACTSHEET_ROOTS"):
            library.library.add_folder(OPERATOR, path, "birds")


@pytest.mark.parametrize(
    ("count", "text"), [(17, "17 bytes"), (15_100_000, "15.1 MB"), (2_500_000_000_000, "2500.0 GB")]
)
def test_sizes_are_formatted_in_decimal_units(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_a_local_model_is_named_without_its_folder() -> None:
    assert model_label("local-dir:/a/b/mine") == "mine"
    assert model_label("ViT-B-32/openai") == "ViT-B-32/openai"


def open_collection(section: str = "Pictures", collection: str = "demo") -> AppTest:
    page = open_library()  # coming from another page takes its parameters away
    page.query_params["collection"] = collection
    page.query_params["care"] = section
    return page.run()


def id_of(app: App, title: str) -> str:
    return next(i for i, found in app.titles("demo").items() if found == title)


def shows(page: AppTest, text: str) -> bool:
    elements = [*page.success, *page.error, *page.info, *page.warning, *page.caption, *page.markdown]
    return any(escape_markdown(text) in element.value or text in element.value for element in elements)


def test_pictures_are_found_by_title_and_removed_with_undo(library: App) -> None:
    page = open_collection()
    assert not page.exception
    assert [f["title"] for f in frames(page)] == ["Blue", "Green", "Red <b>sail</b>"]
    page.text_input(key="library_words").set_value("SAIL red").run()
    assert [f["title"] for f in frames(page)] == ["Red <b>sail</b>"]
    red = id_of(library, "Red <b>sail</b>")
    page.session_state["library_picked"] = [red]
    page.run()
    page.button(key="remove_picked").click().run()
    assert not page.exception
    assert shows(page, "1 picture removed from demo")
    assert red not in library.titles("demo")
    page.button(key="undo_removal").click().run()
    assert shows(page, "1 picture put back into demo")
    assert red in library.titles("demo")


def test_words_that_no_title_contains_are_reported(library: App) -> None:
    page = open_collection()
    page.text_input(key="library_words").set_value("zebra").run()
    assert shows(page, "No title contains this.")


def test_a_picture_is_removed_from_its_details(library: App) -> None:
    page = open_library()
    page.query_params["collection"], page.query_params["photo"] = "demo", id_of(library, "Blue")
    page.run()
    page.button(key="remove_one").click().run()
    assert not page.exception
    assert "Blue" not in library.titles("demo").values()


def test_viewers_see_every_section_and_can_remove_nothing(library: App, monkeypatch: pytest.MonkeyPatch) -> None:
    library.removal.remove(OPERATOR, "demo", [id_of(library, "Blue")])
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(False))
    forbidden = {"remove_picked", "put_back", "empty_bin", "delete", "undo_removal", "remove_one"}
    for section in ("Pictures", "Duplicates", "Bin", "Model", "Condition"):
        page = open_collection(section)
        page.session_state["library_picked"] = list(library.titles("demo"))
        page.run()
        assert not page.exception
        assert not forbidden & {button.key for button in page.button}


def test_removed_pictures_are_in_the_bin_and_can_be_restored(library: App) -> None:
    assert shows(open_collection("Bin"), "The bin is empty.")
    library.removal.remove(Person("Ada <b>", over_loopback=True), "demo", [id_of(library, "Blue")])
    page = open_collection("Bin")
    assert [(f["title"], f["reason"].startswith("removed by Ada <b>, ")) for f in frames(page)] == [("Blue", True)]
    page.button(key="put_back").click().run()
    assert shows(page, "1 picture put back into demo")
    assert shows(page, "The bin is empty.")
    library.removal.remove(OPERATOR, "demo", [id_of(library, "Blue")])
    page = open_collection("Bin")
    page.button(key="empty_bin").click().run()
    assert shows(page, "The bin of demo is empty; 1 picture forgotten.")


def test_duplicates_are_side_by_side_and_the_others_removed_with_one_click(library: App, pictures: Path) -> None:
    with Image.open(pictures / "green.jpg") as green:
        green.resize((10, 20)).save(pictures / "small.jpg")
    (pictures / "copy.png").write_bytes((pictures / "red.png").read_bytes())
    library.ingest(pictures, "demo")
    page = open_collection("Duplicates")
    page.button(key="look").click().run()
    assert not page.exception
    assert [f["title"] for f in frames(page)] == ["Green", "small.jpg"]
    assert frames(page)[1]["reason"].startswith("10 × 20 · ")
    assert any("1 picture in several files" in e.label for e in page.expander)
    keep = page.selectbox(key=f"keep_{id_of(library, 'Green')}_2")
    keep.select(id_of(library, "small.jpg")).run()
    page.button(key=f"others_{id_of(library, 'Green')}").click().run()
    assert "Green" not in library.titles("demo").values()
    assert shows(page, "1 picture removed from demo")
    page.button(key="undo_removal").click().run()
    page.button(key="remove_all_others").click().run()
    assert "small.jpg" not in library.titles("demo").values()


def test_a_duplicate_with_a_percent_sign_in_its_file_name_shows_its_name_and_size(library: App, pictures: Path) -> None:
    with Image.open(pictures / "green.jpg") as green:
        green.resize((10, 20)).save(pictures / "100%.jpg")
    library.ingest(pictures, "demo")
    page = open_collection("Duplicates")
    page.button(key="look").click().run()
    duplicate = frames(page)[1]
    assert duplicate["title"] == "100%.jpg"
    assert format_bytes((pictures / "100%.jpg").stat().st_size) in duplicate["reason"]


def test_coming_from_the_clusters_page_does_not_start_a_search_for_duplicates(library: App) -> None:
    page = visit().switch_page("pages/clusters/page.py").run()
    assert not page.exception
    page.switch_page("pages/library/page.py").run()
    page.query_params["collection"], page.query_params["care"] = "demo", "Duplicates"
    page.run()
    assert not page.exception
    assert page.button(key="look").label == "Look for duplicates"
    assert not shows(page, "No duplicates found.")
    page.button(key="look").click().run()
    page.switch_page("pages/clusters/page.py").run()
    assert not page.exception


def test_a_collection_is_embedded_again_and_switched_over(library: App, pictures: Path) -> None:
    library.ingest(pictures, "birds")
    page = open_collection("Model", "birds")
    page.text_input(key="reembed_model").set_value(" ")
    page.button(key="FormSubmitter:reembed-Embed again").click().run()
    assert shows(page, "No model was named")
    page.text_input(key="reembed_model").set_value("colour")
    page.button(key="FormSubmitter:reembed-Embed again").click().run()
    assert not page.exception
    assert shows(page, "birds is being embedded again, as birds-new")
    job = library.library.jobs()[0]
    assert (job.kind, job.collection) == ("embed", "birds")
    assert library.run_job(job.id).added == 3
    page = open_collection("Model", "birds")
    assert shows(page, "3 pictures")
    page.button(key="switch_birds-new").click().run()
    assert shows(page, "birds now means what birds-new was; the old one is kept as birds-old.")
    assert library.collection_names() == ["birds", "birds-old", "demo"]


def test_the_condition_shows_what_is_up_to_date(library: App, pictures: Path) -> None:
    (pictures / "red.png").unlink()
    page = open_collection("Condition")
    assert not page.exception
    assert shows(page, "of 3 pictures looked for, 1 are missing")
    assert shows(page, "none yet")
    library.clusters.base("demo")
    assert shows(open_collection("Condition"), "up to date")


def test_deleting_requires_the_name(library: App, pictures: Path) -> None:
    library.ingest(pictures, "birds")
    page = open_collection("Condition", "birds")
    assert page.button(key="delete").disabled
    page.text_input(key="typed_birds").set_value("birds").run()
    page.button(key="delete").click().run()
    assert not page.exception
    assert shows(page, "birds is deleted.")
    assert library.collection_names() == ["demo"]


def test_a_link_to_a_deleted_collection_says_so(library: App) -> None:
    assert shows(open_collection(collection="gone"), "There is no collection gone here.")


def test_an_error_is_shown_and_the_page_stays(library: App, pictures: Path) -> None:
    library.ingest(pictures, "birds")
    page = open_collection("Condition", "birds")
    page.text_input(key="typed_birds").set_value("birds").run()
    with ingest_lock(library.settings.data / "collections" / "birds"):
        page.button(key="delete").click().run()
    assert shows(page, "Another ingest into birds is running")
    assert "birds" in library.collection_names()
