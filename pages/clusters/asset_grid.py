"""Pictures of a cluster or a selection, in a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.app import App
from pages.ui.gallery import Size, find_similar, gallery, open_picture


def show_pictures(
    app: App,
    collection: str,
    asset_ids: Sequence[str],
    key: str,
    size: Size = "medium",
    similarities: Sequence[float] | None = None,
    on_pick: Callable[[list[str]], None] | None = None,
) -> None:
    """Show assets by id; a click opens the details of one, `on_pick` hears which ones are ticked."""
    gallery(
        app.pictures(collection, asset_ids, similarities),
        key,
        open_picture,
        find_similar,
        show_similarity=similarities is not None,
        size=size,
        on_pick=on_pick,
    )
