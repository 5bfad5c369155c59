"""Descriptions as JSON: in rows of a collection, in exports and in `--json`. Empty fields are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place


def description_json(about: Description) -> dict[str, Any]:
    """A dict that JSON can hold, with the fields that are not empty."""
    document = {name: value for name, value in asdict(about).items() if value not in ("", (), None)}
    place = {name: value for name, value in asdict(about.place).items() if value not in ("", None)}
    document = {name: list(value) if isinstance(value, tuple) else value for name, value in document.items()}
    document.pop("created", None)
    document.pop("place", None)
    if about.created is not None:
        document["created"] = {
            "start": about.created.start.isoformat(),
            "precision": about.created.precision,
            "offset_minutes": about.created.offset_minutes,
        }
    return document | ({"place": place} if place else {})


def parse_description(document: Mapping[str, Any]) -> Description:
    """The description that `description_json` wrote; fields of a later version are left out."""
    known = {field.name for field in fields(Description)}
    values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in document.items()}
    created, place = values.pop("created", None), values.pop("place", {})
    if created is not None:
        start = datetime.fromisoformat(created["start"])
        values["created"] = CreatedTime(start, created["precision"], created["offset_minutes"])
    return Description(place=Place(**place), **{name: value for name, value in values.items() if name in known})
