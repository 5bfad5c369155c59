"""Keywords with what they lie under, `Animals|Mammals|Dog`, whichever separator a program writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from core.ingest.metadata.cleaning import MAX_KEYWORD_LENGTH, MAX_KEYWORDS, clean, clean_keywords
from core.records.descriptions import Description

SEPARATOR = "|"
_MAX_LEVELS = 12
# Under these, programs keep what is no keyword: states, versions, colours.
_INTERNAL_ROOTS = ("_digikam_internal_tags_",)


def split_hierarchies(paths: Iterable[str], separator: str) -> Iterator[str]:
    """Paths as one program writes them, with our separator; a separator of ours in a word becomes a slash."""
    for path in paths:
        yield path if separator == SEPARATOR else path.replace(SEPARATOR, "/").replace(separator, SEPARATOR)


def clean_hierarchies(paths: Iterable[str]) -> tuple[str, ...]:
    """Cleaned paths, each once, those of one level included: whoever adds leaves to keywords needs them."""
    unique: dict[str, str] = {}
    for path in paths:
        words = [word for part in path.split(SEPARATOR) if (word := clean(part, MAX_KEYWORD_LENGTH))][:_MAX_LEVELS]
        if words and words[0].casefold() not in _INTERNAL_ROOTS:
            cleaned = SEPARATOR.join(words)
            unique.setdefault(cleaned.casefold(), cleaned)
        if len(unique) == MAX_KEYWORDS:
            break
    return tuple(unique.values())


def leaf(path: str) -> str:
    """The keyword itself: `Dog`."""
    return path.rpartition(SEPARATOR)[2]


def with_leaves(about: Description) -> Description:
    """`about` with the leaves of its hierarchies among its keywords, and without hierarchies of one level."""
    keywords = clean_keywords([*about.keywords, *map(leaf, about.hierarchies)])
    hierarchies = tuple(path for path in about.hierarchies if SEPARATOR in path)
    return replace(about, keywords=keywords, hierarchies=hierarchies)
