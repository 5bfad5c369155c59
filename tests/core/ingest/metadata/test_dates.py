from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.metadata.dates import parse_date, parse_offset, with_offset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020:02:03 04:05:06", "2020-02-03T04:05:06"),
        ("2020-02-03T04:05:06Z", "2020-02-03T04:05:06+00:00"),
        ("2020-02-03 04:05:06+01:00", "2020-02-03T04:05:06+01:00"),
        ("2020:02:03 04:05:06.789-03:30", "2020-02-03T04:05:06-03:30"),
        ("2020-02-03T04:05", "2020-02-03T04:05"),
        ("2020-02-03T04:05+05:30", "2020-02-03T04:05+05:30"),
        ("1998:09:03 12:00:00\0\0", "1998-09-03T12:00:00"),
        ("2020-02-03", "2020-02-03"),
        ("1998-09", "1998-09"),
        ("1998", "1998"),
        ("1921:00:00 00:00:00", "1921"),
        ("1921-00-00", "1921"),
        ("1921:06:00", "1921-06"),
        ("1998:  :     :  :  ", "1998"),
        ("19980903", "1998-09-03"),
        ("19740000", "1974"),
        ("20190714T103000+0200", "2019-07-14T10:30:00+02:00"),
        ("Sun, 14 Jul 2019 10:30:00 +0200", "2019-07-14T10:30:00+02:00"),
        ("Sun Jul 14 10:30:00 2019", "2019-07-14T10:30:00"),
        ("2016:12:31 23:59:60", "2016-12-31T23:59:59"),
        ("2020:02:03 99:99:99", "2020-02-03"),
        ("2008: 5: 9 12: 5: 1", "2008-05-09T12:05:01"),
        ("2003:05:12 02:30:05 PM", "2003-05-12T14:30:05"),
        ("2003:05:12 12:30:05 am", "2003-05-12T00:30:05"),
        ("2019-07-14T10:30:00.000 -0700", "2019-07-14T10:30:00-07:00"),
        ("2019/07/14 10:30", "2019-07-14T10:30"),
        ("1650", "1650"),
    ],
)
def test_dates_are_read_as_cameras_and_programs_write_them(text: str, expected: str) -> None:
    assert str(parse_date(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "0001-01-01T00:00:00",
        "9999-12-31",
        "2020-13-01",
        "2020-02-30",
        "1998-1999",
        "yesterday",
        "Monday",
        "Mon, 99 Jan 2019 99:00:00",
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+05:30", 330), ("-0800", -480), ("+2", 120), ("Z", 0), ("", None), ("   :  ", None), ("+99:00", None)],
)
def test_offsets_are_minutes_ahead_of_utc(text: str, minutes: int | None) -> None:
    assert parse_offset(text) == minutes


def test_an_offset_of_its_own_is_for_times_that_have_none() -> None:
    assert str(with_offset(parse_date("2020:01:02 03:04:05"), "+05:30")) == "2020-01-02T03:04:05+05:30"
    assert str(with_offset(parse_date("2020:01:02 03:04:05Z"), "+05:30")) == "2020-01-02T03:04:05+00:00"
    assert str(with_offset(parse_date("2020:01:02"), "+05:30")) == "2020-01-02"
    assert with_offset(None, "+05:30") is None


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=80) | st.from_regex(r"\d{4}[:-]\d\d.{0,30}"))
def test_no_text_is_too_odd(text: str) -> None:
    time = parse_date(text)
    assert time is None or parse_date(str(time)) == time
