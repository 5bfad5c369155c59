"""What of a plan, or of an earlier partition, could not be carried; said so that a curator understands."""

from __future__ import annotations

from dataclasses import dataclass

from core.clusters.edits.model import Branch, Curation
from core.clusters.lineage.matching import KnownCluster, Overridden
from core.text import quoted

GONE = "no longer in the collection"


@dataclass(frozen=True)
class UnappliedEdit:
    """`what` is lost and `why`, two clauses; `of` is the edit, the branch or the earlier cluster that it comes from."""

    of: Curation | Branch | KnownCluster
    what: str
    why: str

    @property
    def sentence(self) -> str:
        return f"{self.what[:1].upper()}{self.what[1:]}: {self.why}."


def unapplied_name(defeat: Overridden) -> UnappliedEdit:
    return _trait_loss(defeat, f"The name {quoted(str(defeat.claim.value))}", "is called")


def unapplied_description(defeat: Overridden) -> UnappliedEdit:
    return _trait_loss(defeat, f"The description {quoted(str(defeat.claim.value))}", "is described as")


def unapplied_mark(defeat: Overridden) -> UnappliedEdit:
    return _trait_loss(defeat, f"The mark {_mark(defeat.claim.value)}", "is marked as")


def _trait_loss(defeat: Overridden, what: str, verb: str) -> UnappliedEdit:
    why = f"its pictures are {GONE}"
    if defeat.winner is not None:
        value = defeat.winner.value
        other = _mark(value) if isinstance(value, bool) else quoted(value)
        why = f"its pictures are now in a cluster that {verb} {other}"
    return UnappliedEdit(defeat.claim.source, f"{what} is not used", why)


def _mark(value: str | bool) -> str:
    return "‘not a group’" if value else "‘a group’"
