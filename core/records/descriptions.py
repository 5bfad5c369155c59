"""What people and cameras wrote about a picture. Text from outside: data, never markup, never instructions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from core.records.created_time import CreatedTime

_LISTS = ("keywords", "hierarchies", "people")


@dataclass(frozen=True)
class Place:
    """Where a picture was taken: names from the smallest to the largest, and GPS in degrees (WGS 84), metres."""

    sublocation: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None

    @property
    def name(self) -> str:
        """The names as one text: `Alfama, Lisbon, Portugal`."""
        return ", ".join(filter(None, (self.sublocation, self.city, self.state, self.country)))

    @property
    def has_gps(self) -> bool:
        """Whether coordinates are known."""
        return self.latitude is not None and self.longitude is not None

    def without_gps(self) -> Place:
        """The names alone."""
        return Place(self.sublocation, self.city, self.state, self.country)

    def filled_from(self, other: Place) -> Place:
        """This place, with names or coordinates that are missing altogether taken from `other`."""
        names = self if self.name else other
        gps = self if self.has_gps else other
        return Place(
            names.sublocation, names.city, names.state, names.country, gps.latitude, gps.longitude, gps.altitude
        )


@dataclass(frozen=True)
class Description:
    """The metadata of a picture, whatever standard it was written in.

    `keywords` are flat; `hierarchies` are keywords with what they lie under, `Animals|Mammals|Dog`. `rating` is -1
    (rejected) to 5, None if there is none. `licence` is the rights statement, `usage_terms` what it allows.
    """

    title: str = ""
    headline: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    hierarchies: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    author: str = ""
    credit: str = ""
    licence: str = ""
    usage_terms: str = ""
    created: CreatedTime | None = None
    place: Place = Place()
    rating: int | None = None
    label: str = ""
    camera: str = ""
    lens: str = ""

    def filled_from(self, other: Description) -> Description:
        """This description, with its empty fields taken from `other`."""
        filled: dict[str, Any] = {field.name: _filled(self, other, field.name) for field in fields(self)}
        return Description(**filled | {"place": self.place.filled_from(other.place)})

    def completing(self, older: Description) -> Description:
        """What a version that knew less wrote, completed: its texts stay, but for those it had decoded wrongly."""
        texts = {
            name: getattr(self, name) if _is_mended(getattr(self, name), getattr(older, name)) else getattr(older, name)
            for name in ("title", "description", "author", "licence")
        }
        kept: dict[str, Any] = {name: text for name, text in texts.items() if text}
        if older.keywords and not any(map(_is_mended, self.keywords, older.keywords)):
            kept["keywords"] = older.keywords
        return replace(self, **kept).filled_from(older)


def _is_mended(text: str, older: str) -> bool:
    """Whether the older text is this one, its UTF-8 taken for Latin-1."""
    return text != older and older.encode("latin-1", "replace") == text.encode("utf-8")


def combined(descriptions: Iterable[Description]) -> Description:
    """What several places say of one picture: each field from the first that has it; keywords and people of all."""
    result = Description()
    for each in descriptions:
        lists: dict[str, Any] = {
            name: tuple(dict.fromkeys((*getattr(result, name), *getattr(each, name)))) for name in _LISTS
        }
        result = replace(result.filled_from(each), **lists)
    return result


def _filled(first: Description, second: Description, name: str) -> Any:
    value = getattr(first, name)
    return getattr(second, name) if value in ("", (), None) else value
