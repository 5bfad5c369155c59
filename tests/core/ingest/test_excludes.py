from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from core.errors import ContactSheetError
from core.ingest.sources.folder import walk
from core.ingest.sources.passed_over import PassedOver
from core.records.jobs import Failure


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\xff\xd8\xff")


def found(root: Path, *exclude: str) -> list[str]:
    result = walk(root, exclude)
    return [file.path.relative_to(result.root).as_posix() for file in result.files]


@pytest.mark.parametrize(
    "folder",
    [
        "@eaDir",
        "#recycle",
        "#snapshot",
        "$RECYCLE.BIN",
        "System Volume Information",
        ".Trash-1000",
        "lost+found",
        "Catalog Previews.lrdata",
        "Photos Library.photoslibrary/resources",
        "Photos Library.photoslibrary/database",
        "Old.aplibrary/Previews",
        "Old.aplibrary/Thumbnails",
        ".thumbnails",
        "Thumbs",
        ".picasaoriginals",
        "__MACOSX",
    ],
)
def test_folders_that_programs_fill_are_passed_over(tmp_path: Path, folder: str) -> None:
    touch(tmp_path, "a.jpg", f"album/{folder}/deep/b.jpg")
    assert found(tmp_path) == ["a.jpg"]
    passed_over = walk(tmp_path).passed_over
    assert sum(passed_over.excluded_folders.values()) + passed_over.hidden == 1


@pytest.mark.parametrize("originals", ["originals", "Masters"])
def test_the_originals_of_a_library_are_read(tmp_path: Path, originals: str) -> None:
    library = tmp_path / "Photos Library.photoslibrary"
    touch(library, f"{originals}/0/a.jpg", "resources/derivatives/0/a_1.jpg")
    assert found(tmp_path) == [f"Photos Library.photoslibrary/{originals}/0/a.jpg"]
    assert found(library) == [f"{originals}/0/a.jpg"]


def test_a_folder_with_a_nomedia_file_is_passed_over_unless_it_is_the_one_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "stickers/.nomedia", "stickers/b.jpg", "stickers/more/c.jpg")
    assert found(tmp_path) == ["a.jpg"]
    assert walk(tmp_path).passed_over.excluded_folders == {"stickers": 1}
    assert found(tmp_path / "stickers") == ["b.jpg", "more/c.jpg"]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("*.tmp.jpg", ["1998/DSC_1.jpg", "1998/proofs/b.jpg", "proofs"]),
        ("proofs/", ["1998/DSC_1.jpg", "a.TMP.JPG", "proofs"]),
        ("PROOFS", ["1998/DSC_1.jpg", "a.TMP.JPG"]),
        ("1998/dsc_*", ["1998/proofs/b.jpg", "a.TMP.JPG", "proofs"]),
        ("/1998", ["a.TMP.JPG", "proofs"]),
        ("**/proofs/*", ["1998/DSC_1.jpg", "a.TMP.JPG", "proofs"]),
        ("[ab].*", ["1998/DSC_1.jpg", "proofs"]),
        ("1998\\proofs", ["1998/DSC_1.jpg", "a.TMP.JPG", "proofs"]),
    ],
)
def test_patterns_exclude_like_those_of_gitignore(tmp_path: Path, pattern: str, kept: list[str]) -> None:
    touch(tmp_path, "1998/DSC_1.jpg", "1998/proofs/b.jpg", "a.TMP.JPG", "proofs")
    assert found(tmp_path, pattern) == kept


def test_a_pattern_matches_a_name_however_its_accents_are_composed(tmp_path: Path) -> None:
    touch(tmp_path, unicodedata.normalize("NFD", "café/a.jpg"), "b.jpg")
    assert found(tmp_path, unicodedata.normalize("NFC", "CAFÉ/")) == ["b.jpg"]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("/", "everything"),
        ("**", "everything"),
        ("!keep", "take another one back"),
        ("../x", "lead out"),
        ("[a", "never closed"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, pattern: str, problem: str) -> None:
    with pytest.raises(ContactSheetError, match=problem) as caught:
        walk(tmp_path, [pattern])
    assert repr(pattern) in str(caught.value)


def test_what_is_excluded_by_a_pattern_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.tmp.jpg", "proofs/c.jpg", "x/proofs/d.jpg", ".e.jpg", "notes.txt", "a.xmp")
    assert walk(tmp_path, ["*.tmp.*", "proofs/", "  "]).passed_over == PassedOver(
        {}, {"proofs": 2}, excluded_files=1, hidden=1, other_files=1
    )


def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAW_INSTALLED", "JXL_INSTALLED"):
        monkeypatch.setattr(f"core.embedding.formats.{name}", False)


def test_raws_that_nothing_could_read_are_counted_by_kind_too(monkeypatch: pytest.MonkeyPatch) -> None:
    without_extras(monkeypatch)
    failures = [Failure(f"/a/{number}.CR2", "not supported", "no preview") for number in range(2)]
    failures += [Failure("/a/b.jxl", "not an image in a supported format"), Failure("/a/c.cr2", "truncated")]
    failures += [Failure("/a/d.jpg", "not an image in a supported format")]
    assert PassedOver({"PSD": 1}).including(failures).line() == (
        "4 passed over: 2 CR2 (pip install -r requirements-raw.txt), 1 JXL (pip install -r requirements-jxl.txt), 1 PSD"
    )


def test_the_line_names_kinds_most_frequent_first_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_extras(monkeypatch)
    line = PassedOver({"JXL": 2, "PSD": 8}, {"@eaDir": 2, "#recycle": 1}, hidden=3, other_files=9).line()
    assert line == (
        "10 passed over: 8 PSD, 2 JXL (pip install -r requirements-jxl.txt); 3 folders excluded: @eaDir, #recycle"
    )
    assert PassedOver({}, {f"folder {n}": 1 for n in range(7)}, excluded_files=1).line() == (
        "1 passed over: 1 excluded; "
        "7 folders excluded: folder 0, folder 1, folder 2, folder 3, folder 4 and 2 more names"
    )
    assert PassedOver(hidden=3, other_files=9).line() == ""
