"""Text encoding that stops at the end-of-text token, where a model's text tower allows it.

CLIP's text tower is causal and takes its result from the end-of-text token (Radford et al. 2021, section 2.4), so later
tokens cannot change the result. open_clip computes all 77 positions; truncating them gives the same vector in a
fraction of the time. Other kinds of towers use open_clip's own method.
"""

from __future__ import annotations

from typing import Any

import torch


class TextTower:
    """The text side of an open_clip model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._causal = _causal_tower(model)

    @property
    def stops_early(self) -> bool:
        """Whether the result can be computed from the tokens up to the end of the text alone."""
        return self._causal is not None

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, context) token ids to (n, d) vectors, not normalised."""
        if self._causal is None:
            vectors: torch.Tensor = self._model.encode_text(tokens)
            return vectors
        tower = self._causal
        ends = _end_positions(tower, tokens)
        length = int(ends.max()) + 1
        dtype = tower.transformer.get_cast_dtype()
        x = tower.token_embedding(tokens[:, :length]).to(dtype) + tower.positional_embedding[:length].to(dtype)
        x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
        x = tower.ln_final(x[torch.arange(len(x), device=x.device), ends])
        return _project(x, tower.text_projection)


def _causal_tower(model: Any) -> Any | None:
    """The module with embedding, transformer and projection, if it is causal and pooled at the end of the text."""
    tower = getattr(model, "text", model)
    required = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection", "attn_mask")
    if not all(hasattr(tower, name) for name in required) or tower.attn_mask is None:
        return None
    if _pool_type(tower) not in ("argmax", "eos") or getattr(tower, "cls_emb", None) is not None:
        return None
    above_diagonal = torch.ones_like(tower.attn_mask, dtype=torch.bool).triu(1)
    causal = bool(torch.isneginf(tower.attn_mask[above_diagonal]).all())
    return tower if causal else None


def _pool_type(tower: Any) -> str:
    return str(getattr(tower, "text_pool_type", getattr(tower, "pool_type", "")))


def _end_positions(tower: Any, tokens: torch.Tensor) -> torch.Tensor:
    if _pool_type(tower) == "argmax":
        return tokens.argmax(dim=-1)
    end = int(getattr(tower, "text_eos_id", getattr(tower, "eos_id", -1)))
    return tokens.eq(end).int().argmax(dim=-1)


def _project(x: torch.Tensor, projection: Any) -> torch.Tensor:
    if projection is None:
        return x
    projected: torch.Tensor = projection(x) if isinstance(projection, torch.nn.Linear) else x @ projection
    return projected
