from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.metadata.cleaning import clean, clean_comment, clean_description, clean_keywords, decode_text


def test_text_from_outside_loses_control_characters_and_direction_marks() -> None:
    assert clean("a\x00b\nc\u202edrow\ud800 ", 100) == "a b c drow"
    assert clean(None) == ""
    assert clean("x" * 20, 5) == "xxxxx"


@pytest.mark.parametrize(
    "text", ["\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"]
)
def test_joined_emoji_and_letters_stay_joined(text: str) -> None:
    assert clean(text) == text


def test_keywords_appear_once_whatever_their_case_or_composition() -> None:
    assert clean_keywords(["Sea", " sea ", "", "boat", "SEA"]) == ("Sea", "boat")
    assert clean_keywords([unicodedata.normalize(form, "São") for form in ("NFD", "NFC")]) == ("São",)


def test_a_million_keywords_are_cut_to_a_hundred() -> None:
    assert len(clean_keywords(str(number) for number in range(1_000_000))) == 100


@pytest.mark.parametrize(
    "text",
    [
        "OLYMPUS DIGITAL CAMERA         ",
        "SONY DSC",
        "Exif_JPEG_PICTURE",
        "KONICA MINOLTA DIGITAL CAMERA",
        "DIGITAL STILLCAMERA",
        "Created with GIMP",
        "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 75",
        "<Digimax i5, Samsung #1>",
        "cof_vivid",
        "  \0 ",
    ],
)
def test_what_cameras_and_programs_write_is_no_description(text: str) -> None:
    assert clean_description(text) == ""


def test_the_readings_of_a_sensor_are_no_comment() -> None:
    assert clean_comment("R: 139 G: 255 B: 189 X:39852 Y: 0 S: 0 Zs: 6 Zp: 115 F: 531 I: 1") == ""
    assert clean_comment("Two boats, 14.7.2019") == "Two boats, 14.7.2019"
    assert clean_comment("猫と犬 2") == "猫と犬 2"


@pytest.mark.parametrize("text", ["My OLYMPUS DIGITAL CAMERA", "Digital cameras", "A SONY DSC on a table"])
def test_people_may_write_about_cameras(text: str) -> None:
    assert clean_description(text) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Café Zoë".encode(), "Café Zoë"),
        (b"Caf\xe9 Zo\xeb", "Café Zoë"),
        (b"\x93quotes\x94 \x96 dashes\x81", "“quotes” – dashes"),
        (b"text\0rubbish", "text"),
        ("é, cut off: é".encode()[:-1], "é, cut off: "),
    ],
)
def test_bytes_are_utf_8_or_else_windows_1252(raw: bytes, text: str) -> None:
    assert decode_text(raw) == text


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_cleaned_text_can_be_stored_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode("utf-8").decode("utf-8") == clean(cleaned)
