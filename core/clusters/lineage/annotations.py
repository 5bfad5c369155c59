"""Names, descriptions and marks of a partition's groups: inherited, then edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Curation, Describe, MarkNoGroup, Rename
from core.clusters.edits.plan import Plan
from core.clusters.edits.unapplied import UnappliedEdit, unapplied_description, unapplied_mark, unapplied_name
from core.clusters.edits.validation import MAX_NAME_LENGTH
from core.clusters.lineage.matching import (
    Annotation,
    ClusterMatch,
    KnownCluster,
    OverriddenAnnotation,
    resolve_annotations,
)
from core.clusters.tree.asset_index import Groups


@dataclass(frozen=True)
class GroupAnnotations:
    """Confirmed names, descriptions and marks by group number, and the annotations that no group has."""

    names: Mapping[int, str]
    descriptions: Mapping[int, str]
    no_group: frozenset[int]
    unapplied: tuple[UnappliedEdit, ...]

    @property
    def groups(self) -> frozenset[int]:
        """The groups with any annotation."""
        return self.no_group.union(self.names, self.descriptions)


def annotate_groups(
    plan: Plan, saved_edit_count: int, groups: Groups, cluster_match: ClusterMatch, parents: Sequence[KnownCluster]
) -> GroupAnnotations:
    """Annotate each group like the parent whose identity it takes, unless an edit says otherwise.

    `saved_edit_count` is the number of the plan's leading edits that the parents already reflect.
    """
    saved, new = plan.edits[:saved_edit_count], plan.edits[saved_edit_count:]
    lineage = _Lineage(saved, new, groups, cluster_match, parents)
    names, unused_names = lineage.resolve(lambda parent: parent.name if parent.confirmed else "", _name_from)
    descriptions, unused_descriptions = lineage.resolve(lambda parent: parent.description, _description_from)
    marks, unused_marks = lineage.resolve(lambda parent: parent.no_group, _mark_from)
    return GroupAnnotations(
        names={group: str(annotation.value) for group, annotation in names.items()},
        descriptions={g: str(annotation.value) for g, annotation in descriptions.items() if annotation.value},
        no_group=frozenset(group for group, annotation in marks.items() if annotation.value),
        unapplied=(
            *map(unapplied_name, unused_names),
            *map(unapplied_description, unused_descriptions),
            *map(unapplied_mark, unused_marks),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Lineage:
    """Groups, their parents, and the edits that the parents reflect (`saved`) or do not (`new`)."""

    saved: Sequence[Curation]
    new: Sequence[Curation]
    groups: Groups
    cluster_match: ClusterMatch
    parents: Sequence[KnownCluster]

    def resolve(
        self, value_of: Callable[[KnownCluster], str | bool], annotation_from: Callable[[Curation], Annotation | None]
    ) -> tuple[dict[int, Annotation], tuple[OverriddenAnnotation, ...]]:
        """One kind of annotation of every group, and those that were overridden."""
        saved, new = (
            [annotation for edit in edits if (annotation := annotation_from(edit))] for edits in (self.saved, self.new)
        )
        # An unchanged parent without a value shows that the saved edits did not give it one
        inherits_empty = self.cluster_match.unchanged.tolist() if saved else [False] * len(self.groups)
        inherited = {
            successor: Annotation(parent.sample_ids, value, parent)
            for successor, parent in zip(self.cluster_match.successor_of.tolist(), self.parents, strict=True)
            if successor >= 0 and ((value := value_of(parent)) or inherits_empty[successor])
        }
        return resolve_annotations(saved, inherited, new, self.groups)


def _name_from(edit: Curation) -> Annotation | None:
    return Annotation(edit.ref.sample_ids, edit.name, edit) if isinstance(edit, Rename) else None


def _description_from(edit: Curation) -> Annotation | None:
    return Annotation(edit.ref.sample_ids, edit.text, edit) if isinstance(edit, Describe) else None


def _mark_from(edit: Curation) -> Annotation | None:
    return Annotation(edit.ref.sample_ids, edit.value, edit) if isinstance(edit, MarkNoGroup) else None


def suggested_names(
    shown: NDArray[np.int64],
    annotations: GroupAnnotations,
    cluster_match: ClusterMatch,
    parents: Sequence[KnownCluster],
) -> dict[int, str]:
    """Names for groups that nobody has named: the suggestion of the parent whose identity they take, or `Flowers · 2`
    for a part of ‘Flowers’, numbered in the order of `shown`."""
    taken, suggested = set(annotations.names.values()), dict[int, str]()
    parent_of, origin_of = cluster_match.parent_of[shown].tolist(), cluster_match.origin_of[shown].tolist()
    for group, parent, origin in zip(shown.tolist(), parent_of, origin_of, strict=True):
        if group in annotations.names:
            continue
        if parent >= 0:
            suggested[group] = parents[parent].name
        elif origin >= 0:
            successor = int(cluster_match.successor_of[origin])
            suggested[group] = _numbered(_current_name(parents[origin], successor, annotations), taken)
            taken.add(suggested[group])
    return suggested


def _current_name(parent: KnownCluster, successor: int, annotations: GroupAnnotations) -> str:
    """The name of a parent's successor, or its own where it has none; empty if nobody has confirmed it."""
    if successor >= 0:
        return annotations.names.get(successor, "")
    return parent.name if parent.confirmed else ""


def _numbered(name: str, taken: set[str]) -> str:
    if not name:
        return ""
    number = 2
    while (numbered := f"{name[: MAX_NAME_LENGTH - 8]} · {number}") in taken:
        number += 1
    return numbered
