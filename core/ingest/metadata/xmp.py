"""XMP: what editing programs and catalogues write; the properties of many vocabularies as one description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from core.ingest.metadata.cleaning import MAX_KEYWORD_LENGTH, MAX_TITLE_LENGTH, clean, clean_description, clean_keywords
from core.ingest.metadata.coordinates import altitude_metres, parse_xmp_coordinate, position
from core.ingest.metadata.dates import parse_date
from core.ingest.metadata.exif import camera_name, number, rating_of, rating_of_percent
from core.ingest.metadata.hierarchies import clean_hierarchies, joined, split_hierarchies, without_internal
from core.ingest.metadata.readings import Reading
from core.ingest.metadata.xmp_packet import Node, Properties, parse_elements
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place

_MAX_NUMBER = 64  # characters


def read_xmp(xmp: Properties) -> Reading:
    """The fields of a packet that the MWG names, and those that only XMP has."""
    hierarchies = list(_hierarchies(xmp))
    return Reading(
        about=Description(
            title=clean_description(xmp.text("dc:title"), MAX_TITLE_LENGTH),
            headline=clean(xmp.text("photoshop:Headline"), MAX_TITLE_LENGTH),
            description=clean_description(xmp.text("dc:description")),
            keywords=without_internal(xmp.texts("dc:subject"), hierarchies),
            hierarchies=clean_hierarchies(hierarchies),
            people=clean_keywords(_people(xmp)),
            author=_joined(xmp.texts("dc:creator")),
            credit=clean(xmp.text("photoshop:Credit"), MAX_TITLE_LENGTH),
            licence=clean(xmp.text("dc:rights"), MAX_TITLE_LENGTH),
            usage_terms=clean(xmp.text("xmpRights:UsageTerms", "cc:license", "xmpRights:WebStatement")),
            place=_place(xmp),
            rating=rating_of(_number(xmp, "xmp:Rating")),
            label=clean(xmp.text("xmp:Label"), MAX_TITLE_LENGTH),
            camera=camera_name(xmp.text("tiff:Make"), xmp.text("tiff:Model")),
            lens=clean(xmp.text("exifEX:LensModel", "aux:Lens"), MAX_TITLE_LENGTH),
        ),
        original=parse_date(xmp.text("photoshop:DateCreated")),
        digitised=parse_date(xmp.text("xmp:CreateDate")),
        modified=parse_date(xmp.text("xmp:ModifyDate")),
    )


def read_xmp_extras(xmp: Properties) -> Reading:
    """What the MWG's order knows nothing of: copies of EXIF's fields, and what ACDSee and Windows call theirs."""
    descriptions = ("tiff:ImageDescription", "exif:UserComment", "acdsee:notes")
    stars = rating_of(_number(xmp, "acdsee:rating"))
    return Reading(
        about=Description(
            title=clean_description(xmp.text("acdsee:caption"), MAX_TITLE_LENGTH),
            description=next((text for name in descriptions if (text := clean_description(xmp.text(name)))), ""),
            keywords=clean_keywords(xmp.texts("acdsee:keywords")),
            author=_joined(xmp.texts("tiff:Artist", "acdsee:author")),
            licence=clean(xmp.text("tiff:Copyright"), MAX_TITLE_LENGTH),
            place=_location(xmp, "Iptc4xmpExt:LocationCreated"),
            rating=stars if stars is not None else rating_of_percent(_number(xmp, "MicrosoftPhoto:Rating")),
        ),
        original=parse_date(xmp.text("exif:DateTimeOriginal")),
        digitised=_date(xmp, "exif:DateTimeDigitized", "dc:date", "acdsee:datetime"),
        modified=parse_date(xmp.text("tiff:DateTime")),
    )


def _joined(names: Iterable[str]) -> str:
    return clean(", ".join(filter(None, map(clean, names))), MAX_TITLE_LENGTH)


def _date(xmp: Properties, *names: str) -> CreatedTime | None:
    return next((time for name in names if (time := parse_date(xmp.text(name)))), None)


# -- keywords -----------------------------------------------------------------------------------------------------


def _hierarchies(xmp: Properties) -> Iterator[str]:
    yield from split_hierarchies(xmp.texts("lr:hierarchicalSubject"), "|")
    yield from split_hierarchies(xmp.texts("digiKam:TagsList"), "/")
    yield from split_hierarchies(xmp.texts("MicrosoftPhoto:LastKeywordXMP"), "/")
    yield from split_hierarchies(xmp.texts("mediapro:CatalogSets"), "|")
    yield from _acdsee_hierarchies(parse_elements(xmp.text("acdsee:categories")), "")
    for keywords in xmp.structures("mwg-kw:Keywords"):
        yield from _mwg_hierarchies(keywords.get("mwg-kw:Hierarchy"), "")


def _acdsee_hierarchies(elements: Iterable[Node], above: str) -> Iterator[str]:
    """`<Categories><Category Assigned="1">Animals<Category …>Dog…`, a document in a text."""
    for element in elements:
        word = clean(element.text, MAX_KEYWORD_LENGTH)
        path = joined(above, word)
        if element.attributes.get("Assigned") == "1" and word:
            yield path
        yield from _acdsee_hierarchies(element.children, path)


def _mwg_hierarchies(entries: Node | None, above: str) -> Iterator[str]:
    """Paths to the keywords that nothing lies under. The parser sees to it that there are not many levels."""
    for entry in entries.items if entries else ():
        fields = entry.fields()
        word = clean(_value(fields, "mwg-kw:Keyword"), MAX_KEYWORD_LENGTH)
        path = joined(above, word)
        below = list(_mwg_hierarchies(fields.get("mwg-kw:Children"), path))
        yield from below or ([path] if word else [])


# -- people -------------------------------------------------------------------------------------------------------


def _people(xmp: Properties) -> Iterator[str]:
    yield from xmp.texts("Iptc4xmpExt:PersonInImage")
    for details in xmp.structures("Iptc4xmpExt:PersonInImageWDetails"):
        yield _value(details, "Iptc4xmpExt:PersonName")
    for region in _regions(xmp, "mwg-rs:Regions", "mwg-rs:RegionList"):
        if _value(region, "mwg-rs:Type") in ("", "Face"):  # the others are pets, bar codes and what is in focus
            yield _value(region, "mwg-rs:Name")
    for region in _regions(xmp, "MP:RegionInfo", "MPRI:Regions"):
        yield _value(region, "MPReg:PersonDisplayName")


def _regions(xmp: Properties, name: str, list_name: str) -> Iterator[dict[str, Node]]:
    for info in xmp.structures(name):
        if list_name in info:
            yield from (entry.fields() for entry in info[list_name].items)


def _value(fields: Mapping[str, Node], *names: str) -> str:
    values: Iterable[str] = (value for name in names if name in fields for value in fields[name].values())
    return next(iter(values), "")


# -- place --------------------------------------------------------------------------------------------------------


def _place(xmp: Properties) -> Place:
    """Names as the MWG reads them: each from LocationShown, else the older property; coordinates of XMP's own."""
    shown = _location(xmp, "Iptc4xmpExt:LocationShown")
    place = Place(
        sublocation=shown.sublocation or clean(xmp.text("Iptc4xmpCore:Location"), MAX_TITLE_LENGTH),
        city=shown.city or clean(xmp.text("photoshop:City"), MAX_TITLE_LENGTH),
        state=shown.state or clean(xmp.text("photoshop:State"), MAX_TITLE_LENGTH),
        country=shown.country or clean(xmp.text("photoshop:Country"), MAX_TITLE_LENGTH),
    )
    latitude, longitude = _coordinate(xmp, "Latitude", "NS"), _coordinate(xmp, "Longitude", "EW")
    if (degrees := position(*latitude, *longitude)) is None:
        return place
    metres = altitude_metres(
        _fraction(xmp.text("exif:GPSAltitude")[:_MAX_NUMBER]), xmp.text("exif:GPSAltitudeRef") == "1"
    )
    return replace(place, latitude=degrees[0], longitude=degrees[1], altitude=metres)


def _coordinate(xmp: Properties, name: str, directions: str) -> tuple[float | None, str]:
    text, reference = xmp.text(f"exif:GPS{name}")[:_MAX_NUMBER], xmp.text(f"exif:GPS{name}Ref")[:1]
    return parse_xmp_coordinate(text, reference, directions)


def _location(xmp: Properties, name: str) -> Place:
    """The names of the first entry of a list of places."""
    fields = next(iter(xmp.structures(name)), {})

    def part(field: str) -> str:
        return clean(_value(fields, f"Iptc4xmpExt:{field}"), MAX_TITLE_LENGTH)

    return Place(part("Sublocation"), part("City"), part("ProvinceState"), part("CountryName"))


def _number(xmp: Properties, name: str) -> float | None:
    return number(xmp.text(name)[:_MAX_NUMBER])


def _fraction(text: str) -> float | None:
    numerator, _, denominator = text.partition("/")
    above, below = number(numerator), number(denominator or 1)
    return above / below if above is not None and below else None
