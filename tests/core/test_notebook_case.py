"""The case of the notebook that the dashboard grew out of: four pictures, mirrored, clustered and searched."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from core.app import App, open_app
from core.clusters.edits.plan import Plan
from core.settings import PROJECT, Settings

# A query for each picture. The files get names that say nothing, so that only pixels can find them.
QUERIES = {
    "zebra-standing.jpg": "a zebra",
    "strawberry-red.jpg": "a red strawberry",
    "tower-bridge-night.jpg": "a bridge at night",
    "drum-kit-wood.jpg": "a set of drums",
}
THRESHOLD = 0.82


def test_four_pictures_and_their_mirror_images_are_four_pairs_and_each_query_finds_its_picture_first(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(QUERIES):
        picture = Image.open(PROJECT / "data" / "demo" / "photos" / name).convert("RGB")
        picture.save(folder / f"{number}-first.png")
        ImageOps.mirror(picture).save(folder / f"{number}-mirrored.png")
    app = open_app(Settings(data=tmp_path / "data", model="bundled", model_is_explicit=True))

    assert app.ingest(folder, "notebook").added == 2 * len(QUERIES)
    app.clusters.compute_linkage("notebook")
    view = app.clusters.view("notebook", Plan(THRESHOLD, min_cluster_size=2))
    pairs = {frozenset(pictures(app, view.asset_ids, cluster, view.labels.tolist())) for cluster in range(4)}
    assert pairs == {frozenset({f"{number}-first", f"{number}-mirrored"}) for number in range(4)}
    assert view.labels.min() == 0

    for number, query in enumerate(QUERIES.values()):
        first = app.search(query, "notebook").hits[0].asset.title
        assert first in (f"{number}-first.png", f"{number}-mirrored.png"), query


def pictures(app: App, asset_ids: tuple[str, ...], cluster: int, labels: list[int]) -> list[str]:
    titles = app.titles("notebook")
    return [titles[i].removesuffix(".png") for i, label in zip(asset_ids, labels, strict=True) if label == cluster]
