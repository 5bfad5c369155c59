"""Search quality by pixels, words and both: with all texts, with some missing or on the wrong pictures, with typos.

`make bench NAME=words_and_pixels`. The label set `captioned.jsonl` took no part in choosing any constant.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.access import OPERATOR
from core.app import DEMO, App, open_app
from core.quality.intervals import Interval, bootstrap
from core.quality.label_sets import EVAL_FOLDER, LabelledQuery, LabelSet, read_label_set
from core.quality.relevance import ndcg, precision, recall
from core.records.assets import Asset
from core.records.descriptions import Description
from core.records.searches import SearchBy, SearchOptions
from core.settings import Settings
from core.store.lance.collections import Collections
from tests.benchmarks.measure import verdict

CAPTIONED = "captioned"
MODES: tuple[SearchBy, ...] = ("pixels", "words", "both")
MIN_TYPO_LENGTH = 5
TOLERANCE = 0.005  # two thirds of one picture in a hundred queries
Texts = Callable[[list[Asset], np.random.Generator], list[Asset]]


@dataclass(frozen=True)
class Scores:
    """P@4, R@10 and NDCG@4 of every query (n, 3)."""

    values: NDArray[np.float64]

    @property
    def intervals(self) -> list[Interval]:
        return bootstrap(self.values)


# -- texts --------------------------------------------------------------------------------------------------


def all_texts(assets: list[Asset], rng: np.random.Generator) -> list[Asset]:
    return assets


def missing(share: float) -> Texts:
    """This share of the pictures without any text, not even a file name."""

    def change(assets: list[Asset], rng: np.random.Generator) -> list[Asset]:
        without = set(rng.permutation(len(assets))[: round(share * len(assets))].tolist())
        return [replace(a, about=Description(), locations=()) if i in without else a for i, a in enumerate(assets)]

    return change


def shuffled(share: float) -> Texts:
    """This share of the pictures with all texts of another picture."""

    def change(assets: list[Asset], rng: np.random.Generator) -> list[Asset]:
        rows = rng.permutation(len(assets))[: round(share * len(assets))]
        taken = dict(zip(rows.tolist(), np.roll(rows, 1).tolist(), strict=True))
        sources = [assets[taken.get(i, i)] for i in range(len(assets))]
        return [replace(a, about=s.about, locations=s.locations) for a, s in zip(assets, sources, strict=True)]

    return change


CONDITIONS: dict[str, Texts] = {
    "all texts": all_texts,
    "half missing": missing(0.5),
    "half shuffled": shuffled(0.5),
    "three quarters shuffled": shuffled(0.75),
    "all shuffled": shuffled(1.0),
}


def with_texts(app: App, collection: str, name: str, change: Texts) -> str:
    """A copy of a collection with other texts; its name."""
    snapshot = app._opened.snapshot(collection)
    rows = app.pictures(collection, snapshot.ids)
    assets = change([hit.asset for hit in rows], np.random.default_rng(0))
    table = Collections(app.settings.data / "collections").create(name, app.model(collection))
    table.add(assets, [hit.thumbnail for hit in rows], snapshot.vectors)
    app.warm(name)
    return name


# -- queries ------------------------------------------------------------------------------------------------


def with_typo(query: LabelledQuery, rng: random.Random) -> LabelledQuery:
    """The query with one letter of one of its longer words left out, added, changed, or swapped with the next."""
    words = query.query.split()
    longer = [i for i, word in enumerate(words) if len(word) >= MIN_TYPO_LENGTH and word.isalpha()]
    if not longer:
        return query
    at = rng.choice(longer)
    words[at] = misspelt(words[at], rng)
    return replace(query, query=" ".join(words))


def misspelt(word: str, rng: random.Random) -> str:
    at, letter = rng.randrange(len(word) - 1), rng.choice("abcdefghijklmnopqrstuvwxyz")
    edits = (
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    return rng.choice(edits)


def score(app: App, collection: str, queries: Sequence[LabelledQuery], options: SearchOptions) -> Scores:
    rows = []
    for query in queries:
        hits = app.searches.by_text(OPERATOR, query.query, collection, options).hits
        order = [hit.asset.id for hit in hits]
        rows.append([measure(order, query.relevant) for measure in (precision, recall, ndcg)])
    return Scores(np.array(rows))


# -- the report ---------------------------------------------------------------------------------------------


def report(app: App, labels: LabelSet, collections: dict[str, str]) -> bool:
    print(f"\n{labels.name}: {len(labels.queries)} queries; mean [95 % interval]")
    print(f"{'':<26}{'':<8}{'P@4':>20}{'R@10':>20}{'NDCG@4':>20}")
    held = True
    for condition, collection in collections.items():
        scores = {by: score(app, collection, labels.queries, SearchOptions(by=by)) for by in MODES}
        for by, each in scores.items():
            show_line(condition, by, each)
        held &= never_below(f"{labels.name}, {condition}", scores["both"], scores["pixels"])
    rng = random.Random(0)
    typos = [with_typo(query, rng) for query in labels.queries]
    collection = next(iter(collections.values()))
    for by in ("pixels", "both"):
        for correct in (False, True):
            options = SearchOptions(by=by, correct=correct)
            show_line("typos, corrected" if correct else "typos, as typed", by, score(app, collection, typos, options))
    return held


def show_line(condition: str, by: str, scores: Scores) -> None:
    cells = [f"{each.value:.3f} [{each.low:.2f}, {each.high:.2f}]" for each in scores.intervals]
    print(f"{condition:<26}{by:<8}" + "".join(f"{cell:>20}" for cell in cells))


def never_below(what: str, both: Scores, pixels: Scores) -> bool:
    """Whether both together find no less than the pixels."""
    difference = float((both.values - pixels.values)[:, 0].mean())
    return verdict(f"{what}: P@4 of both less that of pixels", difference, -TOLERANCE, "", at_least=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        app = open_app(replace(Settings.load(), data=Path(folder), model="bundled", log_level="ERROR"))
        app.ensure_demo()
        photos = EVAL_FOLDER / CAPTIONED
        app.ingest(photos / "photos", CAPTIONED, photos / "captions.csv")
        held = True
        for source, sets in ((DEMO, ("demo.jsonl", "demo-words.jsonl")), (CAPTIONED, ("captioned.jsonl",))):
            collections = {
                name: with_texts(app, source, f"{source}-{number}", change)
                for number, (name, change) in enumerate(CONDITIONS.items())
            }
            for condition, collection in collections.items():
                fit = app.searches.text_fit(collection)
                print(f"{source}, {condition}: {fit.wrong_share:.0%} of the texts judged wrong, by {fit.sample}")
            for each in sets:
                held &= report(app, read_label_set(EVAL_FOLDER / each), collections)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
