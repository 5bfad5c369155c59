"""Reduced precision: time of one query, images per second, and agreement with float32, in one run.

`make bench NAME=precision`
"""

from __future__ import annotations

import json
import tempfile
from itertools import count
from pathlib import Path

import numpy as np

from core.embedding import images
from core.embedding.model_source import BUNDLED
from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder
from core.ingest.sources import demo
from core.settings import PROJECT
from tests.benchmarks.encode import per_second, random_vit_b_32
from tests.benchmarks.measure import timed, verdict

PRECISIONS = ("float32", "bfloat16", "int8")
BUDGET_P95_MS, BUDGET_AGREEMENT = 20.0, 0.999


def queries() -> list[str]:
    lines = (PROJECT / "data" / "eval" / "demo-queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["query"] for line in lines]


def run(label: str, name: str) -> bool:
    """Print a row per precision; returns whether one that agrees with float32 meets the query budget."""
    texts, photographs, new = queries(), demo.photographs()[:32], count()
    reference = OpenClipEncoder(name)
    pixels = np.stack([reference.preprocess(images.load(path)) for path in photographs])
    exact_texts, exact_pictures = reference.encode_texts(texts), reference.encode_pixels(pixels)
    met = False
    print(f"\n{label:<28}{'query p50 ms':>14}{'p95 ms':>9}{'text cosine':>13}{'images/s':>10}{'image cosine':>14}")
    for precision in PRECISIONS:
        encoder = reference if precision == "float32" else OpenClipEncoder(name, EncoderOptions(precision=precision))
        one = timed(precision, lambda i, e=encoder: e.encode_texts([f"{texts[i % len(texts)]} {next(new)}"]), 100)
        rate = per_second(lambda e=encoder: len(e.encode_pixels(pixels[:16])))
        text_cosine = (encoder._encode_texts(texts) * exact_texts).sum(1).min()
        image_cosine = (encoder.encode_pixels(pixels) * exact_pictures).sum(1).min()
        row = f"  {precision:<26}{one.p50_ms:>14.1f}{one.p95_ms:>9.1f}{text_cosine:>13.5f}"
        print(f"{row}{rate:>10.1f}{image_cosine:>14.5f}")
        if text_cosine >= BUDGET_AGREEMENT:
            met |= verdict(f"{label}, one query in {precision}", one.p95_ms, BUDGET_P95_MS, "ms")
        if precision == "float32":
            whole = np.concatenate([full_path(encoder, text) for text in texts[:16]])
            agreement = (whole * exact_texts[:16]).sum(1).min()
            print(f"          stopping at the end of the text: cosine to all 77 positions {agreement:.7f}")
            if agreement < BUDGET_AGREEMENT:
                return False
    return met


def full_path(encoder: OpenClipEncoder, text: str) -> np.ndarray:
    """The vector that open_clip itself computes over the full context."""
    import torch

    with torch.inference_mode():
        return encoder._model.encode_text(encoder._tokenizer([text]), normalize=True).numpy()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        results = [run("bundled model", BUNDLED), run("ViT-B-32 (random weights)", random_vit_b_32(Path(temporary)))]
    raise SystemExit(0 if all(results) else 1)
