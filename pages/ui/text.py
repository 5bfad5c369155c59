"""Words and numbers as pages show them."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text from outside as Markdown that shows it letter for letter."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>~$:&" else c for c in text)


def size(count: int) -> str:
    """Bytes as people read them: `15.1 MB`."""
    value, units = float(count), ["bytes", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} bytes" if units[0] == "bytes" else f"{value:.1f} {units[0]}"
