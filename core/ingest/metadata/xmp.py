"""XMP: what editing programs and catalogues write; the properties of many vocabularies as one description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean, clean_description, clean_keywords
from core.ingest.metadata.coordinates import altitude_metres, parse_xmp_coordinate, position
from core.ingest.metadata.dates import parse_date
from core.ingest.metadata.exif import camera_name, number, rating_of, rating_of_percent
from core.ingest.metadata.hierarchies import clean_hierarchies, split_hierarchies
from core.ingest.metadata.readings import Reading
from core.ingest.metadata.xmp_packet import Node, Properties
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place


def read_xmp(xmp: Properties) -> Reading:
    """The fields of a packet; of several properties with the same meaning the first that has a value."""
    return Reading(
        about=Description(
            title=clean_description(xmp.text("dc:title", "acdsee:caption"), MAX_TITLE_LENGTH),
            headline=clean(xmp.text("photoshop:Headline"), MAX_TITLE_LENGTH),
            description=_first_description(
                xmp, "dc:description", "tiff:ImageDescription", "exif:UserComment", "acdsee:notes"
            ),
            keywords=clean_keywords(xmp.texts("dc:subject", "acdsee:keywords")),
            hierarchies=clean_hierarchies(_hierarchies(xmp)),
            people=clean_keywords(_people(xmp)),
            author=clean(
                ", ".join(map(clean, xmp.texts("dc:creator", "tiff:Artist", "acdsee:author"))), MAX_TITLE_LENGTH
            ),
            credit=clean(xmp.text("photoshop:Credit"), MAX_TITLE_LENGTH),
            licence=clean(xmp.text("dc:rights", "tiff:Copyright"), MAX_TITLE_LENGTH),
            usage_terms=clean(xmp.text("xmpRights:UsageTerms", "cc:license", "xmpRights:WebStatement")),
            place=_place(xmp),
            rating=_rating(xmp),
            label=clean(xmp.text("xmp:Label"), MAX_TITLE_LENGTH),
            camera=camera_name(xmp.text("tiff:Make"), xmp.text("tiff:Model")),
            lens=clean(xmp.text("exifEX:LensModel", "aux:Lens"), MAX_TITLE_LENGTH),
        ),
        original=_date(xmp, "photoshop:DateCreated", "exif:DateTimeOriginal"),
        digitised=_date(xmp, "xmp:CreateDate", "exif:DateTimeDigitized", "dc:date"),
        modified=_date(xmp, "xmp:ModifyDate", "tiff:DateTime"),
    )


def _first_description(xmp: Properties, *names: str) -> str:
    return next((text for name in names if (text := clean_description(xmp.text(name)))), "")


def _date(xmp: Properties, *names: str) -> CreatedTime | None:
    return next((time for name in names if (time := parse_date(xmp.text(name)))), None)


def _rating(xmp: Properties) -> int | None:
    for name in ("xmp:Rating", "acdsee:rating"):
        if (rating := rating_of(number(xmp.text(name)))) is not None:
            return rating
    return rating_of_percent(number(xmp.text("MicrosoftPhoto:Rating")))


# -- keywords -----------------------------------------------------------------------------------------------------


def _hierarchies(xmp: Properties) -> Iterator[str]:
    yield from split_hierarchies(xmp.texts("lr:hierarchicalSubject"), "|")
    yield from split_hierarchies(xmp.texts("digiKam:TagsList"), "/")
    yield from split_hierarchies(xmp.texts("MicrosoftPhoto:LastKeywordXMP"), "/")
    yield from split_hierarchies(xmp.texts("mediapro:CatalogSets"), "|")
    for keywords in xmp.structures("mwg-kw:Keywords"):
        yield from _mwg_hierarchies(keywords.get("mwg-kw:Hierarchy"), "")


def _mwg_hierarchies(entries: Node | None, above: str) -> Iterator[str]:
    """Paths to the keywords that nothing lies under. The parser sees to it that there are not many levels."""
    for entry in entries.items if entries else ():
        fields = entry.fields()
        word = fields["mwg-kw:Keyword"].value() if "mwg-kw:Keyword" in fields else ""
        path = f"{above}|{word}" if above else word
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

_SHOWN, _CREATED = "Iptc4xmpExt:LocationShown", "Iptc4xmpExt:LocationCreated"
_LEGACY = ("Iptc4xmpCore:Location", "photoshop:City", "photoshop:State", "photoshop:Country")
_PARTS = ("Sublocation", "City", "ProvinceState", "CountryName")


def _place(xmp: Properties) -> Place:
    """Names as the MWG reads them, from LocationShown, else the older property; LocationCreated if there are none."""
    shown = _names(xmp, _SHOWN)
    names = [first or clean(xmp.text(name), MAX_TITLE_LENGTH) for first, name in zip(shown, _LEGACY, strict=True)]
    found = names if any(names) else _names(xmp, _CREATED)
    latitude_longitude = position(
        *parse_xmp_coordinate(xmp.text("exif:GPSLatitude")), *parse_xmp_coordinate(xmp.text("exif:GPSLongitude"))
    )
    if latitude_longitude is None:
        return Place(*found)
    metres = altitude_metres(_fraction(xmp.text("exif:GPSAltitude")), xmp.text("exif:GPSAltitudeRef") == "1")
    return Place(*found, *latitude_longitude, metres)


def _names(xmp: Properties, name: str) -> list[str]:
    location = next(iter(xmp.structures(name)), {})
    return [clean(_value(location, f"Iptc4xmpExt:{part}"), MAX_TITLE_LENGTH) for part in _PARTS]


def _fraction(text: str) -> float | None:
    numerator, _, denominator = text.partition("/")
    above, below = number(numerator), number(denominator or 1)
    return above / below if above is not None and below else None
