"""The language of a collection's texts: stems of words, and a general list of words."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from core.cache import LruCache
from core.text import plain

# The code of each language in the general word lists; the other languages that can be stemmed have none.
_WORD_LISTS = {
    "Danish": "da",
    "Dutch": "nl",
    "English": "en",
    "Finnish": "fi",
    "French": "fr",
    "German": "de",
    "Greek": "el",
    "Hungarian": "hu",
    "Italian": "it",
    "Norwegian": "nb",
    "Portuguese": "pt",
    "Romanian": "ro",
    "Russian": "ru",
    "Spanish": "es",
    "Swedish": "sv",
    "Turkish": "tr",
}
MAX_CACHED_STEMS = 50_000
_OTHER_LETTERS = ("Greek", "Russian")


@dataclass(frozen=True)
class Language:
    """A language by its English name, one of those that the setting allows. Shared between threads."""

    name: str = "English"
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)
    _stems: LruCache[str, str] = field(
        default_factory=lambda: LruCache(MAX_CACHED_STEMS), compare=False, repr=False, init=False
    )

    @property
    def has_word_list(self) -> bool:
        """Whether a general list of its words is there; without one nothing tells a rare word from a misspelt one."""
        return self.name in _WORD_LISTS

    def is_known(self, word: str) -> bool:
        """Whether a word is in the general list of this language, or of English. The first call loads them.

        One in letters that these lists do not have counts as known: nothing tells whether it is misspelt.
        """
        if self.name not in _OTHER_LETTERS and not plain(word).isascii():
            return True
        # Takes a tenth of a second and 30 MB, which only those pay who search by words.
        from simplemma import is_known

        codes = dict.fromkeys((_WORD_LISTS.get(self.name, "en"), "en"))
        return any(bool(is_known(word, lang=code)) for code in codes)

    def stem(self, word: str) -> str:
        """The stem of a word without case and accents (Snowball, as LanceDB stems)."""
        known = self._stems.get(word)
        if known is not None:
            return known
        with self._lock:  # a stemmer keeps the word it is at
            stem = str(self._stemmer.stemWord(plain(word)))
        return self._stems.setdefault(word, stem)

    @cached_property
    def _stemmer(self) -> Any:
        import snowballstemmer

        return snowballstemmer.stemmer(self.name.lower())
