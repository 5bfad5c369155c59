"""Zero-shot accuracy on a labelled folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import QualityError
from core.quality.zero_shot import labelled_folder, ranks_of, zero_shot
from core.records.jobs import Progress
from tests.fakes.encoder import COLOURS, ColourEncoder


def paint(folder: Path, colour: str, count: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (12, 12), COLOURS[colour]).save(folder / f"{colour}{number}.png")


def test_pictures_are_classified_by_the_names_of_their_folders(tmp_path: Path) -> None:
    paint(tmp_path / "red_thing", "red", 6)
    paint(tmp_path / "blue-thing", "blue", 2)
    paint(tmp_path / "green", "blue")  # labelled wrongly: no model can have it right
    progress: list[Progress] = []
    found = zero_shot(ColourEncoder(), labelled_folder(tmp_path), progress.append)
    assert (found.model, found.classes, found.pictures, found.failures) == ("colour", 3, 9, ())
    assert found.top1.value == pytest.approx(8 / 9)
    assert found.top5.value == 1
    assert found.top1.low < 8 / 9 < found.top1.high
    assert (progress[-1].done, progress[-1].total) == (9, 9)


def test_what_is_no_picture_is_named_and_left_out(tmp_path: Path) -> None:
    paint(tmp_path / "red", "red")
    paint(tmp_path / "blue", "blue")
    (tmp_path / "blue" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "blue" / "notes.txt").write_text("passed over")
    (tmp_path / "blue" / ".hidden.png").write_bytes(b"passed over")
    found = zero_shot(ColourEncoder(), labelled_folder(tmp_path))
    assert found.pictures == 2
    assert [Path(failure.uri).name for failure in found.failures] == ["broken.png"]


def test_a_folder_without_two_classes_is_refused(tmp_path: Path) -> None:
    paint(tmp_path / "red", "red")
    (tmp_path / "empty").mkdir()
    with pytest.raises(QualityError, match="has 1 sub-folders with pictures"):
        labelled_folder(tmp_path)
    with pytest.raises(QualityError, match="cannot be read"):
        labelled_folder(tmp_path / "missing")


def test_a_folder_of_broken_pictures_is_refused(tmp_path: Path) -> None:
    for name in ("red", "blue"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(QualityError, match="none of 2 files could be read"):
        zero_shot(ColourEncoder(), labelled_folder(tmp_path))


def test_a_class_that_is_as_similar_counts_as_before_the_right_one() -> None:
    prompts = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert ranks_of(np.array([[1, 0], [0, 1]], np.float32), prompts, [0, 2]) == [2, 1]
