"""What is said of a collection in the database, forgotten with it: a new one of that name begins afresh."""

from __future__ import annotations

from core.store.sql.database import Database

# Those that refer to others come first.
_TABLES = ("drafts", "published", "publications", "assignments", "revisions", "asset_lists")


def forget(database: Database, collection: str) -> None:
    """Remove every revision, draft and assignment of a collection, in one transaction."""
    with database.transaction() as db:
        for table in _TABLES:
            db.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))  # noqa: S608 - names from above
