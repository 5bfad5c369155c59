"""Pictures that a collection holds more than once: the same scene in another size, compression, cut or tone.

Two pictures are near-identical where the model says so (cosine similarity) and their thumbnails do (a hash of coarse
structure): the model alone takes two shots of one motif for the same picture, the hash alone two plain skies.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.records.jobs import Progress, ProgressListener, ignore

COSINE = 0.90
HASH_BITS = 63
MOST_DIFFERENT_BITS = 12
MOST_ASPECT = 1.05
# So many rows are compared with all others at once, and so many likenesses of each are looked at.
BLOCK, MOST_LIKENESSES = 512, 32
_SIDE, _LOW = 32, 8
Thumbnails = Callable[[Sequence[str]], Mapping[str, bytes]]
THUMBNAILS_AT_ONCE = 256


@dataclass(frozen=True)
class Group:
    """Pictures that show the same: the one to keep, and the others, each with its cosine similarity to it.

    To keep is the one with the most pixels; of equals the one with more detail.
    """

    keep: str
    others: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Duplicates:
    """What is there more than once: groups of near-identical pictures, and the files of assets seen at several places.

    `copies` are the places of each such asset by its id. Its bytes are stored and shown once.
    """

    groups: tuple[Group, ...]
    copies: Mapping[str, tuple[str, ...]]


def near_identical(
    ids: Sequence[str],
    vectors: NDArray[np.float32],
    sizes: NDArray[np.int64],
    thumbnails: Thumbnails,
    cosine: float = COSINE,
    listener: ProgressListener = ignore,
) -> list[Group]:
    """Group near-identical pictures; the groups with the most pictures first.

    `vectors` is (n, d) float32 of unit length, `sizes` (n, 2) width and height in pixels, `thumbnails` gives JPEGs by
    id. Every picture of a group is near-identical to the one that is kept, not merely to another of the group.
    """
    pairs = [pair for part in alike(vectors, cosine, listener) for pair in _same_shape(part, sizes)]
    rows = sorted({row for a, b, _ in pairs for row in (a, b)})
    hashes, detail = _looked_at([ids[row] for row in rows], thumbnails, listener)
    place = {row: number for number, row in enumerate(rows)}
    same: dict[int, dict[int, float]] = {}
    for a, b, similarity in pairs:
        if np.count_nonzero(hashes[place[a]] != hashes[place[b]]) <= MOST_DIFFERENT_BITS:
            same.setdefault(a, {})[b] = same.setdefault(b, {})[a] = similarity
    order = {row: (-int(sizes[row].prod()), -detail[place[row]], ids[row]) for row in same}
    return _groups(same, ids, sorted(same, key=order.__getitem__))


def alike(
    vectors: NDArray[np.float32], cosine: float, listener: ProgressListener = ignore
) -> Iterator[list[tuple[int, int, float]]]:
    """Pairs of rows (a < b) with at least this cosine similarity, block by block; exact, in bounded memory.

    Of a row's partners the most similar 32 are given, so that a thousand copies of one picture stay a small matter.
    """
    count = len(vectors)
    for first in range(0, count, BLOCK):
        listener(Progress("compare", first, count))
        similarity = vectors[first : first + BLOCK] @ vectors[first:].T
        yield list(_best(similarity, cosine, first))
    listener(Progress("compare", count, count))


def _best(similarity: NDArray[np.float32], cosine: float, first: int) -> Iterator[tuple[int, int, float]]:
    similarity[np.tri(*similarity.shape, dtype=np.bool_)] = -2.0  # each pair once, and none with itself
    for row in np.flatnonzero((similarity >= cosine).any(axis=1)).tolist():
        partners = np.flatnonzero(similarity[row] >= cosine)
        if len(partners) > MOST_LIKENESSES:
            partners = partners[np.argsort(-similarity[row, partners], kind="stable")[:MOST_LIKENESSES]]
        for partner in partners.tolist():
            yield first + row, first + partner, min(float(similarity[row, partner]), 1.0)


def _same_shape(pairs: list[tuple[int, int, float]], sizes: NDArray[np.int64]) -> list[tuple[int, int, float]]:
    aspect = sizes[:, 0] / np.maximum(sizes[:, 1], 1)
    limit = np.log(MOST_ASPECT)
    logs = np.log(np.maximum(aspect, 1e-9))
    return [(a, b, s) for a, b, s in pairs if abs(logs[a] - logs[b]) <= limit]


def _looked_at(
    ids: Sequence[str], thumbnails: Thumbnails, listener: ProgressListener
) -> tuple[NDArray[np.bool_], list[int]]:
    """The structure of each thumbnail, and its bytes: a recompressed picture's has less detail, hence fewer."""
    hashes, detail = np.zeros((len(ids), HASH_BITS), bool), [0] * len(ids)
    for first in range(0, len(ids), THUMBNAILS_AT_ONCE):
        listener(Progress("look", first, len(ids)))
        some = ids[first : first + THUMBNAILS_AT_ONCE]
        found = thumbnails(some)
        for row, asset_id in enumerate(some, first):
            if asset_id in found:
                hashes[row], detail[row] = structure(found[asset_id]), len(found[asset_id])
    return hashes, detail


def structure(jpeg: bytes) -> NDArray[np.bool_]:
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


_COSINES = np.cos(np.pi * (2 * np.arange(_SIDE) + 1) * np.arange(_LOW)[:, None] / (2 * _SIDE)).astype(np.float32)


def _groups(same: Mapping[int, Mapping[int, float]], ids: Sequence[str], best_first: Sequence[int]) -> list[Group]:
    """Each picture in at most one group, with the best that it is near-identical to."""
    taken, groups = set[int](), list[Group]()
    for row in best_first:
        others = {other: s for other, s in same[row].items() if other not in taken}
        if row in taken or not others:
            continue
        taken |= {row, *others}
        ranked = sorted(others.items(), key=lambda item: (-item[1], ids[item[0]]))
        groups.append(Group(ids[row], tuple((ids[other], similarity) for other, similarity in ranked)))
    return sorted(groups, key=lambda group: (-len(group.others), group.keep))
