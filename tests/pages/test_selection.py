from __future__ import annotations

import csv
import io

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core.app import App
from core.library.export_manifest import picture_table
from pages.search.selection import Selection
from pages.ui import person as person_module
from pages.ui.person import SessionConnection
from tests.pages.conftest import frames, gallery_data, visit


@pytest.fixture
def curated(served: App, monkeypatch: pytest.MonkeyPatch) -> App:
    """The App behind a page of someone at this computer."""
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    return served


def button(page: AppTest, key: str) -> Button:
    return next(button for button in page.button if button.key == key)


def selecting_all(**link: str) -> AppTest:
    page = visit(**link)
    button(page, "select").click().run()
    button(page, "select_all").click().run()
    return page


def counted_line(page: AppTest) -> str:
    return next(text.value for text in page.markdown if "selected" in text.value)


def test_first_picks_begin_selecting_and_other_galleries_keep_theirs() -> None:
    begun = Selection().picking(["a", "b", "c"], ["b"])
    assert begun == Selection(True, ("b",))
    both = begun.picking(["x", "y"], ["y"])
    assert both.among(["a", "b", "x", "y"]) == ["b", "y"]
    assert both.picking(["a", "b", "c"], []).asset_ids == ("y",)
    assert not Selection().picking(["a"], []).selecting


def test_what_the_page_selects_has_a_new_version_each_time() -> None:
    chosen = Selection(True, ("a",), 4)
    assert chosen.changed_to(True, ["a", "b"]) == Selection(True, ("a", "b"), 5)
    assert chosen.changed_to(False) == Selection(False, (), 5)
    assert chosen.picking(["a"], []).version == 4


def test_pictures_that_are_not_shown_are_not_selected() -> None:
    assert Selection(True, ("gone", "b")).among(["a", "b"]) == ["b"]


def test_the_bar_counts_selects_all_and_clears(served: App) -> None:
    page = visit(q="red")
    assert not [b for b in page.button if b.key == "select_all"]
    button(page, "select").click().run()
    assert counted_line(page) == "**0 selected**"
    button(page, "select_all").click().run()
    assert counted_line(page) == "**3 selected**"
    button(page, "select_none").click().run()
    assert counted_line(page) == "**0 selected**"
    button(page, "select").click().run()
    assert not any("selected" in text.value for text in page.markdown)


def test_all_selected_pictures_are_judged_at_their_positions(served: App) -> None:
    page = selecting_all(q="red")
    button(page, "all_good").click().run()
    assert not page.exception
    (shown, *_) = gallery_data(page)
    assert shown["thumbs"] == {frame["id"]: True for frame in shown["frames"]}


def test_what_is_browsed_has_no_thumbs_for_all(served: App) -> None:
    assert not [b for b in selecting_all().button if b.key == "all_good"]


def test_selected_pictures_go_to_the_bin_and_come_back(curated: App) -> None:
    page = selecting_all(q="red", keyword="warm")
    button(page, "remove_selected").click().run()
    assert "1 picture removed from demo" in page.success[0].value
    assert curated.removal.count_removed("demo") == 1
    button(page, "undo_removal").click().run()
    assert "1 picture put back" in page.success[0].value
    assert "Red <b>sail</b>" in [f["title"] for f in frames(page)]


def test_a_viewer_exports_the_table_alone(served: App) -> None:
    page = selecting_all(q="red")
    keys = {b.key for b in page.button}
    assert not keys & {"remove_selected", "prepare_zip"}
    assert [b.proto.label for b in page.get("download_button")] == ["Table of 3 pictures (CSV)"]


def test_the_table_has_a_row_for_each_picture_and_no_formulas(served: App) -> None:
    served.ensure_demo()
    assets = [hit.asset for hit in served.search("red", "demo", 3).hits]
    content = picture_table(assets, location=False)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [asset.id for asset in assets]
    assert rows[0]["title"] == "Red <b>sail</b>"
    assert rows[0]["file"] == "red.png"
    assert "latitude" not in rows[0]
    assert "cluster" not in rows[0]


def test_a_filter_whose_last_picture_went_is_named_and_taken_off(curated: App) -> None:
    page = selecting_all(q="red", keyword="warm")
    button(page, "remove_selected").click().run()
    assert any("no keyword" in warning.value for warning in page.warning)
    assert {f["title"] for f in frames(page)} == {"Green", "Blue"}
