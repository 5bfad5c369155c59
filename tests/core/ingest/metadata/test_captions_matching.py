"""Words never reach a picture that their row does not mean."""

from __future__ import annotations

import csv
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.metadata.captions_matching import FileMatcher, Match
from core.ingest.metadata.captions_template import captions_template

NFC, NFD = unicodedata.normalize("NFC", "Zoë/Café.jpg"), unicodedata.normalize("NFD", "Zoë/Café.jpg")


def matched(written: str, *paths: str, root: str = "", others: tuple[str, ...] = ()) -> str | None:
    return FileMatcher(paths, [written, *others], root).match(written).path


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("1998/DSC_0004.jpg", "1998/DSC_0004.jpg"),
        ("./1998/DSC_0004.jpg", "1998/DSC_0004.jpg"),
        ("1998//DSC_0004.jpg", "1998/DSC_0004.jpg"),
        ("1998\\DSC_0004.jpg", "1998/DSC_0004.jpg"),
        (".\\1998\\DSC_0004.jpg", "1998/DSC_0004.jpg"),
        ("1998/dsc_0004.JPG", "1998/DSC_0004.jpg"),
        (" 1998/DSC_0004.jpg ", "1998/DSC_0004.jpg"),
        (NFC, NFD),
        (NFD, NFC),
        (NFC.upper(), NFD),
        ("STRASSE/a.jpg", "straße/a.jpg"),
        ("a\\b.jpg", "a\\b.jpg"),
        ("DSC_0004.jpg", "1998/DSC_0004.jpg"),
        ("dsc_0004.JPG", "1998/DSC_0004.jpg"),
        ("1998/DSC_0004.jpg", "scans/1998/DSC_0004.jpg"),
    ],
)
def test_a_row_finds_its_file_however_the_path_is_written(written: str, path: str) -> None:
    assert matched(written, path, "2003/other.jpg") == path


def test_a_row_with_a_folder_means_that_path_alone() -> None:
    paths = ("1998/DSC_0004.jpg", "2003/DSC_0004.jpg")
    assert matched("1998/DSC_0004.jpg", *paths) == "1998/DSC_0004.jpg"
    assert matched("1999/DSC_0004.jpg", *paths) is None
    assert matched("1999/DSC_0004.jpg", "2003/DSC_0004.jpg") is None
    assert matched("1998/DSC_0004.jpg", "DSC_0004.jpg") is None
    assert matched("1998/DSC_0004.jpg", "DSC_0004.jpg", root="/archive/2003") is None
    assert matched("1998/DSC_0004.jpg", "DSC_0004.jpg", root="/archive/1998") == "DSC_0004.jpg"
    assert matched("8/DSC_0004.jpg", "1998/DSC_0004.jpg") is None


@pytest.mark.parametrize(
    ("written", "paths"),
    [
        ("a.jpg", ("x/a.jpg", "y/a.jpg")),
        ("a.jpg", ("x/A.jpg", "y/a.JPG")),
        ("x/a.jpg", ("x/A.jpg", "x/a.JPG")),
        ("x/a.jpg", ("1/x/a.jpg", "2/x/a.jpg")),
        (NFC.upper(), (NFC, NFD)),
    ],
)
def test_a_row_that_could_mean_two_files_means_none(written: str, paths: tuple[str, ...]) -> None:
    assert FileMatcher(paths, [written]).match(written) == Match(None, 2)


def test_the_file_that_is_written_exactly_so_comes_before_others() -> None:
    assert matched("a.jpg", "a.jpg", "sub/a.jpg") == "a.jpg"
    assert matched("x/a.jpg", "x/a.jpg", "x/A.JPG", "y/x/a.jpg") == "x/a.jpg"
    assert matched("a.jpg", "x/a.jpg", "y/A.JPG") == "x/a.jpg"
    assert matched(NFD, NFC, NFD) == NFD


ROOT = "/archive/Photos"


@pytest.mark.parametrize(
    ("written", "paths", "expected"),
    [
        ("/archive/Photos/1998/a.jpg", ("1998/a.jpg", "2003/a.jpg"), "1998/a.jpg"),
        ("file:///archive/Photos/1998/90%25%20Zo%C3%AB.jpg", ("1998/90% Zoë.jpg",), "1998/90% Zoë.jpg"),
        ("/archive/Photos/a.jpg", ("a.jpg", "2003/a.jpg"), "a.jpg"),
        ("/archive/Photos/b.jpg", ("2003/b.jpg",), None),
        ("../Photos/1998/a.jpg", ("1998/a.jpg", "2003/a.jpg"), "1998/a.jpg"),
        ("Photos/1998/a.jpg", ("1998/a.jpg", "2003/a.jpg"), "1998/a.jpg"),
        ("C:\\Users\\Ada\\1998\\a.jpg", ("1998/a.jpg", "2003/a.jpg"), "1998/a.jpg"),
        ("\\\\nas\\share\\1998\\a.jpg", ("1998/a.jpg", "2003/a.jpg"), "1998/a.jpg"),
        ("/Volumes/Old/1998/a.jpg", ("1998/a.jpg", "2003/a.jpg"), "1998/a.jpg"),
        ("/Volumes/Old/1999/a.jpg", ("1998/a.jpg", "2003/a.jpg"), None),
        ("/Volumes/Old/Flat/a.jpg", ("a.jpg", "b.jpg"), "a.jpg"),
        ("/Volumes/Old/Flat/c.jpg", ("sub/c.jpg",), None),
    ],
)
def test_a_path_in_full_means_the_file_below_the_folder_wherever_that_was(
    written: str, paths: tuple[str, ...], expected: str | None
) -> None:
    assert matched(written, *paths, root=ROOT) == expected


def test_rows_of_a_table_written_elsewhere_agree_on_the_folder_that_is_left_out() -> None:
    rows = ("/old/1998/a.jpg", "/old/2003/a.jpg", "/old/b.jpg")
    matcher = FileMatcher(["1998/a.jpg", "2003/b.jpg", "a.jpg", "b.jpg"], rows)
    assert [matcher.match(row).path for row in rows] == ["1998/a.jpg", None, "b.jpg"]


def test_a_table_of_several_folders_says_nothing_of_files_without_one() -> None:
    rows = ("/old/1998/a.jpg", "/old/2003/b.jpg")
    matcher = FileMatcher(["a.jpg", "b.jpg"], rows)
    assert [matcher.match(row).path for row in rows] == [None, None]


def test_no_folder_is_left_out_of_a_table_whose_other_rows_match_as_they_stand() -> None:
    rows = ("1998/a.jpg", "old/2003/b.jpg")
    matcher = FileMatcher(["1998/a.jpg", "2003/b.jpg"], rows)
    assert [matcher.match(row).path for row in rows] == ["1998/a.jpg", None]


def test_rows_and_files_of_many_folders_are_matched_in_little_time() -> None:
    deep = ["a/" * count + "x.jpg" for count in range(2000)]
    matcher = FileMatcher(
        [f"{number}/y.jpg" for number in range(20_000)], [*deep, *(f"/z/{name}" for name in deep)], "/r"
    )
    assert {matcher.match(name).path for name in deep} == {None}


SEGMENT = st.sampled_from(["a", "A", "b", "é", "e\u0301", "1998", "..x"])
PATHS = st.sets(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12)
FORMULAS = st.sampled_from(["=1", "'=1", "''=1", "-", "@a", "'a", "\tb", "a"])


@given(PATHS, PATHS)
def test_a_path_that_stands_there_means_itself_whatever_the_other_rows(paths: set[str], others: set[str]) -> None:
    matcher = FileMatcher(paths, [*paths, *others], "/root")
    assert {path for path in paths if matcher.match(path).path != path} == set()


@given(st.sets(st.lists(FORMULAS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12))
def test_every_row_of_a_template_means_its_file(paths: set[str]) -> None:
    files = sorted(paths)
    _, *rows = csv.reader(captions_template(files).decode("utf-8-sig").splitlines(keepends=True))
    matcher = FileMatcher(files, [row[0] for row in rows], "/root")
    assert [matcher.match(row[0]).path for row in rows] == files


def folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


@given(PATHS, PATHS)
def test_a_match_has_the_name_that_the_row_has(paths: set[str], rows: set[str]) -> None:
    matcher = FileMatcher(paths, sorted(rows), "/root")
    pairs = [(row, found) for row in rows if (found := matcher.match(row).path)]
    assert all(folded(row.rpartition("/")[2]) == folded(found.rpartition("/")[2]) for row, found in pairs)


@given(PATHS, SEGMENT)
def test_a_row_without_a_folder_matches_just_where_one_file_has_its_name(paths: set[str], name: str) -> None:
    below = {f"folder/{path}" for path in paths}
    names = {path: unicodedata.normalize("NFC", path.rpartition("/")[2]) for path in below}
    same = [path for path in below if names[path] == unicodedata.normalize("NFC", name)]
    bearers = same or [
        path for path in below if names[path].casefold() == unicodedata.normalize("NFC", name).casefold()
    ]
    expected = Match(bearers[0], by_end=True) if len(bearers) == 1 else Match(None, len(bearers))
    assert FileMatcher(below, [name]).match(name) == expected


@given(st.lists(st.text(max_size=30), max_size=5), st.lists(st.text(max_size=30), max_size=5), st.text(max_size=10))
def test_any_names_are_matched_or_not(paths: list[str], rows: list[str], root: str) -> None:
    matcher = FileMatcher(paths, rows, root)
    assert {matcher.match(row).path for row in rows} <= {None, *paths}
