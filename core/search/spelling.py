"""Corrects words that are neither known to the language nor written in the collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from core.records.queries import Correction
from core.text import plain, plain_words

MIN_LENGTH = 4  # shorter words are one edit from too many others
MAX_LENGTH = 30
_ACCENTS = "\u0300-\u036f"
# A word of letters alone: `DSCN0004` and `red_boat` are names.
_WORD = re.compile(rf"(?<![\w{_ACCENTS}])[^\W\d_](?:[^\W\d_]|[{_ACCENTS}]|['’](?=[^\W\d_]))*(?![\w{_ACCENTS}])")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def corrected(text: str, vocabulary: Mapping[str, int], is_known: Callable[[str], bool]) -> Correction | None:
    """The text with its misspelt words replaced; None if there are none.

    A word is misspelt if it is neither in `vocabulary` (words of the collection, folded, with their counts) nor
    `is_known` to a general list, and one edit away from a word of the collection: one letter more, less, changed, or
    two swapped (Damerau 1964). Of several such words the most frequent one is meant. Where another unknown word is near
    to none, the text may be in another language: nothing is corrected.
    """
    better = {word: _nearest(word, vocabulary) for word in unknown_words(text, vocabulary, is_known)}
    changes = tuple((word, near) for word, near in better.items() if near)
    if not changes or len(changes) < len(better):
        return None
    return Correction(_WORD.sub(lambda match: better.get(match.group()) or match.group(), text), changes)


def unknown_words(text: str, vocabulary: Mapping[str, int], is_known: Callable[[str], bool]) -> list[str]:
    """The words of a text that are neither in `vocabulary` nor `is_known` to a general list, each once."""
    words = dict.fromkeys(match.group() for match in _WORD.finditer(text))
    return [word for word in words if _is_unknown(word, vocabulary, is_known)]


def _is_unknown(word: str, vocabulary: Mapping[str, int], is_known: Callable[[str], bool]) -> bool:
    if not MIN_LENGTH <= len(plain(word)) <= MAX_LENGTH or is_known(word):
        return False
    # `Ada's` are two words.
    return not all(part in vocabulary or is_known(part) for part in plain_words(word).split())


def _nearest(word: str, vocabulary: Mapping[str, int]) -> str | None:
    found = {each for each in _one_edit_away(plain(word)) if each in vocabulary and len(each) >= MIN_LENGTH - 1}
    return max(sorted(found), key=lambda each: vocabulary[each]) if found else None


def _one_edit_away(word: str) -> Iterator[str]:
    """Texts one edit away; what is put in is a letter from a to z or one of the word's own."""
    letters = sorted({*_LETTERS, *word})
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        for letter in letters:
            if after:
                yield before + letter + after[1:]
            yield before + letter + after
