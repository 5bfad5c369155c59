"""Pictures that a collection holds more than once: the same scene in another size, compression, crop or tone.

Two pictures are near-duplicates if both the model (cosine similarity) and their thumbnails (a hash of coarse structure)
agree: the model alone takes two shots of one motif for the same picture, the hash alone two plain skies.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.records.jobs import Progress, ProgressListener, ignore

MIN_SIMILARITY = 0.90
HASH_BITS = 63
MAX_HASH_DISTANCE = 12
MAX_ASPECT_RATIO = 1.05
# How many rows are compared with all others at a time, and how many partners of each are kept.
BLOCK_ROWS, MAX_PARTNERS = 512, 32
THUMBNAIL_BATCH = 256

_SIDE, _LOW = 32, 8
_COSINES = np.cos(np.pi * (2 * np.arange(_SIDE) + 1) * np.arange(_LOW)[:, None] / (2 * _SIDE)).astype(np.float32)

ThumbnailLoader = Callable[[Sequence[str]], Mapping[str, bytes]]


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that show the same: the one to keep, and the others, each with its cosine similarity to it.

    The one to keep has the most pixels; among equals the most detail.
    """

    keep: str
    others: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Duplicates:
    """What a collection holds more than once: groups of near-duplicates, and assets found in several places.

    `copies` has the places of each such asset by its id. Its bytes are stored and shown once.
    """

    groups: tuple[DuplicateGroup, ...]
    copies: Mapping[str, tuple[str, ...]]


def find_near_duplicates(
    ids: Sequence[str],
    vectors: NDArray[np.float32],
    sizes: NDArray[np.int64],
    load_thumbnails: ThumbnailLoader,
    min_similarity: float = MIN_SIMILARITY,
    listener: ProgressListener = ignore,
) -> list[DuplicateGroup]:
    """Group near-duplicates; the largest groups first.

    `vectors` is (n, d) float32 of unit length, `sizes` (n, 2) width and height in pixels, `load_thumbnails` gives JPEGs
    by id. Every picture of a group is a near-duplicate of the one to keep, not merely of another one in the group.
    """
    blocks = similar_pairs(vectors, min_similarity, listener)
    pairs = [pair for block in blocks for pair in _pairs_of_equal_shape(block, sizes)]
    rows = sorted({row for a, b, _ in pairs for row in (a, b)})
    hashes, detail = _hash_thumbnails([ids[row] for row in rows], load_thumbnails, listener)
    index = {row: i for i, row in enumerate(rows)}
    duplicates: dict[int, dict[int, float]] = {}
    for a, b, similarity in pairs:
        if np.count_nonzero(hashes[index[a]] != hashes[index[b]]) <= MAX_HASH_DISTANCE:
            duplicates.setdefault(a, {})[b] = duplicates.setdefault(b, {})[a] = similarity
    quality = {row: (-int(sizes[row].prod()), -detail[index[row]], ids[row]) for row in duplicates}
    return _group(duplicates, ids, sorted(duplicates, key=quality.__getitem__))


def similar_pairs(
    vectors: NDArray[np.float32], min_similarity: float, listener: ProgressListener = ignore
) -> Iterator[list[tuple[int, int, float]]]:
    """Pairs of rows (a < b) with at least this cosine similarity, block by block; exact, in bounded memory.

    Only the 32 most similar partners of a row are given, so that a thousand copies of one picture stay cheap.
    """
    count = len(vectors)
    for first in range(0, count, BLOCK_ROWS):
        listener(Progress("compare", first, count))
        similarity = vectors[first : first + BLOCK_ROWS] @ vectors[first:].T
        yield list(_best_partners(similarity, min_similarity, first))
    listener(Progress("compare", count, count))


def structure_hash(jpeg: bytes) -> NDArray[np.bool_]:
    """63 bits of a picture's coarse structure: which of the lowest frequencies of its grey values are above the median.

    The DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), without the
    constant term.
    """
    image = Image.open(io.BytesIO(jpeg))
    image.draft("L", (_SIDE * 2, _SIDE * 2))
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    low = (_COSINES @ grey @ _COSINES.T).ravel()[1:]
    bits: NDArray[np.bool_] = low > np.median(low)
    return bits


def _best_partners(
    similarity: NDArray[np.float32], min_similarity: float, first: int
) -> Iterator[tuple[int, int, float]]:
    similarity[np.tri(*similarity.shape, dtype=np.bool_)] = -2.0  # each pair once, and none with itself
    for row in np.flatnonzero((similarity >= min_similarity).any(axis=1)).tolist():
        partners = np.flatnonzero(similarity[row] >= min_similarity)
        if len(partners) > MAX_PARTNERS:
            partners = partners[np.argsort(-similarity[row, partners], kind="stable")[:MAX_PARTNERS]]
        for partner in partners.tolist():
            yield first + row, first + partner, min(float(similarity[row, partner]), 1.0)


def _pairs_of_equal_shape(
    pairs: list[tuple[int, int, float]], sizes: NDArray[np.int64]
) -> list[tuple[int, int, float]]:
    aspect = sizes[:, 0] / np.maximum(sizes[:, 1], 1)
    limit = np.log(MAX_ASPECT_RATIO)
    logs = np.log(np.maximum(aspect, 1e-9))
    return [(a, b, similarity) for a, b, similarity in pairs if abs(logs[a] - logs[b]) <= limit]


def _hash_thumbnails(
    ids: Sequence[str], load_thumbnails: ThumbnailLoader, listener: ProgressListener
) -> tuple[NDArray[np.bool_], list[int]]:
    """The structure hash of each thumbnail, and its size in bytes: a recompressed one has less detail, so fewer."""
    hashes, detail = np.zeros((len(ids), HASH_BITS), bool), [0] * len(ids)
    for first in range(0, len(ids), THUMBNAIL_BATCH):
        listener(Progress("look", first, len(ids)))
        batch = ids[first : first + THUMBNAIL_BATCH]
        thumbnails = load_thumbnails(batch)
        for row, asset_id in enumerate(batch, first):
            if asset_id in thumbnails:
                hashes[row], detail[row] = structure_hash(thumbnails[asset_id]), len(thumbnails[asset_id])
    return hashes, detail


def _group(
    duplicates: Mapping[int, Mapping[int, float]], ids: Sequence[str], best_first: Sequence[int]
) -> list[DuplicateGroup]:
    """Each picture in at most one group, with the best one that it is a near-duplicate of."""
    taken, groups = set[int](), list[DuplicateGroup]()
    for row in best_first:
        others = {other: similarity for other, similarity in duplicates[row].items() if other not in taken}
        if row in taken or not others:
            continue
        taken |= {row, *others}
        ranked = sorted(others.items(), key=lambda item: (-item[1], ids[item[0]]))
        groups.append(DuplicateGroup(ids[row], tuple((ids[other], similarity) for other, similarity in ranked)))
    return sorted(groups, key=lambda group: (-len(group.others), group.keep))
