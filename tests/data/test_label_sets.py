"""The label sets and the captioned photographs that ship with the project hold what data/eval says of them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.embedding.hashes import content_id
from core.ingest.metadata.captions_table import read_captions
from core.ingest.sources.demo import photographs
from core.quality.label_sets import EVAL_FOLDER, fit_to_collection, read_label_set

CAPTIONED = EVAL_FOLDER / "captioned"
PAGES = {"sets": EVAL_FOLDER / "README.md", "captioned": CAPTIONED / "README.md"}
KINDS = {
    "demo-words.jsonl": {"name", "place", "author", "word", "typo", "negation", "exact", "field", "both"},
    "captioned.jsonl": {"object", "scene", "colour", "action", "composed", "abstract", "place", "negation", "typo"}
    | {"view", "count"},
}


def manifest() -> list[dict[str, str]]:
    with (CAPTIONED / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def ids_of(collection: str) -> dict[str, Path]:
    """The photographs by asset id."""
    paths = photographs() if collection == "demo" else sorted((CAPTIONED / "photos").iterdir())
    return {content_id(path.read_bytes()): path for path in paths}


def gradients(path: Path) -> np.ndarray:
    """Whether each of 16 × 16 squares is darker than the one to its right (256 truth values)."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L").resize((17, 16), Image.Resampling.BOX), dtype=np.int16)
    return (grey[:, :-1] < grey[:, 1:]).ravel()


@pytest.mark.parametrize(("name", "collection"), [("demo-words.jsonl", "demo"), ("captioned.jsonl", "captioned")])
def test_a_label_set_names_pictures_of_its_collection_only_and_every_query_has_an_answer(
    name: str, collection: str
) -> None:
    labels = read_label_set(EVAL_FOLDER / name)
    fitting = fit_to_collection(labels, ids_of(collection))
    assert len(labels.queries) >= 60
    assert (fitting.absent, fitting.unanswerable) == (0, 0)
    assert len({query.query.lower() for query in labels.queries}) == len(labels.queries)


@pytest.mark.parametrize("name", KINDS)
def test_the_queries_of_each_kind_are_as_many_as_the_page_says(name: str) -> None:
    kinds = Counter(query.kind for query in read_label_set(EVAL_FOLDER / name).queries)
    assert set(kinds) == KINDS[name]
    text = PAGES["sets"].read_text(encoding="utf-8").partition(f"## How `{name}` was made")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| (\w+)[^|]*\| (\d+) \|", text, re.MULTILINE)) == {
        kind: str(count) for kind, count in kinds.items()
    }


def test_words_queries_hold_typos_and_negations_and_no_title_of_a_single_picture() -> None:
    queries = read_label_set(EVAL_FOLDER / "demo-words.jsonl").queries
    kinds = Counter(query.kind for query in queries)
    assert (kinds["typo"] >= 8, kinds["negation"] >= 12) == (True, True)
    with (photographs()[0].parents[1] / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        titles = {row["title"].lower() for row in csv.DictReader(stream)}
    assert [query.query for query in queries if query.query.lower() in titles] == []


def test_the_captioned_photographs_are_those_of_the_manifest_byte_for_byte() -> None:
    assert {row["file"]: row["sha256"] for row in manifest()} == {
        path.name: asset_id for asset_id, path in ids_of("captioned").items()
    }
    assert len(ids_of("captioned")) >= 200


def test_they_are_small() -> None:
    sizes = [path.stat().st_size for path in ids_of("captioned").values()]
    assert sum(sizes) < 6_000_000
    for path in ids_of("captioned").values():
        with Image.open(path) as image:
            assert (image.format, max(image.size) <= 320) == ("JPEG", True), path.name


def test_none_of_them_is_in_the_demo_collection_or_nearly_so() -> None:
    assert ids_of("captioned").keys() & ids_of("demo").keys() == set()
    demo = np.array([gradients(path) for path in ids_of("demo").values()])
    for path in ids_of("captioned").values():
        assert (demo != gradients(path)).sum(axis=1).min() > 20, path.name


def test_every_captioned_photograph_has_a_caption_that_ingest_reads() -> None:
    files = sorted(path.name for path in ids_of("captioned").values())
    captions = read_captions(CAPTIONED / "captions.csv").match(files)
    assert captions.report.matched == len(files)
    rows = {file: captions.find(file) for file in files}
    assert [file for file, row in rows.items() if not row or not (row.about.title or row.about.description)] == []


def test_every_captioned_photograph_has_an_author_and_a_licence_whose_text_is_there_or_linked() -> None:
    assert [row["file"] for row in manifest() if not (row["author"] and row["source"] and row["found_at"])] == []
    page = PAGES["captioned"].read_text(encoding="utf-8")
    assert Counter(row["licence"] for row in manifest()) == {
        licence: int(count) for licence, count in re.findall(r"^\| ([\w. -]+?) \| (\d+) \| [`<n]", page, re.MULTILINE)
    }
    named = re.findall(r"`(LICENSES/[^`]+)`", page)
    assert [name for name in named if not (CAPTIONED / name).is_file()] == []


def test_the_page_counts_who_wrote_the_captions() -> None:
    written = Counter(row["caption"] for row in manifest())
    page = PAGES["captioned"].read_text(encoding="utf-8")
    rows = re.findall(r"^\| (package|package title|project) \| (\d+) \|", page, re.MULTILINE)
    assert written == {who: int(count) for who, count in rows}
