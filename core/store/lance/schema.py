"""The columns of a collection's table, and the conversion between rows and records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.records.assets import Asset
from core.records.descriptions import Description

VERSION = 2
_TIME = pa.timestamp("us", tz="UTC")


def arrow_schema(dimension: int) -> pa.Schema:
    """One row per asset; `vector` is a fixed-size list of `dimension` float32 of unit length."""
    return pa.schema(
        [
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
            pa.field("thumbnail", pa.binary()),
            pa.field("vector", pa.list_(pa.float32(), dimension)),
            *CHECKSUM_FIELDS,
        ]
    )


def checksum_column(part: str) -> str:
    """The column with the checksums of a part of the rows; null where an older version wrote the row."""
    return f"{part}_checksum"


CHECKSUM_FIELDS = [pa.field(checksum_column(part), pa.int64()) for part in ("thumbnail", "vector", "metadata")]
_CHECKSUM_COLUMNS = [field.name for field in CHECKSUM_FIELDS]
ASSET_COLUMNS = [f.name for f in arrow_schema(1) if f.name not in ("thumbnail", "vector", *_CHECKSUM_COLUMNS)]
COLUMNS = [*ASSET_COLUMNS, "thumbnail", "vector", *_CHECKSUM_COLUMNS]


def to_table(assets: Iterable[Asset], thumbnails: Iterable[bytes], vectors: NDArray[np.float32]) -> pa.Table:
    """Rows for `arrow_schema` without checksums; the three arguments are parallel, `vectors` is (n, d) float32."""
    rows = [_row(asset) for asset in assets]
    schema = pa.schema([field for field in arrow_schema(vectors.shape[1]) if field not in CHECKSUM_FIELDS])
    columns: list[Any] = [[row[name] for row in rows] for name in ASSET_COLUMNS]
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    vector_column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.Table.from_arrays(
        [pa.array(values, schema.field(name).type) for name, values in zip(ASSET_COLUMNS, columns, strict=True)]
        + [pa.array(list(thumbnails), pa.binary()), vector_column],
        schema=schema,
    )


def _row(asset: Asset) -> dict[str, Any]:
    about = asset.about
    return {
        "id": asset.id,
        "uris": list(asset.uris),
        "source": asset.source,
        "title": about.title,
        "description": about.description,
        "keywords": list(about.keywords),
        "author": about.author,
        "licence": about.licence,
        "created_at": about.created_at,
        "ingested_at": asset.ingested_at,
        "width": asset.width,
        "height": asset.height,
    }


def to_asset(row: dict[str, Any]) -> Asset:
    """The asset of a row read with `ASSET_COLUMNS`."""
    about = Description(
        title=row["title"] or "",
        description=row["description"] or "",
        keywords=tuple(row["keywords"] or ()),
        author=row["author"] or "",
        licence=row["licence"] or "",
        created_at=row["created_at"],
    )
    return Asset(
        id=row["id"],
        uris=tuple(row["uris"] or ()),
        source=row["source"] or "",
        about=about,
        width=row["width"],
        height=row["height"],
        ingested_at=row["ingested_at"],
    )
