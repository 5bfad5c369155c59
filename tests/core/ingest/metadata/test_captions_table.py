"""Captions tables: read in the forms that programs write, and told what was not understood."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import SidecarError
from core.ingest.metadata.captions_table import CaptionsTable, read_captions
from core.ingest.metadata.captions_template import TEMPLATE_HEADINGS, captions_template
from core.ingest.metadata.table_headings import COLUMNS, column_of
from core.records.captions import captions_lines
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place
from tests.fakes.exiftool import ExifTool


def read(folder: Path, content: str | bytes, name: str = "captions.csv", encoding: str = "utf-8") -> CaptionsTable:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return read_captions(path)


def about(folder: Path, content: str | bytes, name: str = "captions.csv", encoding: str = "utf-8") -> Description:
    """What a table says of a.jpg, which is all there is."""
    captions = read(folder, content, name, encoding).match(["a.jpg"])
    row = captions.find("a.jpg")
    assert row is not None
    return row.about


def told(folder: Path, content: str, name: str = "captions.csv", paths: tuple[str, ...] = ("a.jpg",)) -> list[str]:
    return captions_lines(read(folder, content, name).match(paths).report)


# -- forms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".CSV"])
def test_the_delimiter_is_found_out_whatever_the_suffix(tmp_path: Path, delimiter: str, suffix: str) -> None:
    lines = ["file,title,description", 'a.jpg,Harbour,"Boats, ships; and | masts"', "b.jpg,B,"]
    content = "\n".join(lines).replace("a.jpg,H", f"a.jpg{delimiter}H").replace('r,"', f'r{delimiter}"')
    content = content.replace("file,title,description", delimiter.join(["file", "title", "description"]))
    found = about(tmp_path, content.replace("b.jpg,B,", delimiter.join(["b.jpg", "B", ""])), f"captions{suffix}")
    assert found == Description("Harbour", description="Boats, ships; and | masts")


def test_commas_in_cells_do_not_outvote_the_delimiter_of_the_headings(tmp_path: Path) -> None:
    content = "file;title;keywords\na.jpg;One, two, three, four;x, y, z\n"
    assert about(tmp_path, content) == Description("One, two, three, four", keywords=("x", "y", "z"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_encoding_is_found_out(tmp_path: Path, encoding: str, newline: str) -> None:
    content = newline.join(["file;Überschrift;title", "a.jpg;Zoë’s café;ÄÖÜ – naïve", ""])
    if encoding == "latin-1":
        content = content.replace("’", "'").replace("–", "-")
    expected = content.split(newline)[1].split(";")
    assert about(tmp_path, content, encoding=encoding) == Description(expected[2], headline=expected[1])


def test_utf_16_with_its_byte_order_mark_in_either_order_is_read(tmp_path: Path) -> None:
    content = "file\ttitle\na.jpg\tЗима 猫\n"
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        assert about(tmp_path, mark + content.encode(encoding), "a.txt") == Description("Зима 猫")


def test_capitals_before_a_closing_quotation_mark_in_cp1252_are_not_taken_for_utf_8(tmp_path: Path) -> None:
    assert about(tmp_path, "file,title\na.jpg,“CAFÉ” à Orléans\n".encode("cp1252")) == Description("“CAFÉ” à Orléans")


def test_one_stray_byte_costs_a_utf_8_table_nothing_else(tmp_path: Path) -> None:
    content = "file,title,description\na.jpg,Zoë – Ærø,Caf?\n".encode().replace(b"Caf?", b"Caf\xe9")
    assert about(tmp_path, content) == Description("Zoë – Ærø", description="Café")


def test_empty_rows_trailing_columns_and_the_line_of_excel_that_names_the_delimiter_are_passed_over(
    tmp_path: Path,
) -> None:
    content = "sep=;\r\n\r\nfile;title;;\r\na.jpg;A, B;;\r\n;;;\r\n;;;\r\n;;;\r\n"
    table = read(tmp_path, content)
    captions = table.match(["a.jpg"])
    assert captions_lines(captions.report) == ["captions: 1 of 1 row matched"]
    assert captions.find("a.jpg").about == Description("A, B")
    assert captions.find("a.jpg").line == 4


def test_a_cell_may_hold_quotation_marks_and_line_breaks_and_rows_are_told_by_their_first_line(tmp_path: Path) -> None:
    content = 'file,title\na.jpg,"She said ""Ahoy"",\nthen left"\nb.jpg,5" print\n'
    table = read(tmp_path, content)
    assert table.match(["a.jpg"]).find("a.jpg").about.title == 'She said "Ahoy", then left'
    found = table.match(["b.jpg"])
    assert (found.find("b.jpg").about.title, found.find("b.jpg").line) == ('5" print', 4)
    assert captions_lines(found.report) == ["captions: 1 of 2 rows matched; first unmatched: line 2, a.jpg"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines_keep_lists_dates_numbers_and_the_source(tmp_path: Path, name: str) -> None:
    line = '{"file":"a.jpg","title":1998,"keywords":["p, q","r"],"date":"2001-02-03","source":"S","license":"CC0"}'
    row = read(tmp_path, f"{line}\n\n", name).match(["a.jpg"]).find("a.jpg")
    day = CreatedTime(datetime(2001, 2, 3), "day")
    assert row.source == "S"
    assert row.about == Description("1998", keywords=("p, q", "r"), licence="CC0", created=day)


def test_a_list_as_description_is_joined_and_one_of_authors_has_commas(tmp_path: Path) -> None:
    line = '{"file":"a.jpg","description":["Two boats.", "One mast."],"author":["Ada","Bo"],"title":null,"rating":4.0}'
    expected = Description(description="Two boats. One mast.", author="Ada, Bo", rating=4)
    assert about(tmp_path, line, "a.jsonl") == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"author": {"name": "Ada"}', "line 2: author is an object, not text"),
        ('"XMP:Creator": [{"name": "Ada"}]', "line 2: XMP:Creator is an object, not text"),
        ('"keywords": [["a"], "b"]', "line 2: keywords is a list within a list, not text"),
    ],
)
def test_an_object_where_text_belongs_is_refused_with_its_line_and_field(
    tmp_path: Path, value: str, message: str
) -> None:
    with pytest.raises(SidecarError, match=message):
        read(tmp_path, f'{{"file":"b.jpg"}}\n{{"file":"a.jpg",{value}}}\n', "a.jsonl")


def test_an_object_in_a_field_that_is_not_ours_is_no_matter(tmp_path: Path) -> None:
    assert about(tmp_path, '{"file":"a.jpg","title":"A","exif_info":{"iso":[100]}}', "a.jsonl") == Description("A")


def test_rows_of_one_file_are_joined(tmp_path: Path) -> None:
    content = (
        '{"file":"a.jpg","caption":"One","tags":["x"]}\n{"file":"./a.jpg","caption":"Two","tags":["y"],"city":"Ely"}\n'
    )
    expected = Description(description="One", keywords=("x", "y"), place=Place(city="Ely"))
    assert about(tmp_path, content, "a.jsonl") == expected


# -- what other programs write ------------------------------------------------------------------------------------


def test_all_fields_come_from_headings_as_exiftool_writes_them(tmp_path: Path) -> None:
    cells = {
        "SourceFile": "./a.jpg",
        "XMP-dc:Title": "Harbour",
        "XMP-photoshop:Headline": "Dawn",
        "IPTC:Caption-Abstract": "Boats",
        "IPTC:Keywords": "boat, sea",
        "XMP-dc:Subject": "sea, Mast",
        "XMP-lr:HierarchicalSubject": "Things|Boat",
        "XMP-iptcExt:PersonInImage": "Ada, Bo",
        "IPTC:By-line": "B. Camera",
        "IPTC:Credit": "Archive",
        "IPTC:CopyrightNotice": "CC0",
        "XMP-xmpRights:UsageTerms": "Ask first",
        "EXIF:DateTimeOriginal": "1998:09:03 14:05:22",
        "EXIF:OffsetTimeOriginal": "+02:00",
        "XMP:CreateDate": "2021:01:01 00:00:00",
        "IPTC:Sub-location": "Alfama",
        "IPTC:City": "Lisbon",
        "IPTC:Province-State": "Estremadura",
        "IPTC:Country-PrimaryLocationName": "Portugal",
        "Composite:GPSLatitude": "38 deg 42' 30.00\" N",
        "Composite:GPSLongitude": "9 deg 8' 24.00\" W",
        "Composite:GPSAltitude": "12.5 m Above Sea Level",
        "XMP:Rating": "4",
        "XMP:Label": "Red",
        "EXIF:Make": "Canon",
        "EXIF:Model": "Canon EOS 5D",
        "EXIF:LensModel": "EF50mm",
    }
    path = tmp_path / "a.csv"
    path.write_text(
        "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (cells, cells.values()))
    )
    found = read_captions(path).match(["a.jpg"]).find("a.jpg").about
    place = Place("Alfama", "Lisbon", "Estremadura", "Portugal", found.place.latitude, found.place.longitude, 12.5)
    assert found == Description(
        title="Harbour",
        headline="Dawn",
        description="Boats",
        keywords=("boat", "sea", "Mast"),
        hierarchies=("Things|Boat",),
        people=("Ada", "Bo"),
        author="B. Camera",
        credit="Archive",
        licence="CC0",
        usage_terms="Ask first",
        created=CreatedTime(datetime(1998, 9, 3, 14, 5, 22), "second", 120),
        place=place,
        rating=4,
        label="Red",
        camera="Canon EOS 5D",
        lens="EF50mm",
    )
    assert (found.place.latitude, found.place.longitude) == (pytest.approx(38.708333), pytest.approx(-9.14))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pictures of one name, described by exiftool."""
    folder = tmp_path_factory.mktemp("archive") / "pictures"
    common = [
        "-IPTC:Keywords=boat",
        "-IPTC:Keywords=sea",
        "-EXIF:DateTimeOriginal=1998:09:03 14:05:22",
        "-XMP:Rating=3",
    ]
    common += ["-GPSLatitude=-33.5", "-GPSLatitudeRef=S", "-GPSLongitude=18.25", "-GPSLongitudeRef=E"]
    for year, title in (("1998", "First"), ("2003", "Second")):
        path = folder / year / "DSC_0004.jpg"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(path)
        ExifTool().write({path: [*common, f"-XMP-dc:Title={title}"]})
    return folder


@pytest.mark.parametrize(
    ("options", "started_in", "target"),
    [
        ("-csv", "", "{folder}"),
        ("-csv", "", "."),
        ("-csv -G", "..", "pictures"),
        ("-csv -n", "1998", ".."),
        ("-csv -csvDelim ;", "", "."),
        ("-csv -sep ;", "", "."),
        ("-json", "", "{folder}"),
        ("-json -G1", "..", "pictures"),
    ],
)
def test_what_exiftool_writes_is_read_wherever_it_ran(
    archive: Path, tmp_path: Path, options: str, started_in: str, target: str
) -> None:
    wanted = [
        "-Title",
        "-Keywords",
        "-Composite:GPSLatitude",
        "-Composite:GPSLongitude",
        "-DateTimeOriginal",
        "-Rating",
    ]
    command = ["exiftool", "-q", "-r", *options.split(), *wanted, target.format(folder=archive)]
    table = tmp_path / ("captions.json" if "json" in options else "captions.csv")
    table.write_bytes(subprocess.run(command, check=True, capture_output=True, cwd=archive / started_in).stdout)
    captions = read_captions(table).match(["1998/DSC_0004.jpg", "2003/DSC_0004.jpg"], archive)
    assert captions_lines(captions.report) == ["captions: 2 of 2 rows matched"]
    first, second = (captions.find(f"{year}/DSC_0004.jpg").about for year in (1998, 2003))
    assert (first.title, second.title) == ("First", "Second")
    assert (first.keywords, first.rating, str(first.created)) == (("boat", "sea"), 3, "1998-09-03T14:05:22")
    assert (first.place.latitude, first.place.longitude) == (pytest.approx(-33.5), pytest.approx(18.25))


OSXPHOTOS = {
    "uuid": "AAAA",
    "filename": "AAAA.jpeg",
    "original_filename": "IMG_1.JPG",
    "path": "/Users/ada/Pictures/Photos Library.photoslibrary/originals/A/AAAA.jpeg",
    "date": "1998-09-03T14:05:22.123456+02:00",
    "description": "Boats",
    "title": None,
    "keywords": ["boat, small", "sea"],
    "persons": ["Ada", "_UNKNOWN_"],
    "latitude": 38.5,
    "longitude": -9.25,
    "exif_info": {"camera_model": "X"},
    "labels": ["Boat"],
}


@pytest.mark.parametrize("path", ["export/IMG_1.JPG", "A/AAAA.jpeg"])
def test_osxphotos_names_a_picture_as_exported_or_as_in_its_library(tmp_path: Path, path: str) -> None:
    found = read(tmp_path, json.dumps([OSXPHOTOS], indent=1), "photos.json").match([path, "b.jpg"]).find(path)
    assert found.about == Description(
        description="Boats",
        keywords=("boat, small", "sea"),
        people=("Ada",),
        created=CreatedTime(datetime(1998, 9, 3, 14, 5, 22), "second", 120),
        place=Place(latitude=38.5, longitude=-9.25),
    )


def test_an_original_name_that_two_pictures_of_osxphotos_had_names_neither(tmp_path: Path) -> None:
    second = OSXPHOTOS | {"uuid": "BBBB", "filename": "BBBB.jpeg", "description": "Cars"}
    captions = read(tmp_path, json.dumps([OSXPHOTOS, second]), "photos.json").match(["IMG_1.JPG", "BBBB.jpeg"])
    assert captions.find("IMG_1.JPG") is None
    assert captions.find("BBBB.jpeg").about.description == "Cars"


@pytest.mark.parametrize(
    ("headings", "expected"),
    [
        ("File Name;Date Taken;Caption", "file created description"),
        ("filename;FILE-PATH;Image Description", "file file description"),
        ("Dateiname;Aufnahmedatum;Beschreibung;Stichwörter;Titel", "file created description keywords title"),
        ("Nom du fichier;Légende;Mots-clés;Auteur", "file description keywords author"),
        ("IPTC:Keywords;XMP-dc:Title;By-line;Artist", "keywords title author author"),
        ("GPS Latitude;gps_longitude;Lat;Lng", "latitude longitude latitude longitude"),
        ("Width;ISO;Exposure Time;FileModifyDate;", "None None None None None"),
    ],
)
def test_headings_are_known_whatever_their_case_blanks_hyphens_and_language(headings: str, expected: str) -> None:
    known = [column_of(heading) for heading in headings.split(";")]
    assert " ".join(found[0] if found else "None" for found in known) == expected


def test_the_folder_may_have_a_column_of_its_own(tmp_path: Path) -> None:
    captions = read(tmp_path, "Folder,File Name,Title\n1998\\,a.jpg,A\n").match(["1998/a.jpg", "2003/a.jpg"])
    assert captions.find("1998/a.jpg").about.title == "A"
    assert captions.find("2003/a.jpg") is None


@pytest.mark.parametrize(
    ("headings", "cells", "expected"),
    [
        ("latitude;longitude", "38,5;-9,25", Place(latitude=38.5, longitude=-9.25)),
        (
            "GPSLatitude;GPSLatitudeRef;GPSLongitude;GPSLongitudeRef",
            "38.5;South;9.25;W",
            Place(latitude=-38.5, longitude=-9.25),
        ),
        ("GPSPosition", '38 deg 30\' 0.00"" N, 9 deg 15\' 0.00"" W', Place(latitude=38.5, longitude=-9.25)),
        ("coordinates", "38.5,-9.25", Place(latitude=38.5, longitude=-9.25)),
        ("coordinates", "38°30'N, 9°15'W", Place(latitude=38.5, longitude=-9.25)),
        ("latitude;longitude", "0;0.0", Place()),
        ("altitude;city", "12 m Below Sea Level;Ely", Place(city="Ely", altitude=-12.0)),
    ],
)
def test_coordinates_are_read_as_people_and_programs_write_them(
    tmp_path: Path, headings: str, cells: str, expected: Place
) -> None:
    quoted = ";".join(f'"{cell}"' for cell in cells.split(";"))
    assert about(tmp_path, f"file;{headings}\na.jpg;{quoted}\n").place == expected


@pytest.mark.parametrize(
    ("cell", "expected"), [("0", 0), ("5", 5), ("3.0", 3), ("★★★☆☆", 3), ("-1", -1), ("Rejected", -1)]
)
def test_a_rating_is_a_number_or_stars(tmp_path: Path, cell: str, expected: int) -> None:
    assert about(tmp_path, f"file,rating\na.jpg,{cell}\n").rating == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D80", "NIKON D80"),
        ("", "X", "X"),
        ("Leica", "", "Leica"),
    ],
)
def test_a_camera_is_its_maker_and_model_named_once(tmp_path: Path, make: str, model: str, expected: str) -> None:
    assert about(tmp_path, f"file,make,model\na.jpg,{make},{model}\n").camera == expected


def test_hierarchies_are_split_from_keywords_and_written_one_way(tmp_path: Path) -> None:
    found = about(tmp_path, "file;keywords;TagsList\na.jpg;Animals|Dog, sea;Places/Ely\n")
    assert (found.keywords, found.hierarchies) == (("Dog", "sea"), ("Animals|Dog", "Places|Ely"))


# -- whose words --------------------------------------------------------------------------------------------------


def test_a_row_describes_only_the_picture_it_names_though_another_folder_has_one_of_that_name(tmp_path: Path) -> None:
    captions = read(tmp_path, "file,title\n1998/DSC_0004.jpg,Theirs\n").match(
        ["1998/DSC_0004.jpg", "2003/DSC_0004.jpg"]
    )
    assert captions.find("1998/DSC_0004.jpg").about.title == "Theirs"
    assert captions.find("2003/DSC_0004.jpg") is None
    assert captions_lines(captions.report) == ["captions: 1 of 1 row matched"]


def test_a_row_of_a_picture_that_is_gone_does_not_describe_its_namesake_that_has_a_row_of_its_own(
    tmp_path: Path,
) -> None:
    captions = read(tmp_path, "SourceFile,Title\n./a.jpg,Gone\n./sub/a.jpg,Here\n").match(["sub/a.jpg"])
    assert captions.find("sub/a.jpg").about == Description("Here")
    (line,) = captions_lines(captions.report)
    assert line.endswith("1 of 2 rows matched; first unmatched: line 2, ./a.jpg (‘sub/a.jpg’ has a row of its own)")


def test_backslashes_another_case_and_another_unicode_form_match(tmp_path: Path) -> None:
    written = ["1998\\DSC_0004.jpg", "2003/dsc_0005.JPG", unicodedata.normalize("NFC", "Zoë/a.jpg")]
    paths = ["1998/DSC_0004.jpg", "2003/DSC_0005.jpg", unicodedata.normalize("NFD", "Zoë/a.jpg"), "Zoe/a.jpg"]
    captions = read(tmp_path, "file;title\n" + "".join(f"{name};{name}\n" for name in written)).match(paths)
    assert [captions.find(path) is not None for path in paths] == [True, True, True, False]
    assert captions_lines(captions.report) == ["captions: 3 of 3 rows matched"]


# -- what is told -------------------------------------------------------------------------------------------------


def test_rows_that_match_nothing_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    content = "file,title\na.jpg,A\n1998/x.jpg,X\n1998/y.jpg,Y\n"
    assert told(tmp_path, content) == ["captions: 1 of 3 rows matched; first unmatched: line 3, 1998/x.jpg"]


def test_a_name_that_several_files_have_is_told_with_what_to_do(tmp_path: Path) -> None:
    (line,) = told(tmp_path, "file,title\na.jpg,A\n", paths=("x/a.jpg", "y/a.jpg"))
    reason = "(2 files have this name: write the folder before it)"
    assert line == f"captions: 0 of 1 row matched; first unmatched: line 2, a.jpg {reason}"


def test_a_row_that_names_no_file_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    content = "file,title\n,Lost\na.jpg,A\n"
    assert told(tmp_path, content) == ["captions: 1 of 2 rows matched; first unmatched: line 2, no file"]


def test_dates_that_are_not_understood_are_counted_with_the_first_line(tmp_path: Path) -> None:
    content = "file,date\na.jpg,1998\nb.jpg,summer 98\nc.jpg,35310\nd.jpg,unknown\n"
    assert told(tmp_path, content)[1:] == ["dates not understood: 2, first: line 3, ‘summer 98’"]


def test_an_ambiguous_date_is_told_with_what_it_was_read_as(tmp_path: Path) -> None:
    assert told(tmp_path, "file,date\na.jpg,09/03/1998\n")[1:] == [
        "ambiguous dates: 1, first: line 2, ‘09/03/1998’ read as 1998-03-09; write dates like 1998-03-09 to be sure"
    ]


def test_other_dates_of_the_table_decide_whether_the_month_comes_first(tmp_path: Path) -> None:
    table = read(tmp_path, "file,date\na.jpg,09/03/1998\nb.jpg,12/25/1998\n")
    captions = table.match(["a.jpg"])
    assert str(captions.find("a.jpg").about.created) == "1998-09-03"
    assert captions.report.ambiguous_dates.count == 0


def test_a_stated_order_of_day_and_month_outweighs_the_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,date\na.jpg,09/03/1998\nb.jpg,12/25/1998\n")
    captions = read_captions(tmp_path / "a.csv", day_first=True).match(["a.jpg"])
    assert str(captions.find("a.jpg").about.created) == "1998-03-09"


def test_an_empty_first_date_falls_through_to_the_next_column(tmp_path: Path) -> None:
    content = "file,DateTimeOriginal,CreateDate\na.jpg,0000:00:00 00:00:00,2001:02:03 04:05:06\n"
    assert str(about(tmp_path, content).created) == "2001-02-03T04:05:06"


@pytest.mark.parametrize(
    ("heading", "cell", "message"),
    [
        ("rating", "nice", "rating ‘nice’"),
        ("rating", "6", "rating ‘6’"),
        ("altitude", "high", "altitude ‘high’"),
        ("altitude", "200000", "altitude ‘200000’"),
        ("latitude,longitude", "91,0", "latitude ‘91’"),
        ("latitude,longitude", "nan,1", "latitude ‘nan’"),
        ("latitude,longitude", "12,", "longitude ‘’"),
        ("latitude,longitude", f"1{' ' * 100_000}x,1", "latitude ‘1 x’"),
        ("altitude", "1" * 100_000, f"altitude ‘{'1' * 59}…’"),
        ("latitude,longitude", "9 E,38 N", "latitude ‘9 E’"),
        ("latitude,longitude", "47 N,9 O", "longitude ‘9 O’"),
        ("latitude,longitude", ",9", "latitude ‘’"),
        ("GPSPosition", "here", "position ‘here’"),
        ("GPSPosition", "9 W; 38 N", "position ‘9 W; 38 N’"),
    ],
)
def test_cells_that_are_not_understood_are_told_with_their_column(
    tmp_path: Path, heading: str, cell: str, message: str
) -> None:
    lines = told(tmp_path, f"file,{heading}\na.jpg,{cell}\n")
    assert lines[1].startswith("other cells not understood:")
    assert lines[1].endswith(f"first: line 2, {message}")
    assert not about(tmp_path, f"file,{heading}\na.jpg,{cell}\n").place.has_gps


def test_a_row_with_more_cells_than_headings_is_not_read_since_they_may_be_shifted(tmp_path: Path) -> None:
    content = "file,title,author\nb.jpg,One, two, three,Ada\na.jpg,A\n"
    assert told(tmp_path, content) == [
        "captions: 1 of 2 rows matched",
        "rows not read: 1, first: line 2, 5 cells under 3 headings",
    ]


def test_notes_are_bounded_however_many_rows_are_wrong(tmp_path: Path) -> None:
    content = "file,date\n" + "".join(f"{number}.jpg,{'x' * 1000}\n" for number in range(500))
    report = read(tmp_path, content).match([]).report
    assert (report.unmatched.count, len(report.unmatched.first)) == (500, 20)
    assert (report.dates_not_understood.count, len(report.dates_not_understood.first)) == (500, 20)
    assert len(report.dates_not_understood.first[0].text) <= 200


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "title,author\nX,Y\n",
            r"no column names the file: call one “file” \(its headings: title and author\)",
        ),
        ("a.jsonl", '{"file":"a.jpg"}\n{oops}\n', "line 2: not JSON"),
        ("a.jsonl", '["a.jpg"]\n', "line 1: expected an object, found list"),
        ("a.jsonl", '{"file":' + "[" * 100_000, "line 1: not JSON"),
        ("a.jsonl", '{"file":' + "9" * 5000 + "}", "line 1: not JSON"),
        ("a.json", '{"file":"a.jpg"}\n', "expected a list of objects"),
        ("a.json", '[{"file":"a.jpg"},\n\n 3]', "line 3: expected an object, found int"),
        ("a.json", '[{"file":"a.jpg"},\n{"file":}]', "line 2: not JSON"),
        ("a.json", '[{"file":"a.jpg"}', "not JSON"),
        ("a.json", '[{"file":"a.jpg"}]\n[{"file":"b.jpg"}]', "is it two files in one"),
        ("a.json", "", "expected a list of objects"),
        ("a.csv", 'file,title\na.jpg,"A\nb.jpg,B\nc.jpg,C\n', "line 2: a quotation mark is not closed"),
        ("a.csv", 'file,title\na.jpg,"A\nb.jpg,"B"\nc.jpg,C\n', "line 2: a quotation mark is not closed"),
        ("a.csv", "file,title\na.jpg," + "x" * 200_000, "line 2 cannot be read: field larger than field limit"),
        ("a.csv", "file," * 500_000, "line 1 has more than 2,000,000 characters: is it a table"),
        ("a.csv", "a," * 20_000 + "file\n", "20,001 columns, more than 10,000"),
        ("a.jpg", "x", "captions are read from .csv, .tsv, .txt, .jsonl, .ndjson, .json files"),
        ("a.xlsx", "PK\x03\x04...", "a.xlsx is a spreadsheet: save it as CSV"),
        ("a.csv", "PK\x03\x04...", "a.csv is a spreadsheet: save it as CSV"),
    ],
    ids=lambda value: value[:20],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(SidecarError, match=message) as raised:
        read(tmp_path, content, name)
    assert len(str(raised.value)) < 500
    assert "\n" not in str(raised.value)


def test_a_missing_table_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(SidecarError, match="cannot be read"):
            read_captions(path)


def test_more_rows_than_can_be_held_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.ingest.metadata.table_rows.MAX_ROWS", 2)
    with pytest.raises(SidecarError, match="more than 2 rows: split it"):
        read(tmp_path, "file\na\nb\nc\n")


def test_a_line_without_end_is_given_up_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"file":"a.jpg","title":"')
        file.truncate(300_000_000)
    with pytest.raises(SidecarError, match="line 1 has more than 2,000,000 characters"):
        read_captions(path)


def test_a_json_array_too_large_to_parse_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.write(b"[")
        file.truncate(100_000_001)
    with pytest.raises(SidecarError, match=r"larger than 100\.0 MB: write one object a line"):
        read_captions(path)


def test_a_table_of_nothing_has_no_rows(tmp_path: Path) -> None:
    for content in ("", "\n\n", "file,title\n", ",,,\n,,,\n"):
        assert told(tmp_path, content) == ["captions: 0 of 0 rows matched"]


def test_control_characters_and_formulas_are_only_text(tmp_path: Path) -> None:
    content = "file,title,description\na.jpg,A\x00B\x1b[31m,=HYPERLINK(\u202e1)\n"
    assert about(tmp_path, content) == Description("A B [31m", description="=HYPERLINK( 1)")


TABLES = (
    "sep=;\nfile;title;date\na.jpg;“Zoë”;09/03/1998\n".encode("cp1252"),
    'file,title,GPSLatitude\na.jpg,"Zoë, ""x""","38 deg 42\' 30.00"" N"\n'.encode(),
    "file\tkeywords\na.jpg\tx;y|z\n".encode("utf-16"),
    b'{"file":"a.jpg","keywords":["x",1],"date":"1998"}\n{"file":"b.jpg","rating":3}\n',
    b'[{"SourceFile":"./a.jpg","Title":"A"},\n{"SourceFile":"b.jpg"}]',
)


@given(st.sampled_from(TABLES), st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=4)), max_size=6), st.data())
def test_a_damaged_table_is_read_or_refused_on_one_line(
    tmp_path_factory: pytest.TempPathFactory, table: bytes, damages: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    for place, put in damages:
        table = table[:place] + put + table[place + data.draw(st.integers(0, 3)) :]
    suffix = data.draw(st.sampled_from([".csv", ".txt", ".jsonl", ".json"]))
    lines = read_or_refused(tmp_path_factory.getbasetemp(), table, f"damaged{suffix}")
    assert lines
    assert all("\n" not in line for line in lines)


def read_or_refused(folder: Path, table: bytes, name: str) -> list[str]:
    try:
        report = read(folder, table, name).match(["a.jpg", "b.jpg"]).report
    except SidecarError as error:
        return [str(error)]
    assert report.rows == report.matched + report.unmatched.count + report.rows_not_read.count
    return captions_lines(report)


# -- the template -------------------------------------------------------------------------------------------------


def test_every_file_of_a_template_is_matched_with_what_was_filled_in(tmp_path: Path) -> None:
    files = [
        "a.jpg",
        "sub/a.jpg",
        "=1+1.jpg",
        "-x.jpg",
        "'q.jpg",
        'Zoë, "x"; y.jpg',
        " blank .jpg",
        "tab\t.jpg",
        "a\\b.jpg",
    ]
    headings, *rows = csv.reader(io.StringIO(captions_template(files).decode("utf-8-sig"), newline=""))
    text = io.StringIO(newline="")
    filled = ([file, f"About {file}", *empty] for file, _, *empty in rows)
    csv.writer(text, delimiter=";").writerows([headings, *filled])  # as Excel saves it in half of Europe
    captions = read(tmp_path, text.getvalue(), encoding="utf-16").match(files)
    assert captions_lines(captions.report) == ["captions: 9 of 9 rows matched"]
    titles = {file: captions.find(file).about.title for file in files[:5]}
    assert titles == {"a.jpg": "About a.jpg", "sub/a.jpg": "About sub/a.jpg"} | {
        "=1+1.jpg": "About '=1+1.jpg",
        "-x.jpg": "About '-x.jpg",
        "'q.jpg": "About 'q.jpg",
    }


def test_a_template_opens_in_excel_and_offers_every_field_once() -> None:
    template = captions_template(["a.jpg"])
    assert template.startswith(b"\xef\xbb\xbffile,title,")
    offered = [column_of(heading)[0] for heading in TEMPLATE_HEADINGS]
    not_offered = {
        "folder",
        "hierarchies",
        "hierarchies_with_slashes",
        "source_file",
        "time",
        "offset",
        "latitude_ref",
        "longitude_ref",
        "position",
        "make",
        "uuid",
    }
    assert sorted(offered) == sorted(set(COLUMNS) - not_offered)
    assert b"\r\na.jpg," in template


def test_what_cameras_write_as_a_description_is_dropped_from_what_exiftool_copied_but_not_from_what_people_wrote(
    tmp_path: Path,
) -> None:
    content = "{file},Description,ImageDescription,UserComment\na.jpg,,Digital Camera,Boats\n"
    assert about(tmp_path, content.format(file="SourceFile")) == Description(description="Boats")
    assert about(tmp_path, content.format(file="file")) == Description(description="Digital Camera")


def test_a_column_without_a_heading_is_left_alone_and_the_first_of_two_alike_counts(tmp_path: Path) -> None:
    assert about(tmp_path, "file,title,title,\na.jpg,Z,A,remark\n") == Description("Z")


def test_the_text_true_which_exiftool_writes_without_quotation_marks_is_text(tmp_path: Path) -> None:
    found = about(tmp_path, '{"SourceFile":"a.jpg","Title":true,"Keywords":["Black/White",7,false]}', "a.jsonl")
    assert found == Description("true", keywords=("Black/White", "7", "false"))


def test_an_iptc_date_has_its_time_from_a_column_of_its_own(tmp_path: Path) -> None:
    content = "SourceFile,IPTC:DateCreated,IPTC:TimeCreated\na.jpg,1998:09:03,14:05:22+02:00\n"
    assert str(about(tmp_path, content).created) == "1998-09-03T14:05:22+02:00"
