"""For each cluster the clusters most similar to it, by blocked matrix products in a precision that may be low.

A sieve answers with a short list and a ceiling: an upper bound, by the rounding errors of its precision, on the
similarity of every cluster that is not in the list. Similarities within the list are then computed in float64. Where
the best of a list reaches the ceiling it is the nearest of all, however coarse the product was that found it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LIST_LENGTH = 16
GROUP = 64
PAIRS_BYTES = 1 << 20  # small enough for a cache
PRODUCT_BYTES = {"cpu": 64 << 20}
PRODUCT_BYTES_ELSEWHERE = 1 << 30

_STORED = {torch.bfloat16: np.uint16, torch.float32: np.float32}

Means = NDArray[np.float64]
Rows = NDArray[np.int64]


def similarities(means: Means, rows: Rows, others: Rows) -> NDArray[np.float64]:
    """The average cosine of each of `rows` (r,) with each of its `others` (r, k), as (r, k) float64.

    `means` is (m, d) float64. A place of a list that holds the row itself is empty: its similarity is -inf.
    """
    found = np.empty(others.shape)
    step = max(1, PAIRS_BYTES // (others.shape[1] * means[0].nbytes))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        np.einsum("rkd,rd->rk", means[others[part]], means[rows[part]], out=found[part])
    found[others == rows[:, None]] = -np.inf
    return found


def shortlists(means: Means, device: torch.device) -> list[NearestShortlist]:
    """From the fastest to the exact one: bfloat16 first where `device` multiplies it faster than float32; float32 where
    it is not set to compute in less."""
    fast = device.type != "cpu" or any(
        torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")
    )
    honest = torch.get_float32_matmul_precision() == "highest"
    ladder = [torch.bfloat16] * fast + [torch.float32] * honest + [torch.float64]
    return [NearestShortlist(means, precision, device) for precision in ladder]


class NearestShortlist:
    """Means (m, d) rounded to one precision, and the device that multiplies them."""

    def __init__(self, means: Means, precision: torch.dtype, device: torch.device) -> None:
        """`means` is float64, no row longer than 1; call `refresh` for rows that change."""
        self._means, self._precision, self._device = means, precision, device
        self._rounded = np.empty(means.shape, _STORED[precision]) if precision in _STORED else means
        self._errors, self._room = np.zeros(len(means)), torch.empty(0, dtype=precision, device=device)
        for start in range(0, len(means), 2048):
            self.refresh(np.arange(start, min(start + 2048, len(means))))

    def refresh(self, rows: Rows) -> None:
        """Take over the means of `rows`."""
        if self._rounded is self._means:
            return
        exact = self._means[rows]
        if self._precision == torch.bfloat16:
            self._rounded[rows] = _upper_halves(exact.astype(np.float32))
            exact -= (self._rounded[rows].astype(np.uint32) << 16).view(np.float32)
        else:
            self._rounded[rows] = exact
            exact -= self._rounded[rows]
        self._errors[rows] = _lengths(exact)

    def nearest(self, rows: Rows, alive: Rows, tick: Callable[[], None]) -> tuple[Rows, NDArray[np.float64]]:
        """The `LIST_LENGTH` clusters of `alive` (a,), ascending, most similar to each of `rows` (r,), as far as the
        precision can tell: lists (r, LIST_LENGTH) int64, empty places holding the row itself, and ceilings (r,)
        float64. `tick` is called before every product."""
        padding = -len(alive) % GROUP
        targets = self._tensor(np.append(alive, alive[:1].repeat(padding)))
        lists, ceilings = np.empty((len(rows), LIST_LENGTH), np.int64), np.empty(len(rows))
        own = np.searchsorted(alive, rows)
        step = _rows_per_product(targets)
        product = self._product(min(step, len(rows)), len(targets))
        for start in range(0, len(rows), step):
            tick()
            part = slice(start, start + step)
            queries = self._tensor(rows[part])
            block = torch.mm(queries, targets.T, out=product[: len(queries)])
            block[:, len(alive) :] = -torch.inf
            block[torch.arange(len(block)), torch.from_numpy(own[part])] = -torch.inf
            columns, left_out = _largest(block)
            lists[part] = np.where(columns < len(alive), alive[np.minimum(columns, len(alive) - 1)], rows[part, None])
            ceilings[part] = self._ceilings(rows[part], left_out, self._errors[alive].max())
        return lists, ceilings

    def _product(self, rows: int, columns: int) -> Tensor:
        """Room for a product, (rows, columns), the same memory as before where it is enough: new pages cost time."""
        if self._room.numel() < rows * columns:
            self._room = self._room.new_empty(rows * columns)
        return self._room[: rows * columns].view(rows, columns)

    def _tensor(self, rows: Rows) -> Tensor:
        return torch.from_numpy(self._rounded[rows]).view(self._precision).to(self._device)

    def _ceilings(self, rows: Rows, left_out: NDArray[np.float64], roughest: float) -> NDArray[np.float64]:
        """The most that a product of `left_out` (r,) or less can stand for.

        With x', y' the rounded means, |x·y - x'·y'| ≤ |x - x'||y| + |x'||y - y'|. A sum of d products errs by at most
        d·u|x'||y'| (u is float32's unit roundoff for bfloat16 too: its products are summed in float32), and rounding
        the sum to the precision by half the distance between two numbers of its size.
        """
        numbers, sums = torch.finfo(self._precision), torch.finfo(torch.promote_types(self._precision, torch.float32))
        lengths, errors = _lengths(self._means[rows]), self._errors[rows]
        slack = errors + (lengths + errors) * (roughest + 1.01 * self._means.shape[1] * sums.eps / 2)
        left_out = np.maximum(left_out, -2.0)  # less than any similarity, where all are listed
        ceilings: NDArray[np.float64] = left_out + slack + np.ldexp(numbers.eps / 4, np.frexp(left_out)[1])
        return ceilings


def _lengths(rows: Means) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("rd,rd->r", rows, rows))
    return lengths


def _upper_halves(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the bfloat16 numbers nearest to `values`, even ones where two are as near."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _rows_per_product(targets: Tensor) -> int:
    allowed = PRODUCT_BYTES.get(targets.device.type, PRODUCT_BYTES_ELSEWHERE)
    return max(GROUP, allowed // (len(targets) * targets.element_size()))


def _largest(block: Tensor) -> tuple[Rows, NDArray[np.float64]]:
    """The columns of the `LIST_LENGTH` largest of each row of `block`, and the largest value left out.

    The largest k values lie in the k groups of columns with the largest maxima, which are found faster than by sorting
    all. Column c belongs to group c modulo the number of groups, an order that one pass over memory likes.
    """
    groups = block.shape[1] // GROUP
    if groups <= 2 * LIST_LENGTH:
        values, columns = block.topk(LIST_LENGTH + 1, dim=1)
        left_out = values[:, -1]
    else:
        grouped = block.view(len(block), GROUP, groups)
        maxima, chosen = grouped.amax(1).topk(LIST_LENGTH + 1, dim=1)
        within = grouped.gather(2, chosen[:, None, :-1].expand(-1, GROUP, -1)).flatten(1)
        values, places = within.topk(LIST_LENGTH + 1, dim=1)
        columns = places // LIST_LENGTH * groups + chosen.gather(1, places % LIST_LENGTH)
        left_out = torch.maximum(values[:, -1], maxima[:, -1])
    return columns[:, :-1].cpu().numpy(), left_out.double().cpu().numpy()
