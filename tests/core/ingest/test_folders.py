from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import ContactSheetError
from core.ingest.sources.folder import image_files
from core.records.jobs import Failure


def found(root: Path) -> list[str]:
    return [item.uri if isinstance(item, Failure) else str(item.relative_to(root)) for item in image_files(root)]


def test_image_files_come_in_a_stable_order_and_others_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.webp", "notes.txt", ".hidden.jpg", ".trash/d.jpg", "__MACOSX/e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert found(tmp_path) == ["a.png", "b.JPG", "sub/c.webp"]


def test_one_file_may_be_given_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert list(image_files(tmp_path / "a.png")) == [tmp_path / "a.png"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContactSheetError, match="neither a folder nor a file"):
        list(image_files(tmp_path / "none"))


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "real", target_is_directory=True)
    assert found(tmp_path) == ["real/a.png"]


def test_dangling_links_and_special_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    reasons = {Path(f.uri).name: f.reason for f in image_files(tmp_path) if isinstance(f, Failure)}
    assert reasons == {"gone.jpg": "dangling link", "pipe.jpg": "not a regular file"}


def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)  # root, as which containers run tests, may read every folder
    assert [f.reason for f in image_files(tmp_path) if isinstance(f, Failure)] == ["folder cannot be read"]
