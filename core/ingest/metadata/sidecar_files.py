"""XMP sidecars: `p.xmp` (Lightroom, Bridge) and `p.jpg.xmp` (darktable, digiKam) beside a picture `p.jpg`."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from core.errors import SidecarError
from core.ingest.metadata.merging import merge_standards
from core.ingest.metadata.readings import NOTHING
from core.ingest.metadata.xmp import read_xmp, read_xmp_extras
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES, parse_packet
from core.records.descriptions import Description
from core.text import folded

SUFFIX = ".xmp"


def sidecars_of(path: Path, names: Collection[str] | None = None) -> list[Path]:
    """The sidecars of a picture, the most specific first: `p.jpg.xmp`, then `p.xmp`, whatever their case.

    `p.xmp` belongs to every picture of that name: to p.jpg as well as to p.raf. `names` are the files of the folder; a
    frozenset is looked through once for all its pictures. Without it the folder is listed.
    """
    if names is None:
        try:
            names = [entry.name for entry in path.parent.iterdir()]
        except OSError:
            return []
    by_name = _sidecars_by_name(frozenset(names))
    found: list[Path] = []
    for name in (path.name, path.stem):
        spellings = by_name.get(folded(name), ())
        own_first = sorted(spellings, key=lambda spelling: (not spelling.startswith(name), spelling))
        found += [path.parent / spelling for spelling in own_first]
    return found


@lru_cache(maxsize=8)
def _sidecars_by_name(names: frozenset[str]) -> dict[str, list[str]]:
    """Sidecars by what they are sidecars of, without case."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name[-len(SUFFIX) :].lower() == SUFFIX:
            found.setdefault(folded(name[: -len(SUFFIX)]), []).append(name)
    return found


def read_sidecar_file(path: Path) -> Description:
    """What an XMP sidecar says, as far as it can be read. Raises SidecarError if it is unreadable or holds none."""
    try:
        with path.open("rb") as file:
            packet = file.read(MAX_PACKET_BYTES + 1)
    except OSError as error:
        raise SidecarError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(packet) > MAX_PACKET_BYTES:
        raise SidecarError(f"{path} is larger than {MAX_PACKET_BYTES // 2**20} MiB, which no XMP sidecar is")
    properties = parse_packet(packet)
    if not properties:
        raise SidecarError(f"{path} holds no XMP: remove it, or write it again with the program that made it")
    return merge_standards(NOTHING, None, read_xmp(properties), [read_xmp_extras(properties)])
