"""A difference between two partitions in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.clusters.lineage.diff import ClusterLike, ClusterMerge, ClusterSplit, Diff, MovedPictures
from core.text import counted, listed, quoted

NAMES_TOLD = 4


@dataclass(frozen=True)
class _Told:
    """A sentence, whether it concerns a cluster that somebody named, and how many pictures."""

    named: bool
    pictures: int
    text: str


def sentences(diff: Diff, most: int = 12) -> list[str]:
    """What changes, for curators: the whole first, then what concerns named clusters, then many pictures.

    At most `most` sentences (3 or more); the last one says how many are left out.
    """
    told = sorted(_told(diff), key=lambda one: (not one.named, -one.pictures))
    lines = [f"{text[:1].upper()}{text[1:]}." for text in (*_whole(diff), *(one.text for one in told))]
    if not lines:
        return ["Nothing changes."]
    return lines if len(lines) <= most else [*lines[: most - 1], f"And {len(lines) - most + 1:,} smaller changes."]


def _whole(diff: Diff) -> Iterator[str]:
    moving = sum(len(flow.asset_ids) for flow in diff.flows)
    if moving:
        before, after = diff.clusters
        clusters = "" if before == after else f"; {counted(before, 'cluster')} before, {after:,} after"
        yield f"{counted(moving, 'picture')} {'changes' if moving == 1 else 'change'} place{clusters}"
    for old, new, clusters_changed in diff.thresholds[:NAMES_TOLD]:
        yield f"the threshold of {counted(clusters_changed, 'cluster')} changes from {old:g} to {new:g}"
    if diff.affected:
        yield f"named clusters affected: {_names(diff.affected)}"


def _told(diff: Diff) -> Iterator[_Told]:
    yield from map(_split, diff.splits)
    yield from map(_merge, diff.merges)
    yield from _each_or_all(diff.vanished, lambda cluster: _gone(cluster, diff), _all_gone)
    yield from _each_or_all(diff.appeared, lambda cluster: f"{_name(cluster)} is new, with {_size(cluster)}", _all_new)
    yield from _moves(diff.moved)
    yield from _traits(diff)
    yield from _collection(diff)


def _split(split: ClusterSplit) -> _Told:
    sizes = [part.pictures for part in split.pieces]
    told = listed([f"{size:,}" for size in sizes[:NAMES_TOLD]])
    if len(sizes) == 1:
        verb, its = ("becomes", "its") if sizes[0] == 1 else ("become", "their")
        piece = quoted(split.pieces[0].cluster.name) if split.pieces[0].cluster.name else f"a cluster of {its} own"
        text = f"{counted(sizes[0], 'picture')} of {_name(split.before)} {verb} {piece}"
    elif len(sizes) <= NAMES_TOLD:
        text = f"{_name(split.before)} splits into {len(sizes)}: {told} pictures"
    else:
        text = f"{_name(split.before)} splits into {len(sizes)}, the largest with {told} pictures"
    return _Told(_is_named(split.before), sum(sizes), text)


def _merge(merge: ClusterMerge) -> _Told:
    parts = [part.cluster for part in merge.parts]
    verb = "goes" if len(parts) == 1 else "merge"
    into = f"{_name(merge.after)} ({_size(merge.after)})" if merge.after.name else _name(merge.after)
    return _Told(any(map(_is_named, parts)), merge.after.size, f"{_names(parts)} {verb} into {into}")


def _gone(cluster: ClusterLike, diff: Diff) -> str:
    left = all(flow.before != cluster.id for flow in diff.flows)
    what = "they are no longer in the collection" if left else "most of them are unclustered now"
    return f"{_name(cluster)} with its {_size(cluster)} is gone: {what}"


def _all_gone(clusters: Sequence[ClusterLike]) -> str:
    pictures = counted(sum(cluster.size for cluster in clusters), "picture")
    verb = "is" if len(clusters) == 1 else "are"
    return f"{counted(len(clusters), 'cluster')} without a name, with {pictures}, {verb} gone"


def _all_new(clusters: Sequence[ClusterLike]) -> str:
    pictures = counted(sum(cluster.size for cluster in clusters), "picture")
    verb = "appears" if len(clusters) == 1 else "appear"
    return f"{counted(len(clusters), 'new cluster')} {verb}, with {pictures}"


def _each_or_all(
    clusters: Iterable[ClusterLike], each: Callable[[ClusterLike], str], together: Callable[[list[ClusterLike]], str]
) -> Iterator[_Told]:
    """A sentence for each named cluster, one for all the others."""
    others = []
    for cluster in clusters:
        if _is_named(cluster):
            yield _Told(True, cluster.size, each(cluster))
        else:
            others.append(cluster)
    if others:
        yield _Told(False, sum(cluster.size for cluster in others), together(others))


def _moves(moved: Iterable[MovedPictures]) -> Iterator[_Told]:
    """A sentence for each move between clusters or of a named one; one each for all others that leave or join."""
    leaving = joining = 0
    for move in moved:
        named = any(_is_named(side) for side in (move.before, move.after) if side)
        pictures = counted(move.pictures, "picture")
        verb = "moves" if move.pictures == 1 else "move"
        if move.before and move.after:
            yield _Told(named, move.pictures, f"{pictures} {verb} from {_name(move.before)} to {_name(move.after)}")
        elif move.before and named:
            yield _Told(True, move.pictures, f"{pictures} {verb} from {_name(move.before)} to unclustered")
        elif move.after and named:
            yield _Told(True, move.pictures, f"{pictures} {verb} from unclustered to {_name(move.after)}")
        elif move.before:
            leaving += move.pictures
        else:
            joining += move.pictures
    if leaving:
        yield _Told(False, leaving, f"from clusters without a name to unclustered: {counted(leaving, 'picture')}")
    if joining:
        yield _Told(False, joining, f"from unclustered to clusters without a name: {counted(joining, 'picture')}")


def _traits(diff: Diff) -> Iterator[_Told]:
    for old, new in diff.renamed:
        yield _Told(True, new.size, _renaming(old, new))
    for old, new in diff.described:
        yield _Told(_is_named(new), new.size, f"the description of {_name(old)} changes")
    for old, new in diff.marked:
        mark = "is marked as not a group" if new.no_group else "counts as a group again"
        yield _Told(_is_named(new), new.size, f"{_name(old)} {mark}")


def _renaming(old: ClusterLike, new: ClusterLike) -> str:
    if old.name == new.name:
        return f"the name {quoted(new.name)} is {'confirmed' if new.confirmed else 'a suggestion again'}"
    return f"{_name(old)} is called {quoted(new.name)} now" if new.name else f"{_name(old)} has no name any more"


def _collection(diff: Diff) -> Iterator[_Told]:
    added = sum(len(flow.asset_ids) for flow in diff.added)
    removed = sum(len(flow.asset_ids) for flow in diff.removed)
    if added:
        inside = sum(len(flow.asset_ids) for flow in diff.added if flow.after)
        yield _Told(False, added, f"new in the collection: {counted(added, 'picture')}, {inside:,} of them in clusters")
    if removed:
        yield _Told(False, removed, f"no longer in the collection: {counted(removed, 'picture')}")


def _is_named(cluster: ClusterLike) -> bool:
    return bool(cluster.confirmed and cluster.name)


def _name(cluster: ClusterLike) -> str:
    return quoted(cluster.name) if cluster.name else f"a cluster of {_size(cluster)}"


def _size(cluster: ClusterLike) -> str:
    return counted(cluster.size, "picture")


def _names(clusters: Sequence[ClusterLike]) -> str:
    """Some of them by name, named ones first, and how many others there are."""
    told = sorted(clusters, key=lambda cluster: not _is_named(cluster))[:NAMES_TOLD]
    others = len(clusters) - len(told)
    return listed([*map(_name, told), *([f"{others:,} more"] if others else [])])
