"""For each cluster the clusters most similar to it, by blocked matrix products in a precision that may be low.

A search answers with a short list and a ceiling: an upper bound, by the rounding errors of the precision, on the
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
ROWS_ROUNDED = 4096  # at a time
PAIRS_BYTES = 1 << 20  # small enough for a cache
PRODUCT_BYTES = {"cpu": 32 << 20}
PRODUCT_BYTES_ELSEWHERE = 1 << 30

Means = NDArray[np.float64]
Rows = NDArray[np.int64]


def precisions(device: torch.device) -> tuple[torch.dtype, ...]:
    """From the fastest to the exact one; bfloat16 first where `device` computes it faster than float32."""
    capable = device.type != "cpu" or any(
        torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")
    )
    return (*([torch.bfloat16] if capable else []), torch.float32, torch.float64)


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


def nearest_lists(
    means: Means, rows: Rows, alive: Rows, precision: torch.dtype, device: torch.device, tick: Callable[[], None]
) -> tuple[Rows, NDArray[np.float64]]:
    """The `LIST_LENGTH` clusters most similar to each of `rows`, as a product in `precision` sees them.

    `means` is (m, d) float64, `rows` (r,) and `alive` (a,) are its row numbers, `alive` ascending. Returns the lists
    (r, LIST_LENGTH) int64, empty places holding the row itself, and the ceilings (r,) float64. `tick` is called
    before every block.

    The ceiling of x: no mean y is longer than 1, and rounding both changes x·y by at most (2u + u²)|x|, where u is the
    precision's unit roundoff. A sum of d products errs by at most d·u'|x|, where u' is float32's for bfloat16 too, as its
    products are summed in float32; and rounding that sum s to the precision by u|s|.
    """
    targets = _targets(means, alive, precision, device)
    lists, ceilings = np.empty((len(rows), LIST_LENGTH), np.int64), np.empty(len(rows))
    own = torch.from_numpy(np.searchsorted(alive, rows))
    step = _rows_per_product(targets)
    product = torch.empty((min(step, len(rows)), len(targets)), dtype=precision, device=device)
    roundoff, sum_roundoff = (
        torch.finfo(p).eps / 2 for p in (precision, torch.promote_types(precision, torch.float32))
    )
    for start in range(0, len(rows), step):
        tick()
        part = slice(start, start + step)
        queries = means[rows[part]]
        block = torch.mm(torch.from_numpy(queries).to(device, precision), targets.T, out=product[: len(queries)])
        block[:, len(alive) :] = -torch.inf
        block[torch.arange(len(block)), own[part]] = -torch.inf
        columns, left_out = _largest(block)
        lists[part] = np.where(columns < len(alive), alive[np.minimum(columns, len(alive) - 1)], rows[part, None])
        left_out = np.maximum(left_out, -2)  # less than any similarity, where all are listed
        slack = np.sqrt(np.einsum("rd,rd->r", queries, queries)) * 1.01 * (2 * roundoff + means.shape[1] * sum_roundoff)
        ceilings[part] = left_out + slack + np.abs(left_out) * roundoff
    return lists, ceilings


def _targets(means: Means, alive: Rows, precision: torch.dtype, device: torch.device) -> Tensor:
    """The means of `alive` in `precision`, and rows of zeros up to a multiple of `GROUP`."""
    targets = torch.empty((-(-len(alive) // GROUP) * GROUP, means.shape[1]), dtype=precision, device=device)
    for start in range(0, len(alive), ROWS_ROUNDED):
        exact = torch.from_numpy(means[alive[start : start + ROWS_ROUNDED]])
        targets[start : start + len(exact)] = exact
    targets[len(alive) :] = 0
    return targets


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
