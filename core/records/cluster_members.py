"""The clusters of a revision by the pictures in them, as writing to files needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.records.clusterings import ClusterRecord, Revision


@dataclass(frozen=True, eq=False)
class ClusterMembers:
    """A revision and, by asset id, the cluster that each of its pictures is in, those assigned since included."""

    revision: Revision
    cluster_of: Mapping[str, ClusterRecord]

    @property
    def confirmed_names(self) -> dict[str, str]:
        """By asset id, the names that curators confirmed; those of clusters that are no group are left out."""
        return {i: c.name for i, c in self.cluster_of.items() if c.name and c.confirmed and not c.no_group}
