"""A process for tests that writes the audit log: `python -m tests.fakes.audited DATABASE NAME COUNT`.

It acts COUNT times under a NAME; with COUNT 0 it begins to delete a collection, says so and never ends.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from core.access import Access, Action, Person
from core.store.sql.audit_log import AuditLog
from core.store.sql.database import Database

LINGER_S = 120.0


def main(path: str, name: str, count: str) -> None:
    access, person = Access(audit=AuditLog(Database(Path(path)))), Person(name, over_loopback=True)
    for number in range(int(count)):
        with access.acting(person, Action.PUBLISH, "c", f"revision {number}"):
            pass
    if count == "0":
        with access.acting(person, Action.DELETE_COLLECTION, "c"):
            print("begun", flush=True)
            time.sleep(LINGER_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
