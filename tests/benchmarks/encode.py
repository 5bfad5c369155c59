"""Images and texts per second, and memory: the bundled model, and ViT-B/32 with random weights, on every device.

`make bench NAME=encode`
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch

from core.embedding import images, models
from core.embedding.model_source import BUNDLED
from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder
from core.ingest.sources import demo
from tests.benchmarks.measure import peak_memory_gb, timed

QUERIES = ["a red flower", "two dogs playing on a beach", "an old stone bridge over a quiet river in autumn light"]


def devices() -> list[str]:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [device for device, present in available.items() if present]


def per_second(call: Callable[[], int]) -> float:
    call()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < 5:
        done += call()
    return done / (time.perf_counter() - start)


def random_vit_b_32(folder: Path) -> str:
    """ViT-B/32 as new collections use it, with random weights: speed does not depend on their values."""
    torch.manual_seed(0)
    checkpoint = folder / "random.pt"
    torch.save(models.open_clip().create_model("ViT-B-32").state_dict(), checkpoint)
    return f"ViT-B-32/{checkpoint}"


def run(label: str, name: str, device: str) -> None:
    start = time.perf_counter()
    encoder = OpenClipEncoder(name, EncoderOptions(device=device))
    load_s = time.perf_counter() - start
    photographs = demo.photographs()[:32]
    first = [encoder.preprocess(images.load(path)) for path in photographs[: encoder.batch_size]]
    pixels = np.stack(first)
    tensors = per_second(lambda: len(encoder.encode_pixels(pixels)))
    files = per_second(lambda: len(encoder.encode_images(photographs)))
    new = count()  # a number in every text, so that none is answered from the cache
    one = timed("", lambda i: encoder.encode_texts([f"{QUERIES[i % 3]} {next(new)}"]), 60)
    many = per_second(lambda: len(encoder.encode_texts([f"{query} {next(new)}" for query in QUERIES * 16])))
    print(f"\n{label} on {device}: {encoder.card.dimension}-d, loaded in {load_s:.1f} s")
    print(f"  images: {tensors:7.1f} /s from prepared tensors, {files:7.1f} /s from demo files ({files / tensors:.0%})")
    print(f"  text:   one query p50 {one.p50_ms:.1f} ms, p95 {one.p95_ms:.1f} ms; {many:.0f} /s in batches")
    print(f"  memory: peak {peak_memory_gb():.2f} GB so far in this process")


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as temporary:
        for each in devices():
            run("bundled model", BUNDLED, each)
            run("ViT-B-32 (random weights)", random_vit_b_32(Path(temporary)), each)
