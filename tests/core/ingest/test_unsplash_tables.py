from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ContactSheetError
from core.ingest.sources import sharded_tables as tables
from core.ingest.sources.sharded_tables import TableReading, find_shards, read_rows
from core.ingest.sources.unsplash_tables import (
    LICENCE,
    Photo,
    collection_titles,
    full_description,
    photo_id_of_uri,
    read_conversions,
    read_photos,
    top_colours,
    top_keywords,
)
from core.records.created_time import CreatedTime
from core.records.descriptions import Description
from tests.fakes.unsplash import FakeUnsplash, photo_id

HEADER = "photo_id\tphoto_image_url\tphoto_description\n"


def put(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder


def read(dataset: Path, table: str, *columns: str) -> tuple[list[tuple[str, ...]], list[tuple[str, str]]]:
    reading = TableReading()
    found = [fields for _, fields in read_rows(dataset, table, columns, (), reading)]
    return found, [(f.uri, f.detail) for f in reading.failures()]


@pytest.fixture
def fake(tmp_path: Path) -> FakeUnsplash:
    with FakeUnsplash(tmp_path / "server", 12) as server:
        return server


@pytest.mark.parametrize("name", ["{table}.tsv00{shard}", "{table}.csv00{shard}", "{table}.tsv"])
def test_a_dataset_is_read_whatever_its_shards_are_called(fake: FakeUnsplash, tmp_path: Path, name: str) -> None:
    if "shard" not in name:
        fake.count, fake.numbers = 1, {photo_id(0): 0}
    dataset, reading = fake.write_tables(tmp_path / "tables", name), TableReading()
    found = {photo.id: photo for photo in read_photos(dataset, reading)}
    assert (list(found), reading.damaged_rows) == ([photo_id(n) for n in range(len(found))], 0)
    assert len(found) == fake.count
    first = found[photo_id(0)]
    assert first.uri == f"https://unsplash.com/photos/{photo_id(0)}"
    assert first.places == ("Half Dome", "Yosemite", "United States")
    assert first.about == Description(
        title="a hill behind house 0",
        description='A "view" number 0',
        author="user0",
        licence=LICENCE,
        created=CreatedTime(datetime(2019, 3, 4, 5, 6, 7, 123456, UTC)),
    )


def test_a_zip_is_read_like_its_folder_and_nothing_is_unpacked(fake: FakeUnsplash, tmp_path: Path) -> None:
    packed = fake.write_zip(tmp_path / "dataset.zip")
    before = sorted(tmp_path.rglob("*"))
    ids = dict.fromkeys(fake.numbers)
    for dataset in (packed, packed.with_suffix("")):
        assert [photo.id for photo in read_photos(dataset, TableReading())] == list(fake.numbers)
        assert len(list(read_conversions(dataset))) == 12
    assert top_keywords(packed, ids, TableReading()) == top_keywords(packed.with_suffix(""), ids, TableReading())
    assert sorted(tmp_path.rglob("*")) == before


def test_keywords_from_people_come_first_and_their_number_is_limited(fake: FakeUnsplash, tmp_path: Path) -> None:
    dataset, selected = fake.write_tables(tmp_path / "tables"), {photo_id(3): 0}
    kept = top_keywords(dataset, selected, TableReading(), limit=3)
    assert kept == {photo_id(3): ("Said By A Person", "thing 3", "guess")}
    assert top_colours(dataset, selected, TableReading()) == {photo_id(3): ("darkolivegreen #556B2F", "beige #F5F5DC")}


def test_place_and_colours_can_be_read_and_filtered_by() -> None:
    photo = Photo("abc", "https://h/abc", Description(description="A tent"), ("Oslo", "Norway"))
    about = full_description(photo, ("tent", "Norway"), ("red #FF0000", "beige #F5F5DC"))
    assert about.description == "A tent · Location: Oslo, Norway · Colours: red #FF0000, beige #F5F5DC"
    assert about.keywords == ("tent", "Norway", "Oslo", "red", "beige")
    assert full_description(Photo("abc", "https://h/abc", Description()), (), ()) == Description()


def test_the_first_collections_that_hold_a_photo_are_in_its_description(tmp_path: Path) -> None:
    lines = ["photo_id\tcollection_id\tcollection_title", *(f"abc\t{n}\tNo. {n}" for n in range(7)), "xyz\t9\tOther"]
    dataset = put(tmp_path, "collections.tsv000", "\n".join(lines))
    found = collection_titles(dataset, {"abc": 0}, TableReading(), limit=2)
    assert found == {"abc": ("No. 0", "No. 1")}
    about = full_description(Photo("abc", "https://h/abc", Description()), ("tent",), (), found["abc"])
    assert about.description == "Collections: No. 0, No. 1"
    assert about.keywords == ("tent", "No. 0", "No. 1")


def test_conversions_come_one_by_one_with_what_was_searched(fake: FakeUnsplash, tmp_path: Path) -> None:
    first = next(read_conversions(fake.write_tables(tmp_path / "tables")))
    assert (first.keyword, first.photo_id, first.user, first.kind) == ("query 0", photo_id(0), "user-0", "download")
    assert list(read_conversions(put(tmp_path, "photos.tsv000", HEADER))) == []


def test_a_photo_is_known_by_its_page() -> None:
    assert photo_id_of_uri("https://unsplash.com/photos/aB-_9") == "aB-_9"
    for other in ("https://unsplash.com/photos/", "https://unsplash.com/@someone", "/home/photos/a", "aB"):
        assert photo_id_of_uri(other) is None


def test_pictures_are_requested_at_a_width_as_jpeg() -> None:
    assert Photo("a", "https://h/p", Description()).jpeg_url(640) == "https://h/p?w=640&fm=jpg&q=80"
    assert Photo("a", "https://h/p?ixid=1&w=9#x", Description()).jpeg_url(80) == "https://h/p?ixid=1&w=80&fm=jpg&q=80"


def test_damaged_rows_are_reported_by_file_and_line_and_the_others_are_kept(tmp_path: Path) -> None:
    text = HEADER + 'a\thttps://h/a\tone\nb\thttps://h/b\nc\thttps://h/c\t"two\nlines"\n\nd\tx\ty\tz\n'
    text += 'e\thttps://h/e\t"never closed\nf\thttps://h/f\tsix\n../g\thttps://h/g\t\nh\tnowhere\t\n'
    reading = TableReading()
    found = {p.id: p.about.description for p in read_photos(put(tmp_path, "photos.tsv000", text), reading)}
    assert found == {"a": "one", "c": "two lines", "e": '"never closed', "f": "six"}
    assert [(f.uri, f.reason, f.detail) for f in reading.failures()] == [
        ("photos.tsv000:3", "damaged row", "2 columns instead of 3"),
        ("photos.tsv000:7", "damaged row", "4 columns instead of 3"),
        ("photos.tsv000:10", "damaged row", "'../g' is not a photo id"),
        ("photos.tsv000:11", "damaged row", "photo h has no address of a picture"),
    ]


def test_a_photo_that_comes_twice_is_one(tmp_path: Path) -> None:
    text = HEADER + "a\thttps://h/a\tone\n" * 2
    assert len(list(read_photos(put(tmp_path, "photos.tsv000", text), TableReading()))) == 1


def test_of_many_damaged_rows_the_rest_is_counted(tmp_path: Path) -> None:
    reading = TableReading()
    list(read_rows(put(tmp_path, "photos.tsv000", HEADER + "x\n" * 1000), "photos", ("photo_id",), (), reading))
    assert (reading.damaged_rows, len(reading.failures())) == (1000, tables.MAX_REPORTED_ROWS + 1)
    assert reading.failures()[-1].detail == "800 more"


def test_bytes_that_are_no_text_and_lines_without_end_cost_only_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_LINE_BYTES", 64)
    text = "\ufeffphoto_id\tkeyword\r\na\t\udcff\udcfe!\r\nb\t" + "x" * 500 + "\nc\tlast"
    found, damaged = read(put(tmp_path, "keywords.tsv000", text), "keywords", "photo_id", "keyword")
    assert found == [("a", "\ufffd\ufffd!"), ("c", "last")]
    assert damaged == [("keywords.tsv000:3", "longer than 64 bytes")]


def test_columns_go_by_name_and_missing_optional_ones_are_empty(tmp_path: Path) -> None:
    dataset = put(tmp_path, "colors.csv000", "hex,photo_id,coverage\nff0000,a,0.5\n00FF00,a,0.9\nnone,a,1\n")
    reading = TableReading()
    assert top_colours(dataset, {"a": 0}, reading) == {"a": ("#00FF00", "#FF0000")}
    assert reading.failures()[0].uri == "colors.csv000:4"


def test_a_table_without_a_required_column_names_it(tmp_path: Path) -> None:
    with pytest.raises(ContactSheetError, match=r"keywords\.tsv000 has no column keyword \(it has: photo_id, word\)"):
        read(put(tmp_path, "keywords.tsv000", "photo_id\tword\n"), "keywords", "photo_id", "keyword")


def test_a_folder_without_photos_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(ContactSheetError, match=r"holds no table photos\.tsv000"):
        list(read_photos(tmp_path, TableReading()))


def test_a_file_that_is_no_zip_and_a_damaged_zip_are_refused(fake: FakeUnsplash, tmp_path: Path) -> None:
    with pytest.raises(ContactSheetError, match="is neither a folder nor a ZIP"):
        list(read_photos(put(tmp_path, "x.zip", "hello") / "x.zip", TableReading()))
    packed = fake.write_zip(tmp_path / "dataset.zip")
    data = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        member = next(m for m in archive.infolist() if "photos.tsv000" in m.filename)
    start = member.header_offset + 30 + len(member.filename) + 20
    data[start : start + 20] = bytes(20)
    packed.write_bytes(data)
    with pytest.raises(ContactSheetError, match=r"photos\.tsv000 of .* cannot be read .*get the dataset again"):
        list(read_photos(packed, TableReading()))


def test_members_of_a_zip_never_leave_it_and_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "inside" / "dataset.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../photos.tsv000", HEADER + "a\thttps://h/a\t\n")
        archive.writestr("__MACOSX/photos.tsv001", "junk")
        archive.writestr("colors.tsv000", "0" * 100_000)
    assert [shard.name for shard in find_shards(packed, "photos")] == ["photos.tsv000"]
    assert [photo.id for photo in read_photos(packed, TableReading())] == ["a"]
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "dataset.zip"]
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 99_999)
    with pytest.raises(ContactSheetError, match="unpacks to 2 files of up to 100000 bytes"):
        list(read_photos(packed, TableReading()))


def test_reading_reports_how_many_lines_were_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TICK_LINES", 10)
    put(tmp_path, "keywords.tsv000", "photo_id\tkeyword\n" + "a\tb\n" * 25)
    put(tmp_path, "keywords.tsv001", "photo_id\tkeyword\n" + "a\tb\n" * 10)
    ticks: list[int] = []
    list(read_rows(tmp_path, "keywords", ("photo_id",), (), TableReading(ticks.append)))
    assert ticks == [10, 20, 30]


FIELDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0\x85"), max_size=12)


@given(st.lists(st.tuples(FIELDS, FIELDS, FIELDS), max_size=8), st.sampled_from("\t,"))
def test_whatever_csv_writes_is_read_back(found: Sequence[tuple[str, str, str]], delimiter: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n").writerows([("a", "b", "c"), *found])
    reading = TableReading()
    stream = io.BytesIO(buffer.getvalue().encode())
    assert [fields for _, fields in tables._shard_rows("t", stream, ("a", "b", "c"), (), reading)] == list(found)
    assert reading.damaged_rows == 0


@given(st.binary(max_size=300))
def test_no_bytes_at_all_break_the_reader(junk: bytes) -> None:
    reading = TableReading()
    stream = io.BytesIO(b"a\tb\n1\t2\n" + junk + b"\n3\t4\n")
    found = [fields for _, fields in tables._shard_rows("t", stream, ("a", "b"), (), reading)]
    assert found[0] == ("1", "2")
