"""How well texts fit pictures, on planted vectors; when that has to be measured again; the file that keeps it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.app import App
from core.errors import StoreError
from core.records.text_fit import MIN_SAMPLE, MeasuredFit, TextFit
from core.search.text_fit import MAX_AGE, SAMPLE, is_outdated, measure_text_fit
from core.settings import Settings
from core.store.objects.text_fit_file import TextFitFile

Floats = NDArray[np.float32]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEASURED = MeasuredFit(TextFit(100, 0.25, 0.2), "sha256:1", "d", 100, NOW)
# What the file holds, but for the share of wrong texts and the time zone.
DOCUMENT = b"""{"fit": {"sample": 30, "wrong_share": %s, "weak_similarity": null}, "checkpoint": "c",
"digest": "d", "assets": 3, "measured_at": "2026-01-01T00:00:00%s"}"""


def planted(count: int, seed: int = 0) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(count, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fit_of(vectors: Floats, shuffled: float, rows: Sequence[int] | None = None) -> TextFit:
    """The fit of texts that lie near their pictures, this share of them on other pictures."""
    rng = np.random.default_rng(1)
    about = np.arange(len(vectors))
    moved = rng.permutation(len(vectors))[: round(shuffled * len(vectors))]
    about[moved] = np.roll(moved, 1)
    noisy = vectors + rng.normal(0, 0.1, vectors.shape).astype(np.float32)
    texts = noisy[about] / np.linalg.norm(noisy[about], axis=1, keepdims=True)
    rows = range(len(vectors)) if rows is None else rows
    return measure_text_fit(vectors, rows, str, lambda texts_: texts[[int(text) for text in texts_]])


@pytest.mark.parametrize("shuffled", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_the_share_of_texts_on_other_pictures_is_estimated(shuffled: float) -> None:
    fit = fit_of(planted(600), shuffled)
    assert fit.wrong_share == pytest.approx(shuffled, abs=0.12)
    assert fit.sample == SAMPLE
    assert fit.known


def test_a_weak_match_is_less_similar_than_what_texts_that_fit_reach() -> None:
    fit = fit_of(planted(600), 0)
    assert fit.weak_similarity is not None
    assert 0.7 < fit.weak_similarity < 1
    assert fit_of(planted(600), 1).weak_similarity is None


@pytest.mark.parametrize("count", [0, 1, MIN_SAMPLE - 1])
def test_too_few_texts_say_nothing_and_need_no_model(count: int) -> None:
    def encode(texts: list[str]) -> Floats:
        raise AssertionError("the model was asked")

    fit = measure_text_fit(planted(100), range(count), str, encode)
    assert fit == TextFit(count, 0.0)
    assert not fit.known


def test_pictures_that_are_all_alike_say_nothing_against_their_texts() -> None:
    assert fit_of(np.repeat(planted(1), 50, axis=0), 0.5).wrong_share == 0


def test_only_pictures_with_a_text_are_asked_about() -> None:
    asked = list[int]()

    def text_of(row: int) -> str:
        asked.append(row)
        return str(row)

    vectors = planted(200)
    rows = range(0, 200, 4)
    first = measure_text_fit(vectors, rows, text_of, lambda texts: vectors[[int(text) for text in texts]])
    assert sorted(asked) == list(rows)
    again = measure_text_fit(vectors, rows, text_of, lambda texts: vectors[[int(text) for text in texts]])
    assert again == first


@pytest.mark.parametrize(
    ("measured", "checkpoint", "digest", "assets", "later", "expected"),
    [
        (None, "sha256:1", "d", 100, timedelta(0), True),
        (MEASURED, "sha256:2", "d", 100, timedelta(0), True),
        (MEASURED, "sha256:1", "d", 500, timedelta(days=99), False),
        (MEASURED, "sha256:1", "e", 105, timedelta(minutes=1), False),
        (MEASURED, "sha256:1", "e", 105, MAX_AGE + timedelta(seconds=1), True),
        (MEASURED, "sha256:1", "e", 111, timedelta(0), True),
        (MEASURED, "sha256:1", "e", 0, timedelta(0), True),
        (replace(MEASURED, assets=0), "sha256:1", "e", 1, timedelta(0), True),
    ],
)
def test_a_fit_is_measured_again_after_many_changes_or_some_time(
    measured: MeasuredFit | None, checkpoint: str, digest: str, assets: int, later: timedelta, expected: bool
) -> None:
    assert is_outdated(measured, checkpoint, digest, assets, NOW + later) is expected


@pytest.mark.parametrize("weak", [None, 0.2])
def test_what_was_measured_is_read_back(tmp_path: Path, weak: float | None) -> None:
    measured = replace(MEASURED, fit=TextFit(30, 0.5, weak))
    TextFitFile(tmp_path / "c").put(measured)
    assert TextFitFile(tmp_path / "c").get() == measured
    TextFitFile(tmp_path / "c").put(MEASURED)
    assert TextFitFile(tmp_path / "c").get() == MEASURED
    (tmp_path / "c" / "text_fit.json").write_bytes(DOCUMENT % (b"0.1", b"+00:00"))
    assert TextFitFile(tmp_path / "c").get() == MeasuredFit(TextFit(30, 0.1), "c", "d", 3, NOW)
    assert TextFitFile(tmp_path / "d").get() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"fit": null}',
        b'{"fit": {"sample": "x", "wrong_share": 0, "weak_similarity": 0}}',
        DOCUMENT % (b"NaN", b"+00:00"),
        DOCUMENT % (b"1.5", b"+00:00"),
        DOCUMENT % (b"0.1", b""),
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_logged_and_counts_as_missing(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "text_fit.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert TextFitFile(tmp_path).get() is None
    assert "a measured fit of texts cannot be read" in caplog.text
    TextFitFile(tmp_path).put(MEASURED)
    assert TextFitFile(tmp_path).get() == MEASURED


def test_a_place_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        TextFitFile(tmp_path / "file").put(MEASURED)
    (tmp_path / "text_fit.json").mkdir()
    with pytest.raises(StoreError, match="text_fit"):
        TextFitFile(tmp_path).get()


def test_readers_beside_writers_see_a_whole_measurement(tmp_path: Path) -> None:
    file, seen = TextFitFile(tmp_path), list[MeasuredFit | None]()
    versions = [replace(MEASURED, digest=str(n) * 1000) for n in range(4)]
    file.put(versions[0])
    writers = [threading.Thread(target=lambda v=v: [file.put(v) for _ in range(20)]) for v in versions]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.append(file.get())
    for writer in writers:
        writer.join()
    assert {each.digest if each else "" for each in [*seen, file.get()]} <= {each.digest for each in versions}


def test_searches_go_on_where_the_fit_can_be_neither_read_nor_written(
    app: App, pictures: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    app.ingest(pictures, "colours")
    (settings.data / "text-fits").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        app.warm("colours")
        assert app.search("green", "colours").hits[0].asset.title == "green.jpg"
    assert "how well texts fit was not stored" in caplog.text
    caplog.clear()
    app.warm("colours")
    assert "was not stored" not in caplog.text  # nor measured again
