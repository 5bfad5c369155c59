"""Near-identical pictures in 25,000: seconds and memory; and how well altered photographs are told from other ones.

`make bench NAME=duplicates`. The vectors of the timing are random, a hundred of them twice; the figures of recognition
are of the demo photographs with the bundled model: every photograph in six altered versions, and all true pairs.
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageEnhance

from core.access import OPERATOR
from core.app import DEMO, open_app
from core.embedding import images
from core.search.duplicates import MAX_ASPECT_RATIO, MAX_HASH_DISTANCE, MIN_SIMILARITY, similar_pairs, structure_hash
from core.settings import Settings

PICTURES, DIMENSION, TWICE = 25_000, 512, 100
Change = Callable[[Image.Image], Image.Image]


def recompressed(quality: int) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality)
        return Image.open(data).convert("RGB")

    return change


def cropped(share: float) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        x, y = int(picture.width * share / 2), int(picture.height * share / 2)
        return picture.crop((x, y, picture.width - x, picture.height - y))

    return change


CHANGES: dict[str, Change] = {
    "half the size": lambda p: p.resize((max(p.width // 2, 1), max(p.height // 2, 1)), Image.Resampling.LANCZOS),
    "quality 40": recompressed(40),
    "quality 15": recompressed(15),
    "cropped 2 %": cropped(0.02),
    "cropped 4 %": cropped(0.04),
    "colours": lambda p: ImageEnhance.Color(ImageEnhance.Brightness(p).enhance(1.06)).enhance(1.12),
    "cropped 10 %": cropped(0.10),
}


def speed() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(PICTURES, DIMENSION)).astype(np.float32)
    vectors[-TWICE:] = vectors[:TWICE]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    pairs = sum(len(part) for part in similar_pairs(vectors, MIN_SIMILARITY))
    seconds = time.perf_counter() - began
    more_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{PICTURES:,} x {DIMENSION}: {pairs} pairs in {seconds:.1f} s, {more_mb:.0f} MB more than the vectors")
    thumbnail = images.thumbnail(Image.effect_noise((384, 288), 90).convert("RGB"))
    began = time.perf_counter()
    for _ in range(500):
        structure_hash(thumbnail)
    print(f"structure of a 384 px thumbnail: {(time.perf_counter() - began) * 2:.2f} ms")


def recognition() -> None:
    with TemporaryDirectory() as folder:
        app = open_app(Settings(data=Path(folder) / "data", model="bundled", model_is_explicit=True))
        app.ensure_demo()
        encoder = app.encoders.get("bundled")
        ids = sorted(app.titles(DEMO))
        found = [app.original(hit.asset) for hit in app.pictures(DEMO, ids)]
        pictures = [images.decode(original[1]) for original in found if original]
        began = time.perf_counter()
        groups = app.searches.duplicates(OPERATOR, DEMO).groups
        print(f"demo: {len(groups)} groups in {len(ids)} pictures, {time.perf_counter() - began:.1f} s")

    def seen(shown: list[Image.Image]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pixels = [encoder.preprocess(picture) for picture in shown]
        vectors = [encoder.encode_pixels(np.stack(pixels[at : at + 32])) for at in range(0, len(pixels), 32)]
        hashes = np.array([structure_hash(images.thumbnail(picture)) for picture in shown])
        return np.concatenate(vectors), hashes, np.log([picture.width / picture.height for picture in shown])

    vectors, hashes, shapes = seen(pictures)
    a, b = np.triu_indices(len(pictures), 1)
    cosine = np.einsum("ij,ij->i", vectors[a], vectors[b])
    said = (cosine >= MIN_SIMILARITY) & (np.abs(shapes[a] - shapes[b]) <= np.log(MAX_ASPECT_RATIO))
    wrong = said & ((hashes[a] != hashes[b]).sum(1) <= MAX_HASH_DISTANCE)
    print(f"pairs of different photographs: {len(a):,}, of which {said.sum()} pass the model, {wrong.sum()} all three")
    right = total = 0
    for name, change in CHANGES.items():
        other, bits, shape = seen([change(picture) for picture in pictures])
        hit = ((vectors * other).sum(1) >= MIN_SIMILARITY) & ((hashes != bits).sum(1) <= MAX_HASH_DISTANCE)
        hit &= np.abs(shapes - shape) <= np.log(MAX_ASPECT_RATIO)
        print(f"{name:<14} recall {hit.mean():.3f}")
        if name != "cropped 10 %":
            right, total = right + int(hit.sum()), total + len(hit)
    precision = right / (right + int(wrong.sum()))
    print(f"the six up to 4 %: recall {right / total:.4f} of {total:,}, precision {precision:.4f}")


if __name__ == "__main__":
    speed()
    recognition()
