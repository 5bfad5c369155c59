"""The most similar clusters for each cluster, by blocked matrix products in a precision that may be low.

A search returns a short list and an upper bound, derived from the rounding errors of its precision, on the similarity
of every cluster that is not in the list. Similarities within the list are then computed in float64. If the best of a
list reaches the bound, it is the nearest of all, however coarse the product that found it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LIST_LENGTH = 16
GROUP_SIZE = 64
PAIRS_BYTES = 1 << 20  # small enough for a CPU cache
ROUNDING_BLOCK = 2048
PRODUCT_BYTES = {"cpu": 64 << 20}
DEFAULT_PRODUCT_BYTES = 1 << 30

_STORAGE = {torch.bfloat16: np.uint16, torch.float32: np.float32}

Means = NDArray[np.float64]
Rows = NDArray[np.int64]


def similarities(means: Means, rows: Rows, others: Rows) -> NDArray[np.float64]:
    """The average cosine of each of `rows` (r,) with each of its `others` (r, k), as (r, k) float64.

    `means` is (m, d) float64. A list slot that holds the row itself is empty: its similarity is -inf.
    """
    result = np.empty(others.shape)
    step = max(1, PAIRS_BYTES // (others.shape[1] * means[0].nbytes))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        np.einsum("rkd,rd->rk", means[others[block]], means[rows[block]], out=result[block])
    result[others == rows[:, None]] = -np.inf
    return result


def shortlists(means: Means, device: torch.device) -> list[NearestShortlist]:
    """Searches from the fastest to the exact one: bfloat16 if `device` multiplies it faster than float32; float32
    unless torch is set to compute it in a lower precision; float64."""
    bfloat16_is_fast = device.type != "cpu" or any(
        torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")
    )
    float32_is_exact = torch.get_float32_matmul_precision() == "highest"
    precisions = [torch.bfloat16] * bfloat16_is_fast + [torch.float32] * float32_is_exact + [torch.float64]
    return [NearestShortlist(means, precision, device) for precision in precisions]


class NearestShortlist:
    """Nearest-cluster search over means (m, d) rounded to one precision, on one device."""

    def __init__(self, means: Means, precision: torch.dtype, device: torch.device) -> None:
        """`means` is float64, with norms of at most 1; call `refresh` for rows that change."""
        self._means, self.precision, self._device = means, precision, device
        self._rounded = np.empty(means.shape, _STORAGE[precision]) if precision in _STORAGE else means
        self._errors, self._buffer = np.zeros(len(means)), torch.empty(0, dtype=precision, device=device)
        for start in range(0, len(means), ROUNDING_BLOCK):
            self.refresh(np.arange(start, min(start + ROUNDING_BLOCK, len(means))))

    def refresh(self, rows: Rows) -> None:
        """Round the means of `rows` again, after they have changed."""
        if self._rounded is self._means:
            return
        exact = self._means[rows]
        if self.precision == torch.bfloat16:
            self._rounded[rows] = _to_bfloat16_bits(exact.astype(np.float32))
            exact -= (self._rounded[rows].astype(np.uint32) << 16).view(np.float32)
        else:
            self._rounded[rows] = exact
            exact -= self._rounded[rows]
        self._errors[rows] = _norms(exact)

    def nearest(self, rows: Rows, alive: Rows, on_block: Callable[[], None]) -> tuple[Rows, NDArray[np.float64]]:
        """The `LIST_LENGTH` clusters of `alive` (a,), ascending, most similar to each of `rows` (r,), as far as the
        precision can tell: lists (r, LIST_LENGTH) int64, with the row itself in empty slots, and upper bounds (r,)
        float64 for all others. `on_block` is called before every product."""
        padding = -len(alive) % GROUP_SIZE
        targets = self._tensor(np.append(alive, alive[:1].repeat(padding)))
        lists, bounds = np.empty((len(rows), LIST_LENGTH), np.int64), np.empty(len(rows))
        own_columns, largest_error = np.searchsorted(alive, rows), self._errors[alive].max()
        step = _rows_per_product(targets)
        product = self._product(min(step, len(rows)), len(targets))
        for start in range(0, len(rows), step):
            on_block()
            part = slice(start, start + step)
            queries = self._tensor(rows[part])
            block = torch.mm(queries, targets.T, out=product[: len(queries)])
            block[:, len(alive) :] = -torch.inf
            block[torch.arange(len(block)), torch.from_numpy(own_columns[part])] = -torch.inf
            columns, largest_omitted = _largest(block)
            lists[part] = np.where(columns < len(alive), alive[np.minimum(columns, len(alive) - 1)], rows[part, None])
            bounds[part] = self._bounds(rows[part], largest_omitted, largest_error)
        return lists, bounds

    def _product(self, rows: int, columns: int) -> Tensor:
        """A buffer (rows, columns) for a product, in the same memory as before if it fits: new pages cost time."""
        if self._buffer.numel() < rows * columns:
            self._buffer = self._buffer.new_empty(rows * columns)
        return self._buffer[: rows * columns].view(rows, columns)

    def _tensor(self, rows: Rows) -> Tensor:
        return torch.from_numpy(self._rounded[rows]).view(self.precision).to(self._device)

    def _bounds(self, rows: Rows, largest_omitted: NDArray[np.float64], largest_error: float) -> NDArray[np.float64]:
        """Upper bounds (r,) on the exact similarity of products of at most `largest_omitted` (r,).

        With x', y' the rounded means, |x·y - x'·y'| ≤ |x - x'||y| + |x'||y - y'|. A sum of d products errs by at most
        d·u|x'||y'| (u is float32's unit roundoff for bfloat16 too: its products are summed in float32), and rounding
        the sum to the precision by half the distance between two numbers of its size.
        """
        precision, sums = torch.finfo(self.precision), torch.finfo(torch.promote_types(self.precision, torch.float32))
        norms, errors = _norms(self._means[rows]), self._errors[rows]
        slack = errors + (norms + errors) * (largest_error + 1.01 * self._means.shape[1] * sums.eps / 2)
        products = np.maximum(largest_omitted, -2.0)  # below any similarity, for rows whose list has everything
        bounds: NDArray[np.float64] = products + slack + np.ldexp(precision.eps / 4, np.frexp(products)[1])
        return bounds


def _norms(rows: Means) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.sqrt(np.einsum("rd,rd->r", rows, rows))
    return norms


def _to_bfloat16_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """`values` rounded to the nearest bfloat16, ties to even, as bits."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _rows_per_product(targets: Tensor) -> int:
    max_bytes = PRODUCT_BYTES.get(targets.device.type, DEFAULT_PRODUCT_BYTES)
    return max(GROUP_SIZE, max_bytes // (len(targets) * targets.element_size()))


def _largest(block: Tensor) -> tuple[Rows, NDArray[np.float64]]:
    """The columns of the `LIST_LENGTH` largest values of each row of `block`, and the largest value omitted.

    The k largest values are in the k groups of columns with the largest maxima, which is faster than sorting all.
    Column c belongs to group c modulo the number of groups, which suits a single pass over memory.
    """
    groups = block.shape[1] // GROUP_SIZE
    if groups <= 2 * LIST_LENGTH:
        values, columns = block.topk(LIST_LENGTH + 1, dim=1)
        omitted = values[:, -1]
    else:
        grouped = block.view(len(block), GROUP_SIZE, groups)
        maxima, chosen = grouped.amax(1).topk(LIST_LENGTH + 1, dim=1)
        candidates = grouped.gather(2, chosen[:, None, :-1].expand(-1, GROUP_SIZE, -1)).flatten(1)
        values, indices = candidates.topk(LIST_LENGTH + 1, dim=1)
        columns = indices // LIST_LENGTH * groups + chosen.gather(1, indices % LIST_LENGTH)
        omitted = torch.maximum(values[:, -1], maxima[:, -1])
    return columns[:, :-1].cpu().numpy(), omitted.double().cpu().numpy()
