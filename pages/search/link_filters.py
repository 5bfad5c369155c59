"""The filters that a link asks for: as the collection writes them, and in words those that it does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.records.assets import Filters
from core.search.filters import Counts, Facets, unknown_values
from core.text import listed, quoted

RATINGS = ("1", "2", "3", "4", "5")
Asked = Mapping[str, Sequence[str]]  # the values of a link's parameters; empty ones ask for nothing


def filter_values(facets: Facets) -> dict[str, Counts]:
    """What a collection can be filtered by any number of, by the link's parameter."""
    return {
        "source": facets.sources,
        "keyword": facets.keywords,
        "people": facets.people,
        "place": facets.places,
        "camera": facets.cameras,
    }


def filter_choices(facets: Facets) -> dict[str, tuple[str, ...]]:
    """The values of the other parameters but for times, of those that tell pictures of the collection apart."""
    return {
        "shape": tuple(shape for shape, _ in facets.orientations),
        "rating": RATINGS if facets.rated else (),
        "gps": ("With", "Without") if 0 < facets.with_gps < facets.pictures else (),
    }


def as_collection_writes(asked: Asked, facets: Facets) -> dict[str, list[str]]:
    """The values of parameters that a link writes in another case than the collection, as the collection does."""
    respelled = {}
    for key, names in _names(asked, facets).items():
        written = {name.lower(): name for name in names}
        values = [value if value in names else written.get(value.lower(), value) for value in asked[key]]
        if values != list(asked[key]):
            respelled[key] = values
    return respelled


def known_values(asked: Asked, facets: Facets) -> dict[str, list[str]]:
    """What a link asks for and the collection has, by parameter. Not times."""
    return {key: [value for value in asked[key] if value in names] for key, names in _names(asked, facets).items()}


def _names(asked: Asked, facets: Facets) -> dict[str, frozenset[str]]:
    """The values of a collection, of the parameters that are asked for."""
    values = {key: frozenset(n for n, _ in counts) for key, counts in filter_values(facets).items() if asked.get(key)}
    return values | {key: frozenset(names) for key, names in filter_choices(facets).items() if asked.get(key)}


def not_in_collection(asked: Asked, facets: Facets) -> list[str]:
    """Sentences about what a link asks for and the collection does not have, or has no more."""
    values = {key: tuple(dict.fromkeys(filter(None, asked.get(key, ())))) for key in filter_values(facets)}
    unknown = unknown_values(
        facets,
        Filters(
            sources=values["source"],
            keywords=values["keyword"],
            people=values["people"],
            places=values["place"],
            cameras=values["camera"],
        ),
    )
    nouns = {"shape": "shape", "rating": "rating", "gps": "filter for coordinates"}
    for key, choices in filter_choices(facets).items():
        unknown += [f"{nouns[key]} {quoted(value)}" for value in asked.get(key, ()) if value and value not in choices]
    problems = [f"this collection has no {listed(unknown)}"] if unknown else []
    if facets.earliest is None and any([*asked.get("since", ()), *asked.get("until", ())]):
        problems.append("no picture of this collection is dated, so that none can be filtered by time")
    return problems
