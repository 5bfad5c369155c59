"""Contact Sheet reads what exiftool reads by the MWG's order, but for the differences in docs/metadata.md."""

from __future__ import annotations

import io
import random
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

import core.embedding.images  # noqa: F401 - registers HEIC where that is installed
from core.ingest.metadata.embedded import embedded_description
from core.ingest.metadata.sidecar_files import read_sidecar_file
from core.records.descriptions import Description
from tests.fakes.exiftool import ExifTool
from tests.fakes.metadata_reference import reference, same
from tests.fakes.trials import trials

SEED = 16
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "gif": "GIF", "avif": "AVIF", "xmp": ""} | (
    {"heic": "HEIF"} if ".heic" in Image.registered_extensions() else {}
)
WITH_EXIF, WITH_IPTC = ("jpg", "png", "webp", "tif", "avif", "heic"), ("jpg", "tif", "png")
WORDS = (
    "Lisboa",
    "São",
    "Sa\u0303o",
    "Café Zoë",
    "mar, sol",
    "“quoted”",
    "a – b",
    "Größe",
    "R&D <x>",
    "it's",
    'say "no"',
    "Ørsted",
    "a; b",
    " padded ",
    "two  blanks",
    "1998",
    "Dog",
)
LONG = "A text that is longer than sixty-four bytes, which is what IPTC has room for"
WIDE = ("猫と犬", "👩‍👧 family", "می‌خواهم", "Łódź", "Ещё", "🏴󠁧󠁢󠁥󠁮󠁧󠁿 England")
SIMPLE = ("Ada", "Grace", "Zoë", "Ada Lovelace", "Ørsted", "Lisboa", "Alfama", "Portugal", "Dog", "Mammals")
JUNK = ("OLYMPUS DIGITAL CAMERA", "SONY DSC", "Created with GIMP", "   ")


class Writer:
    """Draws tags and values by lot, in exiftool's words."""

    def __init__(self, seed: int) -> None:
        self._lot = random.Random(seed)

    def tags(self, suffix: str) -> list[str]:
        """Tags for one file: each standard or none, each field of it or none."""
        found: list[str] = []
        if suffix in WITH_EXIF and self.chance(0.6):
            found += self.exif()
        if suffix in WITH_IPTC and self.chance(0.6):
            found += self.iptc(suffix)
        if suffix == "xmp" or self.chance(0.7):
            found += [*self.xmp(), "-XMP-dc:Format=image/x-test"]
            found += ["-api", "Compact=Shorthand,OneDesc"] if self.chance() else []  # properties as attributes
        if suffix == "png":
            found += self.some(PNG=("Title", "Author", "Description", "Copyright", "Comment"))
            found += [f"-PNG:CreationTime={self.moment()}"] if self.chance() else []
        if suffix in ("jpg", "gif") and self.chance(0.2):
            found.append(f"-Comment={self.plain()}")
        return found

    def chance(self, share: float = 0.35) -> bool:
        return self._lot.random() < share

    def plain(self) -> str:
        """Text of Windows-1252 at most: IPTC without a character set has no more."""
        if self.chance(0.08):
            return self._lot.choice(JUNK)
        if self.chance(0.08):
            return LONG
        if self.chance(0.05):
            return "\n".join(self._lot.sample(WORDS, 3))
        return " ".join(self._lot.sample(WORDS, self._lot.randint(1, 3)))

    def wide(self) -> str:
        return self._lot.choice(WIDE) if self.chance(0.3) else self.plain()

    def simple(self) -> str:
        return self._lot.choice(SIMPLE)

    def some(self, **tags: tuple[str, ...]) -> list[str]:
        """Some of these tags, with any text; IPTC and Windows' with plain text: exiftool writes no more there."""
        return [
            f"-{group.replace('_', '-')}:{tag}={self.plain() if group in ('IPTC', 'IFD0') else self.wide()}"
            for group, names in tags.items()
            for tag in names
            if self.chance()
        ]

    def several(self, tag: str, words: tuple[str, ...] = (*WORDS, LONG)) -> list[str]:
        if not self.chance():
            return []
        return [f"-{tag}={word}" for word in self._lot.sample(words, self._lot.randint(1, min(3, len(words))))]

    def moment(self) -> str:
        lot = self._lot
        year = lot.choice((1650, 1898, 1974, 1999, 2021, lot.randint(1900, 2030)))
        date = f"{year}:{lot.randint(1, 12):02}:{lot.randint(1, 28):02}"
        return f"{date} {lot.randint(0, 23):02}:{lot.randint(0, 59):02}:{lot.randint(0, 59):02}"

    def zone(self) -> str:
        return self._lot.choice(("+05:30", "-03:30", "+00:00", "+12:45", "-11:00", "+02:00"))

    def exif_time(self) -> str:
        odd = ("0000:00:00 00:00:00", "    :  :     :  :  ", "1921:00:00 00:00:00", "1921:06:00 00:00:00")
        return self._lot.choice(odd) if self.chance(0.2) else self.moment()

    def xmp_time(self) -> str:
        moment = self.moment()
        return self._lot.choice((moment, moment + self.zone(), moment[:16], moment[:10], moment[:7], moment[:4]))

    def exif(self) -> list[str]:
        found = self.some(
            EXIF=("ImageDescription", "Copyright", "LensModel", "UserComment"),
            IFD0=("XPTitle", "XPComment", "XPAuthor", "XPSubject"),
        )
        found += self.several("EXIF:Artist") + (
            [f"-EXIF:XPKeywords={self.simple()};{self.plain()}"] if self.chance() else []
        )
        for tag, offset in (
            ("DateTimeOriginal", "OffsetTimeOriginal"),
            ("CreateDate", "OffsetTimeDigitized"),
            ("ModifyDate", "OffsetTime"),
        ):
            found += [f"-EXIF:{tag}#={self.exif_time()}"] if self.chance() else []
            found += [f"-EXIF:{offset}={self.zone()}"] if self.chance() else []
        if self.chance():
            found.append("-EXIF:SubSecTimeOriginal=123")
        if self.chance():
            make, model = self._lot.choice(
                (("NIKON CORPORATION", "NIKON D90"), ("Canon", "Canon EOS 5D"), ("SONY", "DSC-R1"))
            )
            found += [f"-EXIF:Make={make}", f"-EXIF:Model={model}"][self._lot.randint(0, 1) :]
        found += [f"-IFD0:Rating={self._lot.randint(0, 5)}"] if self.chance(0.2) else []
        found += [f"-IFD0:RatingPercent={self._lot.choice((1, 25, 50, 75, 99))}"] if self.chance(0.2) else []
        found += ["-ExifByteOrder=II"] if self.chance(0.5) else []
        return found + (self.gps("EXIF:GPS", signed=False) if self.chance() else [])

    def gps(self, group: str, signed: bool) -> list[str]:
        latitude = self._lot.choice((0.0, 90.0, 38.7127, self._lot.uniform(0, 90)))
        longitude = self._lot.choice((0.0, 180.0, 9.1355, self._lot.uniform(0, 180)))
        north, east = self._lot.choice("NS"), self._lot.choice("EW")
        altitude = round(self._lot.uniform(0, 4000), 1)
        if signed:
            sign = {"N": 1, "S": -1, "E": 1, "W": -1}
            found = [f"-{group}Latitude={latitude * sign[north]}", f"-{group}Longitude={longitude * sign[east]}"]
        else:
            found = [f"-{group}Latitude={latitude}", f"-{group}LatitudeRef={north}"]
            found += [f"-{group}Longitude={longitude}", f"-{group}LongitudeRef={east}"]
        if self.chance(0.5):
            found += [f"-{group}Altitude={altitude}", f"-{group}AltitudeRef#={self._lot.randint(0, 1)}"]
        return found

    def iptc(self, suffix: str) -> list[str]:
        found = ["-CodedCharacterSet=UTF8"] if self.chance(0.5) else []
        found += self.some(
            IPTC=(
                *["ObjectName", "Headline", "Caption-Abstract", "By-line", "Credit", "CopyrightNotice"],
                *["City", "Province-State", "Country-PrimaryLocationName", "Sub-location"],
            )
        )
        found += self.several("IPTC:Keywords")
        for prefix in ("", "Digital"):
            if self.chance():
                date, clock = self.moment().split()
                name = "Digital" if prefix else ""
                found.append(f"-IPTC:{'DigitalCreationDate' if name else 'DateCreated'}={date}")
                if self.chance(0.6):
                    found.append(f"-IPTC:{'DigitalCreationTime' if name else 'TimeCreated'}={clock}{self.zone()}")
        if suffix in ("jpg", "tif") and self.chance(0.5):
            # exiftool takes its own digest of a TIFF's block for wrong: it forgets the zeros that fill the last word
            digests = ("new", "0123456789abcdef" * 2) if suffix == "jpg" else ("0123456789abcdef" * 2,)
            found.append(f"-Photoshop:IPTCDigest={self._lot.choice(digests)}")
        return found

    def xmp(self) -> list[str]:
        found = self.some(
            XMP_dc=("Title", "Title-de", "Description", "Rights"),
            XMP_photoshop=("Headline", "Credit", "City", "State", "Country"),
            XMP_iptcCore=("Location",),
            XMP_xmp=("Label",),
            XMP_xmpRights=("UsageTerms", "WebStatement"),
            XMP_tiff=("Make", "Model", "ImageDescription", "Copyright"),
            XMP_acdsee=("Caption", "Notes", "Author"),
            XMP_exif=("UserComment",),
            XMP_cc=("License",),
            XMP_aux=("Lens",),
            XMP_exifEX=("LensModel",),
        )
        found += self.several("XMP-tiff:Artist", SIMPLE[:1]) + self.several("XMP-acdsee:Keywords")
        found += self.several("XMP-dc:Subject") + self.several("XMP-dc:Creator")
        found += self.several("XMP-iptcExt:PersonInImage", SIMPLE)
        found += self.several("XMP-lr:HierarchicalSubject", ("Animals|Mammals|Dog", "Lisboa|Alfama", "Dog", "São|Café"))
        found += self.several("XMP-digiKam:TagsList", ("Animals/Mammals/Dog", "People/Ada", "Zoë"))
        found += self.several("XMP-microsoft:LastKeywordXMP", ("Trips/2019/Lisboa", "Dog"))
        found += self.several("XMP-mediapro:CatalogSets", ("Trips|2019", "Best"))
        for tag in (
            "photoshop:DateCreated",
            "exif:DateTimeOriginal",
            "xmp:CreateDate",
            "exif:DateTimeDigitized",
            "dc:Date",
            "xmp:ModifyDate",
        ):
            found += [f"-XMP-{tag}={self.xmp_time()}"] if self.chance(0.2) else []
        found += [f"-XMP-xmp:Rating={self._lot.randint(-1, 5)}"] if self.chance() else []
        found += [f"-XMP-microsoft:RatingPercent={self._lot.choice((1, 25, 50, 75, 99))}"] if self.chance(0.2) else []
        found += self.structures()
        return found + (self.gps("XMP-exif:GPS", signed=True) if self.chance(0.25) else [])

    def structures(self) -> list[str]:
        found = []
        if self.chance():
            faces = f"{{Name={self.simple()},Type=Face}},{{Name=Rex,Type=Pet}},{{Name={self.simple()}}}"
            found.append(f"-XMP-mwg-rs:RegionInfo={{RegionList=[{faces}]}}")
        if self.chance(0.2):
            found.append(f"-XMP-iptcExt:PersonInImageWDetails=[{{PersonName={self.simple()}}}]")
        if self.chance():
            found.append(f"-XMP-MP:RegionInfoMP={{Regions=[{{PersonDisplayName={self.simple()}}}]}}")
        if self.chance():
            dog = "{Keyword=Animals,Children=[{Keyword=Dog},{Keyword=Cat,Children=[{Keyword=Kitten}]}]}"
            found.append(f"-XMP-mwg-kw:KeywordInfo={{Hierarchy=[{dog},{{Keyword={self.simple()}}}]}}")
        for kind in ("Shown", "Created"):
            if self.chance(0.25):
                parts = f"Sublocation=Alfama,City={self.simple()},CountryName=Portugal"
                found.append(f"-XMP-iptcExt:Location{kind}=[{{{parts}}}]")
        return found


def our_description(path: Path) -> Description:
    if path.suffix == ".xmp":
        return read_sidecar_file(path)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        if int(path.stem) % 2:  # ingest reads metadata after the pixels, a rescan without them
            image.load()
        return embedded_description(image)


@pytest.fixture(scope="module")
def exiftool() -> ExifTool:
    return ExifTool()


def test_every_field_is_what_exiftool_reads(exiftool: ExifTool, tmp_path: Path) -> None:
    writer, arguments = Writer(SEED), {}
    for number in range(trials(4000)):
        suffix = list(FORMATS)[number % len(FORMATS)]
        path = tmp_path / f"{number:04}.{suffix}"
        if suffix != "xmp":
            Image.new("RGB", (8, 8), (200, number % 256, 30)).save(path, FORMATS[suffix])
        arguments[path] = writer.tags(suffix)
    exiftool.write(arguments)
    seen, wrong = Counter[str](), []
    for name, tags in exiftool.read(tmp_path).items():
        ours, theirs = our_description(tmp_path / name), reference(tags)
        seen.update(field for field, value in vars(theirs).items() if value not in ("", (), None))
        if "references previous EXIF directory" in tags.get("ExifTool:Warning", ""):
            continue  # exiftool now and then does not read the directory that it wrote
        if not same(ours, theirs):
            fields = [field for field, value in vars(theirs).items() if getattr(ours, field) != value]
            wrong.append((name, [(field, getattr(ours, field), getattr(theirs, field)) for field in fields]))
    assert not wrong, f"{len(wrong)} of {len(arguments)} differ: {wrong[:12]}"
    assert min(seen.values()) > len(arguments) // 50, seen  # every field was there often enough to be tried
