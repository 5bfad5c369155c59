"""Text-to-image recall of the demo model, and of its teacher beside the same image tower.

    python data/models/build/measure.py --captions data/eval/demo-captions.jsonl --photos data/demo/photos \\
        --queries data/eval/demo-queries.jsonl

Each line of the captions file is ``{"file": ..., "caption": ...}``; every photo of the folder is searched, then only
those with a caption.  Each line of the queries file is ``{"query": ..., "kind": ..., "relevant": [file, ...]}``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]
from core.embedding.torchvision_schemas import declare_if_missing  # noqa: E402

declare_if_missing()

import open_clip  # noqa: E402
from PIL import Image  # noqa: E402
from teacher import Teacher  # noqa: E402
from torch.nn import functional  # noqa: E402

from core.embedding import demo_tower  # noqa: E402, F401  (registers the image tower)

MODEL = f"local-dir:{HERE.parent / 'demo'}"


def image_vectors(files: list[Path]) -> torch.Tensor:
    """Unit vectors of N photographs through open_clip: [N, D]."""
    model, preprocess = open_clip.create_model_from_pretrained(MODEL)
    model.eval()
    rows, began = [], time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(files), 16):
            batch = [preprocess(Image.open(file).convert("RGB")) for file in files[start : start + 16]]
            rows.append(model.encode_image(torch.stack(batch), normalize=True))
    print(f"{len(files) / (time.perf_counter() - began):.1f} images/s, decoding included")
    return torch.cat(rows)


def text_vectors(texts: list[str]) -> torch.Tensor:
    """Unit vectors of N texts through open_clip, one at a time as in a search: [N, D]."""
    model, _ = open_clip.create_model_from_pretrained(MODEL)
    tokenizer = open_clip.get_tokenizer(MODEL)
    model.eval()
    began = time.perf_counter()
    with torch.inference_mode():
        rows = [model.encode_text(tokenizer([text]), normalize=True) for text in texts]
    print(f"{1000 * (time.perf_counter() - began) / len(texts):.1f} ms per text")
    return torch.cat(rows)


def recalls(texts: torch.Tensor, images: torch.Tensor, expected: torch.Tensor) -> str:
    """Share of texts [N, D] whose own image (row ``expected`` [N] of [M, D]) is in the best 1, 5 and 10."""
    scores = texts @ images.T
    own = scores[torch.arange(len(texts)), expected][:, None]
    rank = (scores > own).sum(1)
    return "  ".join(f"R@{k} {(rank < k).float().mean():.3f}" for k in (1, 5, 10))


def report_queries(path: Path, files: list[Path], images: torch.Tensor) -> None:
    """Print which share of a query's relevant photographs is in the best ten, mean over the queries of each kind."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    best = (text_vectors([line["query"] for line in lines]) @ images.T).topk(10).indices.tolist()
    found: dict[str, list[float]] = {}
    for line, row in zip(lines, best, strict=True):
        hits = {files[i].name for i in row} & set(line["relevant"])
        for kind in ("all", line["kind"]):
            found.setdefault(kind, []).append(len(hits) / len(line["relevant"]))
    for kind, shares in found.items():
        print(f"{len(shares):4d} queries, {kind}: recall@10 {sum(shares) / len(shares):.3f}")


def main() -> None:
    """Print the recalls and the range of cosines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--queries", type=Path)
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.captions.read_text(encoding="utf-8").splitlines()]
    files = sorted(p for p in options.photos.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    rows = {file.name: i for i, file in enumerate(files)}
    expected = torch.tensor([rows[Path(line["file"]).name] for line in lines])
    captions = [line["caption"] for line in lines]
    images, student = image_vectors(files), text_vectors(captions)
    teacher = torch.from_numpy(Teacher().encode(captions)).float()
    print(f"{len(captions)} captions, {len(files)} photos")
    print("student ", recalls(student, images, expected))
    print("teacher ", recalls(teacher, images, expected))
    own, among = expected.unique(return_inverse=True)
    print(f"{len(captions)} captions, only their {len(own)} photos")
    print("student ", recalls(student, images[own], among))
    print("teacher ", recalls(teacher, images[own], among))
    print(f"cosine of student and teacher {functional.cosine_similarity(student, teacher).mean():.3f}")
    levels = torch.tensor([0.05, 0.5, 0.95])
    print("text-image cosines, 5/50/95%:", (student @ images.T).flatten().quantile(levels).numpy().round(3))
    print("own image cosines, 5/50/95%:", (student * images[expected]).sum(1).quantile(levels).numpy().round(3))
    print("image-image cosines, 5/50/95%:", (images @ images.T).flatten().quantile(levels).numpy().round(3))
    if options.queries:
        report_queries(options.queries, files, images)


if __name__ == "__main__":
    main()
