"""Curators' edits as immutable values.

An edit never refers to a cluster by its number, which the next threshold would give to another cluster: it refers to a
cluster by a sample of its members (`ClusterRef`) and to a branch of the dendrogram by two of its leaves (`Branch`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest

SAMPLE_SIZE = 128


@dataclass(frozen=True)
class ClusterRef:
    """A reference to a cluster by its (at most) 128 smallest asset ids, ascending.

    Ids are SHA-256, so the smallest ones are a uniform, reproducible sample of the members (a bottom-k sketch: Cohen
    and Kaplan, "Summarizing Data Using Bottom-k Sketches", 2007). It is complete for clusters of up to 128 members. On
    another partition it refers to the cluster with most of the sampled ids; on a tie, to the one with the smallest id.
    """

    sample_ids: tuple[str, ...]

    @staticmethod
    def from_members(asset_ids: Iterable[str]) -> ClusterRef:
        """The reference to the cluster with these members."""
        return ClusterRef(tuple(nsmallest(SAMPLE_SIZE, asset_ids)))


@dataclass(frozen=True)
class Branch:
    """A subtree of the dendrogram with its own threshold (cosine similarity).

    `leaf_ids` are one asset from each of the two subtrees that its top node joins (one asset for a single leaf), so
    that it is their lowest common ancestor in any dendrogram that contains both.
    """

    leaf_ids: tuple[str, ...]
    threshold: float


@dataclass(frozen=True)
class SetThreshold:
    """Cut the dendrogram at this cosine similarity."""

    threshold: float


@dataclass(frozen=True)
class SetMinClusterSize:
    """Show smaller clusters as unclustered, unless someone has edited, named or pinned them."""

    size: int


@dataclass(frozen=True)
class SetBranch:
    """Give a branch its own threshold."""

    branch: Branch


@dataclass(frozen=True)
class ClearBranch:
    """Let the branch with these leaves follow the collection's threshold again."""

    leaf_ids: tuple[str, ...]


@dataclass(frozen=True)
class Rename:
    """Name a cluster, in one line; this also confirms the name."""

    ref: ClusterRef
    name: str


@dataclass(frozen=True)
class Describe:
    """Describe a cluster; an empty text removes the description."""

    ref: ClusterRef
    text: str


@dataclass(frozen=True)
class Merge:
    """Merge several clusters into one."""

    refs: tuple[ClusterRef, ...]


@dataclass(frozen=True)
class Move:
    """Move pictures into a cluster, or (None) into a new one."""

    asset_ids: tuple[str, ...]
    to: ClusterRef | None


@dataclass(frozen=True)
class Split:
    """Make each piece of a cluster, a group of its pictures, a cluster of its own; the other pictures stay.

    From then on a piece stays together at any threshold.
    """

    ref: ClusterRef
    pieces: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Pin:
    """Hold pictures in a cluster at any threshold and whatever other edits do."""

    asset_ids: tuple[str, ...]
    to: ClusterRef


@dataclass(frozen=True)
class Unpin:
    """Release pinned pictures."""

    asset_ids: tuple[str, ...]


@dataclass(frozen=True)
class MarkNoGroup:
    """Mark a cluster as not a meaningful group, or (False) remove the mark. It stays a cluster."""

    ref: ClusterRef
    value: bool


@dataclass(frozen=True)
class PairConstraint:
    """A curator's judgement that two pictures belong together (must-link) or not (cannot-link); moves nothing."""

    a: str
    b: str
    must_link: bool


Setting = SetThreshold | SetMinClusterSize | SetBranch | ClearBranch
Curation = Rename | Describe | Merge | Move | Split | Pin | Unpin | MarkNoGroup | PairConstraint
Edit = Setting | Curation
