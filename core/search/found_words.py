"""In which texts of a picture the words of a query stand, and where: for marking them, and for the receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from core.records.assets import Asset, FoundText, file_name
from core.records.queries import Query, TextCondition
from core.search.stemming import Language
from core.store.lance.text_index import UNSPACED_RUN, WantedParts, looked_for
from core.text import WORD, plain

MIN_PART = 3  # the letters or digits that a part of a word has at least, as in the index of parts

Span = tuple[int, int]


def words_to_find(query: Query) -> str:
    """The words that a query looks for in texts: those of its wishes and of its conditions."""
    conditions = (each.words for each in query.conditions if isinstance(each, TextCondition) and not each.excluded)
    return " ".join([query.words, *conditions])


class WordFinder:
    """Finds the words of one query in texts: by their stems, or else as parts of words and where these are alike."""

    def __init__(self, query: str, language: Language, is_telling: Callable[[str], bool]) -> None:
        """`is_telling` says whether a word occurs in the collection."""
        self._language = language
        text = looked_for(query, language.name)
        words = list(dict.fromkeys(WORD.findall(text)))
        self._stems = {language.stem(word) for word in words}
        self._unspaced = UNSPACED_RUN.findall(text)
        # Asking about a word costs a search of its own: until one is telling, which the first mostly is.
        self._parts = [] if any(map(is_telling, words)) else [word for word in words if len(word) >= MIN_PART]
        self._alike = WantedParts(self._parts, language.is_known)

    def texts(self, asset: Asset) -> tuple[FoundText, ...]:
        """The texts of a picture that have any of the words, in the order in which people read them."""
        found = ((field, text, tuple(self._spans(text, field == "name"))) for field, text in _texts(asset) if text)
        return tuple(FoundText(field, text, spans) for field, text, spans in found if spans)

    def _spans(self, text: str, is_name: bool) -> Iterator[Span]:
        last = 0
        for start, end in sorted(chain(self._whole(text, is_name), self._within(text), self._spelt_alike(text))):
            if start >= last:
                yield start, end
                last = end

    def _whole(self, text: str, is_name: bool) -> Iterator[Span]:
        for match in WORD.finditer(text) if self._stems else ():
            if self._is_wanted(match.group()):
                yield match.span()
            elif is_name:
                yield from (part for part in _name_parts(text, *match.span()) if self._is_wanted(text[slice(*part)]))

    def _is_wanted(self, word: str) -> bool:
        return self._language.stem(word) in self._stems

    def _within(self, text: str) -> Iterator[Span]:
        lowered = text.lower()
        if len(lowered) != len(text):  # a few letters have a longer small form: spans would not fit
            return
        for part in (*self._parts, *self._unspaced):
            start = lowered.find(part)
            while start >= 0:
                yield start, start + len(part)
                start = lowered.find(part, start + len(part))

    def _spelt_alike(self, text: str) -> Iterator[Span]:
        for match in WORD.finditer(text) if self._parts else ():
            within = any(part in match.group().lower() for part in self._parts)
            if not within and self._alike.are_in(plain(match.group())):
                yield match.span()


def _name_parts(name: str, start: int, end: int) -> Iterator[Span]:
    """The words in a word of a file's name, split as the index does: `redBoat` and `IMG0004` are two each."""
    for at in range(start + 1, end):
        before, after = name[at - 1], name[at]
        if (before.islower() and after.isupper()) or before.isnumeric() != after.isnumeric():
            yield start, at
            start = at
    yield start, end


def _texts(asset: Asset) -> Iterable[tuple[str, str]]:
    about = asset.about
    names = dict.fromkeys(file_name(uri) for uri in asset.uris)
    return (
        *(("title", text) for text in (about.title, about.headline)),
        ("description", about.description),
        *(("keyword", keyword) for keyword in dict.fromkeys((*about.keywords, *_levels(about.hierarchies)))),
        *(("person", name) for name in about.people),
        ("place", about.place.name),
        *(("author", text) for text in dict.fromkeys((about.author, about.credit))),
        *(("name", name) for name in names),
    )


def _levels(hierarchies: Iterable[str]) -> Iterator[str]:
    return (level for hierarchy in hierarchies for level in hierarchy.split("|"))
