"""Sentences that describe the difference between two partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.clusters.lineage.diff import ClusterLike, ClusterMerge, ClusterSplit, Diff, MovedPictures
from core.text import counted, listed, quoted

MAX_NAMES = 4


@dataclass(frozen=True)
class _Sentence:
    """A sentence (without its capital and full stop), whether it concerns a named cluster, and how many pictures."""

    named: bool
    count: int
    text: str


def describe_diff(diff: Diff, limit: int = 12) -> list[str]:
    """Describe a diff for curators: the overall changes first, then named clusters, then the largest changes.

    At most `limit` sentences (3 or more); the last one says how many were left out.
    """
    details = sorted(_details(diff), key=lambda sentence: (not sentence.named, -sentence.count))
    texts = [*_overall(diff), *(sentence.text for sentence in details)]
    lines = [f"{text[:1].upper()}{text[1:]}." for text in texts]
    if not lines:
        return ["Nothing changes."]
    return lines if len(lines) <= limit else [*lines[: limit - 1], f"And {len(lines) - limit + 1:,} smaller changes."]


def _overall(diff: Diff) -> Iterator[str]:
    moving = sum(len(flow.asset_ids) for flow in diff.flows)
    if moving:
        before, after = diff.cluster_counts
        clusters = "" if before == after else f"; {counted(before, 'cluster')} before, {after:,} after"
        yield f"{counted(moving, 'picture')} {'changes' if moving == 1 else 'change'} place{clusters}"
    for old, new, clusters_changed in diff.thresholds[:MAX_NAMES]:
        yield f"the threshold of {counted(clusters_changed, 'cluster')} changes from {old:g} to {new:g}"
    if diff.affected:
        yield f"named clusters affected: {_names(diff.affected)}"


def _details(diff: Diff) -> Iterator[_Sentence]:
    yield from map(_split, diff.splits)
    yield from map(_merge, diff.merges)
    yield from _named_and_rest(diff.vanished, lambda cluster: _gone(cluster, diff), _all_gone)
    yield from _named_and_rest(diff.appeared, _new, _all_new)
    yield from _moves(diff.moved)
    yield from _annotations(diff)
    yield from _collection(diff)


def _split(split: ClusterSplit) -> _Sentence:
    sizes = [part.count for part in split.pieces]
    listed_sizes = listed([f"{size:,}" for size in sizes[:MAX_NAMES]])
    if len(sizes) == 1:
        verb, its = ("becomes", "its") if sizes[0] == 1 else ("become", "their")
        piece = quoted(split.pieces[0].cluster.name) if split.pieces[0].cluster.name else f"a cluster of {its} own"
        text = f"{counted(sizes[0], 'picture')} of {_name(split.before)} {verb} {piece}"
    elif len(sizes) <= MAX_NAMES:
        text = f"{_name(split.before)} splits into {len(sizes)}: {listed_sizes} pictures"
    else:
        text = f"{_name(split.before)} splits into {len(sizes)}, the largest with {listed_sizes} pictures"
    return _Sentence(_is_named(split.before), sum(sizes), text)


def _merge(merge: ClusterMerge) -> _Sentence:
    parts = [part.cluster for part in merge.parts]
    verb = "goes" if len(parts) == 1 else "merge"
    into = f"{_name(merge.after)} ({_size(merge.after)})" if merge.after.name else _name(merge.after)
    return _Sentence(any(map(_is_named, parts)), merge.after.size, f"{_names(parts)} {verb} into {into}")


def _gone(cluster: ClusterLike, diff: Diff) -> str:
    removed = all(flow.before != cluster.id for flow in diff.flows)
    what = "they are no longer in the collection" if removed else "most of them are unclustered now"
    return f"{_name(cluster)} with its {_size(cluster)} is gone: {what}"


def _new(cluster: ClusterLike) -> str:
    return f"{_name(cluster)} is new, with {_size(cluster)}"


def _all_gone(clusters: Sequence[ClusterLike]) -> str:
    pictures = counted(sum(cluster.size for cluster in clusters), "picture")
    verb = "is" if len(clusters) == 1 else "are"
    return f"{counted(len(clusters), 'cluster')} without a name, with {pictures}, {verb} gone"


def _all_new(clusters: Sequence[ClusterLike]) -> str:
    pictures = counted(sum(cluster.size for cluster in clusters), "picture")
    verb = "appears" if len(clusters) == 1 else "appear"
    return f"{counted(len(clusters), 'new cluster')} {verb}, with {pictures}"


def _named_and_rest(
    clusters: Iterable[ClusterLike], each: Callable[[ClusterLike], str], together: Callable[[list[ClusterLike]], str]
) -> Iterator[_Sentence]:
    """A sentence for each named cluster, and one for all the others."""
    unnamed = []
    for cluster in clusters:
        if _is_named(cluster):
            yield _Sentence(True, cluster.size, each(cluster))
        else:
            unnamed.append(cluster)
    if unnamed:
        yield _Sentence(False, sum(cluster.size for cluster in unnamed), together(unnamed))


def _moves(moved: Iterable[MovedPictures]) -> Iterator[_Sentence]:
    """A sentence for each move between clusters or of a named one; one each for all others that leave or join."""
    leaving = joining = 0
    for move in moved:
        named = any(_is_named(side) for side in (move.before, move.after) if side)
        pictures = counted(move.count, "picture")
        verb = "moves" if move.count == 1 else "move"
        if move.before and move.after:
            yield _Sentence(named, move.count, f"{pictures} {verb} from {_name(move.before)} to {_name(move.after)}")
        elif move.before and named:
            yield _Sentence(True, move.count, f"{pictures} {verb} from {_name(move.before)} to unclustered")
        elif move.after and named:
            yield _Sentence(True, move.count, f"{pictures} {verb} from unclustered to {_name(move.after)}")
        elif move.before:
            leaving += move.count
        else:
            joining += move.count
    if leaving:
        yield _Sentence(False, leaving, f"from clusters without a name to unclustered: {counted(leaving, 'picture')}")
    if joining:
        yield _Sentence(False, joining, f"from unclustered to clusters without a name: {counted(joining, 'picture')}")


def _annotations(diff: Diff) -> Iterator[_Sentence]:
    for old, new in diff.renamed:
        yield _Sentence(True, new.size, _renaming(old, new))
    for old, new in diff.described:
        yield _Sentence(_is_named(new), new.size, f"the description of {_name(old)} changes")
    for old, new in diff.marked:
        mark = "is marked as not a group" if new.no_group else "counts as a group again"
        yield _Sentence(_is_named(new), new.size, f"{_name(old)} {mark}")


def _renaming(old: ClusterLike, new: ClusterLike) -> str:
    if old.name == new.name:
        return f"the name {quoted(new.name)} is {'confirmed' if new.confirmed else 'a suggestion again'}"
    return f"{_name(old)} is called {quoted(new.name)} now" if new.name else f"{_name(old)} has no name any more"


def _collection(diff: Diff) -> Iterator[_Sentence]:
    added = sum(len(flow.asset_ids) for flow in diff.added)
    removed = sum(len(flow.asset_ids) for flow in diff.removed)
    if added:
        inside = sum(len(flow.asset_ids) for flow in diff.added if flow.after)
        yield _Sentence(
            False, added, f"new in the collection: {counted(added, 'picture')}, {inside:,} of them in clusters"
        )
    if removed:
        yield _Sentence(False, removed, f"no longer in the collection: {counted(removed, 'picture')}")


def _is_named(cluster: ClusterLike) -> bool:
    return bool(cluster.confirmed and cluster.name)


def _name(cluster: ClusterLike) -> str:
    return quoted(cluster.name) if cluster.name else f"a cluster of {_size(cluster)}"


def _size(cluster: ClusterLike) -> str:
    return counted(cluster.size, "picture")


def _names(clusters: Sequence[ClusterLike]) -> str:
    """A few of the clusters, named ones first, and how many more there are."""
    shown = sorted(clusters, key=lambda cluster: not _is_named(cluster))[:MAX_NAMES]
    others = len(clusters) - len(shown)
    return listed([*map(_name, shown), *([f"{others:,} more"] if others else [])])
