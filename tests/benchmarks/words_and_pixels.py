"""Search quality by pixels, words and both: with all texts, with some missing or on the wrong pictures, with typos.

`make bench NAME=words_and_pixels`. The label set `captioned.jsonl` took no part in choosing any constant.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.access import OPERATOR
from core.app import App
from core.quality.intervals import Interval, bootstrap
from core.quality.label_sets import EVAL_FOLDER, LabelledQuery, LabelSet, read_label_set
from core.quality.relevance import ndcg, precision, recall
from core.records.searches import SearchBy, SearchOptions
from tests.benchmarks.labelled_collections import CONDITIONS, LABELLED, labelled_app, with_conditions
from tests.benchmarks.measure import verdict

MODES: tuple[SearchBy, ...] = ("pixels", "words", "both")
MIN_TYPO_LENGTH = 5
TOLERANCE = 0.005  # two thirds of one picture in a hundred queries


@dataclass(frozen=True)
class Scores:
    """P@4, R@10 and NDCG@4 of every query (n, 3)."""

    values: NDArray[np.float64]

    @property
    def intervals(self) -> list[Interval]:
        return bootstrap(self.values)


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
        app, held = labelled_app(Path(folder)), True
        for source, sets in LABELLED.items():
            collections = with_conditions(app, source, CONDITIONS)
            for condition, collection in collections.items():
                fit = app.searches.text_fit(collection)
                print(f"{source}, {condition}: {fit.wrong_share:.0%} of the texts judged wrong, by {fit.sample}")
            for each in sets:
                held &= report(app, read_label_set(EVAL_FOLDER / each), collections)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
