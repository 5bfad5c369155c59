"""The audit log, for admins; anything may leave an entry."""

from __future__ import annotations

from collections.abc import Iterator

from core.access import Access, Action, Person
from core.records.audit import AuditEntry, AuditFilter, AuditPage
from core.store.sql.audit_log import AuditLog

PAGE_SIZE, BATCH_SIZE = 25, 1_000


class AuditService:
    """May be shared between threads. Every reading asks `access` first."""

    def __init__(self, log: AuditLog, access: Access) -> None:
        self._log, self._access = log, access

    def record(
        self, person: Person, action: str, collection: str = "", target: str = "", outcome: str = "done"
    ) -> None:
        """Append what happened and is no write of a service, as a sign-in, or a long command as it starts.

        `target` must hold neither queries, titles nor paths: the entry outlives the collection. Raises StoreError.
        """
        self._log.record(person, action, collection, target, outcome)

    def page(self, person: Person, wanted: AuditFilter = AuditFilter(), before_id: int = 0) -> AuditPage:
        """The newest entries, or with `before_id` those next older than that one. Raises NotAllowed, StoreError."""
        self._access.require(person, Action.READ_AUDIT_LOG)
        found = self._log.search(wanted, PAGE_SIZE + 1, before_id)
        return AuditPage(tuple(found[:PAGE_SIZE]), len(found) > PAGE_SIZE)

    def actions(self, person: Person) -> list[str]:
        """The names of all actions in the log, sorted. Raises NotAllowed, StoreError."""
        self._access.require(person, Action.READ_AUDIT_LOG)
        return self._log.actions()

    def entries(self, person: Person, wanted: AuditFilter = AuditFilter()) -> Iterator[AuditEntry]:
        """All entries, the newest first, read in batches. Raises NotAllowed, StoreError."""
        self._access.require(person, Action.READ_AUDIT_LOG)
        return self._batches(wanted)

    def _batches(self, wanted: AuditFilter) -> Iterator[AuditEntry]:
        before_id = 0
        while found := self._log.search(wanted, BATCH_SIZE, before_id):
            yield from found
            before_id = found[-1].id
