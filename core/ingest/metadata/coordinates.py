"""Coordinates that are believable, in degrees (WGS 84) and metres."""

from __future__ import annotations

import math
import re

_NORTH, _EAST = {"N": 1, "S": -1}, {"E": 1, "W": -1}
# The deepest sea floor and well above where airliners fly.
_LOWEST_METRES, _HIGHEST_METRES = -11_000, 100_000
_XMP = re.compile(r"\s*(\d+)(?:[.](\d+))?(?:,(\d+(?:\.\d+)?))?(?:,(\d+(?:\.\d+)?))?\s*([NSEWnsew]?)\s*")
_DECIMAL = re.compile(r"\s*(-?)(\d+\.\d+)\s*")


def position(
    latitude: float | None, latitude_ref: str, longitude: float | None, longitude_ref: str
) -> tuple[float, float] | None:
    """Signed degrees, or None where one is missing, no number, out of range or without its hemisphere.

    Exactly 0°, 0° is what receivers write that found no satellite: no place either, whatever their status says.
    """
    north, east = _NORTH.get(latitude_ref.strip()[:1].upper()), _EAST.get(longitude_ref.strip()[:1].upper())
    if latitude is None or longitude is None or north is None or east is None:
        return None
    if not (math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180):
        return None
    return None if latitude == longitude == 0 else (north * latitude + 0.0, east * longitude + 0.0)


def altitude_metres(metres: float | None, is_below_sea_level: bool) -> float | None:
    """Metres above sea level, negative below it; None if it is no number or nowhere a camera can be."""
    if metres is None or not math.isfinite(metres):
        return None
    signed = -abs(metres) if is_below_sea_level else metres
    return signed if _LOWEST_METRES <= signed <= _HIGHEST_METRES else None


def parse_xmp_coordinate(text: str, reference: str, directions: str) -> tuple[float | None, str]:
    """Degrees without sign and the hemisphere of `38,42,30N` or `38,42.5N`, as XMP writes them.

    Some programs write `-38.7`, or leave the hemisphere to a property of its own, as EXIF does: that is `reference`.
    `directions` are the positive and the negative one, `NS` or `EW`.
    """
    if (decimal := _DECIMAL.fullmatch(text)) is not None:
        return float(decimal[2]), reference or directions[1 if decimal[1] else 0]
    match = _XMP.fullmatch(text)
    if match is None:
        return None, ""
    degrees, fraction, minutes, seconds, hemisphere = match.groups()
    value = float(f"{degrees}.{fraction or 0}") + float(minutes or 0) / 60 + float(seconds or 0) / 3600
    return value, hemisphere or reference
