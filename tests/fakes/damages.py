"""Damages one file of a data folder at random, and says what came of it.

Run as `python -m tests.fakes.damages SEED COUNT`: prints one JSON document.
"""

from __future__ import annotations

import gc
import json
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from core.access import OPERATOR
from core.app import App
from core.errors import ContactSheetError
from core.records.backups import RestoreOptions
from core.records.verification import VerificationOptions
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.released_data import unpack

DATABASES = ("contactsheet.db", "judgements.db", "quality.db", "events.db", "alerts.db")
# Locks and outputs of jobs hold nothing; old versions and transactions of a table are there for readers of a moment.
IGNORED = (".lock", ".log", ".draft")


def flip_bit(content: bytearray, rng: random.Random) -> bytes:
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def overwrite(content: bytearray, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    length = min(rng.choice((16, 512, 4096)), len(content) - start)
    content[start : start + length] = rng.randbytes(length)
    return bytes(content)


def zero(content: bytearray, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    length = min(rng.choice((64, 4096)), len(content) - start)
    content[start : start + length] = bytes(length)
    return bytes(content)


def cut(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content[: rng.randrange(len(content))])


def empty(_: bytearray, __: random.Random) -> bytes:
    return b""


def replaced(content: bytearray, rng: random.Random) -> bytes:
    return rng.randbytes(len(content))


def lengthened(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content) + rng.randbytes(rng.choice((1, 100, 5000)))


KINDS: tuple[Callable[[bytearray, random.Random], bytes] | None, ...] = (
    flip_bit,
    flip_bit,
    overwrite,
    zero,
    cut,
    empty,
    replaced,
    lengthened,
    None,  # the file is gone
)


def group(path: str) -> str:
    """What kind of file this is."""
    name = path.rsplit("/", 1)[-1]
    if path.endswith(".db"):
        return name
    for part in ("_versions", "_indices", "_deletions", "_transactions", "data"):
        if f".lance/{part}/" in path:
            where = "bin" if "-removed.lance" in path else "table"
            return f"{where} {'_versions hint' if name.endswith('.json') else part}"
    return name if name.endswith(".json") else path.split("/", 1)[0]


class Trials:
    """A whole data folder, its backup, and what reading it gives."""

    def __init__(self, folder: Path) -> None:
        self.base, self.work, self.place = unpack(folder), folder / "work", folder / "place"
        app = colour_app(self.base)
        for name in app.existing_collections():
            open_table(self.base, name).compact()
        app.backups.verify(OPERATOR)
        app.backups.back_up(OPERATOR, self.place)
        del app
        for database in DATABASES:
            with closing(sqlite3.connect(self.base / database)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.names = colour_app(self.base).existing_collections()
        self.expected = {name: self.reading(self.base, name) for name in self.names}
        self.databases = {name: self.rows(self.base, name) for name in DATABASES}
        self.files = sorted(
            str(path.relative_to(self.base))
            for path in self.base.rglob("*")
            if path.is_file() and not path.name.endswith((*IGNORED, "-shm", "-wal")) and path.name[0] != "."
        )
        # Each kind of file is hit as often as the others.
        self.by_group: dict[str, list[str]] = {}
        for file in self.files:
            self.by_group.setdefault(group(file), []).append(file)

    @staticmethod
    def reading(data: Path, name: str) -> Any:
        """All that a collection holds, its bin, its dendrograms and its clusters."""
        app, table = colour_app(data), open_table(data, name)
        removed = [(r.asset, r.thumbnail) for r in app.removal.removed(name, 0, 1000)]
        revisions = [
            (r, tuple(app.clusters.clustering(r.id).asset_ids)) for r in app.clusters.revisions.list(name, limit=-1)
        ]
        by_id = {asset_id: table.thumbnail(asset_id) for asset_id in sorted(contents(table))}
        return contents(table), removed, revisions, by_id, [len(h) for h in (app.search("red", name).hits,)]

    @staticmethod
    def rows(data: Path, database: str) -> Any:
        with closing(sqlite3.connect(data / database)) as db:
            names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            # Not all rows: a table whose pages lead in a circle has no end.
            return {name: db.execute(f"SELECT * FROM {name} LIMIT 100000").fetchall() for name in names}

    def run(self, rng: random.Random) -> tuple[str, str, list[str]]:
        """Damage one file: its kind, what came of it, and what should not have happened."""
        kind = rng.choice(sorted(self.by_group))
        file, damage = rng.choice(self.by_group[kind]), rng.choice(KINDS)
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.base, self.work)
        path, wrong = self.work / file, list[str]()
        content = bytearray(path.read_bytes())
        if damage is None:
            path.unlink()
        elif content:
            path.write_bytes(damage(content, rng))
        hit = file.split("/")[1] if file.startswith(("collections/", "linkages/", "maps/", "uploads/")) else ""
        what = f"{damage.__name__ if damage else 'gone'} {file}"
        same_rows = self.same_databases()
        try:
            found = self.judge(hit, same_rows, wrong)
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            wrong.append(f"{type(error).__name__}: {error}"[:300])
            found = "failed"
        gc.collect()  # the opened apps are in cycles, and each index of words in them reserves addresses
        return kind, found, [f"{what}: {line}" for line in wrong]

    def judge(self, hit: str, same_rows: bool, wrong: list[str]) -> str:
        app = colour_app(self.work)
        whole = self.check_others(app, hit, wrong)
        report = app.backups.verify(OPERATOR, options=VerificationOptions(originals=True))
        lines = [damage.line for damage in report.damages]
        wrong += [f"several lines: {line!r}" for line in lines if "\n" in line]
        if report.damages:
            self.restore(app, hit, wrong)
            return "found"
        return "harmless" if whole and same_rows else "missed"

    def check_others(self, app: App, hit: str, wrong: list[str]) -> bool:
        """Every collection that was not hit is as before; whether the one that was is, too."""
        home = [name for name in self.names if name == hit or name.startswith(f"{hit}-")] if hit else []
        found, damaged = app.survey_collections()
        listed = {collection.name for collection in (*found, *damaged)}
        whole = True
        for name in self.names:
            try:
                same = self.reading(self.work, name) == self.expected[name]
                if name not in home and not same and hit:
                    wrong.append(f"{name} changed")
            except ContactSheetError as error:
                same = False
                if "\n" in str(error):
                    wrong.append(f"several lines: {error}")
                if name not in home and hit:
                    wrong.append(f"{name} is not usable: {error}")
            whole &= same
            if name not in listed and name not in home:
                wrong.append(f"{name} is not listed")
        # Pictures are found whichever database is damaged.
        for name in self.names:
            if name not in home:
                app.search("red", name)
        return whole

    def same_databases(self) -> bool:
        try:
            return all(self.rows(self.work, name) == rows for name, rows in self.databases.items())
        except (sqlite3.Error, UnicodeDecodeError):
            return False

    def restore(self, app: App, hit: str, wrong: list[str]) -> None:
        """What the backup gives is what was there."""
        names = [hit] if hit in self.names else []
        if names:
            app.backups.restore(OPERATOR, self.place, RestoreOptions(names, replace=True))
        app.backups.restore(OPERATOR, self.place, RestoreOptions())
        again = colour_app(self.work)
        changed = (name for name in self.names if hit and self.reading(self.work, name) != self.expected[name])
        wrong += [f"{name} was not restored as it was" for name in changed]
        left = [damage.line for damage in again.backups.verify(OPERATOR).left]
        if left and not any(line.startswith("database") or ": revision: " in line for line in left):
            wrong.append(f"after the restore: {left[0]}")


def main() -> None:
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    rng, outcomes, wrong = random.Random(seed), Counter[tuple[str, str]](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder))
        for _ in range(count):
            kind, found, lines = trials.run(rng)
            outcomes[kind, found] += 1
            wrong += lines
    print(json.dumps({"outcomes": [[*key, times] for key, times in sorted(outcomes.items())], "wrong": wrong}))


if __name__ == "__main__":
    main()
