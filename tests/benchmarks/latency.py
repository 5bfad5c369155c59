"""The latency snapshot: loading a model, encoding batches of pictures and of texts, per item, and memory.

Every model has a process of its own, so that its memory is its own.

`make bench NAME=latency`, or `python -m tests.benchmarks.latency --json`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import numpy as np

from core.embedding.model_source import BUNDLED
from core.ingest.sources import demo
from core.metrics.machine import read_machine
from tests.benchmarks.measure import Timing, peak_memory_gb, timed

IMAGES, TEXTS, REPEATS = 16, 48, 20
QUERIES = ("a red flower", "two dogs playing on a beach", "an old stone bridge over a quiet river in autumn light")


@dataclass(frozen=True)
class ModelLatency:
    """One model: seconds to load, milliseconds of batches (median and 95th percentile) and of one item, megabytes."""

    model: str
    dimension: int
    load_s: float
    files: Timing
    tensors: Timing
    texts: Timing
    one_text: Timing
    before_mb: float | None
    loaded_mb: float | None
    peak_mb: float

    @property
    def per_item_ms(self) -> dict[str, float]:
        """Medians: a picture from its file, one prepared, a text of a batch, a text alone."""
        return {
            "file": self.files.p50_ms / IMAGES,
            "tensor": self.tensors.p50_ms / IMAGES,
            "text": self.texts.p50_ms / TEXTS,
            "one text": self.one_text.p50_ms,
        }


def measure_model(label: str, name: str) -> ModelLatency:
    """Load and time one model in this process."""
    from core.embedding import images
    from core.embedding.models import open_clip
    from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder

    open_clip()  # importing it is not loading a model
    before, began = read_machine(Path()), time.perf_counter()
    encoder = OpenClipEncoder(name, EncoderOptions(batch_size=IMAGES))
    load_s, loaded = time.perf_counter() - began, read_machine(Path())
    photographs, new = demo.photographs()[:IMAGES], count()
    pixels = np.stack([encoder.preprocess(images.load(path)) for path in photographs])

    def texts(many: int) -> list[str]:  # a number in every text, so that none is answered from the cache
        return [f"{QUERIES[i % len(QUERIES)]} {next(new)}" for i in range(many)]

    return ModelLatency(
        label,
        encoder.card.dimension,
        load_s,
        timed("files", lambda _: encoder.encode_images(photographs), REPEATS, warmup=2),
        timed("tensors", lambda _: encoder.encode_pixels(pixels), REPEATS, warmup=2),
        timed("texts", lambda _: encoder.encode_texts(texts(TEXTS)), REPEATS, warmup=2),
        timed("one text", lambda _: encoder.encode_texts(texts(1)), 3 * REPEATS, warmup=2),
        megabytes(before.process_bytes),
        megabytes(loaded.process_bytes),
        peak_memory_gb() * 1000,
    )


def megabytes(size: int | None) -> float | None:
    return None if size is None else size / 1e6


def write_random_vit_b_32(folder: Path) -> str:
    """Its name for a process that did not make it."""
    from tests.benchmarks.encode import random_vit_b_32

    return random_vit_b_32(folder)


def show(found: ModelLatency) -> None:
    print(f"\n{found.model}: {found.dimension}-d, loaded in {found.load_s:.1f} s")
    print(f"{'':<34}{'p50 ms':>10}{'p95 ms':>10}{'per item':>10}")
    rows = (
        (f"{IMAGES} demo files", found.files, "file"),
        (f"{IMAGES} prepared tensors", found.tensors, "tensor"),
        (f"{TEXTS} texts", found.texts, "text"),
        ("one text", found.one_text, "one text"),
    )
    for name, timing, item in rows:
        print(f"{name:<34}{timing.p50_ms:>10.1f}{timing.p95_ms:>10.1f}{found.per_item_ms[item]:>10.2f}")
    loaded = ""
    if found.before_mb is not None and found.loaded_mb is not None:
        loaded = f"{found.before_mb:.0f} MB before, {found.loaded_mb - found.before_mb:+.0f} MB for the model, "
    print(f"memory: {loaded}at most {found.peak_mb:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as temporary, spawn.Pool(1, maxtasksperchild=1) as pool:
        random = pool.apply(write_random_vit_b_32, (Path(temporary),))
        models = [("bundled model", BUNDLED), ("ViT-B-32 (random weights)", random)]
        found = [pool.apply(measure_model, model) for model in models]
    if options.json:
        rows = [{**asdict(one), "per_item_ms": one.per_item_ms} for one in found]
        print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "models": rows}))
        return
    for one in found:
        show(one)


if __name__ == "__main__":
    main()
