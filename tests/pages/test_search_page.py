from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Button

from core.access import OPERATOR
from core.app import App
from core.errors import CollectionBusy, QueryError
from core.records.assets import Asset, FoundText, Hit, Location, SearchResult
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place
from core.records.jobs import Progress
from pages.search.cut import spread_chart
from pages.search.found_details import marked
from pages.search.picture_facts import described_facts, place_facts
from pages.search.search_state import (
    MAX_SHOWN,
    SearchParams,
    minimum_similarity,
    period_of,
    requested_count,
    result_summary,
)
from pages.ui import resources
from pages.ui.format import escape_markdown
from pages.ui.progress import progress_text
from tests.pages.conftest import frames, gallery_data, visit


def test_before_any_search_the_page_shows_the_collection_and_examples(served: App) -> None:
    page = visit()
    assert not page.exception
    assert {f["title"] for f in frames(page)} == {"Red <b>sail</b>", "Green", "Blue"}
    assert all(f["similarity"] == "" and f["url"] for f in frames(page))
    assert len(page.button_group[0].options) == 3
    assert "3 pictures" in [c.value for c in page.caption]


def test_a_query_ranks_the_pictures_and_shows_their_similarity(served: App) -> None:
    page = visit()
    page.text_input(key="q").set_value("something red").run()
    assert [f["number"] for f in frames(page)] == [1, 2, 3]
    assert frames(page)[0]["title"] == "Red <b>sail</b>"
    assert frames(page)[0]["similarity"] == "1.000"


@pytest.mark.parametrize("link", [{"q": "title:green"}, {"q": "green", "by": "Words"}])
def test_no_similarity_is_shown_where_no_pictures_were_compared(served: App, link: dict[str, str]) -> None:
    assert [(f["title"], f["similarity"]) for f in frames(visit(**link))] == [("Green", "")]


def test_a_shared_link_opens_the_same_search(served: App) -> None:
    page = visit(q="blue", floor="0.9", keyword="")
    assert [f["title"] for f in frames(page)] == ["Blue"]
    assert page.slider(key="floor").value == 0.9


def test_filters_in_the_link_apply(served: App) -> None:
    assert [f["title"] for f in frames(visit(keyword="cold"))] == ["Green"]
    assert [f["title"] for f in frames(visit(since="2002-01-01"))] == ["Green"]
    assert [f["title"] for f in frames(visit(shape="square"))] == ["Blue"]


def test_an_example_becomes_the_query(served: App) -> None:
    page = visit()
    page.button_group(key="example").select("Green").run()
    assert page.text_input(key="q").value == "Green"
    assert frames(page)[0]["title"] == "Green"


def test_an_earlier_search_is_repeated_with_its_filters_and_minimum(served: App) -> None:
    page = visit(q="red", keyword="warm", since="1999", shape="landscape", floor="0.3")
    assert [f["title"] for f in frames(page)] == ["Red <b>sail</b>"]
    page.multiselect(key="keyword").set_value([])
    page.text_input(key="since").set_value("")
    page.button_group(key="shape").set_value([])
    page.slider(key="floor").set_value(0.0)
    page.text_input(key="q").set_value("blue").run()
    assert len(frames(page)) == 3
    next(b for b in page.button if b.label == "Again").click().run()
    assert not page.exception
    assert [f["title"] for f in frames(page)] == ["Red <b>sail</b>"]
    assert page.multiselect(key="keyword").value == ["warm"]
    assert page.text_input(key="since").value == "1999"
    assert page.slider(key="floor").value == 0.3
    next(b for b in page.button if b.label == "Again").click().run()
    assert page.multiselect(key="keyword").value == []
    assert len(frames(page)) == 3


def test_another_minimum_is_the_same_search_adjusted(served: App) -> None:
    page = visit(q="red")
    for floor in (0.1, 0.2, 0.3):
        page.slider(key="floor").set_value(floor).run()
    assert not [b for b in page.button if b.label == "Again"]


def test_nothing_found_says_how_to_find_more(served: App) -> None:
    page = visit(q="red", floor="1.0", keyword="cold")
    assert frames(page) == []
    assert "Lower the minimum similarity" in page.info[0].value


def test_an_empty_collection_says_how_to_fill_it(served: App, pictures: Path) -> None:
    served.ingest(pictures, "bare")
    served.removal.remove(OPERATOR, "bare", list(served.titles("bare")))
    page = visit(collection="bare")
    assert "has no pictures yet. Add some on the Library page" in page.info[0].value


def test_a_link_to_an_unknown_collection_says_so(served: App) -> None:
    page = visit(collection="gone")
    assert "no collection gone" in page.warning[0].value
    assert len(frames(page)) == 3


def own_buttons(page: AppTest) -> list[Button]:
    """The buttons of the page, without those of its head."""
    return [button for button in page.button if button.key not in ("remember_me", "forget_me")]


def test_pictures_like_another_are_found_from_a_link(served: App) -> None:
    red = served.search("red", "demo", 1).hits[0].asset if served.ensure_demo() or True else None
    assert red is not None
    page = visit(like=red.id)
    assert "Red <b>sail</b>" not in {f["title"] for f in frames(page)}
    assert len(frames(page)) == 2
    own_buttons(page)[0].click().run()
    assert len(frames(page)) == 3
    assert "like" not in page.query_params


def test_words_refine_the_picture_from_the_first_page_on_until_it_is_cleared(served: App) -> None:
    served.ensure_demo()
    red = served.search("red", "demo", 1).hits[0].asset
    page = visit(like=red.id, n="48")
    page.text_input(key="q").set_value("blue").run()
    assert page.query_params["like"] in (red.id, [red.id])
    assert "n" not in page.query_params
    assert frames(page)[0]["title"] == "Blue"
    assert len(frames(page)) == 2
    next(b for b in page.button if b.label == "Clear").click().run()
    assert "like" not in page.query_params
    assert len(frames(page)) == 3


def test_a_link_to_a_removed_picture_is_a_readable_error(served: App) -> None:
    page = visit(like="f" * 64)
    assert not page.exception
    assert "may have been removed" in page.error[0].value
    page = visit(photo="f" * 64)
    assert "no longer in the collection" in page.warning[0].value


def test_details_show_metadata_as_plain_text(served: App) -> None:
    served.ensure_demo()
    red = served.search("red", "demo", 1).hits[0].asset
    page = visit(photo=red.id)
    assert not page.exception
    assert "A *red* sail" in [t.value for t in page.text]
    told = "\n".join(caption.value for caption in page.caption)
    assert all(f"**{name}** " in told for name in ("Taken", "Keywords", "Size", "Source", "File", "Added"))
    ((shown,), (hidden,)) = place_facts(red, with_folders=True), place_facts(red, with_folders=False)
    assert (shown["File"], hidden["File"]) == (red.uris[0], "red.png")
    assert escape_markdown("<b>*x*</b>") == r"\<b\>\*x\*\</b\>"


def test_all_that_is_known_of_a_picture_is_told_in_groups() -> None:
    about = Description(
        title="Harbour",
        people=("Ada", "Bob"),
        hierarchies=("Places|Portugal|Lisbon",),
        created=CreatedTime(datetime(1998, 9, 1, tzinfo=UTC), "month"),
        place=Place("Alfama", "Lisbon", "", "Portugal", 38.7083, -9.135, 12.0),
        rating=3,
        camera="NIKON D90",
    )
    asset = Asset("0" * 64, (), about, 30, 20, datetime(2026, 1, 1, tzinfo=UTC))
    assert described_facts(asset, shows_location=True) == [
        {
            "Taken": "September 1998",
            "Place": "Alfama, Lisbon, Portugal",
            "Coordinates": "38.70830° N, 9.13500° W, 12 m",
            "People": "Ada, Bob",
            "Filed under": "Places › Portugal › Lisbon",
            "Rating": "★★★ (3 of 5)",
        },
        {"Camera": "NIKON D90", "Size": "30 × 20 pixels"},
    ]
    assert not any("Coordinates" in group for group in described_facts(asset, shows_location=False))


def test_every_place_of_a_picture_is_told_with_what_only_it_says() -> None:
    about = Description(title="Harbour", keywords=("boat",))
    words = Description(title="Port", keywords=("boat",), created=CreatedTime(datetime(1998, 1, 1, tzinfo=UTC), "year"))
    places = (Location("/a/90%25.jpg", "A"), Location("/b/x.jpg", "B", state="missing", words=words))
    asset = Asset("0" * 64, places, about, 30, 20, datetime(2026, 1, 1, tzinfo=UTC))
    assert place_facts(asset, with_folders=True) == [
        {"In A": "/a/90%.jpg"},
        {"In B": "/b/x.jpg (missing)", "Title": "Port", "Taken": "1998"},
        {"Added": "1 January 2026, 00:00 UTC"},
    ]
    alone = replace(asset, locations=places[:1])
    assert place_facts(alone, with_folders=False) == [
        {"Source": "A", "File": "90%.jpg", "Added": "1 January 2026, 00:00 UTC"}
    ]
    many = replace(asset, locations=tuple(Location(f"/a/{n}.jpg", "A") for n in range(40)))
    assert place_facts(many, with_folders=True)[-1]["Besides"] == "in 28 other places"


def test_a_link_that_filters_by_what_the_collection_has_not_says_so(served: App) -> None:
    page = visit(keyword="kyword", people="Ada", rating="4", shape="square")
    (warning,) = page.warning
    assert all(word in warning.value for word in ("no keyword", "person", "rating"))
    assert "people" not in page.query_params
    assert page.query_params["shape"] == "square"
    assert [f["title"] for f in frames(page)] == ["Blue"]
    assert filters_in_use(page) == "Filters · 1"


def test_case_of_a_filter_in_the_link_does_not_matter(served: App) -> None:
    page = visit(keyword="COLD")
    assert not page.warning
    assert [f["title"] for f in frames(page)] == ["Green"]
    assert page.multiselect(key="keyword").value == ["cold"]
    assert page.query_params["keyword"] == "cold"
    assert filters_in_use(page) == "Filters · 1"


def filters_in_use(page: AppTest) -> str:
    """The label of the popover of filters."""
    labels = [block.proto.popover.label for block in blocks(page.main) if block.type == "popover"]
    return next(label for label in labels if label.startswith("Filters"))


def blocks(block: Block) -> Iterator[Block]:
    """A block of a page and all blocks in it."""
    yield block
    for child in block.children.values():
        if isinstance(child, Block):
            yield from blocks(child)


def test_the_filters_of_a_link_are_counted(served: App) -> None:
    page = visit(since="2001", until="2001", keyword="warm")
    assert "Filters · 3" in [popover.proto.popover.label for popover in page.get("popover")]


def test_periods_in_the_link_are_what_people_write(served: App) -> None:
    assert [f["title"] for f in frames(visit(until="2001"))] == ["Red <b>sail</b>"]
    page = visit(since="soon")
    assert any("soon" in warning.value for warning in page.warning)


def test_an_original_that_may_hide_coordinates_is_not_offered_and_the_page_says_so(served: App, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("p.jp2", "p.jpg"):
        Image.new("RGB", (20, 20), "red" if name == "p.jpg" else "blue").save(tmp_path / "more" / name)
    served.ensure_demo()
    served.ingest(tmp_path / "more", "more")
    ids = {title: asset_id for asset_id, title in served.titles("more").items()}
    for name, offered in (("p.jpg", True), ("p.jp2", False)):
        page = visit(collection="more", photo=ids[name])
        assert not page.exception
        assert bool(page.get("link_button")) is offered
        assert any("coordinates in it could not be removed" in c.value for c in page.caption) is not offered


def test_a_replaced_model_is_named_on_the_library_page(served: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.encoders, "_for_new", "bundled")
    assert not any("cannot be downloaded" in c.value for c in visit().caption)
    library = visit().switch_page("pages/library/page.py").run()
    assert any("cannot be downloaded" in c.value for c in library.caption)


def test_a_failed_build_of_the_demo_collection_can_be_retried(served: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(listener: object) -> None:
        raise CollectionBusy("another ingest into demo is running: wait for it to end")

    monkeypatch.setattr(served, "ensure_demo", busy)
    page = visit()
    assert "another ingest into demo" in page.error[0].value
    monkeypatch.undo()
    resources.app.clear()
    monkeypatch.setattr(resources, "open_app", lambda: served)
    own_buttons(page)[0].click().run()
    resources.demo_build().wait(60)
    assert len(frames(page.run())) == 3


def test_an_unexpected_error_of_the_build_is_shown_not_swallowed(served: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(listener: object) -> None:
        raise MemoryError

    monkeypatch.setattr(served, "ensure_demo", broken)
    assert "MemoryError" in visit().error[0].value


def test_a_period_is_what_people_write() -> None:
    assert period_of("2001-02-03") == CreatedTime(datetime(2001, 2, 3, tzinfo=UTC), "day")
    assert period_of(" ") is None
    with pytest.raises(QueryError, match="soon"):
        period_of("soon")


@pytest.mark.parametrize(
    ("n", "expected"), [("", 24), ("1", 24), ("24", 24), ("25", 48), ("-5", 24), ("x", 24), ("999999", MAX_SHOWN)]
)
def test_the_number_of_results_in_the_link_is_whole_pages_and_bounded(n: str, expected: int) -> None:
    assert requested_count({"n": n} if n else {}) == expected


def test_the_left_end_of_the_slider_is_no_minimum() -> None:
    assert (minimum_similarity(0.0), minimum_similarity(0.3)) == (-1.0, 0.3)


def result(hits: int, matching: int, folded: int = 0, compared: bool = True) -> SearchResult:
    asset = Asset("0" * 64, (), Description(), 30, 20, datetime(2026, 1, 1, tzinfo=UTC))
    found = [Hit(1, 0.5, asset, b"")] * hits
    found[:1] = [replace(hit, folded=tuple("y" * folded)) for hit in found[:1]]
    return SearchResult("c", "v", "", tuple(found), matching, {"total": 12.4}, spread=(1,) if compared else ())


@pytest.mark.parametrize(
    ("params", "hits", "matching", "line"),
    [
        (SearchParams(), 24, 519, "The newest 24 of 519 pictures"),
        (SearchParams(), 3, 3, "3 pictures"),
        (SearchParams(query="x"), 24, 519, "24 of 519 pictures, the best matches first · 12 ms"),
        (SearchParams(like="x"), 2, 2, "2 pictures, the most similar first · 12 ms"),
        (SearchParams(query="x"), 1, 1, "1 picture · 12 ms"),
    ],
)
def test_the_summary_counts_shown_and_matching_pictures(
    params: SearchParams, hits: int, matching: int, line: str
) -> None:
    assert result_summary(params, result(hits, matching)) == line


def test_the_summary_counts_near_duplicates_as_shown() -> None:
    assert result_summary(SearchParams(query="x"), result(14, 17, folded=3)).startswith("17 pictures, ")


def test_the_summary_names_no_order_where_nothing_was_compared() -> None:
    assert result_summary(SearchParams(query="title:x"), result(4, 4, compared=False)) == "4 pictures · 12 ms"


def test_progress_reads_as_a_sentence() -> None:
    assert progress_text(Progress("embed", 120, 529, 24.06, 17.0)) == (
        "Embedding: 120 of 529 · 24.1 images/s · 0:17 left"
    )
    assert progress_text(Progress("load model", 0, 0)) == "Loading the model"


def test_pictures_are_filtered_by_people_places_ratings_cameras_and_coordinates(
    served: App, pictures: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text(
        "file,title,people,city,rating,camera,latitude,longitude\n"
        "red.png,Red,Ada,Lisbon,5,NIKON D90,38.7,-9.1\ngreen.jpg,Green,Bob,Porto,2,Canon,,\n"
    )
    served.ingest(pictures, "travels", captions=captions)
    for link in ({"people": "Ada"}, {"place": "Lisbon"}, {"rating": "3"}, {"camera": "NIKON D90"}, {"gps": "With"}):
        page = visit(collection="travels", **link)
        assert not page.exception, link
        assert [frame["title"] for frame in frames(page)] == ["Red"], link


# -- the query language ---------------------------------------------------------------------------------------------


def test_parts_of_a_query_are_chips_that_can_be_removed(served: App) -> None:
    page = visit(q="red -blue")
    assert [f["title"] for f in frames(page)] == ["Red <b>sail</b>", "Green"]
    remove = next(b for b in page.button if b.label == "Remove" and b.key.startswith("chip_remove_1"))
    remove.click().run()
    assert page.text_input(key="q").value == "red"
    assert len(frames(page)) == 3


def test_changing_a_chip_changes_the_query(served: App) -> None:
    page = visit(q="red -blue")
    chip = next(field for field in page.text_input if field.value == "-blue")
    chip.set_value("-green").run()
    assert page.text_input(key="q").value == "red -green"
    assert "Green" not in [f["title"] for f in frames(page)]


def test_plain_words_have_no_chips(served: App) -> None:
    page = visit(q="red sail")
    assert not [b for b in page.button if (b.key or "").startswith("chip_")]


def test_a_mistake_is_shown_at_its_place(served: App) -> None:
    page = visit(q="red rating:>9")
    assert "red **:red[rating" in page.warning[0].value
    assert "ratings go from 1 to 5" in page.warning[0].value


def test_a_value_that_the_collection_does_not_have_is_named(served: App) -> None:
    page = visit(q="keyword:nowhere")
    assert frames(page) == []
    assert "nowhere" in page.info[0].value


def test_words_alone_leave_out_what_does_not_have_them(served: App) -> None:
    assert [f["title"] for f in frames(visit(q="green", by="Words"))] == ["Green"]
    assert len(frames(visit(q="green", by="Pixels"))) == 3


def test_the_words_that_were_found_are_marked_in_titles(served: App) -> None:
    first = frames(visit(q="sail"))[0]
    assert first["pieces"] == ["Red <b>", "sail", "</b>"]


def test_a_misspelt_word_is_corrected_and_the_search_as_typed_is_one_click_away(served: App) -> None:
    page = visit(q="grean")
    assert any("Showing results for **green**" in line.value for line in page.markdown)
    page.button(key="as_typed").click().run()
    assert "typed" in page.query_params
    assert not any("Showing results for" in line.value for line in page.markdown)
    page.text_input(key="q").set_value("blu").run()
    assert "typed" not in page.query_params


def test_a_line_ends_the_closest_matches(served: App) -> None:
    data = gallery_data(visit(q="red"))[0]
    assert data["divider"]["text"] == "Closest matches end here"
    assert 0 < data["divider"]["after"] < 3


def test_the_spread_of_similarities_shows_what_the_minimum_leaves_out() -> None:
    bars = spread_chart([0] * 49 + [2, 1, 0, 3] + [0] * 47, 0.04).data[0]
    assert list(bars.y[:4]) == [3, 0, 3, 0]
    assert list(bars.marker.opacity[:4]) == [0.25, 0.25, 1.0, 1.0]


def test_words_that_were_found_are_marked_with_a_little_of_what_stands_around_them() -> None:
    text = "x" * 100 + " a *red* boat " + "y" * 100
    start = text.index("red")
    shown = marked(FoundText("description", text, ((start, start + 3),)))
    assert "**:primary-background[red]**" in shown
    assert "\\*" in shown
    assert (shown[0], shown[-1]) == ("…", "…")
    assert len(shown) < 200


def test_nothing_but_a_mistake_shows_no_pictures_as_if_they_were_results(served: App) -> None:
    page = visit(q="rating:>9")
    assert page.warning
    assert frames(page) == []
