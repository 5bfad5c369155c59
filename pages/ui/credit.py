"""The credit line of photos whose licence asks for one wherever they are shown."""

from __future__ import annotations

import re

from core.records.assets import Asset

_UNSPLASH_PAGE = re.compile(r"https://unsplash\.com/photos/[A-Za-z0-9_-]{1,64}")


def photo_credit(asset: Asset) -> str:
    """`Photo by Jane Doe on Unsplash`; empty for pictures from elsewhere."""
    if photo_page(asset) is None:
        return ""
    return f"Photo by {asset.about.author} on Unsplash" if asset.about.author else "Photo on Unsplash"


def photo_page(asset: Asset) -> str | None:
    """The page of a photo on Unsplash, None for pictures from elsewhere."""
    return next((uri for uri in asset.uris if _UNSPLASH_PAGE.fullmatch(uri)), None)
