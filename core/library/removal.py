"""Taking pictures out of collections, putting them back, and deleting collections as a whole.

The original files are never touched. A picture that was taken out lies in the collection's bin; as long as it is there,
an ingest of the same bytes leaves it out and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from core.access import Access, Person
from core.errors import CollectionError
from core.logs import log
from core.store.lance.bin import BinnedAsset
from core.store.lance.collections import Collections

DOING = "remove pictures"


class RemovalService:
    """May be shared between threads and used by many processes. Every change asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        access: Access,
        changed: Callable[[str], None],
        gone: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`changed` hears of a collection whose pictures are others now, `gone` of one that is about to be deleted."""
        self._collections, self._access = collections, access
        self._changed, self._gone, self._now = changed, gone, now

    def remove(self, person: Person, collection: str, asset_ids: Sequence[str]) -> int:
        """Take pictures out of a collection, all of them at once; says how many were there.

        From then on no search, cluster, map or thumbnail of any process has them. Raises NotAllowed, CollectionError,
        CollectionBusy, StoreError.
        """
        self._access.require_curator(person, DOING)
        removed = self._collections.open(collection).remove(asset_ids, person.author, self._now())
        log("library", "pictures removed", collection=collection, count=removed, by=person.author)
        if removed:
            self._changed(collection)
        return removed

    def put_back(self, person: Person, collection: str, asset_ids: Sequence[str]) -> int:
        """Put pictures of the bin back as they were; says how many came back. Raises as `remove` does."""
        self._access.require_curator(person, "put pictures back")
        back = self._collections.open(collection).put_back(asset_ids)
        log("library", "pictures put back", collection=collection, count=back, by=person.author)
        if back:
            self._changed(collection)
        return back

    def count(self, collection: str) -> int:
        """How many pictures lie in the bin."""
        return len(self._collections.open(collection).removed_ids())

    def bin(self, collection: str, first: int = 0, count: int = 24) -> list[BinnedAsset]:
        """Some pictures of the bin, those that were removed last first."""
        return self._collections.open(collection).removed(first, count)

    def all_ids(self, collection: str) -> list[str]:
        """The ids of all pictures in the bin, sorted."""
        return sorted(raw.hex() for raw in self._collections.open(collection).removed_ids())

    def empty(self, person: Person, collection: str) -> int:
        """Forget what lies in the bin for good; says how many pictures that were. Raises as `remove` does.

        The same files, added again, are new pictures then.
        """
        self._access.require_curator(person, "empty the bin")
        forgotten = self._collections.open(collection).empty_bin()
        log("library", "bin emptied", collection=collection, count=forgotten, by=person.author)
        return forgotten

    def delete(self, person: Person, collection: str, typed: str) -> None:
        """Delete a collection with its bin, clusters and map; `typed` is its name once more.

        Raises NotAllowed, CollectionError if the name differs or others lie beside it, CollectionBusy while pictures
        are added to it.
        """
        self._access.require_curator(person, "delete collections")
        if typed.strip() != collection:
            raise CollectionError(f"{typed.strip()!r} is not {collection!r}: type its name to delete it")
        others = self._collections.beside(collection)
        if others:
            raise CollectionError(f"{', '.join(others)} lies beside {collection}: delete that first")
        self._collections.remove(collection)
        self._gone(collection)
        log("library", "collection deleted", collection=collection, by=person.author)
