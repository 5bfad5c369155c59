"""Sentences about how far a result can be trusted."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from core.records.assets import ModelCard
from core.records.text_fit import TextFit
from core.text import listed, quoted

WEAK = "Weak matches: nothing here looks much like what you describe."
MAX_NAMED = 3
# Parts of the names of models that were trained on texts in many languages.
MULTILINGUAL = ("xlm", "siglip2", "multilingual", "nllb", "mt5", "i18n")


def search_hints(
    query: str,
    model: ModelCard,
    fit: TextFit,
    best_similarity: float,
    found_by_words: bool,
    unknown: Sequence[str] = (),
) -> tuple[str, ...]:
    """What a person should know about the result of a query in words: of the `unknown` ones, and of all where none of
    them was found in a text.
    """
    hints = [_unknown(unknown)] if unknown else []
    if found_by_words or not query:
        return tuple(hints)
    if script := _foreign_script(query, model):
        hints.append(f"The model {model.name} was trained on English texts and may not know {script}.")
    elif fit.weak_similarity is not None and best_similarity < fit.weak_similarity:
        hints.append(WEAK)
    return tuple(hints)


def _unknown(words: Sequence[str]) -> str:
    named = listed([quoted(word) for word in words[:MAX_NAMED]])
    are, them = ("is", "it") if len(words) == 1 else ("are", "them")
    return f"{named} {are} not in any text here, and the model may not know {them}."


def _foreign_script(query: str, model: ModelCard) -> str:
    """The script of the first letter that an English model does not know; empty if there is none."""
    if any(part in model.name.lower() for part in MULTILINGUAL):
        return ""
    letters = filter(str.isalpha, unicodedata.normalize("NFKC", query))  # wide and bold letters are what they stand for
    foreign = (unicodedata.name(letter, "").split(" ")[0] for letter in letters if not letter.isascii())
    script = next((name for name in foreign if name not in ("LATIN", "MODIFIER", "")), "")
    return {"": "", "CJK": "Chinese characters"}.get(script, f"{script.capitalize()} letters")
