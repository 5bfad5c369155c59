"""Re-embedding of a collection by another model into a sibling collection, and the switch from one to the other.

Switching is one write that exchanges the names.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from core.access import Access, Action, Person
from core.errors import CollectionError
from core.ingest.sources import demo
from core.jobs.background import BackgroundJobs
from core.library.reembedder import Reembedder, copy_removals
from core.records.assets import SiblingCollection
from core.records.jobs import IngestReport, Job, ProgressListener
from core.store.lance.collections import Collections
from core.store.objects.names import check_collection_name

EMBED_JOB = "embed"


class ReembeddingService:
    """May be shared between threads and used by several processes. Every change asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        reembedder: Reembedder,
        background: BackgroundJobs,
        access: Access,
        on_switch: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_switch` is called with the name of a collection that has another model now."""
        self._collections, self._reembedder, self._background = collections, reembedder, background
        self._access, self._on_switch, self._now = access, on_switch, now

    def start(self, person: Person, collection: str, model: str, name: str, use_thumbnails: bool = False) -> Job:
        """Start embedding a collection with another model, as its sibling `name`.

        Pictures without an original file are reported as failures, or embedded from their thumbnails. Raises
        NotAllowed, CollectionError, JobError if it is already running.
        """
        with self._access.acting(person, Action.EMBED_AGAIN, collection, f"{name}, with {model.strip()}"):
            if not model.strip():
                raise CollectionError("no model was named: write one as the setting CONTACTSHEET_MODEL takes it")
            others = {*self._collections.names()} - {*self._collections.siblings(collection)}
            if check_collection_name(name) in others:
                raise CollectionError(f"there is a collection {name} already: choose another name")
            arguments = {"model": model.strip(), "name": name, "thumbnails": use_thumbnails}
            return self._background.start(EMBED_JOB, collection, arguments, person.author)

    def siblings(self, collection: str) -> list[SiblingCollection]:
        """The siblings of a collection, by name."""
        ids, found = self._collections.open(collection).ids(), []
        for name in self._collections.siblings(collection):
            table = self._collections.open(name)
            found.append(SiblingCollection(name, table.model, table.count(), len(ids - table.ids())))
        return found

    def switch(self, person: Person, collection: str, to: str) -> str:
        """Give the sibling `to` the collection's name; returns the new name of the previous one.

        Assets removed meanwhile are first removed from the sibling. Raises NotAllowed, CollectionError, and
        CollectionBusy while something is being added.
        """
        with self._access.acting(person, Action.SWITCH, collection, f"to {to}"):
            if collection == demo.NAME:
                raise CollectionError(
                    "demo always uses the bundled model: it can be compared with others, not switched"
                )
            if to not in self._collections.siblings(collection):
                advice = "embed that one with another model first"
                raise CollectionError(f"{to} does not lie beside {collection}: {advice}")
            source, target = self._collections.open(collection), self._collections.open(to)
            copy_removals(source, target, person.author, self._now())
            old_name = self._collections.switch(collection, to)
        self._on_switch(collection)
        return old_name

    def run(self, job: Job, listener: ProgressListener) -> IngestReport:
        """Run the job that `start` queued, in its process."""
        arguments = job.arguments
        model, name, use_thumbnails = arguments["model"], arguments["name"], arguments["thumbnails"]
        return self.embed(job.author, job.collection, model, name, use_thumbnails, listener)

    def embed(
        self, author: str, collection: str, model: str, name: str, use_thumbnails: bool, listener: ProgressListener
    ) -> IngestReport:
        """Embed a collection with another model now; see `Reembedder.embed`."""
        return self._reembedder.embed(author, collection, model, name, use_thumbnails, listener)
