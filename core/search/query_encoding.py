"""From a query to its vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.embedding.encoder import Encoder
from core.errors import QueryError
from core.records.queries import Correction, Query
from core.search.collection_words import CollectionWords
from core.search.query_picture import QueryPicture, encode_query_picture
from core.search.query_vector import blend_query_vectors, pictures_vector, wishes_vector
from core.search.resident import Resident

MAX_QUERY_LENGTH = 2_000
MAX_WISHES = 32  # each is encoded by itself, which takes a model as long as a whole query
NO_TEXTS = np.empty((0, 0), np.float32)


def normalize_query(text: str) -> str:
    """A query with one space between its words. Raises QueryError if it is overlong."""
    text = " ".join(text.split())
    if len(text) > MAX_QUERY_LENGTH:
        raise QueryError(f"the query has {len(text)} characters, the limit is {MAX_QUERY_LENGTH}: shorten it")
    return text


def normalized(query: Query) -> Query:
    """A query whose wishes are normalized and not empty. Raises QueryError for an overlong one, or too many of them."""
    texts = (replace(wish, text=normalize_query(wish.text)) for wish in query.wishes)
    wishes = tuple(wish for wish in texts if wish.text and wish.weight)
    if len(wishes) > MAX_WISHES:
        raise QueryError(f"the query asks for {len(wishes)} things, the limit is {MAX_WISHES}: leave some out")
    return replace(query, wishes=wishes)


def corrected_query(query: Query, words: CollectionWords) -> tuple[Query, Correction | None]:
    """The query with the misspelt words of its wishes corrected, and what was corrected."""
    corrections = [words.corrected(wish.text) for wish in query.wishes]
    if not any(corrections):
        return query, None
    pairs = zip(query.wishes, corrections, strict=True)
    better = replace(query, wishes=tuple(replace(wish, text=c.text) if c else wish for wish, c in pairs))
    return better, Correction(better.words, tuple(pair for c in corrections if c for pair in c.words))


def query_vector(
    resident: Resident,
    query: Query,
    texts: NDArray[np.float32],
    picture: QueryPicture | None,
    encoder: Encoder | None,
    text_weight: float,
) -> NDArray[np.float32] | None:
    """The vector (d,) float32 of unit length of the wishes and the pictures of a query; None if nothing is wanted.

    `texts` (n, d) are the encoded wishes, or none of them. A picture that the collection holds is searched by its
    stored vector: it is most similar to itself. Raises QueryError for pictures that are unknown, or what cancels out.
    """
    text = wishes_vector(query.wishes, texts) if len(texts) and query.words else None
    image = _image_vector(resident, query, picture, encoder)
    if text is None or image is None:
        return image if text is None else text
    return blend_query_vectors(image, text, text_weight)


def _image_vector(
    resident: Resident, query: Query, picture: QueryPicture | None, encoder: Encoder | None
) -> NDArray[np.float32] | None:
    vectors = resident.snapshot.vectors
    like = list(vectors[list(resident.rows_of(query.like))])
    if picture is not None:
        row = resident.row_of.get(picture.id)
        if row is not None:
            like.append(vectors[row])
        elif encoder is not None:
            like.append(encode_query_picture(encoder, picture))
    unlike = vectors[list(resident.rows_of(query.unlike))]
    if like:
        return pictures_vector(np.array(like), unlike)
    return -pictures_vector(unlike, unlike[:0]) if len(unlike) else None
