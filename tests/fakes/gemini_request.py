"""The meaning of a generateContent request to the Gemini mock server, and what it would be billed."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from PIL import Image

GRID_COLUMNS = 5
SHEET = re.compile(r"SHEET of (\d+)", re.IGNORECASE)
IMAGE = re.compile(r"\s*IMAGE (\d+)\s*", re.IGNORECASE)
MAX_OUTPUT_TOKENS = 65_536


class BadRequest(Exception):
    """The body is not what the API accepts; the message is for its caller."""


@dataclass(frozen=True)
class Candidate:
    """One numbered picture with every text its note holds; either may be missing."""

    number: int
    picture: Image.Image | None
    about: str = ""


@dataclass(frozen=True)
class Prompt:
    """A request as far as the mock server understands it."""

    system: str
    texts: tuple[str, ...]
    images: tuple[Image.Image, ...]
    candidates: tuple[Candidate, ...]
    wants: frozenset[str]
    output_limit: int

    def after(self, heading: str) -> Any:
        """What the texts say under a heading; "" where no text has it."""
        return _under(heading, self.texts)


def parse(body: bytes) -> tuple[dict[str, Any], Prompt]:
    """The decoded body and its meaning. Raises BadRequest."""
    try:
        wire = json.loads(body)
        return wire, _prompt(wire)
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise BadRequest(f"Invalid request: {type(error).__name__}: {error}") from error


def image_tokens(model: str, width: int, height: int) -> int:
    """Gemini 2.x: 258 up to 384 × 384 pixels, else 258 per tile of 768 × 768. Later ones: 1,120 for any image."""
    if not model.startswith("gemini-2"):
        return 1_120
    if max(width, height) <= 384:
        return 258
    return 258 * ceil(width / 768) * ceil(height / 768)


def text_tokens(text: str) -> int:
    """About four characters a token."""
    return ceil(len(text) / 4)


def prompt_tokens(model: str, prompt: Prompt) -> Mapping[str, int]:
    """Tokens by modality."""
    text = text_tokens(prompt.system) + sum(map(text_tokens, prompt.texts))
    image = sum(image_tokens(model, *picture.size) for picture in prompt.images)
    return {"TEXT": text, "IMAGE": image} if image else {"TEXT": text}


def _prompt(wire: Mapping[str, Any]) -> Prompt:
    parts = [part for content in wire["contents"] for part in content["parts"]]
    if not parts:
        raise ValueError("contents has no parts")
    texts = tuple(part["text"] for part in parts if "text" in part)
    pictures = _numbered(parts)
    config = wire.get("generationConfig", {})
    return Prompt(
        system="\n".join(part["text"] for part in wire.get("systemInstruction", {}).get("parts", [])),
        texts=texts,
        images=tuple(picture for _, picture in pictures),
        candidates=_candidates(pictures, texts),
        wants=frozenset(config.get("responseSchema", {}).get("properties", {})),
        output_limit=int(config.get("maxOutputTokens", MAX_OUTPUT_TOKENS)),
    )


def _numbered(parts: Sequence[Mapping[str, Any]]) -> list[tuple[int, Image.Image]]:
    """Every image with the number that the text before it gives, else its place."""
    found: list[tuple[int, Image.Image]] = []
    for before, part in zip([{}, *parts], parts, strict=False):
        if "inlineData" in part:
            label = IMAGE.fullmatch(before.get("text", ""))
            image = Image.open(io.BytesIO(base64.b64decode(part["inlineData"]["data"], validate=True)))
            image.load()
            found.append((int(label[1]) if label else len(found) + 1, image))
    return found


def _candidates(pictures: list[tuple[int, Image.Image]], texts: Sequence[str]) -> tuple[Candidate, ...]:
    count = next((int(match[1]) for text in texts if (match := SHEET.search(text))), 0)
    if count and len(pictures) == 1:
        pictures = list(enumerate(_cells(pictures[0][1], count), 1))
    seen, notes = dict(pictures), _notes(texts)
    return tuple(Candidate(n, seen.get(n), notes.get(n, "")) for n in {**seen, **notes})


def _cells(sheet: Image.Image, count: int) -> list[Image.Image]:
    columns = min(GRID_COLUMNS, count)
    width, height = sheet.width / columns, sheet.height / ceil(count / columns)
    places = [divmod(index, columns) for index in range(count)]
    return [
        sheet.crop((round(x * width), round(y * height), round((x + 1) * width), round((y + 1) * height)))
        for y, x in places
    ]


def _notes(texts: Sequence[str]) -> dict[int, str]:
    notes = _under("NOTES", texts) or []
    return {note["n"]: " ".join(value for value in note.values() if isinstance(value, str)) for note in notes}


def _under(heading: str, texts: Sequence[str]) -> Any:
    """The JSON value under a heading that begins a line, or the plain text there. JSON strings hold no line breaks."""
    pattern = re.compile(rf"^{heading}:\s*", re.MULTILINE)
    found = next((text[match.end() :] for text in texts if (match := pattern.search(text))), "")
    try:
        return json.JSONDecoder().raw_decode(found)[0]
    except json.JSONDecodeError:
        return found.strip()
