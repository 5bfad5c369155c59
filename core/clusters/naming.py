"""A suggested name for every cluster: from what people wrote about its pictures, or from what they look like.

Written words: terms that most members have and few others do (the harmonic mean of both shares, so that a term of one
member, or of everything, loses). Looks: zero-shot classification of the centroid with the collection's own text tower
(Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.settings import PROJECT

WRITTEN_ENOUGH = 0.35
TEMPERATURE = 0.01
VOCABULARY = PROJECT / "data" / "vocabulary.txt"
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # file names join words by underscores and number them
_SMALL = (
    "a an and are as at by for from in into is it its like of off on onto or out over the their them this to two three "
    "four five under up with without near behind beside between across along against around many some several other "
    "another one small large big close side front back view seen photo photograph picture image img dsc jpg jpeg png "
    "webp gif tif tiff bmp heic heif avif"
)
_STOP = frozenset(_SMALL.split())


@dataclass(frozen=True)
class Suggestion:
    """A name nobody has confirmed: its confidence from 0 to 1, and whether people's words or the pictures gave it."""

    name: str
    confidence: float
    source: Literal["words", "looks"]


def terms(title: str, keywords: Iterable[str]) -> frozenset[str]:
    """What a picture is said to show: its keywords, and the words of its title without the small ones."""
    words = {word.lower() for word in _WORD.findall(title)}
    return frozenset({_singular(word) for word in words if len(word) > 2 and word not in _STOP}) | {
        " ".join(keyword.lower().split()) for keyword in keywords if keyword.strip()
    }


def _singular(word: str) -> str:
    word = word.removesuffix("’s").removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def by_words(labels: NDArray[np.int32], said: Sequence[frozenset[str]], count: int) -> list[Suggestion | None]:
    """The term that fits each of `count` clusters best; `said` holds each row's terms, labels (n,) its cluster.

    A term names no cluster that has it no more often than the whole collection.
    """
    everywhere, inside = Counter[str](), defaultdict[int, Counter[str]](Counter)
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    for label, words in zip(labels.tolist(), said, strict=True):
        everywhere.update(words)
        if label >= 0:
            inside[label].update(words)
    return [_best_term(inside[number], int(sizes[number]), everywhere, len(said)) for number in range(count)]


def _best_term(inside: Mapping[str, int], size: int, everywhere: Mapping[str, int], total: int) -> Suggestion | None:
    scored = [
        (2 * have / (size + everywhere[term]), have, term)
        for term, have in inside.items()
        if have > 1 and have * total > everywhere[term] * size
    ]
    if not scored:
        return None
    score, _, term = max(scored, key=lambda entry: (entry[0], entry[1], [-ord(c) for c in entry[2]]))
    return Suggestion(term[:1].upper() + term[1:], score, "words")


def by_looks(
    centroids: NDArray[np.float32], words: Sequence[str], word_vectors: NDArray[np.float32]
) -> list[Suggestion | None]:
    """The word each of (k, d) centroids looks most like, among (m, d) vectors of words; both of unit length.

    What all clusters have in common with a word says nothing of any one, so its mean over the clusters is taken off.
    The confidence is the word's share in a softmax at CLIP's temperature.
    """
    if not len(words) or not len(centroids):
        return [None] * len(centroids)
    similarity = centroids @ word_vectors.T
    relative = similarity - (similarity.mean(axis=0) if len(centroids) > 2 else 0)
    shares = np.exp((relative - relative.max(axis=1, keepdims=True)) / TEMPERATURE)
    shares /= shares.sum(axis=1, keepdims=True)
    best = relative.argmax(axis=1)
    return [
        Suggestion(words[b][:1].upper() + words[b][1:], float(shares[row, b]), "looks")
        for row, b in enumerate(best.tolist())
    ]


def suggest(written: Sequence[Suggestion | None], looked: Sequence[Suggestion | None]) -> list[Suggestion | None]:
    """What people wrote where it fits well enough, otherwise what the pictures look like."""
    return [
        words if words and (words.confidence >= WRITTEN_ENOUGH or looks is None) else looks or words
        for words, looks in zip(written, looked, strict=True)
    ]


def common_words() -> list[str]:
    """Everyday things that photographs show, from data/vocabulary.txt."""
    return VOCABULARY.read_text(encoding="utf-8").split("\n")[:-1]


def vocabulary(said: Iterable[frozenset[str]], common: Sequence[str], most: int = 600) -> list[str]:
    """Words to compare looks with: the collection's own, the most frequent first, then common ones."""
    times = Counter(term for words in said for term in words)
    own = sorted((term for term in times if times[term] > 1), key=lambda term: (-times[term], term))
    return list(dict.fromkeys([*own[: most // 2], *common]))[:most]
