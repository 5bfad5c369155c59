"""Google Takeout's JSON beside pictures: which file belongs to which picture, and what it says."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.errors import SidecarError
from core.ingest.metadata.cleaning import clean, clean_keywords
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place
from core.text import format_bytes

MAX_TAKEOUT_BYTES = 4_000_000
_MAX_STEM = 46  # Google cuts names so that they have 51 characters with `.json`
_KIND = "supplemental-metadata"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What Google adds to the name of a picture edited in Google Photos, by the language of its owner.
_EDITED = ("edited", "effects", "bearbeitet", "modifié", "edytowane", "editado", "modificato", "bewerkt")
_EDITED_STEM = re.compile(rf"(.+)-(?:{'|'.join(_EDITED)})((?:\(\d+\))?)", re.IGNORECASE)
_COUNTED_STEM = re.compile(r"(.+)(\(\d+\))")


def takeout_of(path: Path, names: Collection[str] | None = None) -> Path | None:
    """The JSON that Takeout wrote for a picture, None if there is none.

    `names` are those of the files beside it; without them the folder is asked for each name that is possible. An edited
    picture has that of the picture it was made from.
    """
    exists: Callable[[str], bool] = (
        (lambda name: (path.parent / name).is_file()) if names is None else names.__contains__
    )
    return next((path.parent / name for name in possible_names(path) if exists(name)), None)


def possible_names(path: Path) -> Iterator[str]:
    """The names that Takeout may have given to the JSON of a picture."""
    yield from _names_of(path.stem, path.suffix)
    if edited := _EDITED_STEM.fullmatch(path.stem):
        yield from _names_of(f"{edited[1]}{edited[2]}", path.suffix)


def _names_of(stem: str, suffix: str) -> Iterator[str]:
    """`p.jpg.json`, `p.jpg.supplemental-metadata.json` and what is left of that; `p(1).jpg` has `p.jpg(1).json`."""
    yield from (f"{name}.json" for name in _stems(f"{stem}{suffix}"))
    if copy := _COUNTED_STEM.fullmatch(stem):
        yield from (f"{name}{copy[2]}.json" for name in _stems(f"{copy[1]}{suffix}"))


def _stems(name: str) -> Iterator[str]:
    """The name as it stands, with all or some letters of what kind of file it is, or cut itself."""
    yield name
    for end in range(len(_KIND), -1, -1):
        yield f"{name}.{_KIND[:end]}"
    if len(name) > _MAX_STEM:
        yield name[:_MAX_STEM]


def read_takeout(path: Path, picture: Path | None = None) -> Description:
    """What Takeout's JSON says of its picture: description, people, place and when it was taken, in UTC.

    A JSON file of another kind says nothing, nor does one whose own name was cut, of a `picture` that its title does
    not name. Raises SidecarError if the file cannot be read or is damaged.
    """
    data = _load(path)
    if not isinstance(data, dict) or (picture is not None and _names_another(data.get("title"), path, picture)):
        return Description()
    people = data.get("people")
    names = [person.get("name") for person in people if isinstance(person, dict)] if isinstance(people, list) else []
    text = data.get("description")
    return Description(
        description=clean(text) if isinstance(text, str) else "",
        people=clean_keywords(name for name in names if isinstance(name, str)),
        created=_taken(data.get("photoTakenTime")),
        place=_place(data.get("geoData")).filled_from(_place(data.get("geoDataExif"))),
    )


def _names_another(title: Any, path: Path, picture: Path) -> bool:
    """Whether the name of a JSON file stands for several pictures, and its title for another than this one."""
    is_cut = len(picture.name) > len(path.stem) and picture.name.startswith(path.stem)
    if not is_cut or not isinstance(title, str):
        return False
    stem = picture.stem
    for added in (_EDITED_STEM, _COUNTED_STEM):
        found = added.fullmatch(stem)
        stem = found[1] if found else stem
    return not _plain(title).startswith(_plain(stem))


def _plain(name: str) -> str:
    """A name as Google writes it into files: some characters become an underscore."""
    return re.sub(r"\W", "_", unicodedata.normalize("NFC", name)).casefold()


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TAKEOUT_BYTES + 1)
        if len(content) > MAX_TAKEOUT_BYTES:
            raise SidecarError(f"{path} is larger than {format_bytes(MAX_TAKEOUT_BYTES)}, too large for one picture")
        return json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise SidecarError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SidecarError(f"{path} is damaged: not JSON ({error})") from error


def _taken(value: Any) -> CreatedTime | None:
    """Seconds since 1970, as text or number; before it they are negative."""
    seconds: Any = value.get("timestamp") if isinstance(value, dict) else None
    try:
        moment = _EPOCH + timedelta(seconds=int(seconds))
    except (TypeError, ValueError, OverflowError):
        return None
    return CreatedTime(moment.replace(tzinfo=None), "second", 0)


def _place(value: Any) -> Place:
    """Coordinates in degrees; Takeout writes 0, 0 where there are none, and 0 for an altitude that is not known."""
    geo = value if isinstance(value, dict) else {}
    latitude, longitude, altitude = (_number(geo.get(name)) for name in ("latitude", "longitude", "altitude"))
    if (
        latitude is None
        or longitude is None
        or abs(latitude) > 90
        or abs(longitude) > 180
        or latitude == longitude == 0
    ):
        return Place()
    return Place(latitude=latitude, longitude=longitude, altitude=altitude or None)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if is_number and math.isfinite(value) else None
