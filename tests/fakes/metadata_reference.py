"""What Contact Sheet should read in a file by what exiftool reads in it: the table of docs/metadata.md once more."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.records.created_time import CreatedTime, Precision
from core.records.descriptions import Description, Place

Tags = Mapping[str, Any]
LIMITS = {"*Title": 64, "*Headline": 256, "*Credit": 32, "*Description": 2000}
JUNK = ("OLYMPUS DIGITAL CAMERA", "SONY DSC", "Created with GIMP")
PLACE = (
    ("Location", "XMP-iptcCore:Location", "IPTC:Sub-location", "Sublocation"),
    ("City", "XMP-photoshop:City", "IPTC:City", "City"),
    ("State", "XMP-photoshop:State", "IPTC:Province-State", "ProvinceState"),
    ("Country", "XMP-photoshop:Country", "IPTC:Country-PrimaryLocationName", "CountryName"),
)


def reference(tags: Tags) -> Description:
    """exiftool's values, with every normalisation and each deliberate difference of the table."""
    keywords = unique(listed(tags, "MWG:Keywords", "XMP-dc:Subject", "IPTC:Keywords"))
    keywords = keywords or unique(line(tags.get("IFD0:XPKeywords")).split(";"))
    keywords = keywords or unique(listed(tags, "XMP-acdsee:Keywords"))
    paths = hierarchies(tags)
    return Description(
        title=text(tags, "*Title", "IFD0:XPTitle", "XMP-acdsee:Caption", "PNG:Title", junk=True)[:300],
        headline=text(tags, "*Headline")[:300],
        description=text(
            tags,
            "MWG:Description",
            "*Description",
            "ExifIFD:UserComment",
            "IFD0:XPComment",
            "IFD0:XPSubject",
            "XMP-tiff:ImageDescription",
            "XMP-exif:UserComment",
            "XMP-acdsee:Notes",
            "PNG:Description",
            "PNG:Comment",
            "File:Comment",
            "GIF:Comment",
            junk=True,
        ),
        keywords=unique([*keywords, *(path[-1] for path in paths)]),
        hierarchies=unique("|".join(path) for path in paths if len(path) > 1),
        people=people(tags),
        author=", ".join(listed(tags, "MWG:Creator", "XMP-dc:Creator", "IPTC:By-line"))
        or text(tags, "IFD0:XPAuthor").replace("; ", ", ")
        or ", ".join(listed(tags, "XMP-tiff:Artist", "XMP-acdsee:Author", "PNG:Author")),
        credit=text(tags, "*Credit"),
        licence=text(
            tags, "MWG:Copyright", "XMP-dc:Rights", "IPTC:CopyrightNotice", "XMP-tiff:Copyright", "PNG:Copyright"
        ),
        usage_terms=text(tags, "XMP-xmpRights:UsageTerms", "XMP-cc:License", "XMP-xmpRights:WebStatement"),
        created=created(tags),
        place=place(tags),
        rating=rating(tags),
        label=text(tags, "XMP-xmp:Label"),
        camera=camera(tags),
        lens=text(tags, "ExifIFD:LensModel", "XMP-exifEX:LensModel", "XMP-aux:Lens"),
    )


def line(value: Any) -> str:
    """One line, composed: the normalisations of every text."""
    return " ".join(unicodedata.normalize("NFC", str("" if value is None else value)).split())


def text(tags: Tags, *names: str, junk: bool = False) -> str:
    for name in names:
        for candidate in _by_digest(tags, name):
            found = line(first(candidate))
            if found and not (junk and found in JUNK):
                return found
    return ""


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _by_digest(tags: Tags, name: str) -> list[Any]:
    """`*Title`: fields that the MWG knows nothing of are read like those that it does."""
    pairs = {
        "*Title": ("XMP-dc:Title", "IPTC:ObjectName"),
        "*Headline": ("XMP-photoshop:Headline", "IPTC:Headline"),
        "*Credit": ("XMP-photoshop:Credit", "IPTC:Credit"),
        "*Description": ("XMP-dc:Description", "IPTC:Caption-Abstract"),
    }
    if name not in pairs:
        return [tags.get(name)]
    xmp, iptc = (tags.get(tag) for tag in pairs[name])
    if len(line(iptc)) == LIMITS[name] and line(xmp).startswith(line(iptc)):
        iptc = xmp  # it was cut off
    xmp = xmp if line(xmp) else tags.get(f"{pairs[name][0]}-de")  # better than none
    return [iptc, xmp] if iptc_is_newer(tags) else [xmp, iptc]


def iptc_is_newer(tags: Tags) -> bool:
    digest = tags.get("Photoshop:IPTCDigest")
    return digest is not None and digest != tags.get("File:CurrentIPTCDigest")


def listed(tags: Tags, *names: str) -> list[str]:
    for name in names:
        value = tags.get(name)
        found = [line(part) for part in (value if isinstance(value, list) else [value]) if line(part)]
        if found:
            return found
    return []


def unique(words: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for word in map(line, words):
        if word:
            found.setdefault(word.casefold(), word)
    return tuple(found.values())


def hierarchies(tags: Tags) -> list[list[str]]:
    found = [path.split("|") for path in listed(tags, "XMP-lr:HierarchicalSubject")]
    found += [path.split("/") for path in listed(tags, "XMP-digiKam:TagsList")]
    found += [path.split("/") for path in listed(tags, "XMP-microsoft:LastKeywordXMP")]
    found += [path.split("|") for path in listed(tags, "XMP-mediapro:CatalogSets")]
    for entry in tags.get("XMP-mwg-kw:KeywordInfo", {}).get("Hierarchy", ()):
        found += _below(entry, [])
    return found


def _below(entry: Mapping[str, Any], above: list[str]) -> list[list[str]]:
    path = [*above, line(entry["Keyword"])]
    return [deeper for child in entry.get("Children", ()) for deeper in _below(child, path)] or [path]


def people(tags: Tags) -> tuple[str, ...]:
    found = listed(tags, "XMP-iptcExt:PersonInImage")
    for details in tags.get("XMP-iptcExt:PersonInImageWDetails", ()):
        found.append(line(details.get("PersonName")))
    for region in tags.get("XMP-mwg-rs:RegionInfo", {}).get("RegionList", ()):
        if region.get("Type", "Face") == "Face":
            found.append(line(region.get("Name")))
    for region in tags.get("XMP-MP:RegionInfoMP", {}).get("Regions", ()):
        found.append(line(region.get("PersonDisplayName")))
    return unique(found)


def place(tags: Tags) -> Place:
    shown, taken = (first(tags.get(f"XMP-iptcExt:Location{kind}")) or {} for kind in ("Shown", "Created"))
    names = []
    for composite, legacy, iptc, part in PLACE:
        order = (iptc, legacy) if iptc_is_newer(tags) else (legacy, iptc)
        names.append(line(first(tags.get(f"MWG:{composite}"))) or line(shown.get(part)) or text(tags, *order))
    if not any(names):
        names = [line(taken.get(part)) for *_, part in PLACE]
    for group, prefix in (("GPS:GPS", "Composite:GPS"), ("XMP-exif:GPS", "XMP-exif:GPS")):
        latitude, longitude = tags.get(f"{prefix}Latitude"), tags.get(f"{prefix}Longitude")
        if f"{group}Latitude" in tags and not latitude == longitude == 0:
            return Place(*names, float(latitude), float(longitude), altitude(tags, group))
    return Place(*names)


def altitude(tags: Tags, group: str) -> float | None:
    """The altitude that stands beside the coordinates."""
    if (metres := tags.get(f"{group}Altitude")) is None:
        return None
    return -float(metres) if tags.get(f"{group}AltitudeRef") == 1 else float(metres)


def created(tags: Tags) -> CreatedTime | None:
    xmp, iptc = ["XMP-photoshop:DateCreated"], ["Composite:DateTimeCreated", "IPTC:DateCreated"]
    for name in (
        "MWG:DateTimeOriginal",
        *(iptc + xmp if iptc_is_newer(tags) else xmp + iptc),
        "XMP-exif:DateTimeOriginal",
        "MWG:CreateDate",
        "XMP-xmp:CreateDate",
        "Composite:DigitalCreationDateTime",
        "IPTC:DigitalCreationDate",
        "XMP-exif:DateTimeDigitized",
        "XMP-dc:Date",
        "PNG:CreationTime",
        "Composite:SubSecModifyDate",
        "IFD0:ModifyDate",
        "XMP-xmp:ModifyDate",
    ):
        if (time := time_of(line(first(tags.get(name))))) is not None:
            return time
    return None


def time_of(value: str) -> CreatedTime | None:
    """`1998`, `1998:09`, `1998:00:00`, `1998:09:03 14:05:00.5+02:00` as exiftool prints them."""
    date, _, clock = value.partition(" ")
    parts = [int(part) for part in date.split(":") if part.isdigit()]
    year, month, day = (parts + [0, 0, 0])[:3]
    if year == 0:
        return None
    precision: Precision = "year" if not month else "month" if not day else "day"
    if not clock or precision != "day":
        return CreatedTime(datetime(year, month or 1, day or 1), precision)
    plain = clock.removesuffix("Z").split("+")[0].split("-")[0]
    zone = clock[len(plain) :]
    hour, minute, *second = plain.split(":")
    whole = int(second[0].split(".")[0]) if second else 0
    moment = datetime(year, month, day, int(hour), int(minute), whole)
    return CreatedTime(moment, "second" if second else "minute", _offset(zone))


def _offset(zone: str) -> int | None:
    if zone in ("", "Z"):
        return 0 if zone else None
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


def rating(tags: Tags) -> int | None:
    stars = next((tags[name] for name in ("MWG:Rating", "IFD0:Rating") if name in tags), None)
    percents = {1: 1, 25: 2, 50: 3, 75: 4, 99: 5}
    percent = tags.get("IFD0:RatingPercent", tags.get("XMP-microsoft:RatingPercent"))
    return stars if stars is not None else percents.get(percent)


def camera(tags: Tags) -> str:
    make, model = (line(tags.get(f"IFD0:{part}")) for part in ("Make", "Model"))
    if not make and not model:
        make, model = (line(tags.get(f"XMP-tiff:{part}")) for part in ("Make", "Model"))
    brands = make.casefold().split()
    doubled = brands and model and (model.casefold().startswith(brands[0]) or model.casefold().split()[0] in brands)
    return model if doubled else f"{make} {model}".strip()


def same(ours: Description, theirs: Description) -> bool:
    """Equal, coordinates to a hundredth of a second of arc: each program rounds in its own way."""
    numbers = [(about.place.latitude, about.place.longitude, about.place.altitude) for about in (ours, theirs)]
    return _without_numbers(ours) == _without_numbers(theirs) and all(map(_close, *numbers))


def _close(a: float | None, b: float | None) -> bool:
    return a is b or (a is not None and b is not None and math.isclose(a, b, abs_tol=3e-6, rel_tol=1e-6))


def _without_numbers(about: Description) -> Description:
    return replace(about, place=about.place.without_gps())
