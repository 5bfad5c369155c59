from __future__ import annotations

from core.records.assets import Asset, Location, utc_now
from core.records.descriptions import Description
from pages.ui.credit import photo_credit, photo_page


def asset(*uris: str, author: str = "") -> Asset:
    return Asset(
        "0" * 64, tuple(Location(uri, "unsplash") for uri in uris), Description(author=author), 3, 2, utc_now()
    )


def test_a_photo_from_unsplash_names_its_photographer() -> None:
    photo = asset("/a/b.jpg", "https://unsplash.com/photos/aB-9_x", author="Jane Doe")
    assert (photo_credit(photo), photo_page(photo)) == (
        "Photo by Jane Doe on Unsplash",
        "https://unsplash.com/photos/aB-9_x",
    )
    assert photo_credit(asset("https://unsplash.com/photos/aB")) == "Photo on Unsplash"


def test_other_pictures_and_lookalike_addresses_have_no_credit() -> None:
    for uri in (
        "/photos/a.jpg",
        "https://unsplash.com/photos/a)b(",
        "https://unsplash.com/photos/a/../../x",
        "http://unsplash.com/photos/a",
    ):
        assert (photo_credit(asset(uri, author="Jane Doe")), photo_page(asset(uri))) == ("", None)
