"""Removes pictures from collections, restores them, and deletes whole collections.

The original files are never touched. A removed picture is in the collection's bin; as long as it is there, an ingest of
the same bytes skips it and reports that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from core.access import Access, Action, Person
from core.errors import CollectionError
from core.logs import log
from core.store.lance.bin import RemovedAsset
from core.store.lance.collections import Collections
from core.text import counted


def _ignore_return(_collection: str, _asset_ids: Sequence[str]) -> None:
    pass


class RemovalService:
    """May be shared between threads and used by several processes. Every change asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        access: Access,
        on_change: Callable[[str], None],
        forget: Callable[[str], None],
        on_return: Callable[[str, Sequence[str]], None] = _ignore_return,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_change` is called with a collection whose pictures changed; `forget` erases all state of a
        collection. `on_return` is told which pictures were restored."""
        self._collections, self._access = collections, access
        self._on_change, self._forget, self._on_return, self._now = on_change, forget, on_return, now

    def remove(self, person: Person, collection: str, asset_ids: Sequence[str]) -> int:
        """Remove pictures from a collection, all at once; returns how many there were.

        From then on no search, cluster, map or thumbnail of any process shows them. Raises NotAllowed, CollectionError,
        CollectionBusy, StoreError.
        """
        with self._access.acting(person, Action.REMOVE, collection, counted(len(asset_ids), "picture")):
            removed = self._collections.open(collection).remove(asset_ids, person.author, self._now())
        log("library", "pictures removed", collection=collection, count=removed, by=person.author)
        if removed:
            self._on_change(collection)
        return removed

    def restore(self, person: Person, collection: str, asset_ids: Sequence[str]) -> int:
        """Restore pictures from the bin; returns how many. Raises as `remove` does."""
        with self._access.acting(person, Action.PUT_BACK, collection, counted(len(asset_ids), "picture")):
            restored = self._collections.open(collection).restore(asset_ids)
            self._on_return(collection, asset_ids)
        log("library", "pictures put back", collection=collection, count=restored, by=person.author)
        if restored:
            self._on_change(collection)
        return restored

    def count_removed(self, collection: str) -> int:
        """How many pictures are in the bin."""
        return len(self._collections.open(collection).removed_ids())

    def removed(self, collection: str, first: int = 0, count: int = 24) -> list[RemovedAsset]:
        """A page of the pictures in the bin, the most recently removed first."""
        return self._collections.open(collection).removed(first, count)

    def removed_ids(self, collection: str) -> list[str]:
        """The ids of all pictures in the bin, sorted."""
        return sorted(raw.hex() for raw in self._collections.open(collection).removed_ids())

    def empty_bin(self, person: Person, collection: str) -> int:
        """Delete the pictures in the bin for good; returns how many. Raises as `remove` does.

        The same files, added again, are then new pictures.
        """
        with self._access.acting(person, Action.EMPTY_BIN, collection):
            deleted = self._collections.open(collection).empty_bin()
        log("library", "bin emptied", collection=collection, count=deleted, by=person.author)
        return deleted

    def delete(self, person: Person, collection: str, typed: str) -> None:
        """Delete a collection with its bin, clusters and map; `typed` is its name once more.

        Raises NotAllowed, CollectionError if the name differs or others lie beside it, CollectionBusy while pictures
        are added to it.
        """
        with self._access.acting(person, Action.DELETE_COLLECTION, collection):
            if typed.strip() != collection:
                raise CollectionError(f"{typed.strip()!r} is not {collection!r}: type its name to delete it")
            others = self._collections.siblings(collection)
            if others:
                raise CollectionError(f"{', '.join(others)} lies beside {collection}: delete that first")
            self._collections.delete(collection, self._forget)
        log("library", "collection deleted", collection=collection, by=person.author)
