"""Names, descriptions and marks of a partition's groups: inherited, then edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Curation, Describe, MarkNoGroup, Rename
from core.clusters.edits.plan import Plan
from core.clusters.edits.unapplied import UnappliedEdit, unapplied_description, unapplied_mark, unapplied_name
from core.clusters.edits.validation import NAME_LENGTH
from core.clusters.lineage.matching import Annotation, ClusterMatch, KnownCluster, Overridden, resolve_annotations
from core.clusters.tree.asset_index import Groups


@dataclass(frozen=True)
class GroupAnnotations:
    """What stands for groups, by their numbers: names that somebody gave, descriptions, marks; and what does not."""

    names: Mapping[int, str]
    descriptions: Mapping[int, str]
    no_group: frozenset[int]
    losses: tuple[UnappliedEdit, ...]

    @property
    def groups(self) -> frozenset[int]:
        """The groups that have any."""
        return self.no_group.union(self.names, self.descriptions)


def annotate_groups(
    plan: Plan, settled: int, groups: Groups, heritage: ClusterMatch, parents: Sequence[KnownCluster]
) -> GroupAnnotations:
    """Each group's traits: those of the parent whose identity it takes, unless an edit says otherwise.

    `settled` is how many of the plan's edits, the first ones, the parents know of.
    """

    def standing(
        of_known: Callable[[KnownCluster], str | bool], of_edit: Callable[[Curation], Annotation | None]
    ) -> tuple[dict[int, Annotation], tuple[Overridden, ...]]:
        before, since = (
            [claim for edit in edits if (claim := of_edit(edit))]
            for edits in (plan.edits[:settled], plan.edits[settled:])
        )
        tells = heritage.same.tolist() if before else [False] * len(groups)  # that a parent had none
        inherited = {
            heir: Annotation(known.sketch, value, known)
            for heir, known in zip(heritage.heir_of.tolist(), parents, strict=True)
            if heir >= 0 and ((value := of_known(known)) or tells[heir])
        }
        return resolve_annotations(before, inherited, since, groups)

    names, names_lost = standing(lambda known: known.name if known.confirmed else "", _name_claim)
    descriptions, descriptions_lost = standing(lambda known: known.description, _description_claim)
    marks, marks_lost = standing(lambda known: known.no_group, _mark_claim)
    return GroupAnnotations(
        {group: str(claim.value) for group, claim in names.items()},
        {group: str(claim.value) for group, claim in descriptions.items() if claim.value},
        frozenset(group for group, claim in marks.items() if claim.value),
        (
            *map(unapplied_name, names_lost),
            *map(unapplied_description, descriptions_lost),
            *map(unapplied_mark, marks_lost),
        ),
    )


def _name_claim(edit: Curation) -> Annotation | None:
    return Annotation(edit.ref.witnesses, edit.name, edit) if isinstance(edit, Rename) else None


def _description_claim(edit: Curation) -> Annotation | None:
    return Annotation(edit.ref.witnesses, edit.text, edit) if isinstance(edit, Describe) else None


def _mark_claim(edit: Curation) -> Annotation | None:
    return Annotation(edit.ref.witnesses, edit.value, edit) if isinstance(edit, MarkNoGroup) else None


def suggested_names(
    shown: NDArray[np.int64], traits: GroupAnnotations, heritage: ClusterMatch, parents: Sequence[KnownCluster]
) -> dict[int, str]:
    """Names for groups that nobody has named: the suggestion that came with their identity, or `Flowers · 2` for what
    has come off ‘Flowers’, numbered in the order of `shown`."""
    taken, suggested = set(traits.names.values()), dict[int, str]()
    parent_of, origin_of = heritage.parent_of[shown].tolist(), heritage.origin_of[shown].tolist()
    for group, parent, origin in zip(shown.tolist(), parent_of, origin_of, strict=True):
        if group in traits.names:
            continue
        if parent >= 0:
            suggested[group] = parents[parent].name
        elif origin >= 0:
            heir = int(heritage.heir_of[origin])
            suggested[group] = _derived(_name_now(parents[origin], heir, traits), taken)
            taken.add(suggested[group])
    return suggested


def _name_now(known: KnownCluster, heir: int, traits: GroupAnnotations) -> str:
    """The name that a parent's heir goes by, or its own where it has none; empty if nobody has confirmed it."""
    if heir >= 0:
        return traits.names.get(heir, "")
    return known.name if known.confirmed else ""


def _derived(name: str, taken: set[str]) -> str:
    if not name:
        return ""
    number = 2
    while (derived := f"{name[: NAME_LENGTH - 8]} · {number}") in taken:
        number += 1
    return derived
