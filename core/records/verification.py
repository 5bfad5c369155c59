"""What a verification found: which pictures, files and databases are not what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.text import counted

DamageKind = Literal[
    "collection",
    "thumbnail",
    "vector",
    "metadata",
    "index",
    "original",
    "dendrogram",
    "map",
    "revision",
    "database",
    "backup",
]


@dataclass(frozen=True)
class VerificationOptions:
    """`originals` are read and compared with their ids; what can be made again from them is, with `mend`."""

    originals: bool = False
    mend: bool = False


@dataclass(frozen=True)
class Damage:
    """One thing that is damaged: `detail` says what is wrong with it, in a few words.

    `collection` is empty for what belongs to none; pictures have an `asset_id`, and a `title` where it can be read.
    """

    kind: DamageKind
    collection: str = ""
    asset_id: str = ""
    title: str = ""
    detail: str = ""
    mended: bool = False

    @property
    def line(self) -> str:
        """One line for people."""
        where = f"{self.collection}: " if self.collection else ""
        picture = f" of {self.title or self.asset_id[:12]}" if self.asset_id else ""
        return f"{where}{self.kind}{picture}: {self.detail}{' (mended)' if self.mended else ''}"


@dataclass(frozen=True)
class VerificationReport:
    """What was checked, and what of it is damaged. `unsealed` rows had no checksum before: they have one from now on.
    Of a folder of backups it counts these.

    `originals` were compared with their ids, if that was asked for; `missing` pictures have none that can be read.
    """

    collections: int
    assets: int
    databases: int
    damages: tuple[Damage, ...]
    seconds: float
    originals: int = 0
    missing: int = 0
    unsealed: int = 0
    backups: int = 0

    @property
    def left(self) -> tuple[Damage, ...]:
        """What is damaged still."""
        return tuple(damage for damage in self.damages if not damage.mended)

    @property
    def summary(self) -> str:
        """One line: what was checked, what was found."""
        checked = [counted(self.assets, "picture")]
        checked.append(counted(self.backups, "backup") if self.backups else counted(self.collections, "collection"))
        checked += [counted(self.databases, "database")] if self.databases else []
        if self.originals or self.missing:
            checked.append(f"{counted(self.originals, 'original')} ({self.missing} missing)")
        mended = len(self.damages) - len(self.left)
        found = f"{len(self.left)} damaged" if self.left else "no damage"
        found += f", {mended} mended" if mended else ""
        return f"{found}: {', '.join(checked)} in {self.seconds:.0f} s"
