"""Edits and annotations that could not be applied to a partition, with reasons that curators understand."""

from __future__ import annotations

from dataclasses import dataclass

from core.clusters.edits.model import Branch, Curation
from core.clusters.lineage.matching import KnownCluster, OverriddenAnnotation
from core.text import quoted

GONE = "no longer in the collection"


@dataclass(frozen=True)
class UnappliedEdit:
    """An edit, a branch's threshold or an earlier cluster that could not be carried over.

    `summary` says what was not applied, `reason` why: two clauses of one sentence.
    """

    source: Curation | Branch | KnownCluster
    summary: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.summary[:1].upper()}{self.summary[1:]}: {self.reason}."


def unapplied_name(overridden: OverriddenAnnotation) -> UnappliedEdit:
    """A name that its group does not have."""
    return _unapplied(overridden, f"The name {quoted(str(overridden.annotation.value))}", "is called")


def unapplied_description(overridden: OverriddenAnnotation) -> UnappliedEdit:
    """A description that its group does not have."""
    return _unapplied(overridden, f"The description {quoted(str(overridden.annotation.value))}", "is described as")


def unapplied_mark(overridden: OverriddenAnnotation) -> UnappliedEdit:
    """A mark that its group does not have."""
    return _unapplied(overridden, f"The mark {_mark(overridden.annotation.value)}", "is marked as")


def _unapplied(overridden: OverriddenAnnotation, subject: str, verb: str) -> UnappliedEdit:
    reason = f"its pictures are {GONE}"
    if overridden.winner is not None:
        value = overridden.winner.value
        other = _mark(value) if isinstance(value, bool) else quoted(value)
        reason = f"its pictures are now in a cluster that {verb} {other}"
    return UnappliedEdit(overridden.annotation.source, f"{subject} is not used", reason)


def _mark(value: str | bool) -> str:
    return "‘not a group’" if value else "‘a group’"
