"""Keywords with what they lie under, `Animals|Mammals|Dog`, whichever separator a program writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core.ingest.metadata.cleaning import MAX_KEYWORD_LENGTH, MAX_KEYWORDS, clean, clean_keywords
from core.records.descriptions import Description

SEPARATOR = "|"
_MAX_LEVELS, _MAX_LENGTH = 12, 1_000
# Under these, digiKam and darktable keep what is no keyword: states, versions, formats.
_INTERNAL_ROOTS = ("_digikam_internal_tags_", "darktable")


def split_hierarchies(paths: Iterable[str], separator: str) -> Iterator[str]:
    """Paths as one program writes them, with our separator; a separator of ours in a word becomes a slash."""
    for whole in paths:
        path = whole[:_MAX_LENGTH]
        yield path if separator == SEPARATOR else path.replace(SEPARATOR, "/").replace(separator, SEPARATOR)


def joined(above: str, word: str) -> str:
    """The path to a word that lies under a path, or under nothing."""
    below = word.replace(SEPARATOR, "/")
    return f"{above}{SEPARATOR}{below}" if above else below


def clean_hierarchies(paths: Iterable[str]) -> tuple[str, ...]:
    """Cleaned paths, each once, those of one level included: whoever adds leaves to keywords needs them."""
    unique: dict[str, str] = {}
    for path in paths:
        words = [word for part in path.split(SEPARATOR) if (word := clean(part, MAX_KEYWORD_LENGTH))][:_MAX_LEVELS]
        if words and not _is_internal(words):
            cleaned = SEPARATOR.join(words)
            unique.setdefault(cleaned.casefold(), cleaned)
        if len(unique) == MAX_KEYWORDS:
            break
    return tuple(unique.values())


def without_internal(keywords: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Keywords but those that a program made of its internal paths: darktable lists each of their parts."""
    internal: set[str] = set()
    others: set[str] = set()
    for path in paths:
        words = [clean(part, MAX_KEYWORD_LENGTH).casefold() for part in path.split(SEPARATOR)]
        (internal if len(words) > 1 and _is_internal(words) else others).update(words)
    return clean_keywords(
        word for word in keywords if clean(word, MAX_KEYWORD_LENGTH).casefold() not in internal - others
    )


def _is_internal(words: Sequence[str]) -> bool:
    return words[0].casefold() in _INTERNAL_ROOTS


def leaf(path: str) -> str:
    """The keyword itself: `Dog`."""
    return path.rpartition(SEPARATOR)[2]


def with_leaves(about: Description) -> Description:
    """`about` with the leaves of its hierarchies among its keywords, and without hierarchies of one level."""
    keywords = clean_keywords([*about.keywords, *map(leaf, about.hierarchies)])
    hierarchies = tuple(path for path in about.hierarchies if SEPARATOR in path)
    return replace(about, keywords=keywords, hierarchies=hierarchies)
