"""A large planted collection whose dendrogram and map are known without computing them.

Its pictures form groups of uneven size in blocks of 25,000 whose vectors have no direction in common, so that the
dendrogram of all follows from that of one block.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.app import App
from core.clusters.tree.linkage import average_linkage
from core.records.assets import Asset, Location, utc_now
from core.records.descriptions import Description
from core.store.lance.collections import Collections
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.map_files import MapFiles, StoredMap

BLOCK, BLOCK_DIMENSION, DIMENSION = 25_000, 48, 384
WRITE_BATCH = 20_000


def create_planted_collection(app: App, name: str, n: int) -> None:
    """Create a collection of `n` planted pictures with its dendrogram and map."""
    blocks, size = -(-n // BLOCK), min(n, BLOCK)
    block_vectors = planted_block(size)
    vectors, coordinates = np.zeros((n, DIMENSION), np.float32), np.empty((n, 2), np.float32)
    flat = block_vectors @ np.random.default_rng(1).standard_normal((BLOCK_DIMENSION, 2)).astype(np.float32)
    for block in range(blocks):
        rows = slice(block * size, (block + 1) * size)
        vectors[rows, block * BLOCK_DIMENSION : (block + 1) * BLOCK_DIMENSION] = block_vectors
        coordinates[rows] = flat + 12 * np.array([block % 3, block // 3], np.float32)
    ids = tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in range(n))
    add_pictures(app, name, ids, vectors)
    version, data = app.version(name), app.settings.data
    z = block_linkage(average_linkage(block_vectors).z, size, blocks)
    LinkageFiles(data / "linkages" / name).put(version, ids, z)
    MapFiles(data / "maps" / name).put(StoredMap(version, ids, coordinates, np.ones(n, bool), 0))


def planted_block(n: int) -> NDArray[np.float32]:
    """Rows (n, 48) of unit length: groups of very uneven size and width around 30 directions."""
    rng = np.random.default_rng(0)
    count = max(2, n // 20)
    themes = rng.standard_normal((30, BLOCK_DIMENSION)) + 0.8
    centres = themes[rng.integers(0, 30, count)] + 0.6 * rng.standard_normal((count, BLOCK_DIMENSION))
    weights = rng.pareto(1.2, count) + 0.2
    group = rng.choice(count, n, p=weights / weights.sum())
    spread = rng.uniform(0.2, 0.9, (count, 1))
    rows = centres[group] + spread[group] * rng.standard_normal((n, BLOCK_DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def add_pictures(app: App, name: str, ids: tuple[str, ...], vectors: NDArray[np.float32]) -> None:
    table = Collections(app.settings.data / "collections").create(name, app.encoder.card)
    jpeg, now = thumbnail(), utc_now()
    for start in range(0, len(ids), WRITE_BATCH):
        batch = range(start, min(start + WRITE_BATCH, len(ids)))
        assets = [
            Asset(ids[i], (Location(f"/planted/{i}.jpg", name),), Description(title=f"Picture {i}"), 400, 300, now)
            for i in batch
        ]
        table.add(assets, [jpeg] * len(batch), vectors[start : start + WRITE_BATCH])


def thumbnail() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (160, 120), (90, 120, 150)).save(data, "JPEG")
    return data.getvalue()


def block_linkage(z: NDArray[np.float64], n: int, blocks: int) -> NDArray[np.float64]:
    """The dendrogram of `blocks` orthogonal copies of `n` rows with the dendrogram `z`."""
    assert z[:, 2].max() < 1, "rows of one block are less similar than rows of two"
    total, merges = n * blocks, []
    for block in range(blocks):
        own = z.copy()
        nodes = own[:, :2]
        own[:, :2] = np.where(nodes < n, nodes + block * n, total + (nodes - n) * blocks + block)
        merges.append(own)
    within = np.stack(merges, axis=1).reshape(-1, 4)  # merge i of block b is merge i * blocks + b of all
    roots, across = total + (n - 2) * blocks + np.arange(blocks), []
    last, size = roots[0], n
    for number, root in enumerate(roots[1:]):
        size += n
        across.append([min(last, root), max(last, root), 1.0, size])
        last = total + len(within) + number
    return np.vstack([within, np.array(across).reshape(-1, 4)])
