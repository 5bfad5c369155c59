"""Where to draw a line after the closest matches, and when to say that nothing matches.

`make bench NAME=closest_matches`. Constants are chosen by ten-fold cross-validation over the queries of demo.jsonl and
demo-words.jsonl, under all text conditions at once; captioned.jsonl only tests those chosen on all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.access import OPERATOR
from core.app import App
from core.quality.intervals import bootstrap
from core.quality.label_sets import EVAL_FOLDER, LabelledQuery, LabelSet, read_label_set
from core.records.assets import SearchResult
from core.records.searches import SearchBy, SearchOptions
from core.search.closest_matches import DEPTH
from core.search.fusion import FULL_WEIGHT, looks_up, words_weight
from core.search.hints import WEAK
from tests.benchmarks.cuts import CUTS, JudgedResult, cross_validated, fit_odds
from tests.benchmarks.labelled_collections import CAPTIONED, CONDITIONS, LABELLED, labelled_app, with_conditions
from tests.benchmarks.measure import verdict

TOLERANCE = 0.01
KEPT = 0.95
TEXTS = ("all texts", "half missing", "half shuffled")
COLUMNS: tuple[tuple[SearchBy, str], ...] = (("pixels", TEXTS[0]), *(("both", texts) for texts in TEXTS))
# What neither collection shows.
ABSENT = (
    *("a snowman with a carrot nose", "a plate of sushi", "a teenager on a skateboard", "a bride and groom"),
    *("a laptop on a desk", "someone talking on a smartphone", "the aisle of a supermarket", "a slice of pizza"),
    *("a hamburger with fries", "an ice cream cone", "a chess board", "a ferris wheel", "a roller coaster"),
    *("a lighthouse on a cliff", "northern lights over a lake", "commuters in a subway", "a red helicopter"),
    *("a motorcycle on a highway", "people on an escalator", "a ballerina on stage", "two boxers in a ring"),
    *("a grand piano", "a saxophone", "a tent beside a campfire", "a scarecrow in a field", "a snowboarder in the air"),
    *("a scientist with a microscope", "blue jeans on a hanger", "high-heeled shoes", "a wrist watch"),
    *("people with umbrellas in the rain", "suitcases at an airport", "a dentist at work", "an octopus"),
    *("a snail on a leaf", "a spider in its web", "a cactus in a pot", "a bowl of spaghetti", "a computer keyboard"),
    *("a newspaper", "a tattooed arm", "graffiti on a wall", "a billiard table", "a jellyfish", "a wheelchair"),
)
Judged = dict[tuple[SearchBy, str], list[JudgedResult]]


# -- what searches find -------------------------------------------------------------------------------------


def judged(app: App, collection: str, queries: Sequence[LabelledQuery], by: SearchBy) -> list[JudgedResult]:
    """The results of the queries; the one with nothing to order by, or no answer, has no closest matches."""
    full, options = words_weight(app.searches.text_fit(collection).wrong_share), SearchOptions(DEPTH, by=by)
    results = [(query, app.searches.by_text(OPERATOR, query.query, collection, options).result) for query in queries]
    return [
        _judged(query, result, FULL_WEIGHT if looks_up(result.query) else full)
        for query, result in results
        if result.closest and query.answers
    ]


def _judged(query: LabelledQuery, result: SearchResult, weight: float) -> JudgedResult:
    found = [hit.found for hit in result.hits if hit.found]
    standard = np.array([each.pixels for each in found], np.float64)
    share = np.array([each.words or 0 for each in found], np.float64)
    scores = standard + weight * share
    margin = scores - scores[0] / 2
    return JudgedResult(
        query=query.query,
        cosines=np.array([hit.similarity for hit in result.hits]),
        scores=scores,
        features=np.column_stack([standard, share, margin, share > 0]),
        relevant=np.array([hit.asset.id in query.answers for hit in result.hits]),
        total=len(query.answers),
        closest=result.closest,
    )


def judged_everywhere(app: App, labels: LabelSet, collections: dict[str, str]) -> Judged:
    return {(by, texts): judged(app, collections[texts], labels.queries, by) for by, texts in COLUMNS}


# -- the reports --------------------------------------------------------------------------------------------


def f1_by_column(sets: dict[str, Judged], name: str) -> dict[tuple[str, SearchBy, str], list[float]]:
    """The F1 of every query under a cut, by label set, mode and texts."""
    f1 = {}
    for by in ("pixels", "both"):
        keys = [(labels, texts) for labels in sets for mode, texts in COLUMNS if mode == by and labels != CAPTIONED]
        training = [result for labels, texts in keys for result in sets[labels][by, texts]]
        values = iter(cross_validated(CUTS[name], training))
        for labels, texts in keys:
            f1[labels, by, texts] = [next(values) for _ in sets[labels][by, texts]]
        cut = CUTS[name](training)
        for mode, texts in COLUMNS:
            if mode == by:
                f1[CAPTIONED, by, texts] = [result.f1(cut(result)) for result in sets[CAPTIONED][by, texts]]
    return f1


def report_cuts(sets: dict[str, Judged]) -> bool:
    f1 = {name: f1_by_column(sets, name) for name in CUTS}
    held = True
    for labels in sets:
        print(f"\n{labels}: macro F1 [95 % interval] over {[len(each) for each in sets[labels].values()]} queries")
        print(f"{'':<38}" + "".join(f"{f'{by}, {texts}':>22}" for by, texts in COLUMNS))
        for name in CUTS:
            cells = [interval(f1[name][labels, by, texts]) for by, texts in COLUMNS]
            print(f"{name:<38}" + "".join(f"{cell:>22}" for cell in cells))
        for rival in ("a fixed number", "a floor on the cosine"):
            for column in ((labels, by, texts) for by, texts in COLUMNS):
                less = float(np.mean(f1["as shipped"][column]) - np.mean(f1[rival][column]))
                what = f"{', '.join(column)}: F1 as shipped less that of {rival}"
                held &= verdict(what, less, -TOLERANCE, "", at_least=True)
    return held


def interval(values: Sequence[float]) -> str:
    each = bootstrap(np.array(values)[:, np.newaxis])[0]
    return f"{each.value:.3f} [{each.low:.2f}, {each.high:.2f}]"


def report_constants(sets: dict[str, Judged]) -> None:
    """The constants of core/search/closest_matches.py, fitted to both label sets of the demo collection."""
    results = [
        result
        for labels in sets
        for texts in TEXTS
        for result in sets[labels]["both", texts]
        if labels != CAPTIONED and result.by_words
    ]
    intercept, (deviation, share, margin, words) = fit_odds(results)
    print("\nINTERCEPT, PER_DEVIATION, PER_SHARE, PER_MARGIN, WITH_WORDS = ", end="")
    print(f"{intercept:.1f}, {deviation:.1f}, {share:.1f}, {margin:.1f}, {words:.1f}")


def report_weak(app: App, collection: str, sets: Sequence[LabelSet]) -> None:
    """How many queries are told that their matches are weak, of those that have answers and of those without any.

    Beside it what the best cosine, and the best z-score, could tell if each set had a bound of its own.
    """
    weak = app.searches.text_fit(collection).weak_similarity
    print(f"\n{collection}: told that matches by pixels alone are weak, below a cosine of {weak or 0:.3f}")
    absent = best_matches(app, collection, ABSENT)
    print(f"{'what the collection does not show':<38}{told(absent)}")
    for labels in sets:
        present = best_matches(app, collection, [query.query for query in labels.queries if query.answers])
        lines = [
            f"{np.mean(absent[:, at] < np.quantile(present[:, at], 1 - KEPT)):.0%} by the best {name}"
            for at, name in enumerate(("cosine", "z-score"))
        ]
        print(f"{labels.name:<38}{told(present)}; where {KEPT:.0%} of these are kept, {', '.join(lines)}")


def best_matches(app: App, collection: str, queries: Sequence[str]) -> NDArray[np.float64]:
    """(n, 3): the cosine and the z-score of the best match of each query, and whether a hint calls it weak."""
    options = SearchOptions(1, by="pixels")
    results = [app.searches.by_text(OPERATOR, query, collection, options).result for query in queries]
    rows = [(hit.similarity, hit.found.pixels, WEAK in r.hints) for r in results for hit in r.hits if hit.found]
    return np.array(rows, np.float64)


def told(matches: NDArray[np.float64]) -> str:
    return f"{int(matches[:, 2].sum()):>4} of {len(matches)} ({matches[:, 2].mean():.0%})"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        app, judged_sets = labelled_app(Path(folder)), dict[str, Judged]()
        for source, files in LABELLED.items():
            collections = with_conditions(app, source, {texts: CONDITIONS[texts] for texts in TEXTS})
            sets = [read_label_set(EVAL_FOLDER / file) for file in files]
            for labels in sets:
                name = CAPTIONED if source == CAPTIONED else labels.name
                judged_sets[name] = judged_everywhere(app, labels, collections)
            report_weak(app, collections[TEXTS[0]], sets)
        held = report_cuts(judged_sets)
        report_constants(judged_sets)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
