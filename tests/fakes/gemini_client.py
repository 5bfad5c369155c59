"""The real client, pointed at the Gemini mock server, and the requests it sends: the ranking protocol in small."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from PIL import Image

with warnings.catch_warnings():  # the client announces the end of its support, and of its Python's
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core import exceptions as exceptions

    genai: Any = import_module("google.generativeai")
    client: Any = import_module("google.generativeai.client")

KEY = "AIza-a-key-that-must-not-show"
MODEL = "gemini-3.5-flash-lite"
SYSTEM = "Rank the pictures. Prompt version 7."
FIELDS = {"n": {"type": "integer"}, "score": {"type": "number"}, "reason": {"type": "string"}}
ROWS = {"type": "array", "items": {"type": "object", "properties": FIELDS}}
RANKING = {"type": "object", "properties": {"ranking": ROWS}}
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}}
PATIENCE_S = 20.0

Ask = Callable[..., Any]


def asker(address: str, key: str = KEY, model: str = MODEL, schema: Mapping[str, Any] = RANKING, **config: Any) -> Ask:
    """A function that sends parts (by default three pictures) and gives the client's response."""
    genai.configure(api_key=key, transport="rest", client_options={"api_endpoint": address})
    settings = {"response_mime_type": "application/json", "response_schema": schema, "temperature": 0, **config}
    generative = genai.GenerativeModel(model, system_instruction=SYSTEM, generation_config=settings)
    # Left alone, it would bind itself at its first call, to whatever is configured by then.
    generative._client = client.get_default_generative_client()

    def ask(parts: Sequence[Any] = (), timeout_s: float = PATIENCE_S) -> Any:
        content = {"role": "user", "parts": list(parts) or images("red")}
        return generative.generate_content([content], request_options={"retry": None, "timeout": timeout_s})

    return ask


def jpeg(colour: str | Image.Image, size: tuple[int, int] = (96, 64)) -> dict[str, Any]:
    """A part that holds a picture, or a plain one of a colour."""
    image = colour if isinstance(colour, Image.Image) else Image.new("RGB", size, colour)
    file = io.BytesIO()
    image.save(file, "JPEG")
    return {"inline_data": {"mime_type": "image/jpeg", "data": file.getvalue()}}


def images(
    query: str, colours: Sequence[str] = ("green", "red", "blue"), titles: Mapping[int, str] | None = None
) -> list[dict[str, Any]]:
    """The parts of a request to rank plain pictures, some with a title."""
    parts: list[dict[str, Any]] = [{"text": f"QUERY:\n{json.dumps(query)}"}]
    for n, colour in enumerate(colours, 1):
        parts += [{"text": f"IMAGE {n}"}, jpeg(colour)]
    notes = [{"n": n, "title": title} for n, title in (titles or {}).items()]
    return [*parts, {"text": f"NOTES:\n{json.dumps(notes)}"}]


def ranked(response: Any) -> list[dict[str, Any]]:
    """The rows of an answer."""
    return list(json.loads(response.text)["ranking"])


def order(response: Any) -> list[int]:
    """The numbers of an answer, the best first."""
    return [row["n"] for row in ranked(response)]
