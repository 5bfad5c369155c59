from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR, Person
from core.app import App
from core.atlas.colours import PALETTE, PersonalColours
from core.atlas.level_of_detail import LevelOfDetail
from core.clusters.curation import OpenDraft
from core.clusters.edits.model import SetThreshold
from core.clusters.lineage.diff import AssetMove
from core.jobs.background import BackgroundJobs
from core.library import picture_export
from core.settings import Secret
from pages.clusters import map_view
from pages.clusters.cluster_list import ClusterRow, filter_and_sort
from pages.clusters.dial import DIAL_KEY as DIAL
from pages.clusters.map_figure import SHADE_ALPHA, MapScene, labelled_clusters, map_figure
from pages.clusters.map_selection import MAP_KEY, selected_rows
from pages.clusters.map_view import with_margin
from pages.clusters.published_changes import flow_title
from pages.ui import person as person_module
from pages.ui.person import SessionConnection
from tests.pages.conftest import galleries, visit


@pytest.fixture
def grouped(served: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """The App behind the page; `many` holds six reds, six blues and six greens. Background jobs are queued only."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(6):
        for name, colour in (("red", (250 - number, 0, 0)), ("blue", (0, 0, 250 - number)), ("green", (0, 99, 0))):
            Image.new("RGB", (20 + number, 20), colour).save(folder / f"{name}{number}.png")
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    served.ensure_demo()
    served.ingest(folder, "many")
    return served


def open_clusters() -> AppTest:
    page = visit().switch_page("pages/clusters/page.py").run()
    page.selectbox(key="collection").select("many").run()
    assert not page.exception
    return page


def component(page: AppTest, key: str) -> Any:
    return next(e.proto for e in page.main if e.type == "bidi_component" and f"-{key}" in e.proto.id)


def dial(page: AppTest) -> dict[str, Any]:
    """What the dial was given to show."""
    shown: dict[str, Any] = json.loads(component(page, DIAL).json)
    return shown


def set_dial(page: AppTest, number: int = 0, **values: float) -> AppTest:
    """Set values on the dial, with the next number of the browser unless `number` is given."""
    shown = dial(page)
    number = number or max(shown["heard"].values()) + 1
    message = {name: [number, value] for name, value in values.items()}
    return report(page, DIAL, asked={"session": shown["session"], **message})


def report(page: AppTest, key: str, **state: object) -> AppTest:
    """Let a component report its state."""
    widget = WidgetState(id=component(page, key).id, json_value=json.dumps(state))
    page._run(WidgetStates(widgets=[widget]))
    assert not page.exception
    return page


def text_of(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.markdown, *page.caption, *page.warning, *page.success))


def test_the_page_shows_the_clusters_of_the_collection(grouped: App) -> None:
    page = open_clusters()
    assert "Nothing saved yet" in text_of(page)
    assert "3 clusters" in text_of(page)
    assert [frame["reason"].split(" · ")[0] for frame in galleries(page)[-1]] == ["6 pictures"] * 3


def test_a_moved_slider_starts_a_draft_that_survives_a_reload(grouped: App) -> None:
    page = open_clusters()
    assert "1 change not saved" in text_of(set_dial(page, threshold=0.9))
    assert "1 change not saved" in text_of(set_dial(page, threshold=0.912345))
    reloaded = open_clusters()
    assert "1 change not saved" in text_of(reloaded)
    assert dial(reloaded)["threshold"] == 0.912345


def test_repeated_and_late_messages_of_the_dial_change_nothing(grouped: App) -> None:
    page = set_dial(open_clusters(), number=5, threshold=0.9)
    assert dial(page)["heard"] == {"threshold": 5, "smallest": 0}
    set_dial(page, number=5, threshold=0.88)
    set_dial(page, number=4, threshold=0.87)
    assert dial(page)["threshold"] == 0.9
    set_dial(page, number=6, smallest=3)
    assert (dial(page)["threshold"], dial(page)["smallest"]) == (0.9, 3)


def test_a_message_to_an_earlier_server_is_ignored(grouped: App) -> None:
    page = open_clusters()
    report(page, DIAL, asked={"session": "of another server", "threshold": [9, 0.5]})
    assert (dial(page)["threshold"], dial(page)["heard"]["threshold"]) == (0.82, 0)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -2.0])
def test_an_invalid_threshold_is_rejected_and_the_old_one_stays(grouped: App, value: float) -> None:
    page = set_dial(open_clusters(), threshold=value)
    assert dial(page)["threshold"] == 0.82
    assert page.warning


def test_an_edit_is_undone_and_redone(grouped: App) -> None:
    page = open_clusters()
    set_dial(page, threshold=0.9)
    page.button(key="undo").click().run()
    assert dial(page)["threshold"] == 0.82
    page.button(key="redo").click().run()
    assert dial(page)["threshold"] == 0.9


def test_a_draft_is_saved_published_and_listed_in_the_history(grouped: App) -> None:
    page = open_clusters()
    set_dial(page, threshold=0.9)
    page.text_input(key="save_note").set_value("first")
    page.button(key="save").click().run()
    assert [error.value for error in page.error] == ["Give your name first."]
    page.text_input(key="save_name").set_value("Ada")
    page.button(key="save").click().run()
    assert not page.exception
    assert "Saved as revision 1" in text_of(page).replace("\\", "")
    page.button(key="publish").click().run()
    published = grouped.clusters.revisions.published("many")
    assert published is not None
    assert (published.id, published.threshold, published.note, published.author) == (1, 0.9, "first", "Ada")
    page.button_group(key="section").select("History").run()
    assert "**Revision 1** · 3 clusters at 0.9" in text_of(page)


def test_an_exported_clustering_is_imported_as_edits_of_the_draft(grouped: App) -> None:
    ids = list(grouped.titles("many"))
    file = f"asset_id,cluster\n{ids[0]},Mine\n{ids[1]},Mine\n{'0' * 64},Mine\n".encode()
    page = open_clusters()
    page.button_group(key="section").select("History").run()
    page.file_uploader(key="import_file").set_value(("groups.csv", file, "text/csv")).run()
    page.button(key="import").click().run()
    assert "Mine" in [frame["title"] for frame in galleries(open_clusters())[-1]]
    assert "Not in many: 1 picture of the file" in text_of(page).replace("\\", "")


def test_a_viewer_moves_the_slider_and_changes_nothing(grouped: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(False))
    page = open_clusters()
    assert "nothing changes for others" in text_of(page)
    set_dial(page, threshold=0.9)
    assert page.query_params["t"] in ("0.9", ["0.9"])
    assert grouped.curation.unsaved_draft(OPERATOR, "many") is None
    assert not {"save", "publish", "undo"} & {button.key for button in page.button}
    stranger = Person("x", over_loopback=False, key=Secret("wrong"))
    assert not grouped.access.is_curator(stranger)


def named(page: AppTest, name: str) -> AppTest:
    page.text_input(key="person_name").set_value(name)
    return page.button(key="remember_me").click().run()


def opened_by_address(draft_id: str, name: str = "") -> AppTest:
    """The page in a new session whose address names a draft, once its visitor has given this name."""
    page = open_clusters()
    named(page, name)
    page.query_params["draft"] = draft_id
    return page.run()


def draft_of(app: App, name: str) -> OpenDraft:
    person = Person(name, over_loopback=True)
    return app.curation.edit(person, app.curation.open(person, "many"), SetThreshold(0.9))


@pytest.mark.parametrize(
    ("owner", "line"), [("Ada <b>", "belongs to Ada <b>;"), ("", "belongs to someone without a name")]
)
def test_the_draft_of_someone_else_can_only_be_viewed(grouped: App, owner: str, line: str) -> None:
    page = named(open_clusters(), "Bob")
    draft = draft_of(grouped, owner)
    page.query_params["draft"] = draft.record.id
    page.run()
    assert line in text_of(page).replace("\\", "")
    assert not {"save", "publish", "undo"} & {button.key for button in page.button}
    set_dial(page, threshold=0.7)
    assert page.query_params["t"] in ("0.7", ["0.7"])
    assert grouped.curation.draft(draft.record.id) == draft
    assert "undo" in {button.key for button in named(page, owner).button}


def test_nobody_needs_a_name_to_go_on_after_a_reload(grouped: App) -> None:
    draft = draft_of(grouped, "")
    assert "undo" in {button.key for button in opened_by_address(draft.record.id).button}
    assert "undo" in {button.key for button in open_clusters().button}  # nor the address


def test_who_enters_a_name_goes_on_with_the_draft_begun_without_one(grouped: App) -> None:
    draft = draft_of(grouped, "")
    page = named(opened_by_address(draft.record.id), "Ada")
    page.button(key="undo").click().run()
    assert not page.exception
    stored = grouped.curation.draft(draft.record.id)
    assert (stored.record.author, stored.history.can_redo) == ("Ada", True)


def test_who_enters_a_name_goes_on_with_the_draft_that_the_page_had_opened_by_itself(grouped: App) -> None:
    draft = draft_of(grouped, "")
    page = named(open_clusters(), "Ada")
    assert "undo" in {button.key for button in page.button}
    assert grouped.curation.draft(draft.record.id).record.author == "Ada"


def test_one_cluster_opens_with_its_pictures_and_closes(grouped: App) -> None:
    view = grouped.clusters.view("many", grouped.clusters.revision_plan(None))
    page = open_clusters()
    page.query_params["cluster"] = view.clusters[0].id
    page.run()
    assert not page.exception
    assert [len(shown) for shown in galleries(page)] == [6, 1, 3]  # members, the branch's pieces, the list
    page.button(key="confirm").click().run()
    assert "1 change not saved" in text_of(page)
    page.button(key="close_cluster").click().run()
    assert [len(shown) for shown in galleries(page)] == [3]


@pytest.mark.parametrize("section", ["What would change", "Border pairs", "History"])
def test_every_section_opens_before_anything_is_saved(grouped: App, section: str) -> None:
    page = open_clusters()
    page.button_group(key="section").select(section).run()
    assert not page.exception


def test_a_collection_without_pictures_says_so(served: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    served.ensure_demo()
    served.ingest(pictures, "many")
    served.removal.remove(OPERATOR, "many", list(served.titles("many")))
    page = open_clusters()
    assert "nothing to group yet" in page.info[0].value


SQUARE = np.array([[x, y] for x in range(10) for y in range(10)], np.float32)


def selection(**parts: object) -> dict[str, object]:
    return {"version": "1", "rows": [], "box": [], "lasso": [], **parts}


def test_a_lasso_selects_all_points_in_it_drawn_or_not() -> None:
    lasso = {"x": [-0.5, 2.5, 2.5, -0.5], "y": [-0.5, -0.5, 1.5, 1.5]}
    assert selected_rows(selection(lasso=[lasso]), SQUARE).tolist() == [0, 1, 10, 11, 20, 21]
    assert selected_rows(selection(box=[{"x": [3.4, 2.6], "y": [9.5, 7.5]}]), SQUARE).tolist() == [38, 39]


def test_a_click_selects_its_point_and_no_selection_has_no_rows() -> None:
    assert selected_rows(selection(rows=[50, 50, 100, -1]), SQUARE).tolist() == [50]
    assert selected_rows(selection(), SQUARE).tolist() == []
    assert selected_rows(None, SQUARE).tolist() == []


def test_a_selection_on_the_map_is_shown_until_pictures_are_added_or_removed(grouped: App) -> None:
    page = open_clusters()
    version = json.loads(component(page, MAP_KEY).json)["version"]
    report(page, MAP_KEY, selection=selection(version=version, rows=[0, 1, 2]))
    assert "**3 pictures**" in text_of(page)
    assert "1 picture" not in text_of(report(page, MAP_KEY, selection=selection(version="older", rows=[0])))


def report_and_click(page: AppTest, key: str, button: str, **state: object) -> AppTest:
    """Let a component report its state while someone clicks a button."""
    clicked = WidgetState(id=page.button(key=button).proto.id, trigger_value=True)
    reported = WidgetState(id=component(page, key).id, json_value=json.dumps(state))
    page._run(WidgetStates(widgets=[reported, clicked]))
    assert not page.exception
    return page


def test_a_curator_downloads_what_is_selected_on_the_map(grouped: App, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_clusters()
    chosen = selection(version=json.loads(component(page, MAP_KEY).json)["version"], rows=[0, 1, 2])
    report(page, MAP_KEY, selection=chosen)
    assert not page.get("download_button")
    report_and_click(page, MAP_KEY, "prepare_zip", selection=chosen)
    assert [button.proto.label for button in page.get("download_button")] == ["Download ZIP file"]
    (path,) = (grouped.settings.data / "exports").glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 4
    report(page, MAP_KEY, selection={**chosen, "rows": [0, 1]})
    assert not page.get("download_button")  # the file is of other pictures
    monkeypatch.setattr(picture_export, "MAX_PAGE_BYTES", 10)
    report_and_click(page, MAP_KEY, "prepare_zip", selection=chosen)
    assert "choose up to 10 bytes" in page.error[0].value


def test_viewers_are_offered_no_download(grouped: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(False))
    page = open_clusters()
    version = json.loads(component(page, MAP_KEY).json)["version"]
    report(page, MAP_KEY, selection=selection(version=version, rows=[0, 1, 2]))
    assert "**3 pictures**" in text_of(page)
    assert "prepare_zip" not in {button.key for button in page.button}


def test_moving_on_the_map_loads_the_points_there(grouped: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_view, "MAX_POINTS", 4)
    page = open_clusters()
    shown = json.loads(component(page, MAP_KEY).json)
    assert (len(shown["rows"]), shown["partly"]) == (4, True)
    assert "4 of 18 points are drawn" in text_of(page)
    x0, y0, x1, y1 = grouped.atlas.map("many").level_of_detail.whole
    corner = [x0, y0, x0 + (x1 - x0) / 4, y0 + (y1 - y0) / 4]
    report(page, MAP_KEY, seen={"look": shown["look"], "box": corner})
    inside = grouped.atlas.map("many").level_of_detail.sample(with_margin((*corner,)), 100)
    again = json.loads(component(page, MAP_KEY).json)
    assert again["rows"] == inside.rows[:4].tolist()
    assert again["figure"]["layout"]["xaxis"] == shown["figure"]["layout"]["xaxis"]  # the browser's view is its own
    page.button(key="whole").click().run()
    back = json.loads(component(page, MAP_KEY).json)
    assert (back["rows"], back["look"]) == (shown["rows"], shown["look"] + 1)


def values(packed: dict[str, str]) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def drawing(names: list[str], medoids: list[int]) -> MapScene:
    labels = np.full(100, -1, np.int32)
    labels[:50] = 0
    colours, titles = PersonalColours().palette_indices(["a", "b"]), ["<b>x</b>"] * 100
    return MapScene(SQUARE, labels, colours, titles, names, np.array(medoids), np.array([3]))


def test_the_figure_shows_titles_as_text_and_clusters_in_their_colours() -> None:
    drawn = drawing(["A <i>", "B"], [0, 99])
    levels = LevelOfDetail(SQUARE, np.arange(100, dtype=np.uint32))
    plotly_figure = map_figure(drawn, levels.sample(None, 5_000), levels.whole)
    points, rings = plotly_figure["data"]
    assert len(values(points["x"])) == 100
    assert {text.split("<br>")[0] for text in points["text"]} == {"&lt;b&gt;x&lt;/b&gt;"}
    assert {text.partition("<br>")[2] for text in points["text"]} == {"A &lt;i&gt;", ""}
    assert set(np.unique(values(points["marker"]["color"]))) == {0, int(drawn.colours[0])}
    assert len(points["marker"]["colorscale"]) == 2 * len(PALETTE)
    assert values(rings["x"]).tolist() == [0.0]
    assert [name["text"] for name in plotly_figure["layout"]["annotations"]] == ["<b>A &lt;i&gt;</b>", "<b>B</b>"]
    assert plotly_figure["layout"]["images"] == []


def test_points_that_are_not_drawn_are_shaded_the_lowest_at_the_bottom() -> None:
    coordinates = np.array([[0, 0]] * 50 + [[1, 1]], np.float32)
    levels = LevelOfDetail(coordinates, np.arange(51, dtype=np.uint32))
    no_rows = np.empty(0, np.int64)
    drawn = MapScene(coordinates, np.full(51, -1, np.int32), np.empty(0, np.uint8), [""] * 51, [], no_rows, no_rows)
    shade = map_figure(drawn, levels.sample(None, 2), levels.whole)["layout"]["images"][0]
    picture = Image.open(io.BytesIO(base64.b64decode(shade["source"].partition(",")[2])))
    alpha = np.asarray(picture)[:, :, 1]
    assert alpha[-1, 0] == int(255 * SHADE_ALPHA)
    assert 0 < alpha[0, -1] < alpha[-1, 0]
    assert np.count_nonzero(alpha) == 2


def test_of_overlapping_labels_only_the_larger_cluster_keeps_its_own() -> None:
    assert labelled_clusters(drawing(["A", "B"], [0, 1]), (0, 0, 100, 100)) == [0]
    assert labelled_clusters(drawing(["A", "B"], [0, 99]), (0, 0, 9, 9)) == [0, 1]
    assert labelled_clusters(drawing(["", "B"], [0, 99]), (0, 0, 9, 9)) == [1]
    assert labelled_clusters(drawing(["A", "B"], [0, 99]), (5, 5, 9, 9)) == [1]


def row(number: int, name: str, size: int, confirmed: bool = False, borderline: int = 0) -> ClusterRow:
    return ClusterRow(number, f"c{number}", name, confirmed, False, size, 0.9 - number / 10, borderline, "", "a")


def test_clusters_are_found_by_name_filtered_and_ordered() -> None:
    rows = [row(0, "Boats", 9), row(1, "Red boats", 3, confirmed=True), row(2, "", 5, borderline=2)]
    assert [r.number for r in filter_and_sort(rows, "BOAT", "Smallest", None)] == [1, 0]
    assert [r.number for r in filter_and_sort(rows, "", "Name", None)] == [0, 1, 2]
    assert [r.number for r in filter_and_sort(rows, "", "Loosest", None)] == [2, 1, 0]
    assert [r.number for r in filter_and_sort(rows, "", "Largest", "Named")] == [1]
    assert [r.number for r in filter_and_sort(rows, "", "Largest", "Borderline")] == [2]


def test_a_flow_title_has_the_count_and_both_clusters() -> None:
    assert flow_title(AssetMove("a", None, ("x",)), {"a": "Boats_1"}) == r"**1 picture**: Boats\_1 → unclustered"
    assert flow_title(AssetMove(None, "b", ("x", "y")), {}) == "**2 pictures**: unclustered → b"
