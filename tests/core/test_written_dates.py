"""Dates as people write them, each with the precision that it was written with."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import QueryError
from core.records.written_dates import is_day_first, parse_period, read_written_date, says_no_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1850", "1850"),
        ("1921-00-00", "1921"),
        ("1998-XX-XX", "1998"),
        ("1921:00:00 00:00:00", "1921"),
        ("1921-09-00T00:00:00Z", "1921-09"),
        ("00.00.1998", "1998"),
        ("c. 1930", "c. 1930"),
        ("ca. 1930", "c. 1930"),
        ("ca 1930", "c. 1930"),
        ("circa 1930", "c. 1930"),
        ("um 1930", "c. 1930"),
        ("vers 1930", "c. 1930"),
        ("c1930", "c. 1930"),
        ("~1930", "c. 1930"),
        ("1930~", "c. 1930"),
        ("1930?", "c. 1930"),
        ("[ca. 1930]", "c. 1930"),
        ("c. September 1930", "c. 1930"),
        ("?1930", "c. 1930"),
        ("1930 (?)", "c. 1930"),
        ("193?", "1930s"),
        ("[193-?]", "1930s"),
        ("193u", "1930s"),
        ("1930s", "1930s"),
        ("1930's", "1930s"),
        ("the 1930s", "1930s"),
        ("193x", "1930s"),
        ("193X", "1930s"),
        ("1930er Jahre", "1930s"),
        ("années 1930", "1930s"),
        ("c. 1930s", "1930s"),
        ("1998-09", "1998-09"),
        ("1998:09", "1998-09"),
        ("1998-09-XX", "1998-09"),
        ("1998-09-00", "1998-09"),
        ("00.09.1998", "1998-09"),
        ("09/1998", "1998-09"),
        ("Sept. 1998", "1998-09"),
        ("September, 1998", "1998-09"),
        ("1998 September", "1998-09"),
        ("août 1998", "1998-08"),
        ("März 1998", "1998-03"),
        ("maerz 1998", "1998-03"),
        ("Jänner 1998", "1998-01"),
        ("déc. 1998", "1998-12"),
        ("03.09.1998", "1998-09-03"),
        ("3. 9. 1998", "1998-09-03"),
        ("3 September 1998", "1998-09-03"),
        ("3. September 1998", "1998-09-03"),
        ("September 3, 1998", "1998-09-03"),
        ("Thursday, 3 September 1998", "1998-09-03"),
        ("Mi, 3. Sept. 1998", "1998-09-03"),
        ("the 3rd of September 1998", "1998-09-03"),
        ("1er septembre 1998", "1998-09-01"),
        ("03-Sep-1998", "1998-09-03"),
        ("25/12/1998", "1998-12-25"),
        ("12/25/1998", "1998-12-25"),
        ("03/03/1998", "1998-03-03"),
        ("1998/9/3", "1998-09-03"),
        ("19980903", "1998-09-03"),
        ("1998–09–03", "1998-09-03"),
        ("1998-09-03 14:05", "1998-09-03T14:05"),
        ("03.09.1998, 14:05 Uhr", "1998-09-03T14:05"),
        ("3 September 1998 2:05 pm", "1998-09-03T14:05"),
        ("1998-09-03 12:05 AM", "1998-09-03T00:05"),
        ("1998:09:03 14:05:22", "1998-09-03T14:05:22"),
        ("1998:09:03 14:05:22.50+02:00", "1998-09-03T14:05:22+02:00"),
        ("1998-09-03T14:05:22-0330", "1998-09-03T14:05:22-03:30"),
        ("Thu Sep  3 14:05:22 1998", "1998-09-03T14:05:22"),
        ("3 September 1998 at 14:05", "1998-09-03T14:05"),
        ("3. September 1998 um 14:05 Uhr", "1998-09-03T14:05"),
        ("1998-09-03T14:05Z", "1998-09-03T14:05+00:00"),
        ("\u200e03.\u200e09.\u200e1998 \u200f\u200e14:05", "1998-09-03T14:05"),
        ("Sep 3, 1998, 2:05:00\u202fPM UTC", "1998-09-03T14:05:00+00:00"),
    ],
)
def test_a_date_is_read_as_precisely_as_it_is_written(text: str, expected: str) -> None:
    written = read_written_date(text)
    assert (str(written.created), written.ambiguous) == (expected, False)


@pytest.mark.parametrize(
    "text",
    [
        "summer 98",
        "03.09.98",
        "'98",
        "35310",
        "199809",
        "19XX",
        "1930-1935",
        "1911/12",
        "before 1930",
        "early 1930s",
        "31.02.1998",
        "1998-13-01",
        "1998-02-30",
        "1998-09-03 25:00",
        "1998-09-03 14:05 +99:00",
        "1998-09-03 13:05 pm",
        "1998 14:05",
        "3 September",
        "jui 1998",
        "0999",
        "9999",
        "03.09-1998",
        "1998-00-03",
        "3 September 1998 3 October 1998",
        "1998" * 1000,
        "9" * 100_000,
        "1998\x00",
        "=1998",
        "١٩٩٨-٩٩-٠١",
    ],
)
def test_what_is_no_single_date_is_not_guessed(text: str) -> None:
    assert read_written_date(text).created is None


@pytest.mark.parametrize(
    ("day_first", "expected", "ambiguous"),
    [(None, "1998-03-09", True), (True, "1998-03-09", False), (False, "1998-09-03", False)],
)
def test_day_and_month_that_can_be_exchanged_are_ambiguous_unless_the_order_is_known(
    day_first: bool | None, expected: str, ambiguous: bool
) -> None:
    written = read_written_date("09/03/1998", day_first)
    assert (str(written.created), written.ambiguous) == (expected, ambiguous)


def test_dots_are_written_between_day_and_month_in_that_order() -> None:
    assert str(read_written_date("09.03.1998", day_first=False).created) == "1998-03-09"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["09/03/1998", "25/12/1998"], True),
        (["09/03/1998", "12/25/1998 14:05"], False),
        (["09/03/1998"], None),
        (["25/12/1998", "12/25/1998"], None),
        (["25.12.1998", "1998-12-25"], None),
        ([], None),
    ],
)
def test_a_column_tells_the_order_by_its_dates_that_have_only_one_reading(
    column: list[str], expected: bool | None
) -> None:
    assert is_day_first(column) is expected


@pytest.mark.parametrize(
    "text", ["", " ", "-", "n.d.", "o. D.", "unknown", "0000:00:00 00:00:00", "0000-00-00", "undated"]
)
def test_a_text_can_say_that_there_is_no_date(text: str) -> None:
    assert says_no_date(text)
    assert read_written_date(text).created is None


@pytest.mark.parametrize("text", ["1998", "summer 98", "x"])
def test_a_text_that_means_some_date_does_not_say_that_there_is_none(text: str) -> None:
    assert not says_no_date(text)


DAYS = st.dates(min_value=date(1000, 1, 1), max_value=date(2200, 12, 31))


@given(DAYS)
def test_every_day_survives_every_unambiguous_form(day: date) -> None:
    forms = ("%Y-%m-%d", "%Y:%m:%d", "%Y%m%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%A, %d %B %Y")
    assert {str(read_written_date(day.strftime(form)).created) for form in forms} == {day.isoformat()}


@given(DAYS, st.booleans())
def test_a_known_order_reads_every_day_back(day: date, day_first: bool) -> None:
    written = read_written_date(day.strftime("%d/%m/%Y" if day_first else "%m/%d/%Y"), day_first)
    assert str(written.created) == day.isoformat()
    assert not written.ambiguous


@given(st.text(max_size=100))
def test_any_text_is_read_or_not_understood(text: str) -> None:
    written = read_written_date(text)
    assert written.created is None or written.created.start.year >= 1000


def test_a_period_is_the_whole_of_what_is_written() -> None:
    year, month = parse_period("1998"), parse_period("September 1998")
    assert (year.start.isoformat(), year.end.isoformat()) == ("1998-01-01T00:00:00", "1999-01-01T00:00:00")
    assert month.end - month.start == timedelta(days=30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("summer 98", "‘summer 98’ is not a date: write"),
        ("09/03/1998", "may be 1998-03-09 or 1998-09-03: write it like that"),
    ],
)
def test_a_period_that_is_not_clear_is_refused(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_period(text)
