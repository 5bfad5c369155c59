"""How the Gemini mock server ranks: by colours and brightness in the pictures, and by words in the notes.

Obedient, it also does what the texts it was sent tell it to do, as a model that falls for an injection would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.fakes.gemini_faults import MARKUP
from tests.fakes.gemini_request import Candidate, Prompt
from tests.fakes.gemini_steps import Wire

WORD = re.compile(r"\w+")
FILLERS = frozenset(
    WORD.findall(
        "a an the of in on at with and or is are to for only just show me now but ones one more some those these please"
    )
)
ALIASES = {"gray": "grey", "violet": "purple", "dark": "night", "bright": "day", "light": "day", "sunny": "day"}
SHADES = {"day": "bright", "night": "dark"}
HUES = {
    "red": (345, 375),
    "orange": (15, 40),
    "yellow": (40, 70),
    "green": (70, 165),
    "blue": (165, 260),
    "purple": (260, 310),
}
TITLE_WEIGHT = 0.4

# What obedience listens for.
FIRST = re.compile(r"(?:rank|put|place) (?:me|this|it) (?:first|top|highest)", re.IGNORECASE)
NUMBERED = re.compile(r"(?:rank|return|add) (?:id |number |picture |image |#)*(-?\d{1,9})", re.IGNORECASE)
LEAK = re.compile(r"ignore (?:\w+ )*(?:above|previous|instructions)|(?:api|your) key|system prompt", re.IGNORECASE)


def answer(prompt: Prompt, key: str, obedient: bool) -> str:
    """The JSON text the schema asks for; `key` is what the request came with, for an obedient one to give away."""
    commands = " ".join((*prompt.texts, *(c.about for c in prompt.candidates))) if obedient else ""
    secrets = f"{key} {prompt.system}" if LEAK.search(commands) else ""
    if "query" in prompt.wants:
        return json.dumps({"query": f"{rewritten(prompt)} {secrets}".strip()}, ensure_ascii=False)
    if "not_words" in prompt.wants:
        return json.dumps(taken_apart(str(prompt.after("SENTENCE")), secrets), ensure_ascii=False)
    rows = ranking(str(prompt.after("QUERY")), prompt.candidates)
    if obedient:
        rows = _obeying(rows, prompt, commands, secrets)
    return json.dumps({"ranking": rows}, ensure_ascii=False)


def rewritten(prompt: Prompt) -> str:
    """The last query with what the follow-up adds to it."""
    previous, follow_up = prompt.after("PREVIOUS") or [""], str(prompt.after("FOLLOW-UP"))
    said = re.sub(r"\bwithout (\w+)", r"-\1", follow_up)
    added = [word for word in said.split() if word.lower().strip(".,!?") not in FILLERS]
    return " ".join([str(previous[-1]), *added]).strip()


def taken_apart(sentence: str, secrets: str) -> Wire:
    """The places after "in", the people after "of" and "by", years, and what is not there; the rest is words."""
    found: dict[str, list[str]] = {"places": [], "people": [], "not_words": [], "years": []}
    kinds = {"in": "places", "of": "people", "by": "people", "no": "not_words", "without": "not_words"}

    def take(match: re.Match[str]) -> str:
        kind, name = kinds[match[1].lower()], match[2]
        if kind != "not_words" and not name[0].isupper():
            return match[0]
        found[kind].append(name)
        return ""

    def take_year(match: re.Match[str]) -> str:
        found["years"].append(match[1])
        return ""

    left = re.sub(r"(?:\b(?:in|from|the year)\s+)*\b((?:18|19|20)\d\d)\b", take_year, sentence)
    left = re.sub(r"\b(in|of|by|no|without)\s+(\w+)", take, left, flags=re.IGNORECASE)
    years = found.pop("years") or [""]
    words = " ".join(f"{left} {secrets}".split())
    return {"words": words, **found, "since": min(years), "until": max(years), "min_rating": 0}


def ranking(query: str, candidates: tuple[Candidate, ...]) -> list[Wire]:
    """One row per candidate, the best first; equal scores keep the order sent."""
    words = _words(query)
    return sorted((_row(words, candidate) for candidate in candidates), key=lambda row: -float(row["score"]))


def _row(words: list[str], candidate: Candidate) -> Wire:
    shares = _shares(candidate.picture) if candidate.picture else {}
    seen = {word: shares[word] for word in words if word in shares}
    about = _words(candidate.about)
    read = [word for word in words if word in about]
    score = _score(list(seen.values()), len(read) / len(words) if words else 0.0)
    return {"n": candidate.number, "score": round(score, 3), "reason": _reason(seen, read)}


def _words(text: str) -> list[str]:
    """What a text speaks of, once each: small letters, the singular, one word for those that mean the same."""
    words = [word.removesuffix("s") for word in WORD.findall(text.lower()) if word not in FILLERS]
    return list(dict.fromkeys(ALIASES.get(word, word) for word in words))


def _score(shares: list[float], read: float) -> float:
    if not shares:
        return read
    return max(read, (1 - TITLE_WEIGHT) * sum(shares) / len(shares) + TITLE_WEIGHT * read)


def _reason(seen: Mapping[str, float], read: list[str]) -> str:
    found = [f"{share:.0%} of it is {word}" for word, share in seen.items() if word not in SHADES]
    found += [f"it is {SHADES[word]} ({share:.0%})" for word, share in seen.items() if word in SHADES]
    found += [f"its note says {' '.join(read)}"] if read else []
    return "; ".join(found) or "nothing in it answers the query"


def _shares(picture: Image.Image) -> dict[str, float]:
    """The share of pixels of each colour, and how bright (day) and dark (night) all is; 0 to 1."""
    small = picture.convert("RGB").resize((32, 32))
    hue, saturation, value = np.moveaxis(np.asarray(small.convert("HSV"), np.float64), -1, 0)
    bright = float(np.asarray(small.convert("L")).mean()) / 255
    colours = {name: float(mask.mean()) for name, mask in _masks(hue * 360 / 255, saturation, value)}
    return {**colours, "day": bright, "night": 1 - bright}


def _masks(
    hue: NDArray[np.float64], saturation: NDArray[np.float64], value: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    dark, pale = value < 64, saturation < 60
    for name, (low, high) in HUES.items():
        yield name, ~dark & ~pale & ((hue - low) % 360 < high - low)
    reddish = (hue - 310) % 360
    yield "pink", (value > 128) & (saturation >= 40) & ((reddish < 35) | (reddish < 60) & (saturation < 150))
    yield "brown", ~dark & ~pale & (value < 170) & (hue >= 10) & (hue < 45)
    yield "black", dark
    yield "white", ~dark & pale & (value > 200)
    yield "grey", ~dark & pale & (value <= 200)


def _obeying(rows: list[Wire], prompt: Prompt, commands: str, secrets: str) -> list[Wire]:
    """The rows as the texts command: whom they name first, numbers that were never sent, secrets and markup."""
    about = {candidate.number: candidate.about for candidate in prompt.candidates}
    wanted = [n for n, text in about.items() if FIRST.search(text)]
    wanted += [int(n) for n in NUMBERED.findall(commands)]
    first = [{"n": n, "score": 1.0, "reason": f"as asked: {about.get(n, '')}"} for n in dict.fromkeys(wanted)]
    obeyed = first + [row for row in rows if row["n"] not in wanted]
    if not secrets and not first:
        return rows
    return [
        {**row, "reason": f"{row['reason']} {secrets} {MARKUP}", "html": MARKUP, "system": secrets} for row in obeyed
    ]
