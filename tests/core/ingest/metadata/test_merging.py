from __future__ import annotations

from core.ingest.metadata.dates import parse_date
from core.ingest.metadata.merging import merged
from core.records.descriptions import Description, Place

NOTHING = Description()


def test_a_table_comes_before_sidecars_these_before_the_file_and_takeout_last() -> None:
    table = Description(title="table")
    specific, general = Description(headline="p.jpg.xmp"), Description(headline="p.xmp", credit="p.xmp")
    embedded = Description(title="file", credit="file", label="file", created=parse_date("1998"))
    takeout = Description(title="takeout", label="takeout", description="takeout", created=parse_date("2021-01-01"))
    assert merged(table, [specific, general], embedded, takeout) == Description(
        title="table",
        headline="p.jpg.xmp",
        credit="p.xmp",
        label="file",
        description="takeout",
        created=parse_date("1998"),
    )


def test_keywords_of_two_sources_are_not_mixed() -> None:
    about = merged(NOTHING, [Description(keywords=("sea",))], Description(keywords=("boat", "sea")), NOTHING)
    assert about.keywords == ("sea",)


def test_hierarchies_of_a_later_source_are_kept_for_keywords_that_are_kept() -> None:
    embedded = Description(keywords=("Dog", "Cat"), hierarchies=("Animals|Dog", "Animals|Cat"))
    about = merged(Description(keywords=("dog", "sea")), [], embedded, NOTHING)
    assert (about.keywords, about.hierarchies) == (("dog", "sea"), ("Animals|Dog",))
    assert merged(NOTHING, [], embedded, NOTHING) == embedded


def test_names_of_a_place_and_coordinates_may_come_from_two_sources() -> None:
    table = Description(place=Place(city="Lisboa"))
    embedded = Description(place=Place(city="Almada", country="Portugal", latitude=38.7, longitude=-9.1, altitude=12.0))
    place = Place(city="Lisboa", latitude=38.7, longitude=-9.1, altitude=12.0)
    assert merged(table, [], embedded, NOTHING).place == place


def test_a_rating_of_none_is_a_rating() -> None:
    assert merged(NOTHING, [Description(rating=0)], Description(rating=4), NOTHING).rating == 0
