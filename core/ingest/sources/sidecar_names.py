"""Which files beside a picture may describe it, by their names alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from core.ingest.metadata.takeout import possible_names
from core.text import folded

SUFFIXES = (".xmp", ".json")


class SidecarNames:
    """The names of one folder's sidecars: `p.xmp` and `p.jpg.xmp`, `p.jpg.json`, `p.jpg.supplemental-metadata.json`."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names` are all files of the folder."""
        self._names = list(names)
        self._sidecars: dict[str, list[str]] = {}
        for name in self._names:
            if name.lower().endswith(SUFFIXES):
                self._sidecars.setdefault(folded(name), []).append(name)

    def of(self, picture: str) -> list[str]:
        """Those that may describe the picture of this name, in any case and composition of letters.

        Of `P.xmp` and `p.xmp` it is the one that is written like the picture, and never one written like another.
        """
        if not self._sidecars:
            return []
        named = ((candidate, self._sidecars.get(folded(candidate), ())) for candidate in _candidates(picture))
        found = (_own(candidate, spellings, self._bases) for candidate, spellings in named if spellings)
        return list(dict.fromkeys(filter(None, found)))

    @cached_property
    def _bases(self) -> frozenset[str]:
        """The names of all files, with their suffix and without, as they are written."""
        pictures = [name for name in self._names if not name.lower().endswith(SUFFIXES)]
        return frozenset([*pictures, *(_base(name) for name in pictures)])


def _candidates(picture: str) -> Iterator[str]:
    for base in (picture, _base(picture)):
        yield from (f"{base}{suffix}" for suffix in SUFFIXES)
    yield from possible_names(Path(picture))


def _own(candidate: str, spellings: Iterable[str], bases: frozenset[str]) -> str:
    """The spelling that belongs to a candidate: the same, or one that is no other file's own; "" if there is none."""
    wanted, others = _base(candidate), ""
    for spelling in spellings:
        if _base(spelling) == wanted:
            return spelling
        if _base(spelling) not in bases:
            others = others or spelling
    return others


def _base(name: str) -> str:
    return name.rpartition(".")[0] or name
