"""One search over what pictures show and what is written about them, through an App."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.errors import QueryError
from core.records.assets import Filters, Hit
from core.records.queries import Correction, Query, TextCondition, Wish
from core.records.searches import SearchOptions
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import COLOURS, ColourEncoder

# Of each colour one picture; what is written about it has nothing to do with what it shows.
WRITTEN = {
    "red": {"file": "DSC_0004.png", "title": "Gnus at a waterhole", "keywords": ["animals"]},
    "green": {"file": "harbourMorning.png", "city": "Lisbon", "country": "Portugal", "keywords": ["boat"]},
    "blue": {"file": "c3.png", "author": "Ada Lovelace", "description": "Two dogs, a cat and a red boat"},
    "yellow": {"file": "IMG0005.png", "people": ["Zoë Müller"], "keywords": ["boat", "animals"]},
    "black": {"file": "e5.png", "title": "A night"},
    "white": {"file": "f6.png"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour, written in WRITTEN.items():
        paint(folder / str(written["file"]), COLOURS[colour])
    return folder


@pytest.fixture
def filled(app: App, folder: Path, tmp_path: Path) -> App:
    app.ingest(folder, "c", captions=captions(tmp_path / "captions.jsonl", list(WRITTEN.values())))
    return app


def paint(path: Path, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (24, 16), colour).save(path)


def captions(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def names(hits: tuple[Hit, ...]) -> list[str]:
    """The pictures by what they show."""
    colour_of = {str(written["file"]): colour for colour, written in WRITTEN.items()}
    files = [hit.asset.uris[0].rsplit("/", 1)[-1] for hit in hits]
    return [colour_of.get(file, file) for file in files]


def search(app: App, text: str, **options: Any) -> list[str]:
    return names(app.searches.by_text(OPERATOR, text, "c", SearchOptions(**options)).hits)


def ask(app: App, query: Query, **options: Any) -> list[str]:
    return names(app.searches.by_query(OPERATOR, query, "c", SearchOptions(**options)).hits)


def ids(app: App) -> dict[str, str]:
    hits = app.searches.browse("c").hits
    return dict(zip(names(hits), (hit.asset.id for hit in hits), strict=True))


@pytest.mark.parametrize(
    ("text", "colour", "field", "marked"),
    [
        ("DSC_0004", "red", "name", ("DSC", "0004")),
        ("0004", "red", "name", ("0004",)),
        ("dsc 0004", "red", "name", ("DSC", "0004")),
        ("0005", "yellow", "name", ("0005",)),
        ("morning", "green", "name", ("Morning",)),
        ("gnus", "red", "title", ("Gnus",)),
        ("lisbon", "green", "place", ("Lisbon",)),
        ("portugal", "green", "place", ("Portugal",)),
        ("lovelace", "blue", "author", ("Lovelace",)),
        ("dog", "blue", "description", ("dogs",)),
        ("cats", "blue", "description", ("cat",)),
        ("zoe muller", "yellow", "person", ("Zoë", "Müller")),
        ("waterhol", "red", "title", ("waterhole",)),
    ],
)
def test_what_is_written_nowhere_else_is_found_first_and_marked(
    filled: App, text: str, colour: str, field: str, marked: tuple[str, ...]
) -> None:
    first = filled.search(text, "c").hits[0]
    assert names((first,)) == [colour]
    assert first.found is not None
    assert [(each.field, each.words) for each in first.found.texts] == [(field, marked)]


def test_what_pictures_show_and_what_is_written_come_together(filled: App) -> None:
    assert search(filled, "red")[0] == "red"
    assert search(filled, "red", by="words") == ["blue"]
    assert search(filled, "red", by="pixels")[0] == "red"
    assert set(search(filled, "red boat")[:2]) == {"red", "blue"}
    assert search(filled, "yellow boat")[0] == "yellow"
    assert len(search(filled, "yellow boat")) == len(WRITTEN)


def test_each_hit_says_what_it_was_found_by(filled: App) -> None:
    found = {by: filled.searches.by_text(OPERATOR, "boat", "c", SearchOptions(by=by)).hits for by in _MODES}  # type: ignore[arg-type]
    assert all(hit.found and hit.found.words is None and not hit.found.texts for hit in found["pixels"])
    assert all(hit.found and hit.found.pixels is None and hit.found.texts for hit in found["words"])
    assert all(hit.found and hit.found.pixels is not None and hit.found.words is not None for hit in found["both"])
    assert max(hit.found.words for hit in found["both"] if hit.found) == 1
    assert filled.searches.browse("c").hits[0].found is None


_MODES = ("both", "pixels", "words")


def test_what_took_no_part_is_no_zero(filled: App) -> None:
    asset_id = ids(filled)["red"]
    like = filled.searches.by_query(OPERATOR, Query(like=(asset_id,)), "c").hits
    assert all(hit.found and hit.found.words is None and hit.found.pixels is not None for hit in like)
    unwanted = filled.searches.by_query(OPERATOR, Query((Wish("boat", -1),)), "c").hits
    assert unwanted
    assert all(hit.found is None for hit in unwanted)


def test_words_alone_need_no_model_and_leave_out_pictures_without_them(folder: Path, tmp_path: Path) -> None:
    table = captions(tmp_path / "captions.jsonl", list(WRITTEN.values()))
    colour_app(tmp_path / "d").ingest(folder, "c", captions=table)
    app = colour_app(tmp_path / "d", Unready())
    assert set(search(app, "boat", by="words")) == {"green", "blue", "yellow"}
    assert search(app, "a boat in portugal", by="words")[0] == "green"
    assert set(search(app, "-boat", by="words")) == {"white", "black", "red"}
    assert search(app, "keyword:boat keyword:animals", by="words") == ["yellow"]


class Unready(ColourEncoder):
    def encode_texts(self, texts: Any) -> Any:
        raise AssertionError("a text was encoded")


def test_an_ingest_is_seen_by_the_next_search_with_its_words(filled: App, folder: Path) -> None:
    assert search(filled, "zebra", by="words") == []
    paint(folder / "zebra_0009.png", (9, 99, 9))
    filled.ingest(folder, "c")
    assert search(filled, "zebra", by="words") == ["zebra_0009.png"]
    assert search(filled, "0009")[0] == "zebra_0009.png"


def test_captions_that_are_applied_after_an_ingest_are_found(app: App, folder: Path, tmp_path: Path) -> None:
    app.ingest(folder, "c")
    assert search(app, "waterhole", by="words") == []
    app.ingest(folder, "c", captions=captions(tmp_path / "captions.jsonl", list(WRITTEN.values())))
    assert search(app, "waterhole", by="words") == ["red"]
    captions(tmp_path / "captions.jsonl", [{"file": "DSC_0004.png", "title": "Zebras at dawn"}])
    app.ingest(folder, "c", captions=tmp_path / "captions.jsonl")
    assert search(app, "waterhole", by="words") == []
    assert search(app, "zebra", by="words") == ["red"]


def test_a_removed_picture_is_not_found_and_one_that_is_restored_is(filled: App) -> None:
    asset_id = ids(filled)["red"]
    filled.removal.remove(OPERATOR, "c", [asset_id])
    assert search(filled, "DSC_0004", by="words") == []
    assert "red" not in search(filled, "DSC_0004")
    filled.removal.restore(OPERATOR, "c", [asset_id])
    assert search(filled, "DSC_0004", by="words") == ["red"]


def test_a_renamed_picture_is_found_by_its_new_name_alone(filled: App, folder: Path) -> None:
    (folder / "DSC_0004.png").rename(folder / "zebra.png")
    filled.ingest(folder, "c")
    assert search(filled, "zebra", by="words") == ["zebra.png"]
    assert search(filled, "DSC_0004", by="words") == []


@pytest.mark.parametrize("text", ["zebra -boat", "animals -boat", "animals without a boat"])
def test_what_is_excluded_by_its_texts_is_left_out(filled: App, text: str) -> None:
    assert {*search(filled, text)} == {"red", "black", "white"}


def test_an_excluded_text_of_several_words_excludes_pictures_with_all_of_them(filled: App) -> None:
    assert {*search(filled, 'animals -"red boat"', by="words")} == {"red", "yellow"}
    assert {*ask(filled, Query((Wish("boat"), Wish("red boat", -1))), by="words")} == {"green", "yellow"}


def test_conditions_hold_for_every_hit_and_leave_the_order(filled: App) -> None:
    everything = search(filled, "boat")
    some = ask(filled, Query((Wish("boat"),), (TextCondition("animals", "keyword"),)))
    assert set(some) == {"red", "yellow"}
    assert some == ["yellow", "red"]
    others = ask(filled, Query((Wish("boat"),), (TextCondition("animals", "keyword", excluded=True),)))
    assert set(others) == set(everything) - set(some)
    assert ask(filled, Query(conditions=(TextCondition("zebra"),))) == []
    assert ask(filled, Query((Wish("boat"),)), filters=Filters(keywords=("animals",))) == ["yellow", "red"]


def test_pictures_like_several_and_unlike_others_never_hold_these(filled: App) -> None:
    known = ids(filled)
    like = ask(filled, Query(like=(known["red"], known["yellow"])))
    assert set(like) == set(WRITTEN) - {"red", "yellow"}
    beginnings = ask(filled, Query(like=(known["red"][:8], known["yellow"][:12].upper())))
    assert beginnings == like
    unlike = ask(filled, Query(like=(known["red"],), unlike=(known["yellow"][:8],)))
    assert set(unlike) == set(WRITTEN) - {"red", "yellow"}
    away = ask(filled, Query(unlike=(known["white"],)))
    assert away[0] == "black"
    assert "white" not in away


def test_pictures_and_words_together_follow_the_share_of_the_words(filled: App) -> None:
    query = Query((Wish("lisbon"),), like=(ids(filled)["white"],))
    assert names(filled.searches.by_query(OPERATOR, query, "c", text_weight=1).hits)[0] == "green"
    pictures_alone = names(filled.searches.by_query(OPERATOR, query, "c", text_weight=0).hits)
    assert pictures_alone == ask(filled, Query(like=query.like))


@pytest.mark.parametrize(
    ("asset_id", "message"),
    [("f" * 64, "has no picture 'ffffffffffff'"), ("abc", "has no picture 'abc'"), ("", "has no picture ''")],
)
def test_a_picture_that_is_not_there_or_too_short_an_id_is_refused(filled: App, asset_id: str, message: str) -> None:
    for query in (Query(like=(asset_id,)), Query((Wish("red"),), unlike=(asset_id,))):
        with pytest.raises(QueryError, match=message):
            filled.searches.by_query(OPERATOR, query, "c")


def test_misspelt_words_are_corrected_and_told_or_left_as_typed(filled: App) -> None:
    answer = filled.searches.by_text(OPERATOR, "Lisbonn", "c")
    assert answer.result.correction == Correction("lisbon", (("Lisbonn", "lisbon"),))
    assert answer.result.query == "lisbon"
    assert names(answer.hits)[0] == "green"
    typed = filled.searches.by_text(OPERATOR, "Lisbonn", "c", SearchOptions(correct=False)).result
    assert (typed.correction, typed.query) == (None, "Lisbonn")
    assert filled.searches.by_text(OPERATOR, "Lisbon DSC_0004", "c").result.correction is None


def test_the_pictures_that_stand_out_are_the_first_and_browsing_has_none(filled: App) -> None:
    assert filled.search("lovelace", "c").result.closest == 1
    assert filled.searches.browse("c").closest == 0
    assert filled.searches.by_text(OPERATOR, "zebra", "c", SearchOptions(by="words")).result.closest == 0


@pytest.mark.parametrize(
    "text", ["\0", "🐶", "the", "a" * 2_000, "x " * 999, "猫", "Łódź", "%", "\u202e", "\ud800", "dog \ud800"]
)
def test_odd_queries_are_answered(filled: App, text: str) -> None:
    assert len(search(filled, text)) == len(WRITTEN)


def test_what_the_model_knows_matters_only_where_pixels_take_part(filled: App) -> None:
    (hint,) = filled.searches.by_text(OPERATOR, "собака", "c").result.hints
    assert "Cyrillic letters" in hint
    assert filled.searches.by_text(OPERATOR, "собака", "c", SearchOptions(by="words")).result.hints == ()


def test_two_threads_search_while_pictures_come(filled: App, folder: Path) -> None:
    stop = threading.Event()

    def searching() -> list[int]:
        counts = list[int]()
        while not stop.is_set():
            counts.append(len(search(filled, "boat 0004", top=100)))
            search(filled, "-boat", top=100)
        return counts

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(searching) for _ in range(2)]
        try:
            for number in range(4):
                paint(folder / f"boat_{number}.png", (number * 20, 9, 9))
                filled.ingest(folder, "c")
        finally:
            stop.set()
    seen = [count for thread in threads for count in thread.result()]
    assert {*seen} <= {*range(len(WRITTEN), len(WRITTEN) + 5)}
    assert len(search(filled, "boat", by="words")) == 7


def test_how_well_texts_fit_is_measured_on_warming_and_forgotten_with_the_collection(app: App, tmp_path: Path) -> None:
    pictures = tmp_path / "many"
    pictures.mkdir()
    shades = [(r, g, b) for r in (0, 128, 255) for g in (0, 128, 255) for b in (0, 100, 200)]
    for number, shade in enumerate(shades):
        paint(pictures / f"{number}.png", shade)
    table = captions(tmp_path / "t.jsonl", [{"file": f"{n}.png", "title": "white"} for n in range(len(shades))])
    app.ingest(pictures, "c", captions=table)
    assert not app.searches.text_fit("c").known
    app.warm("c")
    assert app.searches.text_fit("c").sample == len(shades)
    app.removal.delete(OPERATOR, "c", "c")
    app.ingest(pictures, "c")
    assert not app.searches.text_fit("c").known


def test_a_search_goes_on_where_the_measured_fit_cannot_be_read(filled: App, caplog: pytest.LogCaptureFixture) -> None:
    (filled.settings.data / "text-fits" / "c" / "text_fit.json").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        assert search(filled, "gnus")[0] == "red"
    assert "how well texts fit cannot be read" in caplog.text


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_is_a_finite_number(weight: float) -> None:
    with pytest.raises(QueryError, match="is no number to weigh by"):
        Wish("red", weight)


def test_a_mistake_in_a_text_is_no_search_for_the_rest(filled: App) -> None:
    with pytest.raises(QueryError, match="rating:>9 at character 5: ratings go from 1 to 5"):
        search(filled, "red rating:>9")
