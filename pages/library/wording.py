"""How the library names things; plain functions."""

from __future__ import annotations

from pathlib import Path

from core.records import Asset
from pages.ui.text import size


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
