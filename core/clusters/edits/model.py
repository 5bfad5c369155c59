"""What a curator can do to a clustering, as values.

An edit never names a cluster by a number that the next threshold would give to another one: it names it by some of its
members (`ClusterRef`), and a branch of the dendrogram by two leaves (`Branch`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest

WITNESSES = 128


@dataclass(frozen=True)
class ClusterRef:
    """A cluster, named by its (at most) 128 smallest asset ids, ascending.

    Ids are SHA-256, so the smallest ones are a uniform sample of the members, the same whoever draws it (a bottom-k
    sketch: Cohen and Kaplan, "Summarizing Data Using Bottom-k Sketches", 2007). Of up to 128 members it holds all. On
    another partition it means the cluster that holds most of the witnesses; of several, the one with the smallest id.
    """

    witnesses: tuple[str, ...]

    @staticmethod
    def of(asset_ids: Iterable[str]) -> ClusterRef:
        """The name of the cluster that has these members."""
        return ClusterRef(tuple(nsmallest(WITNESSES, asset_ids)))


@dataclass(frozen=True)
class Branch:
    """A subtree of the dendrogram with its own threshold (cosine similarity).

    `witnesses` are an asset of each of the two parts that the subtree's top joins (one asset for a leaf): it is their
    lowest common ancestor in any dendrogram that holds both.
    """

    witnesses: tuple[str, ...]
    threshold: float


@dataclass(frozen=True)
class SetThreshold:
    """Cut the dendrogram at this cosine similarity."""

    threshold: float


@dataclass(frozen=True)
class SetSmallest:
    """Show clusters of fewer pictures as unclustered, unless someone has edited, named or pinned them."""

    size: int


@dataclass(frozen=True)
class SetBranch:
    """Give one branch a threshold of its own."""

    branch: Branch


@dataclass(frozen=True)
class ClearBranch:
    """Let the branch that has these witnesses follow the collection's threshold again."""

    witnesses: tuple[str, ...]


@dataclass(frozen=True)
class Rename:
    """Give a cluster a name of one line; this confirms it."""

    ref: ClusterRef
    name: str


@dataclass(frozen=True)
class Describe:
    """Say what a cluster is about; an empty text takes the description away."""

    ref: ClusterRef
    text: str


@dataclass(frozen=True)
class Merge:
    """Make one cluster of several."""

    refs: tuple[ClusterRef, ...]


@dataclass(frozen=True)
class Move:
    """Put pictures into a cluster, or (None) into a new one of their own."""

    asset_ids: tuple[str, ...]
    to: ClusterRef | None


@dataclass(frozen=True)
class Split:
    """Make each piece of a cluster, a group of its pictures, a cluster of its own; who is in no piece stays.

    A piece is together from then on, whatever the threshold does.
    """

    ref: ClusterRef
    pieces: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Pin:
    """Hold pictures in a cluster, whatever thresholds and other edits do."""

    asset_ids: tuple[str, ...]
    to: ClusterRef


@dataclass(frozen=True)
class Unpin:
    """Let pinned pictures go where they fall."""

    asset_ids: tuple[str, ...]


@dataclass(frozen=True)
class MarkNoGroup:
    """Say that a cluster is not a group of anything, or (False) that it is one after all. It stays a cluster."""

    ref: ClusterRef
    value: bool


@dataclass(frozen=True)
class PairConstraint:
    """Two pictures that a curator has judged to belong to the same group, or not; moves nothing."""

    a: str
    b: str
    same: bool


Setting = SetThreshold | SetSmallest | SetBranch | ClearBranch
Curation = Rename | Describe | Merge | Move | Split | Pin | Unpin | MarkNoGroup | PairConstraint
Edit = Setting | Curation
