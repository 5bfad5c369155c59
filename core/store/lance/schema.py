"""The columns of a collection's table, and the conversion between rows and records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.records.assets import Asset, Location
from core.records.created_time import CreatedTime
from core.records.description_json import description_json, parse_description
from core.records.descriptions import Description, Place

VERSION = 3
_TIME = pa.timestamp("us", tz="UTC")
# `uris[i]` is where `locations[i]` tells about; a row of version 2 has uris and one source.
_LOCATION = pa.struct(
    [
        ("source", pa.string()),
        ("size", pa.int64()),
        ("modified_ns", pa.int64()),
        ("sidecars", pa.string()),
        ("state", pa.string()),
        ("words", pa.string()),
    ]
)
_FIRST_FIELDS = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("uris", pa.list_(pa.string())),
    pa.field("source", pa.string()),
    pa.field("title", pa.string()),
    pa.field("description", pa.string()),
    pa.field("keywords", pa.list_(pa.string())),
    pa.field("author", pa.string()),
    pa.field("licence", pa.string()),
    pa.field("created_at", _TIME),
    pa.field("ingested_at", _TIME),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
]
# Since version 3; null in rows of older versions. `created_at` is the clock's time where the picture was taken.
ADDED_FIELDS = [
    pa.field("locations", pa.list_(_LOCATION)),
    *(pa.field(name, pa.string()) for name in ("headline", "credit", "usage_terms", "label", "camera", "lens")),
    *(pa.field(name, pa.list_(pa.string())) for name in ("hierarchies", "people")),
    pa.field("created_precision", pa.string()),
    pa.field("created_offset_minutes", pa.int32()),
    pa.field("rating", pa.int32()),
    *(pa.field(name, pa.string()) for name in ("sublocation", "city", "state", "country")),
    *(pa.field(name, pa.float64()) for name in ("latitude", "longitude", "altitude")),
]


_TEXTS = ("title", "headline", "description", "author", "credit", "licence", "usage_terms", "label", "camera", "lens")


def checksum_column(part: str) -> str:
    """The column with the checksums of a part of the rows; null where an older version wrote the row."""
    return f"{part}_checksum"


CHECKSUM_FIELDS = [pa.field(checksum_column(part), pa.int64()) for part in ("thumbnail", "vector", "metadata")]
FIRST_COLUMNS = [field.name for field in _FIRST_FIELDS]
ADDED_COLUMNS = [field.name for field in ADDED_FIELDS]
ASSET_COLUMNS = [*FIRST_COLUMNS, *ADDED_COLUMNS]
COLUMNS = [*FIRST_COLUMNS, "thumbnail", "vector", *(field.name for field in CHECKSUM_FIELDS), *ADDED_COLUMNS]


def arrow_schema(dimension: int) -> pa.Schema:
    """One row per asset; `vector` is a fixed-size list of `dimension` float32 of unit length."""
    content = [pa.field("thumbnail", pa.binary()), pa.field("vector", pa.list_(pa.float32(), dimension))]
    return pa.schema([*_FIRST_FIELDS, *content, *CHECKSUM_FIELDS, *ADDED_FIELDS])


def to_table(assets: Iterable[Asset], thumbnails: Iterable[bytes], vectors: NDArray[np.float32]) -> pa.Table:
    """Rows for `arrow_schema` without checksums; the three arguments are parallel, `vectors` is (n, d) float32."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    rows = metadata_table(assets)
    rows = rows.append_column("thumbnail", pa.array(list(thumbnails), pa.binary()))
    return rows.append_column("vector", pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]))


def metadata_table(assets: Iterable[Asset]) -> pa.Table:
    """The metadata of assets as rows with `ASSET_COLUMNS`."""
    return pa.Table.from_pylist([_row(asset) for asset in assets], pa.schema([*_FIRST_FIELDS, *ADDED_FIELDS]))


def _row(asset: Asset) -> dict[str, Any]:
    about, place, created = asset.about, asset.about.place, asset.about.created
    return {
        "id": asset.id,
        "uris": [location.uri for location in asset.locations],
        "source": asset.locations[0].source if asset.locations else "",
        "title": about.title,
        "description": about.description,
        "keywords": list(about.keywords),
        "author": about.author,
        "licence": about.licence,
        "created_at": created.start.replace(tzinfo=UTC) if created else None,
        "ingested_at": asset.ingested_at,
        "width": asset.width,
        "height": asset.height,
        "locations": [_location_row(location) for location in asset.locations],
        "headline": about.headline,
        "credit": about.credit,
        "usage_terms": about.usage_terms,
        "label": about.label,
        "camera": about.camera,
        "lens": about.lens,
        "hierarchies": list(about.hierarchies),
        "people": list(about.people),
        "created_precision": created.precision if created else None,
        "created_offset_minutes": created.offset_minutes if created else None,
        "rating": about.rating,
        "sublocation": place.sublocation,
        "city": place.city,
        "state": place.state,
        "country": place.country,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "altitude": place.altitude,
    }


def _location_row(location: Location) -> dict[str, Any]:
    words = "" if location.words is None else json.dumps(description_json(location.words), ensure_ascii=False)
    return {
        "source": location.source,
        "size": location.size,
        "modified_ns": location.modified_ns,
        "sidecars": location.sidecars,
        "state": location.state,
        "words": words,
    }


def to_asset(row: dict[str, Any]) -> Asset:
    """The asset of a row read with `ASSET_COLUMNS`."""
    texts: dict[str, Any] = {name: row[name] or "" for name in _TEXTS}
    lists: dict[str, Any] = {name: tuple(row[name] or ()) for name in ("keywords", "hierarchies", "people")}
    place: dict[str, Any] = {name: row[name] or "" for name in ("sublocation", "city", "state", "country")}
    gps: dict[str, Any] = {name: row[name] for name in ("latitude", "longitude", "altitude")}
    about = Description(
        **texts,
        **lists,
        created=to_created(row["created_at"], row["created_precision"], row["created_offset_minutes"]),
        place=Place(**place, **gps),
        rating=row["rating"],
    )
    return Asset(
        id=row["id"],
        locations=to_locations(row["uris"], row["locations"], row["source"]),
        about=about,
        width=row["width"],
        height=row["height"],
        ingested_at=row["ingested_at"],
    )


def to_locations(
    uris: Sequence[str] | None,
    locations: Sequence[dict[str, Any]] | None,
    source: str | None,
    with_words: bool = True,
) -> tuple[Location, ...]:
    """The locations of a row; those of an older version have only uris and one source."""
    if not locations:
        return tuple(Location(uri, source or "") for uri in uris or ())
    return tuple(_to_location(uri, each, with_words) for uri, each in zip(uris or (), locations, strict=True))


def _to_location(uri: str, row: dict[str, Any], with_words: bool) -> Location:
    words = parse_description(json.loads(row["words"])) if with_words and row["words"] else None
    return Location(
        uri=uri,
        source=row["source"] or "",
        size=row["size"],
        modified_ns=row["modified_ns"],
        sidecars=row["sidecars"] or "",
        state=row["state"] or "present",
        words=words,
    )


def to_created(start: datetime | None, precision: Any, offset_minutes: int | None) -> CreatedTime | None:
    """When a picture was taken; older versions kept a time of midnight where only the day was known."""
    if start is None:
        return None
    at_midnight = (start.hour, start.minute, start.second) == (0, 0, 0)
    return CreatedTime(start, precision or ("day" if at_midnight else "second"), offset_minutes)
