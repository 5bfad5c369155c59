"""Words and numbers as pages show them."""

from __future__ import annotations

from pathlib import Path

from core.records.assets import Asset


def plain(text: str) -> str:
    """Text from outside as Markdown that shows it letter for letter."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>~$:&" else c for c in text)


def size(count: int) -> str:
    """Bytes as people read them: `15.1 MB`."""
    value, units = float(count), ["bytes", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} bytes" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def short_model(name: str) -> str:
    """A model's name without the folder it lies in."""
    return Path(name.removeprefix("local-dir:")).name if name.startswith("local-dir:") else name


def pictures(count: int) -> str:
    """`1 picture`, `1,200 pictures`."""
    return "1 picture" if count == 1 else f"{count:,} pictures"


def told_apart(asset: Asset, bytes_on_disk: int | None) -> str:
    """By what a picture differs from one that looks like it: its size, its file, its date."""
    parts = [f"{asset.width} × {asset.height}"]
    if bytes_on_disk is not None:
        parts.append(size(bytes_on_disk))
    parts += [name for uri in asset.uris[:1] if (name := uri.rsplit("/", 1)[-1]) != asset.title]
    if asset.about.created_at:
        parts.append(f"taken {asset.about.created_at:%-d %B %Y}")
    else:
        parts.append(f"added {asset.ingested_at:%-d %B %Y}")
    return " · ".join(parts)


def milliseconds(ms: float) -> str:
    """`12 ms`, `1.2 s`; below a millisecond with two digits."""
    if ms >= 1000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 1 else f"{ms:.2f} ms"


def usd(amount: float) -> str:
    """`$0.0043`: two significant digits below a cent, which is where requests are."""
    if amount == 0:
        return "$0"
    if amount < 1e-4:
        return "< $0.0001"
    return f"${amount:.2f}" if amount >= 0.01 else f"${amount:.2g}"
