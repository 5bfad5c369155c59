"""Plurals that count as their singular, so that "boats" and "boat" are one term."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

# How nouns change. The dictionary also says "left" of "leave" and "sailing" of "sail", which are no plurals.
_ENDINGS = (
    ("s", ""),
    ("es", ""),
    ("ies", "y"),
    ("ves", "f"),
    ("ves", "fe"),
    ("zzes", "z"),
    ("es", "is"),
    ("i", "us"),
    ("ae", "a"),
    ("men", "man"),
    ("children", "child"),
    ("feet", "foot"),
    ("geese", "goose"),
    ("mice", "mouse"),
    ("oxen", "ox"),
    ("teeth", "tooth"),
)
_PLURAL_ENDINGS = tuple({plural for plural, _ in _ENDINGS})
# The dictionary takes these for verbs, or for something rarer.
_CORRECTED = {
    "calves": "calf",
    "halves": "half",
    "leaves": "leaf",
    "lives": "life",
    "loaves": "loaf",
    "sheaves": "sheaf",
    "shelves": "shelf",
    "skies": "sky",
    "thieves": "thief",
    "wives": "wife",
}


def join_plurals(terms_by_row: Sequence[frozenset[str]], common_words: Collection[str]) -> list[frozenset[str]]:
    """The terms of each row, English plurals replaced by their singular where that is a term of a row or a common word.

    Of a phrase, the last word counts: "red boats" joins "red boat". All other terms stay as they were written, and so
    do common words that are plurals themselves, such as "glasses".
    """
    written, common = set(chain.from_iterable(terms_by_row)), set(common_words)
    singulars = {
        term: singular
        for term in written - common
        if (singular := singular_of(term)) is not None and (singular in written or singular in common)
    }
    return [
        terms if singulars.keys().isdisjoint(terms) else frozenset(singulars.get(term, term) for term in terms)
        for terms in terms_by_row
    ]


def singular_of(term: str) -> str | None:
    """The singular of an English word, or of a phrase that ends with one, in small letters; None if it is no plural.

    The first call loads the dictionary.
    """
    before, space, word = term.rpartition(" ")
    if not word.endswith(_PLURAL_ENDINGS):
        return None
    singular = _CORRECTED.get(word) or _base_form(word)
    is_plural = any(word.endswith(p) and word.removesuffix(p) + s == singular for p, s in _ENDINGS)
    return before + space + singular if is_plural else None


def _base_form(word: str) -> str:
    # Takes a fraction of a second and 30 MB, which only those pay who look at clusters.
    from simplemma import lemmatize

    return lemmatize(word, lang="en")
