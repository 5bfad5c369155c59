"""An archive that people work in: files that are edited, described, moved, copied and deleted by lot."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from core.access import OPERATOR
from core.records.sources import RescanOptions
from tests.fakes.colour_app import colour_app

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag>
</dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"""
FOLDERS = 20


class ArchiveLife:
    """The files of an archive. `alive` has each picture's file now, by the number it was born with."""

    def __init__(self, root: Path, count: int, seed: int) -> None:
        self._root, self._rng, self._clock_ns, self._born = root, random.Random(seed), 10**18, 0
        self.alive: dict[int, Path] = {}
        self.happened: list[str] = []
        for _ in range(count):
            self.add()
        self.happened.clear()

    def happen(self, count: int) -> None:
        """So many things happen, each to a picture of its own, as in the time between two scans."""
        ways: list[Callable[[int], None]] = [self._edit, self._describe, self._move, self._delete, self._touch]
        chosen = self._rng.sample(sorted(self.alive), min(count, len(self.alive)))
        for number in chosen:
            way = self._rng.choice(ways)
            way(number)
            self.happened.append(way.__name__.strip("_"))
        for _ in range(count // 8):
            self.add()

    def add(self) -> None:
        """A new picture."""
        path = self._free_path(self._born)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._paint(path)
        self.alive[self._born] = path
        self._born += 1
        self.happened.append("add")

    def id_of(self, number: int) -> str:
        """The id of a picture as its file is now."""
        return sha256(self.alive[number].read_bytes()).hexdigest()

    def _edit(self, number: int) -> None:
        self._paint(self.alive[number])

    def _describe(self, number: int) -> None:
        """Write a sidecar, or take it away again."""
        sidecar = self.alive[number].with_suffix(".xmp")
        if sidecar.exists() and self._rng.random() < 0.4:
            sidecar.unlink()
        else:
            sidecar.write_text(XMP.format(f"word {self._rng.randrange(10**6)}"))
            self._tick(sidecar)

    def _move(self, number: int) -> None:
        old, new = self.alive[number], self._free_path(number)
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        if old.with_suffix(".xmp").exists():
            old.with_suffix(".xmp").rename(new.with_suffix(".xmp"))
        self.alive[number] = new

    def _delete(self, number: int) -> None:
        path = self.alive.pop(number)
        path.unlink()
        path.with_suffix(".xmp").unlink(missing_ok=True)

    def _touch(self, number: int) -> None:
        self._tick(self.alive[number])

    def _free_path(self, number: int) -> Path:
        folder = self._root / f"{self._rng.randrange(FOLDERS):02}"
        return folder / f"{number:05}-{self._rng.randrange(10**6):06}.png"

    def _paint(self, path: Path) -> None:
        noise = np.frombuffer(self._rng.randbytes(8 * 8 * 3), np.uint8).reshape(8, 8, 3)
        Image.fromarray(noise).save(path)
        self._tick(path)

    def _tick(self, path: Path) -> None:
        """Give a file a time of its own: a test is quicker than the clock of some file systems."""
        self._clock_ns += 10**9
        os.utime(path, ns=(self._clock_ns, self._clock_ns))


def rescan_announced(data: str, started: int) -> None:
    """Rescan the collection `c`, after a byte to the descriptor `started`; what a test kills."""
    app = colour_app(Path(data))
    os.write(started, b"!")
    app.sources.rescan(OPERATOR, "c", RescanOptions())
