"""What is known of a picture, as names and texts in groups."""

from __future__ import annotations

from core.records.assets import Asset, Location, file_name, shown_path
from core.records.descriptions import Description, Place
from core.text import counted
from pages.ui.format import taken_text

Facts = dict[str, str]
MAX_PLACES = 12
STATES = {"present": "", "missing": " (missing)", "replaced": " (another picture is there now)"}


def described_facts(asset: Asset, shows_location: bool) -> list[Facts]:
    """What it shows, who made it, and how; without what is not known."""
    about = asset.about
    where = {"Coordinates": coordinates_text(about.place)} if shows_location else {}
    lists = {
        "People": ", ".join(about.people),
        "Keywords": ", ".join(about.keywords),
        "Filed under": "; ".join(path.replace("|", " › ") for path in about.hierarchies),
    }
    size = {"Size": f"{asset.width} × {asset.height} pixels"}
    groups = (
        scene_facts(about) | where | lists | mark_facts(about),
        right_facts(about),
        camera_facts(about) | size,
    )
    return [facts for group in groups if (facts := known(group))]


def place_facts(asset: Asset, with_folders: bool) -> list[Facts]:
    """Where it is: its source and file, or each of its places with what only that one says of it."""
    added = {"Added": asset.ingested_at.strftime("%-d %B %Y, %H:%M UTC")}
    if len(asset.locations) < 2:
        file = "".join(file_text(place, with_folders) for place in asset.locations)
        return [known({"Source": "".join(asset.sources), "File": file} | added)]
    shown, others = asset.locations[:MAX_PLACES], len(asset.locations) - MAX_PLACES
    groups = [
        {f"In {place.source}" if place.source else "File": file_text(place, with_folders)} | other_words(asset, place)
        for place in shown
    ]
    more = {"Besides": f"in {counted(others, 'other place')}"} if others > 0 else {}
    return [*groups, more | added]


def other_words(asset: Asset, place: Location) -> Facts:
    """What is written of a picture at one of its places, where that is not what is shown already."""
    if place.words is None:
        return {}
    shown, written = word_facts(asset.about), word_facts(place.words)
    return {name: text for name, text in written.items() if text and text != shown[name]}


def word_facts(about: Description) -> Facts:
    """All facts that a picture has one of."""
    words = {"Title": about.title, "Headline": about.headline, "Description": about.description}
    return words | scene_facts(about) | mark_facts(about) | right_facts(about) | camera_facts(about)


def scene_facts(about: Description) -> Facts:
    return {"Taken": taken_text(about.created) if about.created else "", "Place": about.place.name}


def mark_facts(about: Description) -> Facts:
    return {"Rating": rating_text(about.rating), "Label": about.label}


def right_facts(about: Description) -> Facts:
    return {
        "Author": about.author,
        "Credit": about.credit,
        "Licence": about.licence,
        "Usage terms": about.usage_terms,
    }


def camera_facts(about: Description) -> Facts:
    return {"Camera": about.camera, "Lens": about.lens}


def known(facts: Facts) -> Facts:
    return {name: text for name, text in facts.items() if text}


def file_text(place: Location, with_folder: bool) -> str:
    """A file's name, or its path, and what became of it."""
    return (shown_path(place.uri) if with_folder else file_name(place.uri)) + STATES[place.state]


def coordinates_text(place: Place) -> str:
    """`38.70834° N, 9.13500° W, 12 m`; empty if they are unknown."""
    if place.latitude is None or place.longitude is None:
        return ""
    north = f"{abs(place.latitude):.5f}° {'N' if place.latitude >= 0 else 'S'}"
    east = f"{abs(place.longitude):.5f}° {'E' if place.longitude >= 0 else 'W'}"
    return f"{north}, {east}" + (f", {place.altitude:.0f} m" if place.altitude is not None else "")


def rating_text(rating: int | None) -> str:
    """`★★★ (3 of 5)`, `rejected`; empty where there is none."""
    if rating is None or rating == 0:
        return ""
    return "rejected" if rating < 0 else f"{'★' * rating} ({rating} of 5)"
