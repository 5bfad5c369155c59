"""The audit log: who did what, when and from where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# Outcomes: of what takes long and is recorded as it starts; of what has no end yet; of what will never have one.
STARTED, UNDER_WAY, BROKEN_OFF = "started", "under way", "broken off"


@dataclass(frozen=True)
class AuditEntry:
    """One action: its time (UTC), who did it, what they did to what, and how it ended.

    `actor` is their name as others read it, `identity` what tells two people of one name apart, `visitor` the address
    they came from. `outcome` is `broken off` where nobody recorded an end.
    """

    id: int
    at: datetime
    actor: str
    identity: str
    visitor: str
    action: str
    collection: str
    target: str
    outcome: str


@dataclass(frozen=True)
class AuditFilter:
    """Which entries: those with a text anywhere, of one action, in [since, until); all by default."""

    text: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class AuditPage:
    """Entries, the newest first, and whether there are older ones."""

    entries: tuple[AuditEntry, ...]
    has_older: bool
