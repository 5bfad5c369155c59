from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from core.access import OPERATOR
from core.app import App
from core.embedding import images
from core.ingest.sources import demo
from core.records.jobs import Progress
from core.search.duplicates import (
    MAX_HASH_DISTANCE,
    MAX_PARTNERS,
    MIN_SIMILARITY,
    find_near_duplicates,
    similar_pairs,
    structure_hash,
)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def photographs(count: int) -> list[Image.Image]:
    paths = demo.photographs()
    return [Image.open(path).convert("RGB") for path in paths[:: len(paths) // count][:count]]


def altered(picture: Image.Image) -> dict[str, Image.Image]:
    """A picture resized, recompressed, cropped by 2 % and in other colours."""
    recompressed = io.BytesIO()
    picture.save(recompressed, "JPEG", quality=40)
    width, height = picture.size
    x, y = width // 50, height // 50
    return {
        "resized": picture.resize((width // 2, height // 2), Image.Resampling.LANCZOS),
        "recompressed": Image.open(recompressed).convert("RGB"),
        "cropped": picture.crop((x // 2, y // 2, width - x // 2, height - y // 2)),
        "coloured": ImageEnhance.Color(ImageEnhance.Brightness(picture).enhance(1.06)).enhance(1.12),
    }


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(-0.5, 0.95))
@settings(max_examples=60)
def test_pairs_found_block_by_block_are_those_of_the_whole_matrix(seed: int, count: int, cosine: float) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32))
    found = {(a, b): s for part in similar_pairs(vectors, cosine) for a, b, s in part}
    whole = vectors @ vectors.T
    for a in range(count):
        partners = [b for b in range(a + 1, count) if whole[a, b] >= cosine]
        partners_found = [b for b in partners if (a, b) in found]
        assert len(partners_found) == min(len(partners), MAX_PARTNERS)
        assert all(found[a, b] == pytest.approx(min(whole[a, b], 1), abs=1e-6) for b in partners_found)
    assert all(a < b for a, b in found)


def test_blocks_meet_across_their_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.search.duplicates.BLOCK_ROWS", 4)
    vectors = unit(np.random.default_rng(0).normal(size=(19, 16)).astype(np.float32))
    vectors[17] = vectors[2]
    progress: list[Progress] = []
    assert [(a, b) for part in similar_pairs(vectors, 0.999, progress.append) for a, b, _ in part] == [(2, 17)]
    assert [(p.done, p.total) for p in progress] == [(0, 19), (4, 19), (8, 19), (12, 19), (16, 19), (19, 19)]


def test_altered_photographs_keep_their_structure_and_others_differ() -> None:
    originals = photographs(60)
    hashes = [structure_hash(images.thumbnail(picture)) for picture in originals]
    near = [
        int(np.count_nonzero(structure_hash(images.thumbnail(version)) != own))
        for picture, own in zip(originals, hashes, strict=True)
        for version in altered(picture).values()
    ]
    apart = [int(np.count_nonzero(a != b)) for n, a in enumerate(hashes) for b in hashes[:n]]
    assert np.quantile(near, 0.98) <= MAX_HASH_DISTANCE < min(apart)


class Shelf:
    """Pictures with vectors of one's choice."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.vectors: list[list[float]] = []
        self.sizes: list[tuple[int, int]] = []
        self.jpegs: dict[str, bytes] = {}

    def add(self, name: str, picture: Image.Image, angle: float) -> None:
        self.ids.append(name)
        self.vectors.append([np.cos(angle), np.sin(angle)])
        self.sizes.append(picture.size)
        self.jpegs[name] = images.thumbnail(picture)

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        return {i: self.jpegs[i] for i in ids if i in self.jpegs}

    def groups(self) -> list[tuple[str, list[str]]]:
        vectors, sizes = np.array(self.vectors, np.float32), np.array(self.sizes)
        found = find_near_duplicates(self.ids, vectors, sizes, self.thumbnails)
        return [(group.keep, [i for i, _ in group.others]) for group in found]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_the_largest_of_a_group_is_kept_and_the_nearest_of_the_others_comes_first(shelf: Shelf) -> None:
    first, second = photographs(2)
    for name, picture, angle in (
        ("a small", altered(first)["resized"], 0.0),
        ("b large", first, 0.1),
        ("c tinted", altered(first)["coloured"], 0.3),
        ("d other", second, 0.1),
    ):
        shelf.add(name, picture, angle)
    shelf.sizes[2] = (first.width - 1, first.height)
    assert shelf.groups() == [("b large", ["a small", "c tinted"])]


def test_among_equally_large_pictures_the_one_with_more_detail_is_kept(shelf: Shelf) -> None:
    (picture,) = photographs(1)
    shelf.add("a", altered(picture)["recompressed"].reduce(4).resize(picture.size), 0.0)
    shelf.add("b", picture, 0.0)
    assert shelf.groups() == [("b", ["a"])]


def test_everything_in_a_group_is_near_identical_to_what_is_kept(shelf: Shelf) -> None:
    (picture,) = photographs(1)
    step = float(np.arccos(MIN_SIMILARITY)) * 0.9
    for number, name in enumerate("abcd"):
        shelf.add(name, picture, number * step)
        shelf.sizes[number] = (picture.width - number, picture.height - number)
    assert shelf.groups() == [("a", ["b"]), ("c", ["d"])]


def test_another_shape_another_structure_and_another_meaning_are_no_duplicates(shelf: Shelf) -> None:
    first, second = photographs(2)
    shelf.add("a", first, 0.0)
    shelf.add("wide", first.resize((first.width, first.height * 2 // 3)), 0.0)
    shelf.add("other", second.resize(first.size), 0.0)
    shelf.add("meaning", first, 1.5)
    assert shelf.groups() == []


def test_a_thousand_copies_of_one_picture_are_a_small_matter(shelf: Shelf) -> None:
    (picture,) = photographs(1)
    shelf.add("0000", picture, 0.0)
    for number in range(1, 1000):
        name = f"{number:04}"
        shelf.ids.append(name)
        shelf.vectors.append([1.0, 0.0])
        shelf.sizes.append(picture.size)
        shelf.jpegs[name] = shelf.jpegs["0000"]
    grouped = [i for keep, others in shelf.groups() for i in (keep, *others)]
    assert len(grouped) == len(set(grouped)) >= 900


def test_nothing_and_one_picture_have_no_duplicates(shelf: Shelf) -> None:
    empty = find_near_duplicates([], np.empty((0, 2), np.float32), np.empty((0, 2), np.int64), shelf.thumbnails)
    assert empty == []
    shelf.add("a", photographs(1)[0], 0.0)
    assert shelf.groups() == []


def test_the_app_finds_altered_pictures_and_files_with_the_same_bytes(app: App, tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    folder.mkdir()
    for number, picture in enumerate(photographs(4)):
        picture.save(folder / f"{number}.png")
    altered(photographs(4)[0])["resized"].save(folder / "small.png")
    (folder / "again.png").write_bytes((folder / "1.png").read_bytes())
    app.ingest(folder, "twice")
    found = app.searches.duplicates(OPERATOR, "twice")
    titles = app.titles("twice")
    assert [(titles[g.keep], [titles[i] for i, _ in g.others]) for g in found.groups] == [("0.png", ["small.png"])]
    assert [sorted(Path(uri).name for uri in places) for places in found.copies.values()] == [["1.png", "again.png"]]
    assert app.searches.duplicates(OPERATOR, "twice") is found
