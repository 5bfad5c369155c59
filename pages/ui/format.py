"""Numbers and texts as pages show them."""

from __future__ import annotations

import re
from pathlib import Path

from core.records.assets import Asset, file_name
from core.records.created_time import CreatedTime
from core.text import format_bytes

# Shows nothing and copies as nothing, but what stands on both sides of it is never read together.
_BREAK = ":small[]"
# Streamlit looks for addresses, `:material/…:`, emoji, arrows and dashes in the text that remains once escapes are
# read, so that a backslash does not stop it. Ends of lines and outer spaces would begin paragraphs and code.
_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]()#+-.!|<>~$:&="}
    | {"@": f"{_BREAK}@"}
    | {end: f"{_BREAK}&#{ord(end)};{_BREAK}" for end in "\n\r"}
)
_BROKEN = re.compile(
    r"(?<=:)(?!\s|\d+(?![\w:]))"  # https://, :smile:, :100:, but neither "a: b" nor 12:30
    r"|(?<=www)(?=\.)"
    r"|(?<=[-<>~])(?=[-=>])"  # ->, <-, --, >=, <=, ~=
    r"|\A(?=\s)|(?<=\s)\Z",
    re.IGNORECASE,
)


def escape_markdown(text: str) -> str:
    """Markdown that shows a text from outside literally, never as a link; a copy of what is shown is the text itself.

    Streamlit reads its Markdown everywhere but in `st.text`, tables, fields and their options.
    """
    return _BREAK.join(part.translate(_ESCAPES) for part in _BROKEN.split(text))


def sentence(text: str) -> str:
    """An error's text as a page says it: it begins with a capital letter."""
    return text[:1].upper() + text[1:]


def model_label(name: str) -> str:
    """A model's name, without the folder of a local one."""
    return Path(name.removeprefix("local-dir:")).name if name.startswith("local-dir:") else name


def distinguishing_line(asset: Asset, file_size: int | None) -> str:
    """What tells a picture from one that looks like it: dimensions, file size and name, date."""
    parts = [f"{asset.width} × {asset.height}"]
    if file_size is not None:
        parts.append(format_bytes(file_size))
    parts += [name for uri in asset.uris[:1] if (name := file_name(uri)) != asset.title]
    if asset.about.created:
        parts.append(f"taken {taken_text(asset.about.created)}")
    else:
        parts.append(f"added {asset.ingested_at:%-d %B %Y}")
    return " · ".join(parts)


def taken_text(created: CreatedTime) -> str:
    """`3 September 1998, 14:05 (UTC+2)`, `September 1998`, `c. 1930`, `1930s`: no more than is known."""
    form = {"day": "%-d %B %Y", "month": "%B %Y", "minute": "%-d %B %Y, %H:%M", "second": "%-d %B %Y, %H:%M"}
    if created.precision not in form:
        return str(created)
    return f"{created.start:{form[created.precision]}}" + _zone(created)


def _zone(created: CreatedTime) -> str:
    if created.offset_minutes is None or created.precision not in ("minute", "second"):
        return ""
    hours, minutes = divmod(abs(created.offset_minutes), 60)
    sign = "−" if created.offset_minutes < 0 else "+"
    return f" (UTC{sign}{hours}{f':{minutes:02}' if minutes else ''})"


def format_ms(ms: float) -> str:
    """`12 ms`, `1.2 s`; two decimals below a millisecond."""
    if ms >= 1000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 1 else f"{ms:.2f} ms"


def format_usd(amount: float) -> str:
    """`$0.0043`: two significant digits below a cent, as most requests are."""
    if amount == 0:
        return "$0"
    if amount < 1e-4:
        return "< $0.0001"
    return f"${amount:.2f}" if amount >= 0.01 else f"${amount:.2g}"


def cost_line(total_usd: float, clip_usd: float, compute_usd: float, gemini_usd: float) -> str:
    """`$0.0043 (CLIP $0.0001, compute $0.0002, Gemini $0.004)`."""
    parts = {"CLIP": clip_usd, "compute": compute_usd, "Gemini": gemini_usd}
    return f"{format_usd(total_usd)} ({', '.join(f'{name} {format_usd(usd)}' for name, usd in parts.items())})"
