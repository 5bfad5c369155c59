"""Text side of the demo model: open_clip's text transformer, distilled from MiniLM's sentence vectors."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import open_clip
import torch
from open_clip.transformer import TextTransformer
from teacher import Teacher
from torch.nn import functional

START, END = 49406, 49407
Tokens = tuple[np.ndarray, np.ndarray]
Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast to train: passes over the texts, texts per step, peak rate, seed."""

    epochs: float = 3.0
    batch_size: int = 768
    peak_rate: float = 1.5e-3
    seed: int = 1


def tokenize(texts: list[str], context: int = 77) -> Tokens:
    """CLIP byte-pair tokens of N texts, back to back, and where each text starts: [sum T], [N + 1]."""
    tokenizer = open_clip.SimpleTokenizer()
    ids = [[START, *tokenizer.encode(text)[: context - 2], END] for text in texts]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
    return np.concatenate([np.array(row, np.uint16) for row in ids]), starts


def pad(tokens: Tokens, rows: np.ndarray) -> Batch:
    """Token ids [B, T] of some texts, cut at the longest, and the positions of their end tokens [B]."""
    flat, starts = tokens
    lengths = starts[rows + 1] - starts[rows]
    ids = np.zeros((len(rows), int(lengths.max())), np.int64)
    for i, row in enumerate(rows):
        ids[i, : lengths[i]] = flat[starts[row] : starts[row + 1]]
    return torch.from_numpy(ids), torch.from_numpy(lengths - 1)


def encode(text: TextTransformer, ids: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """The tower's own forward pass, except that the last block computes only the end token: -> [B, D].

    Causal attention makes this equal to the full pass over 77 positions.
    """
    x = text.token_embedding(ids) + text.positional_embedding[: ids.shape[1]]
    rows = torch.arange(len(ids))
    blocks = list(text.transformer.resblocks)
    for number, block in enumerate(blocks):
        attention = block.attn
        qkv = functional.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = (p.unflatten(-1, (text.heads, -1)).transpose(1, 2) for p in qkv.chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        if number == len(blocks) - 1:
            mixed, x = mixed[rows, ends], x[rows, ends]
        x = x + attention.out_proj(mixed)
        x = x + block.mlp(block.ln_2(x))
    return text.ln_final(x).float() @ text.text_projection


@torch.no_grad()
def init_as_bag_of_words(text: TextTransformer, teacher: Teacher) -> None:
    """Give each token its teacher vector (main directions) and let the first block average them."""
    tokenizer = open_clip.SimpleTokenizer()
    words = [tokenizer.decode([i]).strip() or "." for i in range(text.vocab_size)]
    vectors = torch.from_numpy(teacher.encode(words).astype(np.float32))
    centred = vectors - vectors.mean(0)
    basis = torch.linalg.eigh(centred.T @ centred)[1].flip(1)[:, : text.width]
    reduced = centred @ basis
    text.token_embedding.weight.copy_(reduced * (0.5 / reduced.std()))
    first, width = text.transformer.resblocks[0].attn, text.width
    first.in_proj_weight[: 2 * width].mul_(0.3)
    first.in_proj_weight[2 * width :].copy_(torch.eye(width))
    first.out_proj.weight.copy_(torch.eye(width) * 2.0)
    for block in list(text.transformer.resblocks)[1:]:
        block.attn.out_proj.weight.mul_(0.3)
        block.mlp.c_proj.weight.mul_(0.3)
    text.text_projection.copy_(basis.T / math.sqrt(width))


def batches(starts: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """One epoch of row numbers in batches of texts of similar length, batches in random order."""
    order = rng.permutation(len(starts) - 1)
    for pool in np.array_split(order, max(1, len(order) // (size * 40))):
        pool = pool[np.argsort(np.diff(starts)[pool], kind="stable")]
        parts = np.array_split(pool, max(1, round(len(pool) / size)))
        for i in rng.permutation(len(parts)):
            yield parts[i]


class DistillationLoss:
    """The distance of student vectors from the teacher's, mostly along the directions of image vectors."""

    def __init__(self, classes: torch.Tensor, weights: tuple[float, float] = (1.0, 0.5)) -> None:
        """``classes`` [1000, D] are the text vectors that image vectors are mixed from."""
        centred = classes - classes.mean(0)
        self.classes = functional.normalize(centred, dim=-1)
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
        self.root = root * (root.shape[0] ** 0.5 / root.norm())
        self.weights = weights

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """Cosine term + error along the class vectors + divergence of the class rankings."""
        student = functional.normalize(student, dim=-1)
        difference = student - teacher
        along = (difference @ self.root).square().sum(-1).mean()
        expected = functional.log_softmax(teacher @ self.classes.T / 0.05, dim=-1)
        actual = functional.log_softmax(student @ self.classes.T / 0.05, dim=-1)
        ranking = functional.kl_div(actual, expected, reduction="batchmean", log_target=True)
        return 2 * difference.square().sum(-1).mean() + self.weights[0] * along + self.weights[1] * ranking


def optimiser(text: TextTransformer, rate: float) -> torch.optim.Optimizer:
    """AdamW with weight decay on the transformer's matrices alone."""
    matrices = [p for n, p in text.transformer.named_parameters() if p.ndim > 1]
    chosen = {id(p) for p in matrices}
    others = [p for p in text.parameters() if id(p) not in chosen]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-8, fused=True)


def rate_share(step: int, total: int) -> float:
    """Share of the peak learning rate: a short warm-up, then half a cosine down to 1%."""
    return max(0.01, min(1.0, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / total))))


def training_step(
    text: TextTransformer,
    opt: torch.optim.Optimizer,
    loss_function: DistillationLoss,
    batch: Batch,
    targets: torch.Tensor,
) -> float:
    """One step of gradient descent on one batch; returns its loss."""
    with torch.autocast("cpu", torch.bfloat16):
        vectors = encode(text, *batch)
    loss = loss_function(vectors.float(), targets)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(text.parameters(), 1.0)
    opt.step()
    return float(loss.detach())


def train(
    text: TextTransformer,
    tokens: Tokens,
    targets: np.ndarray,
    loss_function: DistillationLoss,
    options: TrainingOptions,
) -> None:
    """Distil: ``targets`` [N, D] are the teacher's unit vectors of the N tokenised texts."""
    rng = np.random.default_rng(options.seed)
    opt = optimiser(text, options.peak_rate)
    total = int(options.epochs * len(targets) / options.batch_size)
    epochs = (batches(tokens[1], options.batch_size, rng) for _ in range(math.ceil(options.epochs) + 1))
    began = time.time()
    for step, rows in enumerate(islice(chain.from_iterable(epochs), total)):
        for group in opt.param_groups:
            group["lr"] = options.peak_rate * rate_share(step, total)
        loss = training_step(text, opt, loss_function, pad(tokens, rows), torch.from_numpy(targets[rows]).float())
        if step % 50 == 0:
            print(f"step {step}/{total}  loss {loss:.4f}  {time.time() - began:.0f} s", flush=True)
