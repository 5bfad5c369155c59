"""Ingest against encoding prepared tensors alone, in one run: demo-sized files, then 12-megapixel JPEGs.

`make bench NAME=ingest`
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from core.app import App, open_app
from core.embedding import images
from core.ingest.sources import demo
from core.settings import Settings
from tests.benchmarks.measure import peak_memory_gb, record_ratio

BUDGET_SHARE = 0.90
LARGE = 24


def prepared_rate(app: App, paths: list[Path]) -> float:
    """Images per second of the encoder alone, over tensors prepared in advance."""
    encoder = app.encoder
    pixels = np.stack([encoder.preprocess(images.load(path)) for path in paths])
    encoder.encode_pixels(pixels[: encoder.batch_size])
    start = time.perf_counter()
    for first in range(0, len(pixels), encoder.batch_size):
        encoder.encode_pixels(pixels[first : first + encoder.batch_size])
    return len(pixels) / (time.perf_counter() - start)


def large_files(folder: Path) -> list[Path]:
    """4,000 x 3,000 pixel JPEGs with the detail of photographs, created by enlarging the demo set."""
    folder.mkdir()
    for number, path in enumerate(demo.photographs()[:LARGE]):
        with Image.open(path) as photograph:
            photograph.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(
                folder / f"{number:02}.jpg", quality=92
            )
    return sorted(folder.iterdir())


def agreement(app: App, paths: list[Path]) -> float:
    """The lowest cosine between vectors of pictures decoded at full and at reduced scale."""
    full = [app.encoder.preprocess(images.decode(path.read_bytes())) for path in paths]
    return float((app.encoder.encode_pixels(np.stack(full)) * app.encoder.encode_images(paths)).sum(axis=1).min())


def run(label: str, app: App, folder: Path, paths: list[Path], collection: str) -> float:
    before = prepared_rate(app, paths)
    report = app.ingest(folder, collection)
    after = prepared_rate(app, paths)
    alone = (before + after) / 2
    share = report.images_per_s / alone
    record_ratio(f"ingest ÷ encoding alone, {label}, images/s", share)
    print(
        f"{label}: {report.images_per_s:.1f} images/s ingested, {alone:.1f} encoded from prepared tensors: {share:.0%}"
    )
    return share


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(data=Path(temporary) / "data", model="bundled", model_is_explicit=True)
        own = open_app(settings)
        reached = run("demo-sized files", own, demo.PHOTOS, demo.photographs(), "small")
        print(f"peak memory with the model: {peak_memory_gb():.2f} GB")
        large = large_files(Path(temporary) / "large")
        run("12-megapixel JPEGs", own, Path(temporary) / "large", large, "large")
        print(f"lowest cosine to the vector of the picture decoded at full scale: {agreement(own, large):.5f}")
        print(f"peak memory with the model: {peak_memory_gb():.2f} GB")
    print(f"{'MET   ' if reached >= BUDGET_SHARE else 'MISSED'}  ingest: {reached:.0%} of the encoder (budget 90 %)")
    raise SystemExit(0 if reached >= BUDGET_SHARE else 1)
