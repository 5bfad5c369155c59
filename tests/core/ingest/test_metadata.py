from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import SidecarError
from core.ingest.metadata.sidecar import read_sidecar
from core.records.descriptions import Description


def test_a_csv_sidecar_names_files_by_path_or_by_unique_name(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_text('\ufefffilename,Caption,tags\nsub/a.jpg,First,x;y\nb.jpg,"Second, with comma",\n', encoding="utf-8")
    sidecar = read_sidecar(path)
    assert sidecar.find("sub/a.jpg").about == Description(description="First", keywords=("x", "y"))
    assert sidecar.find("elsewhere/a.jpg").about.description == "First"
    assert sidecar.find("b.jpg").about.description == "Second, with comma"
    assert sidecar.find("c.jpg") is None


def test_a_bare_name_that_two_rows_have_matches_neither(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_text("file,title\nx/a.jpg,X\ny/a.jpg,Y\n")
    assert read_sidecar(path).find("z/a.jpg") is None
    assert read_sidecar(path).find("y/a.jpg").about.title == "Y"


def test_a_json_lines_sidecar_keeps_lists_dates_and_the_source(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text(
        '{"file":"a.jpg","title":"T","keywords":["p, q","r"],"date":"2001-02-03","source":"S","license":"CC0"}\n\n'
    )
    row = read_sidecar(path).find("a.jpg")
    assert row.source == "S"
    assert row.about == Description("T", "", ("p, q", "r"), "", "CC0", datetime(2001, 2, 3, tzinfo=UTC))


def test_several_rows_for_one_file_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"file":"a.jpg","caption":"One","tags":["x"]}\n{"file":"a.jpg","caption":"Two","tags":["y"]}\n')
    assert read_sidecar(path).find("a.jpg").about == Description(description="One", keywords=("x", "y"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "title\nX\n", "line 2: no file is named"),
        ("a.jsonl", '{"file":"a.jpg"}\n{oops}\n', "line 2: not JSON"),
        ("a.jsonl", '["a.jpg"]\n', "line 1: expected an object, found list"),
        ("a.txt", "a.jpg X\n", "read from .csv or .jsonl"),
        ("a.csv", "file,title\na.jpg,\udcff\n", "cannot be read"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SidecarError, match=message):
        read_sidecar(path)


def test_a_missing_sidecar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SidecarError, match="cannot be read"):
        read_sidecar(tmp_path / "none.csv")
