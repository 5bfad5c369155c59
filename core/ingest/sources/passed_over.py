"""What a walk passed over, counted by kind, so that nobody misses pictures without being told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core.embedding.formats import EXTRAS, HEIF_SUFFIXES, JXL_SUFFIXES, RAW_SUFFIXES, is_installed
from core.embedding.image_headers import NOT_SUPPORTED, UNKNOWN
from core.records.jobs import Failure
from core.text import counted, one_line

MAX_NAMES = 5
# Pictures and films that are not read. What is in neither list is an "other file", which nobody will miss.
_PICTURES = """
psd psb svg svgz eps ai pdf xcf indd cdr tga pcx dds exr hdr dpx cin dcm fits fit djvu jxr wdp hdp bpg pict pct ppm pgm
pbm pnm pfm ico icns wmf emf kra clip procreate afphoto afdesign flif qoi jbig jb2 jng mng raw lfp braw r3d
fpx pcd sgi ras xbm xpm heics heifs avifs
"""
_FILMS = "mp4 mov avi mkv mts m2ts m2t 3gp 3g2 wmv webm m4v mpg mpeg mpe insv vob flv ogv asf rm divx mxf dv lrv"
_MAY_LACK_A_READER = RAW_SUFFIXES | JXL_SUFFIXES | HEIF_SUFFIXES
KINDS = {f".{suffix}": suffix.upper() for suffix in f"{_PICTURES} {_FILMS}".split()}


@dataclass(frozen=True)
class PassedOver:
    """Files that were not read, by kind (`CR2`, `MOV`); folders that were not entered, by name; and how many others.

    `excluded_files` matched a pattern; `hidden` counts pictures and folders whose names begin with a dot; `other_files`
    are no pictures.
    """

    kinds: Mapping[str, int] = field(default_factory=Counter)
    excluded_folders: Mapping[str, int] = field(default_factory=Counter)
    excluded_files: int = 0
    hidden: int = 0
    other_files: int = 0

    def including(self, failures: Iterable[Failure]) -> PassedOver:
        """With the RAW, JPEG XL and HEIC files among the failures of an ingest that nothing here could read."""
        kinds = Counter(self.kinds)
        kinds.update(_suffix(failure)[1:].upper() for failure in failures if lacks_reader(failure))
        return replace(self, kinds=dict(kinds))

    def counts(self) -> tuple[tuple[str, int], ...]:
        """How many of each kind, and how many were `excluded` by a pattern; folders count as one `folder excluded`."""
        found = [*self.kinds.items(), ("excluded", self.excluded_files)]
        found.append(("folder excluded", sum(self.excluded_folders.values())))
        return tuple(sorted((kind, number) for kind, number in found if number))

    def line(self) -> str:
        """`10 passed over: 8 PSD, 2 JXL (pip install -r requirements-jxl.txt); 3 folders excluded: @eaDir`, or nothing.

        Hidden and other files are nobody's loss and are left out.
        """
        return "; ".join(part for part in (self._files_line(), self._folders_line()) if part)

    def _files_line(self) -> str:
        counts = [f"{number:,} {kind}{_advice(kind)}" for kind, number in _most_first(self.kinds)]
        if self.excluded_files:
            counts.append(f"{self.excluded_files:,} excluded")
        total = sum(self.kinds.values()) + self.excluded_files
        return f"{total:,} passed over: {', '.join(counts)}" if total else ""

    def _folders_line(self) -> str:
        total = sum(self.excluded_folders.values())
        names = [one_line(name, 60) for name, _ in _most_first(self.excluded_folders)]
        more = f" and {len(names) - MAX_NAMES:,} more names" if len(names) > MAX_NAMES else ""
        return f"{counted(total, 'folder')} excluded: {', '.join(names[:MAX_NAMES])}{more}" if total else ""


def lacks_reader(failure: Failure) -> bool:
    """Whether a file is of a kind that nothing here can read, which says nothing against the file."""
    return failure.reason in (NOT_SUPPORTED, UNKNOWN) and _suffix(failure) in _MAY_LACK_A_READER


def _suffix(failure: Failure) -> str:
    return failure.uri[failure.uri.rfind(".") :].lower()


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _advice(kind: str) -> str:
    kind = "RAW" if f".{kind.lower()}" in RAW_SUFFIXES else kind
    return f" (pip install -r {EXTRAS[kind]})" if kind in EXTRAS and not is_installed(kind) else ""
