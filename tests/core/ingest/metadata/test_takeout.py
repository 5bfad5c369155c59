"""Google Takeout's JSON: found beside its picture whatever Google made of the name, and read with its values."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SidecarError
from core.ingest.metadata.takeout import read_takeout, takeout_of
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place

LONG = "a name as long as messengers and scanners like them"

TAKEOUT = {
    "title": "p.jpg",
    "description": "Boats before\nsunrise",
    "imageViews": "3",
    "creationTime": {"timestamp": "1600000000", "formatted": "13.09.2020, 12:26:40 UTC"},
    "photoTakenTime": {"timestamp": "904831522", "formatted": "03.09.1998, 14:05:22 UTC"},
    "geoData": {"latitude": 38.5, "longitude": -9.25, "altitude": 12.0, "latitudeSpan": 0.0, "longitudeSpan": 0.0},
    "geoDataExif": {"latitude": 1.0, "longitude": 1.0, "altitude": 0.0},
    "people": [{"name": "Ada"}, {"name": "Bo"}],
    "favorited": True,
    "url": "https://photos.google.com/photo/x",
}


def read(folder: Path, data: Any) -> Description:
    path = folder / "p.jpg.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return read_takeout(path)


@pytest.mark.parametrize(
    ("picture", "beside"),
    [
        ("p.jpg", "p.jpg.json"),
        ("p.jpg", "p.jpg.supplemental-metadata.json"),
        ("p.jpg", "p.jpg.suppl.json"),
        ("p.jpg", "p.jpg..json"),
        ("p(1).jpg", "p.jpg(1).json"),
        ("p(1).jpg", "p.jpg.supplemental-metadata(1).json"),
        ("p(1).jpg", "p.jpg.supplem(1).json"),
        ("p(1).jpg", "p(1).jpg.json"),
        ("p-edited.jpg", "p.jpg.json"),
        ("p-edited.jpg", "p.jpg.supplemental-metadata.json"),
        ("p-edited(1).jpg", "p.jpg(1).json"),
        ("p-bearbeitet.jpg", "p.jpg.json"),
        ("p-modifié.jpg", "p.jpg.json"),
        (f"{LONG[:47]}.jpg", f"{LONG[:46]}.json"),
        (f"{LONG[:40]}.jpg", f"{LONG[:40]}.jpg.s.json"),
        (f"{LONG[:43]}.jpg", f"{f'{LONG[:43]}.jpg'[:46]}.json"),
        (f"{LONG[:47]}(1).jpg", f"{LONG[:46]}(1).json"),
    ],
)
def test_a_picture_finds_its_json(tmp_path: Path, picture: str, beside: str) -> None:
    assert takeout_of(tmp_path / picture, {picture, beside}) == tmp_path / beside
    (tmp_path / beside).touch()
    assert takeout_of(tmp_path / picture) == tmp_path / beside


@pytest.mark.parametrize(
    ("picture", "beside"),
    [
        ("p.jpg", "p.json"),
        ("p.jpg", "p.png.json"),
        ("p.jpg", "p.jpg(1).json"),
        ("p.jpg", "p(1).jpg.json"),
        ("p(1).jpg", "p.jpg.json"),
        ("p(1).jpg", "p.jpg(2).json"),
        ("p-edited(1).jpg", "p.jpg.json"),
        ("p-edited.jpg", "p.jpg(1).json"),
        ("p.jpg", "p.jpg.other.json"),
        ("p-exited.jpg", "p.jpg.json"),
        ("p.jpg", "p.jp.json"),
        ("p.jpg", "metadata.json"),
        (f"{LONG[:47]}.jpg", f"{LONG[:45]}.json"),
    ],
)
def test_the_json_of_another_picture_is_left_alone(tmp_path: Path, picture: str, beside: str) -> None:
    (tmp_path / beside).touch()
    assert takeout_of(tmp_path / picture, {picture, beside}) is None
    assert takeout_of(tmp_path / picture) is None


def test_an_edited_picture_with_a_json_of_its_own_has_that(tmp_path: Path) -> None:
    names = {"p-edited.jpg.json", "p.jpg.json"}
    assert takeout_of(tmp_path / "p-edited.jpg", names) == tmp_path / "p-edited.jpg.json"


def test_a_folder_called_like_the_json_is_none(tmp_path: Path) -> None:
    (tmp_path / "p.jpg.json").mkdir()
    assert takeout_of(tmp_path / "p.jpg") is None


def test_description_people_place_and_the_time_in_utc_are_read_and_the_file_name_is_no_title(tmp_path: Path) -> None:
    assert read(tmp_path, TAKEOUT) == Description(
        description="Boats before sunrise",
        people=("Ada", "Bo"),
        created=CreatedTime(datetime(1998, 9, 3, 14, 5, 22), "second", 0),
        place=Place(latitude=38.5, longitude=-9.25, altitude=12.0),
    )


def test_a_picture_from_before_1970_has_its_time(tmp_path: Path) -> None:
    found = read(tmp_path, {"photoTakenTime": {"timestamp": "-1262304000"}})
    assert str(found.created) == "1930-01-01T00:00:00+00:00"


def test_zero_coordinates_are_none_and_those_of_the_file_take_their_place(tmp_path: Path) -> None:
    nowhere = {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0}
    there = {"latitude": 0.0, "longitude": -9.25, "altitude": 0.0}
    assert read(tmp_path, {"geoData": nowhere, "geoDataExif": nowhere}).place == Place()
    assert read(tmp_path, {"geoData": nowhere, "geoDataExif": there}).place == Place(latitude=0.0, longitude=-9.25)


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"SourceFile": "p.jpg", "XMP:Title": "X"}],
        "p.jpg",
        None,
        {"title": "An album", "description": ""},
        {"description": ["x"], "people": "Ada", "photoTakenTime": 5, "geoData": [1, 2]},
        {"people": [None, "Ada", {"name": 5}, {}], "photoTakenTime": {"timestamp": "soon"}},
        {"photoTakenTime": {"timestamp": "9" * 4000}, "geoData": {"latitude": 91, "longitude": 0}},
        {"photoTakenTime": {"timestamp": 1e300}, "geoData": {"latitude": True, "longitude": "9"}},
        {
            "photoTakenTime": {"timestamp": float("nan")},
            "geoData": {"latitude": float("nan"), "longitude": float("inf")},
        },
    ],
)
def test_what_is_not_as_takeout_writes_it_says_nothing(tmp_path: Path, data: Any) -> None:
    assert read(tmp_path, data) == Description()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"title": "p.jp', "p.jpg.json is damaged: not JSON"),
        (b"", "p.jpg.json is damaged: not JSON"),
        (b"\xff\xd8\xff", "p.jpg.json is damaged: not JSON"),
        (b"[" * 100_000, "p.jpg.json is damaged: not JSON"),
        (b" " * 4_000_001, r"p.jpg.json is larger than 4.0 MB"),
    ],
    ids=["cut", "empty", "picture", "nested", "large"],
)
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.jpg.json"
    path.write_bytes(content)
    with pytest.raises(SidecarError, match=message):
        read_takeout(path)


def test_a_file_that_is_gone_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SidecarError, match=r"p\.jpg\.json cannot be read"):
        read_takeout(tmp_path / "p.jpg.json")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "timestamp", "latitude", "longitude"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["description", "people", "photoTakenTime", "geoData", "geoDataExif"]), VALUES))
def test_any_values_are_read_or_left_out(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    found = read(tmp_path_factory.getbasetemp(), data)
    assert found.place.latitude is None or abs(found.place.latitude) <= 90


@pytest.mark.parametrize(
    ("picture", "is_meant"),
    [
        (f"{LONG}A.jpg", True),
        (f"{LONG}A-edited.jpg", True),
        (f"{LONG}A(1).jpg", True),
        (f"{LONG}.jpg", True),  # Google cut the picture's name as well
        (f"{LONG}B.jpg", False),
    ],
)
def test_a_name_that_was_cut_is_completed_by_the_title(tmp_path: Path, picture: str, is_meant: bool) -> None:
    beside = tmp_path / f"{LONG[:46]}.json"
    beside.write_text(json.dumps({"title": f"{LONG}A.jpg", "description": "A walk"}))
    assert takeout_of(tmp_path / picture, {picture, beside.name}) == beside
    assert bool(read_takeout(beside, tmp_path / picture).description) == is_meant
