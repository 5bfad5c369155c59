"""Assets and collections as every package sees them: frozen, typed, free of any vendor's types."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote

from core.records.created_time import CreatedTime
from core.records.descriptions import Description, combined
from core.records.jobs import Job
from core.records.queries import Correction
from core.records.text_fit import TextFit

Orientation = Literal["landscape", "portrait", "square"]


@dataclass(frozen=True)
class ModelCard:
    """The model a collection is embedded with.

    `name` is what a person writes in a setting (`bundled`, `ViT-B-32/openai`, `local-dir:PATH`), `checkpoint`
    identifies the weights (a registry tag, or `sha256:…` of a local file), `dimension` is the vectors' length.
    """

    name: str
    checkpoint: str
    dimension: int


LocationState = Literal["present", "missing", "replaced"]


@dataclass(frozen=True)
class Location:
    """A place where a picture was found: the uri of a file or a photo's page, and the source it belongs to.

    `size` in bytes and `modified_ns` since 1970 are the file's when it was read last, `sidecars` is the fingerprint of
    the files beside it that describe it; None and empty if never recorded. `words` is what is written of the picture
    here; None where that is all that is known of it.
    """

    uri: str
    source: str = ""
    size: int | None = None
    modified_ns: int | None = None
    sidecars: str = ""
    state: LocationState = "present"
    words: Description | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether it is known what the file was like when it was read; an older version did not record that."""
        return self.size is not None or self.words is not None or "://" in self.uri


@dataclass(frozen=True)
class Asset:
    """One image. `id` is the SHA-256 of the file's bytes (hex); `locations` lists every place it was found at."""

    id: str
    locations: tuple[Location, ...]
    about: Description
    width: int
    height: int
    ingested_at: datetime

    @property
    def uris(self) -> tuple[str, ...]:
        """The uri of every location, those that are present first."""
        return tuple(place.uri for place in sorted(self.locations, key=lambda place: place.state != "present"))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that the picture belongs to, each once."""
        return tuple(dict.fromkeys(place.source for place in self.locations if place.source))

    @property
    def missing(self) -> bool:
        """Whether it has locations and none of them is present."""
        return bool(self.locations) and all(place.state != "present" for place in self.locations)

    def completing(self, place: Location) -> Location:
        """A place where the picture, or an edit of it, was found, with what an older version wrote of the picture.

        That version did not record which of its words came from a table of captions.
        """
        unrecorded = {each.uri: each for each in self.locations if not each.is_recorded}
        is_recorded = any(each.uri == place.uri for each in self.locations) and place.uri not in unrecorded
        before = unrecorded.get(place.uri) or next(iter(unrecorded.values()), None)
        if before is None or is_recorded or place.words is None:
            return place
        return replace(place, source=before.source or place.source, words=place.words.completing(self.about))

    def at(self, locations: tuple[Location, ...]) -> Asset:
        """The asset at other locations; what is known of it is what is written at these, the first before the next."""
        words = [place.words or self.about for place in locations]
        about = combined(words) if words else self.about
        places = (
            replace(place, words=None if own == about else own) for place, own in zip(locations, words, strict=True)
        )
        return replace(self, locations=tuple(places), about=about)

    @property
    def orientation(self) -> Orientation:
        """`square` up to 5 % difference between the sides."""
        return classify_orientation(self.width, self.height)

    @property
    def title(self) -> str:
        """The title, or the file name if it has none."""
        return self.about.title or (file_name(self.uris[0]) if self.uris else self.id[:12])


def file_name(uri: str) -> str:
    """The name of the file at a uri, decoded; as it is encoded where it is no text or holds what cannot be printed."""
    encoded = uri.rsplit("/", 1)[-1]
    try:
        decoded = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return encoded
    return decoded if decoded.isprintable() else encoded


def shown_path(uri: str) -> str:
    """The path of a file as people know it, one line; parts that are no text, or cannot be printed, stay encoded."""
    return uri if "://" in uri else "/".join(file_name(part) for part in uri.split("/"))


def classify_orientation(width: int, height: int) -> Orientation:
    """The shape of a picture; `square` up to 5 % difference between the sides."""
    if abs(width - height) <= 0.05 * max(width, height):
        return "square"
    return "landscape" if width > height else "portrait"


@dataclass(frozen=True)
class Collection:
    """A collection's description, known without reading its assets.

    `sibling_of` names the collection that holds the same pictures under another model; empty if it stands alone.
    """

    name: str
    model: ModelCard
    size: int
    created_at: datetime
    bytes_on_disk: int
    sibling_of: str = ""


@dataclass(frozen=True)
class DamagedCollection:
    """A collection that cannot be opened: its name, and the line that says why and what to do.

    `cause` says in a few words what is damaged; empty where it is not damage, but a newer version that wrote it.
    """

    name: str
    message: str
    cause: str = ""


@dataclass(frozen=True)
class StorageStats:
    """A collection on disk: its rows are in `fragments` files; readers can still open `versions` versions of it."""

    name: str
    size: int
    fragments: int
    versions: int


@dataclass(frozen=True)
class Filters:
    """Which assets a search may return; an empty field accepts everything.

    An asset passes if it belongs to one of `sources`, has any of `keywords` and of `people` and a name of its place in
    `places` (compared without case), was taken by one of `cameras`, has one of these shapes, at least this rating, GPS
    or none, and was certainly taken within [`since`, `until`], both whole, by the clock where it was taken: a picture
    that is dated 1998 passes for 1998, not for September 1998.
    """

    sources: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    orientations: tuple[Orientation, ...] = ()
    since: CreatedTime | None = None
    until: CreatedTime | None = None
    people: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    min_rating: int | None = None
    has_gps: bool | None = None

    @property
    def active(self) -> bool:
        return self != Filters()


@dataclass(frozen=True)
class FoundText:
    """A text of a picture in which words of the query stand, and where: `spans` are (start, end) in `text`.

    `field` is `title`, `description`, `keyword`, `person`, `place`, `author` or `name`.
    """

    field: str
    text: str
    spans: tuple[tuple[int, int], ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The words as they stand there."""
        return tuple(self.text[start:end] for start, end in self.spans)


@dataclass(frozen=True)
class Found:
    """What a picture was found by: `pixels` is how many standard deviations its similarity lies above the mean,
    `words` its score by words as a share of the best one's; None where the one or the other took no part.
    """

    pixels: float | None = None
    words: float | None = None
    texts: tuple[FoundText, ...] = ()


@dataclass(frozen=True)
class Hit:
    """One search result: its rank (from 1), its cosine similarity to the query and what it was found by.

    `folded` are the ids of near-duplicates that are no results of their own, the best first.
    """

    rank: int
    similarity: float
    asset: Asset
    thumbnail: bytes = field(repr=False)
    found: Found | None = None
    folded: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """The result of one search. `stage_ms` has the keys `encode`, `search`, `load` and `total`.

    The first `closest` pictures stand out from the rest; this is no count of matches. `correction` is what was searched
    for instead of what was typed, `hints` are sentences about how far the result can be trusted. `spread` are the
    numbers of pictures by similarity, in equal steps from -1 to 1, whatever the minimum; empty without similarities.
    """

    collection: str
    collection_version: str
    query: str
    hits: tuple[Hit, ...]
    matching: int
    stage_ms: dict[str, float]
    closest: int = 0
    correction: Correction | None = None
    hints: tuple[str, ...] = ()
    spread: tuple[int, ...] = ()

    @property
    def shown(self) -> int:
        """How many pictures the hits are, with those folded under them."""
        return len(self.hits) + sum(len(hit.folded) for hit in self.hits)


Freshness = Literal["up to date", "outdated", "none yet"]


@dataclass(frozen=True)
class CollectionCondition:
    """How a collection is doing.

    `last_job` is the last one that added pictures from a page, `last_added_at` when the newest picture was added,
    `dendrogram` and `map` whether they match the collection's current version. Of `sampled` pictures with a location on
    this disk, `missing` are at none of their locations. `removed` pictures are in the bin.
    """

    last_job: Job | None
    last_added_at: datetime | None
    fragments: int
    dendrogram: Freshness
    map: Freshness
    sampled: int
    missing: int
    removed: int
    text_fit: TextFit


@dataclass(frozen=True)
class SiblingCollection:
    """A collection of the same pictures under another model: how many of them it has, and how many it lacks."""

    name: str
    model: ModelCard
    size: int
    missing: int


def utc_now() -> datetime:
    """The current time, UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
