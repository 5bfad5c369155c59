"""Weak labels from what people downloaded after they searched."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import OPERATOR
from core.app import App
from core.cli import command_context
from core.cli import main as cli
from core.errors import CollectionError, ContactSheetError, QualityError
from core.ingest.sources.unsplash import UnsplashOptions
from core.quality.label_sets import read_label_set
from core.quality.weak_labels import WeakLabelLimits, weak_labels
from core.records.jobs import Progress
from tests.fakes.colour_app import colour_app
from tests.fakes.killed_unsplash import unsplash
from tests.fakes.unsplash import FakeUnsplash


class FakeConversion(NamedTuple):
    keyword: str
    photo_id: str


ASSETS = {f"p{n}": f"{n:064x}" for n in range(6)}


def conversions(**searches: dict[str, int]) -> list[FakeConversion]:
    return [
        FakeConversion(keyword.replace("_", " "), photo_id)
        for keyword, photos in searches.items()
        for photo_id, count in photos.items()
        for _ in range(count)
    ]


def test_photos_downloaded_often_enough_after_a_search_answer_it() -> None:
    found = weak_labels(
        conversions(red_fox={"p1": 3, "p2": 2, "p3": 1}), ASSETS, WeakLabelLimits(downloads=2, photos=2)
    )
    (query,) = found.queries
    assert (query.query, query.kind, query.note) == ("red fox", "conversion", "5 downloads")
    assert query.relevant == {ASSETS["p1"]: 1, ASSETS["p2"]: 1}


def test_searches_are_one_whatever_their_case_and_spaces() -> None:
    told = [FakeConversion(" Red  Fox", "p1"), FakeConversion("red fox", "p1"), FakeConversion("RED FOX ", "p2")]
    (query,) = weak_labels(told, ASSETS, WeakLabelLimits(1, 2)).queries
    assert query.query == "red fox"


def test_searches_with_too_few_photos_and_photos_of_other_collections_are_left_out() -> None:
    told = conversions(fox={"p1": 5, "elsewhere": 9}, dog={"p1": 1, "p2": 1}, **{"": {"p1": 9, "p2": 9}})
    assert weak_labels(told, ASSETS, WeakLabelLimits(downloads=2, photos=2)).queries == ()


def test_only_the_most_downloaded_searches_are_used_in_that_order() -> None:
    told = conversions(a={"p1": 2, "p2": 2}, b={"p1": 9, "p2": 2}, c={"p3": 2, "p2": 2})
    found = weak_labels(told, ASSETS, WeakLabelLimits(2, 2, queries=2))
    assert [query.query for query in found.queries] == ["b", "a"]
    assert [query.id for query in found.queries] == ["c0001", "c0002"]


@given(st.lists(st.builds(FakeConversion, st.sampled_from(["x", "y", "z"]), st.sampled_from(sorted(ASSETS)))))
def test_the_order_of_the_table_makes_no_difference(told: list[FakeConversion]) -> None:
    assert weak_labels(told, ASSETS, WeakLabelLimits(1, 1)) == weak_labels(told[::-1], ASSETS, WeakLabelLimits(1, 1))


# -- from a dataset -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder whose collection `lite` holds 30 photos, and their dataset: nine searches led to them."""
    folder = tmp_path_factory.mktemp("weak")
    with FakeUnsplash(folder / "server", 30) as server:
        tables = server.write_tables(folder / "tables")
        unsplash(folder / "data").ingest(str(tables), "lite", UnsplashOptions(width=64))
    return folder / "data", tables


@pytest.fixture
def lite(dataset: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> App:
    """The App of the command line."""
    app = colour_app(dataset[0])
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    return app


ANY = ("--downloads", "1", "--photos", "1")


def test_the_command_writes_labels_that_can_be_evaluated(
    lite: App, dataset: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lite.jsonl"
    arguments = ["weak-labels", str(dataset[1]), "--collection", "lite", *ANY]
    assert cli.main([*arguments, "--output", str(path)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "9 searches led to downloads of photos in lite\n")
    labels = read_label_set(path)
    assert [query.query for query in labels.queries][:4] == ["query 0", "query 1", "query 2", "query 3"]
    assert {len(query.relevant) for query in labels.queries} == {3, 4}
    assert lite.quality.evaluate(OPERATOR, labels, "lite").absent == 0
    assert cli.main([*arguments, "--queries", "2", "--json"]) == 0
    assert [query["kind"] for query in json.loads(capsys.readouterr().out)["queries"]] == ["conversion"] * 2
    assert cli.main([*arguments, "--queries", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["note"] == "4 downloads"


def test_without_enough_downloads_the_error_names_the_limits(
    lite: App, dataset: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["weak-labels", str(dataset[1]), "--collection", "lite"]) == 1
    assert capsys.readouterr().err == (
        f"error: no search in {dataset[1]} led to 2 downloads each of 4 of the 30 Unsplash photos in lite: lower "
        "--downloads or --photos, or add more of the dataset\n"
    )


def test_a_collection_without_unsplash_photos_has_no_conversions(
    app: App, pictures: Path, dataset: tuple[Path, Path]
) -> None:
    app.ingest(pictures, "own")
    with pytest.raises(QualityError, match=r"own holds no photo of an Unsplash dataset.*ingest-unsplash"):
        app.quality.weak_labels.label_set(str(dataset[1]), "own")
    with pytest.raises(CollectionError, match="nowhere"):
        app.quality.weak_labels.label_set(str(dataset[1]), "nowhere")


def test_a_dataset_without_conversions_or_none_at_all_is_named(lite: App, tmp_path: Path) -> None:
    with pytest.raises(ContactSheetError, match=r"holds no table conversions\.tsv000"):
        lite.quality.weak_labels.label_set(str(tmp_path), "lite")
    with pytest.raises(ContactSheetError, match="does not exist"):
        lite.quality.weak_labels.label_set(str(tmp_path / "away"), "lite")


def test_damaged_rows_are_counted_in_the_log_and_the_rest_is_read(
    lite: App,
    dataset: tuple[Path, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = (dataset[1] / "conversions.tsv000").read_text(encoding="utf-8")
    (tmp_path / "conversions.tsv000").write_text(f"{table}half a row\n", encoding="utf-8")
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    progress: list[Progress] = []
    labels = lite.quality.weak_labels.label_set(str(tmp_path), "lite", WeakLabelLimits(1, 1), progress.append)
    assert len(labels.queries) == 9
    assert "damaged rows were left out table=conversions rows=1" in caplog.text


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_counts_that_cannot_be_are_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weak-labels", "folder", "--collection", "lite", "--photos", count]) == 2
    assert "--photos" in capsys.readouterr().err
