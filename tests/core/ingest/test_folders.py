from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from core.errors import ContactSheetError
from core.ingest.sources.folder import image_files, walk
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


def paths(root: Path) -> list[Path]:
    return [file.path for file in walk(root).files]


def test_a_folder_by_another_way_gives_the_same_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    for way in (Path("a"), tmp_path / "a" / ".." / "a", tmp_path / "link", tmp_path / "link" / "1.png"):
        assert paths(way) == [tmp_path / "a" / "1.png"]


def test_links_to_files_of_the_tree_add_nothing_and_hard_links_are_files(tmp_path: Path) -> None:
    for name in ("tree/z.png", "outside/o.png", "tree/.store/SHA-1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    tree = tmp_path / "tree"
    (tree / "a.png").symlink_to("z.png")
    (tree / "hard.png").hardlink_to(tree / "z.png")
    (tree / "o1.png").symlink_to(tmp_path / "outside" / "o.png")
    (tree / "o2.png").symlink_to(tmp_path / "outside" / "o.png")
    (tree / "stored.png").symlink_to(".store/SHA-1")
    assert [path.name for path in paths(tree)] == ["hard.png", "z.png", "o1.png", "stored.png"]


def test_a_link_out_of_the_tree_is_followed_and_is_unreadable_once_its_target_is_gone(tmp_path: Path) -> None:
    (tmp_path / "disk" / "album").mkdir(parents=True)
    (tmp_path / "disk" / "album" / "b.png").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "more").symlink_to(tmp_path / "disk" / "album", target_is_directory=True)
    assert paths(tmp_path / "tree") == [tmp_path / "tree" / "more" / "b.png"]
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    gone = walk(tmp_path / "tree")
    assert [failure.reason for failure in gone.failures] == ["dangling link"]
    assert gone.unreadable_folders == (tmp_path / "tree" / "more",)


def test_links_into_what_a_pattern_excludes_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.png").touch()
    (tmp_path / "again").symlink_to("raw", target_is_directory=True)
    (tmp_path / "b.png").symlink_to("raw/a.png")
    assert walk(tmp_path, ["raw/"]).files == ()


def test_a_file_comes_with_its_size_time_and_sidecars(tmp_path: Path) -> None:
    (tmp_path / "p.JPG").write_bytes(b"12345")
    os.utime(tmp_path / "p.JPG", ns=(1, 123_456_789))
    for name in ("p.xmp", "p.jpg.xmp", "P.JPG.supplemental-metada.json", "q.xmp", "p.txt"):
        (tmp_path / name).write_bytes(b"x")
    (file,) = walk(tmp_path).files
    assert (file.size, file.modified_ns) == (5, 123_456_789)
    assert {sidecar.path.name for sidecar in file.sidecars} == {"p.xmp", "p.jpg.xmp", "P.JPG.supplemental-metada.json"}
    assert {sidecar.size for sidecar in file.sidecars} == {1}


@pytest.mark.parametrize(
    ("picture", "sidecar"),
    [
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("x" * 50 + ".jpg", "x" * 46 + ".json"),
        ("p.cr2", "p.json"),
    ],
)
def test_google_takeouts_names_are_sidecars(tmp_path: Path, picture: str, sidecar: str) -> None:
    (tmp_path / picture).touch()
    (tmp_path / sidecar).touch()
    assert [file.path.name for file in walk(tmp_path).files[0].sidecars] == [sidecar]


def test_files_without_a_suffix_are_taken_by_their_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "0001").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "README").write_bytes(b"BM is not a bitmap here, it is text")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == ["0001"]
    assert walk(tmp_path).passed_over.other_files == 3


def test_pictures_and_films_that_are_not_read_are_counted_by_kind(tmp_path: Path) -> None:
    for name in ("a.psd", "b.PSD", "c.mov", "d.pdf", "e.html"):
        (tmp_path / name).touch()
    passed_over = walk(tmp_path).passed_over
    assert (passed_over.kinds, passed_over.other_files) == ({"PSD": 2, "MOV": 1, "PDF": 1}, 1)


def test_what_takes_an_extra_is_counted_without_it_unless_its_name_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.embedding.formats.JXL_INSTALLED", False)
    monkeypatch.setattr("core.embedding.formats.HEIC_INSTALLED", False)
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a")
    (tmp_path / "no suffix").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    (tmp_path / "b.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "really a jpeg.heic").write_bytes(b"\xff\xd8\xff")
    assert found(tmp_path) == ["really a jpeg.heic"]
    assert walk(tmp_path).passed_over.kinds == {"JXL": 2, "HEIC": 1}


def test_sidecars_belong_to_the_picture_that_is_written_alike(tmp_path: Path) -> None:
    for name in ("P.jpg", "P.xmp", "p.jpg", "p.xmp", "q.jpg", "Q.JPG", "Q.JPG.xmp", "r.jpg", "R.XMP"):
        (tmp_path / name).touch()
    found = {file.path.name: [beside.path.name for beside in file.sidecars] for file in walk(tmp_path).files}
    assert found == {"P.jpg": ["P.xmp"], "p.jpg": ["p.xmp"], "q.jpg": [], "Q.JPG": ["Q.JPG.xmp"], "r.jpg": ["R.XMP"]}


def test_a_sidecars_name_may_be_composed_otherwise_than_its_pictures(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "S\u00e3o.jpg")).touch()
    (tmp_path / unicodedata.normalize("NFC", "S\u00e3o.xmp")).touch()
    (file,) = walk(tmp_path).files
    assert len(file.sidecars) == 1
