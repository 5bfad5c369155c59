"""Headings of tables as exiftool, osxphotos, Lightroom and people write them, also in German and French."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal, get_args

Column = Literal[
    "file",
    "source_file",
    "folder",
    "title",
    "headline",
    "description",
    "keywords",
    "hierarchies",
    "hierarchies_with_slashes",
    "people",
    "author",
    "credit",
    "licence",
    "usage_terms",
    "created",
    "time",
    "offset",
    "sublocation",
    "city",
    "state",
    "country",
    "latitude",
    "latitude_ref",
    "longitude",
    "longitude_ref",
    "position",
    "altitude",
    "rating",
    "label",
    "make",
    "camera",
    "lens",
    "source",
    "uuid",
]
COLUMNS: tuple[Column, ...] = get_args(Column)

# Accepted headings of each column, our own first: of several that a row fills, the first counts, and lists add up.
HEADINGS: dict[Column, str] = {
    "file": "file FilePath original_filename FileName image_file Datei Dateiname Dateipfad Fichier "
    "nom_du_fichier nom_de_fichier path Pfad chemin image picture photo name",
    "source_file": "SourceFile",
    "folder": "folder directory Ordner Verzeichnis dossier",
    "title": "title ObjectName image_title document_title XPTitle Titel Bildtitel titre",
    "headline": "headline Überschrift Schlagzeile",
    "description": "description caption CaptionAbstract ImageDescription text alt alt_text comment XPComment "
    "UserComment notes note Beschreibung Bildbeschreibung Bildunterschrift Bildlegende légende commentaire",
    "keywords": "keywords keyword tags tag subject XPKeywords LastKeywordIPTC Stichwörter Stichworte Schlagwörter "
    "Schlagworte mots_clés mot_clé étiquettes",
    "hierarchies": "hierarchies HierarchicalSubject hierarchical_keywords",
    "hierarchies_with_slashes": "TagsList LastKeywordXMP",
    "people": "people persons person PersonInImage RegionName RegionPersonDisplayName PersonInImageName Personen "
    "personnes",
    "author": "author artist ByLine creator photographer XPAuthor Autor Fotograf Fotografin Urheber auteur photographe",
    "credit": "credit CreditLine Bildnachweis crédit",
    "licence": "licence license rights copyright CopyrightNotice Lizenz Rechte Urheberrecht droits",
    "usage_terms": "usage_terms RightsUsageTerms Nutzungsbedingungen conditions_d_utilisation",
    "created": "created_at date created DateTimeOriginal SubSecDateTimeOriginal date_taken DateTimeCreated DateCreated "
    "taken capture_date capture_time CreateDate DateTimeDigitized Aufnahmedatum Datum prise_de_vue "
    "date_de_prise_de_vue",
    "time": "TimeCreated",
    "offset": "OffsetTimeOriginal",
    "sublocation": "sublocation location Motivort lieu",
    "city": "city Stadt Ort ville",
    "state": "state ProvinceState province Bundesland Kanton région",
    "country": "country CountryPrimaryLocationName CountryName Land pays",
    "latitude": "latitude GPSLatitude lat Breitengrad",
    "latitude_ref": "GPSLatitudeRef",
    "longitude": "longitude GPSLongitude lon lng long Längengrad",
    "longitude_ref": "GPSLongitudeRef",
    "position": "GPSPosition GPSCoordinates coordinates Koordinaten coordonnées",
    "altitude": "altitude GPSAltitude elevation",
    "rating": "rating stars Bewertung",
    "label": "label color_label colour_label Farbmarkierung",
    "make": "make",
    "camera": "camera model CameraModelName camera_model Kamera Kameramodell appareil",
    "lens": "lens LensModel LensID Objektiv objectif",
    "source": "source Quelle",
    "uuid": "uuid",
}


def heading_key(heading: object) -> str:
    """A heading without its group (`IPTC:Keywords`), case, accents, blanks and punctuation."""
    folded = unicodedata.normalize("NFKD", str(heading)[:200].rpartition(":")[2].casefold())
    return "".join(character for character in folded if character.isalnum())


# The column of a heading's key, and how late among those of its column it counts.
_KNOWN: dict[str, tuple[Column, int]] = {
    heading_key(name): (column, place) for column in COLUMNS for place, name in enumerate(HEADINGS[column].split())
}


def column_of(heading: object) -> tuple[Column, int] | None:
    """The column that a heading names and its place among the headings of that column; None if it is none of ours."""
    return _KNOWN.get(heading_key(heading))


def count_known(headings: Sequence[str]) -> int:
    """How much headings look like ours: each known one counts, that of the file more than all others."""
    columns = {known[0] for heading in headings if (known := column_of(heading))}
    return len(columns) + len(COLUMNS) * bool(columns & {"file", "source_file"})
