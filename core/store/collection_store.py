"""What every store with state of collections offers."""

from __future__ import annotations

from typing import Protocol


class CollectionStore(Protocol):
    """A store that can forget a collection."""

    def forget(self, collection: str) -> None:
        """Erase what belongs to a collection, so that a new one of its name inherits nothing. Repeating it is harmless.

        Raises StoreError.
        """
