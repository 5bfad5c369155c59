"""Verifies collections and databases: whether they still are what was written, and which pictures are hit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from core.embedding.encoder import Encoder
from core.embedding.hashes import file_id
from core.errors import CollectionBusy, CollectionError, DataDamaged, StoreError
from core.library.mending import Mender
from core.logs import log
from core.records.jobs import Progress, ProgressListener
from core.records.verification import Damage, DamageKind, VerificationOptions, VerificationReport
from core.store.disk_errors import reason
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.lance.table_check import DamagedPart
from core.store.objects.backup_place import BackupPlace
from core.store.objects.names import path_to_uri, uri_to_path
from core.store.sql.damage import database_damage
from core.store.stores import DATABASES, IRREPLACEABLE, Stores

CHUNK = 500


@dataclass
class _Counts:
    assets: int = 0
    originals: int = 0
    missing: int = 0
    unsealed: int = 0
    unreadable: Sequence[str] = ()  # what is wrong with contactsheet.db


class Verifier:
    """Verifies what is on disk. What is in use meanwhile stays in use."""

    def __init__(
        self,
        collections: Collections,
        stores: Stores,
        data: Path,
        encoder: Callable[[str], Encoder],
        max_megapixels: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`encoder` gives the encoder of a model by its name; it is called when a vector has to be made again."""
        self._collections, self._stores, self._data = collections, stores, data
        self._encoder, self._max_megapixels, self._clock = encoder, max_megapixels, clock

    def verify(
        self, names: Sequence[str], options: VerificationOptions, listener: ProgressListener
    ) -> VerificationReport:
        """Verify these collections; without names all of them, and the databases.

        Raises CollectionError if there is none of a name, CollectionBusy if what is to be mended is being written to; a
        listener may raise Cancelled.
        """
        began, damages = self._clock(), list[Damage]()
        counts = _Counts(unreadable=database_damage(self._data / "contactsheet.db"))
        everything = not names
        known = self._collections.names()
        for name in names or known:
            if name not in known:
                raise CollectionError(f"there is no collection {name!r} (there are: {', '.join(known) or 'none yet'})")
            damages += self._collection(name, options, counts, listener)
        damages += self._databases() if everything else []
        report = VerificationReport(
            collections=len(names or known),
            assets=counts.assets,
            databases=len(DATABASES) if everything else 0,
            damages=tuple(damages),
            seconds=self._clock() - began,
            originals=counts.originals,
            missing=counts.missing,
            unsealed=counts.unsealed,
        )
        log("library", "verified", summary=report.summary)
        return report

    def verify_backups(self, place: BackupPlace, listener: ProgressListener) -> VerificationReport:
        """Compare the files of all backups of a folder with their checksums. Raises StoreError."""
        began, damages, checked = self._clock(), list[Damage](), 0
        with place.reading():
            ids = place.ids()
            for number, backup_id in enumerate(ids):
                listener(Progress("verify", number, len(ids)))
                try:
                    backup = place.get(backup_id)
                except StoreError as error:
                    damages.append(Damage("backup", detail=str(error)))
                    continue
                checked += sum(collection.pictures for collection in backup.collections)
                damages += [Damage("backup", detail=f"{backup_id}: {file.path}") for file in place.damaged(backup)]
        return VerificationReport(0, checked, 0, tuple(damages), self._clock() - began, backups=len(ids))

    # -- collections ----------------------------------------------------------------------------------------

    def _collection(
        self, name: str, options: VerificationOptions, counts: _Counts, listener: ProgressListener
    ) -> list[Damage]:
        files = list(self._files(name, options, counts.unreadable))
        try:
            table = self._collections.open(name)
            total, before = table.count(), counts.assets

            def report_rows(rows: int) -> None:
                counts.assets = before + rows
                listener(Progress("verify", rows, total))

            parts = table.check(report_rows)
            in_bin = table.check_bin()
        except CollectionError as error:
            return [Damage("collection", name, detail=str(error)), *files]
        except StoreError as error:
            if name not in self._collections.names():
                return []  # it was deleted meanwhile
            advice = f"restore it under another name: `python -m core restore PLACE --collection {name} --as OTHER`"
            return [Damage("collection", name, detail=f"{reason(error.__cause__ or error)}: {advice}"), *files]
        found = self._parts(table, parts, options)
        found += [Damage(p.part, name, p.asset_id, detail=f"{p.detail}, in the bin") for p in in_bin]
        if not found:
            with suppress(StoreError, CollectionBusy):  # a folder that cannot be written; or the next time
                counts.unsealed += table.seal()
        if options.originals and all(damage.mended for damage in found if damage.kind == "index"):
            found += self._originals(table, counts, listener)
        return found + files

    def _parts(self, table: AssetTable, parts: Sequence[DamagedPart], options: VerificationOptions) -> list[Damage]:
        """The damaged parts of rows, and what became of them. The index first: rows are found through it."""
        index = [p for p in parts if p.part == "index"]
        if index and options.mend:
            table.rebuild_index()
        found = [Damage("index", table.name, detail=p.detail, mended=options.mend) for p in index]
        by_asset: dict[str, dict[str, Damage]] = {}
        for p in parts:
            if p.part != "index":
                title = self._title(table, p.asset_id) if len(by_asset) < CHUNK else ""
                damage = Damage(p.part, table.name, p.asset_id, title, p.detail)
                by_asset.setdefault(p.asset_id, {})[p.part] = damage
        mender = Mender(table, lambda: self._encoder(table.model.name), self._max_megapixels)
        for asset_id, damages in by_asset.items():
            found += mender.mend(asset_id, damages) if options.mend else damages.values()
        return found

    def _title(self, table: AssetTable, asset_id: str) -> str:
        try:
            asset = table.metadata(asset_id)
        except (StoreError, ValueError):
            return ""
        return asset.title if asset else ""

    def _originals(self, table: AssetTable, counts: _Counts, listener: ProgressListener) -> Iterator[Damage]:
        """The pictures none of whose files has the bytes of its id any more."""
        ids = sorted(raw.hex() for raw in table.ids())
        uploads = path_to_uri((self._data / "uploads").absolute()) + "/"
        for first in range(0, len(ids), CHUNK):
            listener(Progress("originals", first, len(ids)))
            try:
                known = table.uris(ids[first : first + CHUNK])
            except StoreError:  # metadata that cannot be read was found before
                continue
            for asset_id, uris in known.items():
                hashes = [file_id(uri_to_path(uri)) for uri in uris if "://" not in uri]
                if asset_id in hashes:
                    counts.originals += 1
                elif any(hashes) or any(uri.startswith(uploads) for uri in uris):
                    detail = "its file holds other bytes now" if any(hashes) else "its upload is gone"
                    yield Damage("original", table.name, asset_id, self._title(table, asset_id), detail)
                else:
                    counts.missing += 1

    # -- files and databases --------------------------------------------------------------------------------

    def _files(self, name: str, options: VerificationOptions, unreadable: Sequence[str]) -> Iterator[Damage]:
        """The dendrograms and maps of a collection, which are computed again where they are gone; its revisions."""
        found: dict[DamageKind, list[Path]] = {
            "dendrogram": self._stores.linkages(name).damaged(),
            "map": self._stores.maps(name).damaged(),
        }
        for kind, paths in found.items():
            for path in paths:
                if options.mend:
                    path.unlink(missing_ok=True)
                yield Damage(kind, name, detail=f"{path.name} cannot be read", mended=options.mend)
        try:
            # What SQLite's own check finds wrong is not read: a table whose pages lead in a circle has no end.
            details = unreadable[:1] or list(self._stores.revisions.damaged(name).values())
        except DataDamaged as error:
            details = [str(error)]
        yield from (Damage("revision", name, detail=detail) for detail in details)

    def _databases(self) -> Iterator[Damage]:
        for name in DATABASES:
            details = database_damage(self._data / name)
            if not (self._data / name).exists() and name in IRREPLACEABLE:
                details = ["it is gone"]
            for detail in details:
                yield Damage("database", detail=f"{name}: {detail}")
        for path in self._stores.newly_set_aside(self._data):
            detail = f"it was damaged: it is kept as {path.name}, and a new one was begun"
            yield replace(Damage("database", detail=detail), mended=True)
