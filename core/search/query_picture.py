"""A picture from outside to search by; it is never stored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.embedding import images
from core.embedding.encoder import Encoder
from core.embedding.formats import SUFFIXES
from core.embedding.hashes import content_id
from core.errors import QueryError

MAX_QUERY_MEGAPIXELS = 64  # anyone may send one, and a PNG of that size takes 200 MB to decode
NAME = "the picture"
FORMATS = sorted(suffix.removeprefix(".") for suffix in SUFFIXES)


@dataclass(frozen=True)
class QueryPicture:
    """A picture to search by: the asset id it has or would have, its pixels (RGB, upright) and a thumbnail (JPEG)."""

    id: str
    image: Image.Image = field(repr=False)
    thumbnail: bytes = field(repr=False)


def read_query_picture(data: bytes, max_mb: int, max_megapixels: float) -> QueryPicture:
    """Read a picture to search by, reduced to what a model needs.

    Raises QueryError if the file is too large, BadImage if it is not an image.
    """
    if len(data) > max_mb * 1_000_000:
        raise QueryError(f"{NAME} has {len(data) / 1e6:.1f} MB, the limit is {max_mb}: choose a smaller one")
    image = images.upright_rgb(images.open_image(data, NAME, max_megapixels), NAME, images.MIN_SIDE_PX)
    small = image.reduce(max(1, min(image.size) // images.MIN_SIDE_PX))
    return QueryPicture(content_id(data), small, images.thumbnail(image))


def encode_query_picture(encoder: Encoder, picture: QueryPicture) -> NDArray[np.float32]:
    """The unit vector of a picture, (d,) float32, as an ingest would compute it."""
    vector: NDArray[np.float32] = encoder.encode_pixels(encoder.preprocess(picture.image)[np.newaxis])[0]
    return vector
