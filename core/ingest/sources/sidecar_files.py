"""Which files beside a picture may describe it, by their names alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SUFFIXES = (".xmp", ".json")
_TAKEOUT, _TAKEOUT_MAX = ".supplemental-metadata", 46  # Google Takeout cuts the name before .json
_NUMBERED = re.compile(r"(.*)(\(\d+\))(\.[^.]*)")


class SidecarNames:
    """The names of one folder's sidecars: `p.xmp` and `p.jpg.xmp`, `p.jpg.json`, `p.jpg.supplemental-metadata.json`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower(): name for name in names if name.lower().endswith(SUFFIXES)}

    def of(self, picture: str) -> list[str]:
        """Those that may describe the picture of this name, in any case of letters."""
        if not self._names:
            return []
        return [self._names[name] for name in dict.fromkeys(_candidates(picture.lower())) if name in self._names]


def _candidates(name: str) -> Iterator[str]:
    stem = name.rpartition(".")[0] or name
    for base in (name, stem):
        yield f"{base}.xmp"
        yield f"{base}.json"
    for written in (name, stem.removesuffix("-edited") + name[len(stem) :]):
        numbered = _NUMBERED.fullmatch(written)
        base, number = (numbered[1] + numbered[3], numbered[2]) if numbered else (written, "")
        longest = base + _TAKEOUT
        for length in range(min(len(base), _TAKEOUT_MAX), len(longest) + 1):
            yield f"{longest[:length]}{number}.json"
