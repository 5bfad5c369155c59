"""Validation of edits; every error is a sentence for curators."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from core.clusters.edits.model import (
    SAMPLE_SIZE,
    Branch,
    ClearBranch,
    ClusterRef,
    Describe,
    Edit,
    MarkNoGroup,
    Merge,
    Move,
    PairConstraint,
    Pin,
    Rename,
    SetBranch,
    SetMinClusterSize,
    SetThreshold,
    Split,
    Unpin,
)
from core.errors import ClusterError

MAX_NAME_LENGTH, MAX_DESCRIPTION_LENGTH = 80, 2_000
_ASSET_ID = re.compile(r"[0-9a-f]{64}")
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_LINE_BREAKING_CATEGORIES = ("Cc", "Zl", "Zp")


def check_edit(edit: Edit) -> None:
    """Raise ClusterError if the edit is invalid for any clustering."""
    match edit:
        case SetThreshold(threshold):
            _check_threshold(threshold)
        case SetMinClusterSize(size):
            _check_size(size)
        case SetBranch(branch):
            _check_branch(branch)
        case ClearBranch(leaf_ids):
            _check_leaves(leaf_ids)
        case Rename(ref, name):
            _check_ref(ref)
            _check_name(name)
        case Describe(ref, text):
            _check_ref(ref)
            _check_description(text)
        case _:
            _check_curation(edit)


def _check_curation(edit: Edit) -> None:
    match edit:
        case Merge(refs):
            _check_merge(refs)
        case Move(asset_ids, to):
            _check_pictures(asset_ids, "to move")
            if to is not None:
                _check_ref(to)
        case Split(ref, pieces):
            _check_ref(ref)
            _check_pieces(pieces)
        case Pin(asset_ids, to):
            _check_pictures(asset_ids, "to pin")
            _check_ref(to)
        case Unpin(asset_ids):
            _check_pictures(asset_ids, "to let go")
        case MarkNoGroup(ref, _):
            _check_ref(ref)
        case PairConstraint(a, b, _):
            _check_pictures((a, b), "to judge")
        case _:
            raise ClusterError(f"{type(edit).__name__} is not an edit of a clustering")


def _check_threshold(threshold: float) -> None:
    if not (math.isfinite(threshold) and -1 <= threshold <= 1):
        raise ClusterError(f"a threshold of {threshold} is not possible: choose one from -1 to 1")


def _check_size(size: int) -> None:
    if size < 1:
        raise ClusterError(f"the smallest cluster cannot have {size} pictures: choose 1 or more")


def _check_branch(branch: Branch) -> None:
    _check_threshold(branch.threshold)
    _check_leaves(branch.leaf_ids)


def _check_leaves(leaf_ids: tuple[str, ...]) -> None:
    if not 1 <= len(leaf_ids) <= 2:
        raise ClusterError(f"a branch is marked by one or two pictures, not by {len(leaf_ids)}: choose it again")
    _check_pictures(leaf_ids, "to mark a branch")


def _check_ref(ref: ClusterRef) -> None:
    ids = ref.sample_ids
    if not 1 <= len(ids) <= SAMPLE_SIZE or list(ids) != sorted(set(ids)):
        raise ClusterError(
            f"a cluster is named by 1 to {SAMPLE_SIZE} of its pictures in ascending order, not by these {len(ids)}: "
            "choose the cluster again"
        )
    _check_ids(ids)


def _check_name(name: str) -> None:
    if not name.strip():
        raise ClusterError("a cluster's name cannot be empty: write what its pictures have in common")
    if len(name) > MAX_NAME_LENGTH:
        raise ClusterError(f"the name has {len(name)} characters, the limit is {MAX_NAME_LENGTH}: shorten it")
    if any(unicodedata.category(c) in _LINE_BREAKING_CATEGORIES or _is_unsafe(c) for c in name):
        raise ClusterError(f"the name {name!r} is not one line of plain text: type it again")


def _check_description(text: str) -> None:
    if len(text) > MAX_DESCRIPTION_LENGTH:
        raise ClusterError(
            f"the description has {len(text)} characters, the limit is {MAX_DESCRIPTION_LENGTH}: shorten it"
        )
    if any(_is_unsafe(c) or (unicodedata.category(c) == "Cc" and c not in "\n\t") for c in text):
        raise ClusterError("the description holds characters that are not text: type it again")


def _is_unsafe(character: str) -> bool:
    """Whether a character changes the direction of the text around it, or is a lone surrogate."""
    return character in _BIDI_CONTROLS or unicodedata.category(character) == "Cs"


def _check_merge(refs: tuple[ClusterRef, ...]) -> None:
    if len(set(refs)) < 2:
        raise ClusterError(f"{len(set(refs))} cluster cannot be merged: choose two or more")
    for ref in refs:
        _check_ref(ref)


def _check_pieces(pieces: tuple[tuple[str, ...], ...]) -> None:
    if not pieces:
        raise ClusterError("there is no piece to split off: choose pictures for at least one")
    for piece in pieces:
        _check_pictures(piece, "in a piece")
    all_ids = [asset_id for piece in pieces for asset_id in piece]
    if len(set(all_ids)) < len(all_ids):
        raise ClusterError("a picture is in two pieces: leave it in one of them")


def _check_pictures(asset_ids: Sequence[str], purpose: str) -> None:
    if not asset_ids:
        raise ClusterError(f"there are no pictures {purpose}: choose some first")
    _check_ids(asset_ids)
    if len(set(asset_ids)) < len(asset_ids):
        raise ClusterError(f"a picture {purpose} was chosen twice: choose it once")


def _check_ids(asset_ids: Sequence[str]) -> None:
    for asset_id in asset_ids:
        if not _ASSET_ID.fullmatch(asset_id):
            raise ClusterError(f"{asset_id[:70]!r} is not a picture's id (64 hexadecimal digits): choose it again")
