"""One description out of several: the standards in one file, then the file, its sidecars and what tables say of it.

Within a file by the Metadata Working Group's guidelines 2.0: docs/metadata.md has the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.ingest.metadata.cleaning import clean_keywords
from core.ingest.metadata.hierarchies import leaf, with_leaves
from core.ingest.metadata.iptc import LIMITS, Iptc
from core.ingest.metadata.readings import NOTHING, Reading
from core.records.created_time import CreatedTime
from core.records.descriptions import Description


def merged(
    table: Description, sidecars: Sequence[Description], embedded: Description, takeout: Description
) -> Description:
    """What is known of a picture: a table's row before its sidecars (the most specific first), the file, and Takeout.

    Each field is taken from the first that has it: keywords are not mixed, so that one that was removed stays removed.
    Hierarchies of a later source are kept as far as their keyword is among these. Names of the place and coordinates
    are two fields.
    """
    about = Description()
    for source in (table, *sidecars, embedded, takeout):
        if about.keywords and not about.hierarchies:
            known = {word.casefold() for word in about.keywords}
            source = replace(source, hierarchies=tuple(p for p in source.hierarchies if leaf(p).casefold() in known))
        about = about.filled_from(source)
    return about


def merge_standards(exif: Reading, iptc: Iptc | None, xmp: Reading, rest: Sequence[Reading] = ()) -> Description:
    """The description of one file by the MWG's order; `rest` (Windows, PNG, comments) fills the gaps.

    EXIF first; XMP before IPTC, unless the digest says that the IPTC is newer. The time is the first that is known of
    when the picture was taken, digitised and changed.
    """
    first, second = _in_order(iptc, xmp)
    about = exif.about.filled_from(_filled(first.about, second.about))
    for reading in rest:
        about = about.filled_from(reading.about) if reading is not NOTHING else about
    return replace(with_leaves(about), created=_created([exif, first, second, *rest]))


def _in_order(iptc: Iptc | None, xmp: Reading) -> tuple[Reading, Reading]:
    if iptc is None:
        return xmp, NOTHING
    if not iptc.is_newer:
        return xmp, iptc.reading
    return replace(iptc.reading, about=_untruncated(iptc.reading.about, xmp.about)), xmp


def _filled(first: Description, second: Description) -> Description:
    """`first` filled from `second`; names of a place one by one, since the two describe the same picture."""
    one, other = first.place, second.place
    place = replace(
        one.filled_from(other),
        sublocation=one.sublocation or other.sublocation,
        city=one.city or other.city,
        state=one.state or other.state,
        country=one.country or other.country,
    )
    return replace(first.filled_from(second), place=place)


def _untruncated(iptc: Description, xmp: Description) -> Description:
    """IPTC's texts, and XMP's longer ones where IPTC's end at the length that IPTC allows."""
    texts = ("title", "headline", "description", "credit", "licence")
    whole: dict[str, Any] = {name: _whole(getattr(iptc, name), [getattr(xmp, name)], LIMITS[name]) for name in texts}
    authors = xmp.author.split(", ")
    place = replace(
        iptc.place,
        sublocation=_whole(iptc.place.sublocation, [xmp.place.sublocation], LIMITS["sublocation"]),
        city=_whole(iptc.place.city, [xmp.place.city], LIMITS["city"]),
        state=_whole(iptc.place.state, [xmp.place.state], LIMITS["state"]),
        country=_whole(iptc.place.country, [xmp.place.country], LIMITS["country"]),
    )
    return replace(
        iptc,
        **whole,
        author=", ".join(_whole(name, authors, LIMITS["author"]) for name in iptc.author.split(", ")),
        keywords=clean_keywords(_whole(word, xmp.keywords, LIMITS["keywords"]) for word in iptc.keywords),
        place=place,
    )


def _whole(cut: str, texts: Sequence[str], limit: int) -> str:
    """The first longer text that begins like one cut off at its limit."""
    if len(cut) != limit:
        return cut
    return next((text for text in texts if len(text) > limit and text.startswith(cut)), cut)


def _created(readings: Sequence[Reading]) -> CreatedTime | None:
    times = [
        *(reading.original for reading in readings),
        *(reading.digitised for reading in readings),
        *(reading.modified for reading in readings),
    ]
    return next((time for time in times if time is not None), None)
