"""An Unsplash dataset and its image server on this machine: real columns, pictures from the demo set, faults on demand.

Faults are assigned to photos by number, so every run of the same dataset meets the same ones. `429`, `slow` and `cut`
spoil a photo's first request only; `404`, `wrong type` and `private` (a redirect to a private address) are permanent.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from core.ingest.http.allowed_hosts import Address, Network
from core.ingest.http.fetcher import FETCH_RETRIES, FetchEnvironment
from core.ingest.http.rate_limiter import RateLimit
from core.ingest.sources import demo

HOST, INSIDE = "images.example", "inside.example"
HOSTS = frozenset({HOST, INSIDE})
TRANSIENT, PERMANENT = ("429", "slow", "cut"), ("404", "wrong type", "private")
REASONS = {"404": "not found", "wrong type": "not a picture", "private": "an address that is not public"}
SLOW_S = 0.3
PHOTO_COLUMNS = [
    "photo_id",
    "photo_url",
    "photo_image_url",
    "photo_submitted_at",
    "photo_featured",
    "photo_width",
    "photo_height",
    "photo_aspect_ratio",
    "photo_description",
    "photographer_username",
    "photographer_first_name",
    "photographer_last_name",
    "exif_camera_make",
    "exif_camera_model",
    "exif_iso",
    "exif_aperture_value",
    "exif_focal_length",
    "exif_exposure_time",
    "photo_location_name",
    "photo_location_latitude",
    "photo_location_longitude",
    "photo_location_country",
    "photo_location_city",
    "stats_views",
    "stats_downloads",
    "ai_description",
    "ai_primary_landmark_name",
    "ai_primary_landmark_latitude",
    "ai_primary_landmark_longitude",
    "ai_primary_landmark_confidence",
    "blur_hash",
]
KEYWORD_COLUMNS = ["photo_id", "keyword", "ai_service_1_confidence", "ai_service_2_confidence", "suggested_by_user"]
COLLECTION_COLUMNS = ["photo_id", "collection_id", "collection_title", "photo_collected_at"]
CONVERSION_COLUMNS = [
    "converted_at",
    "conversion_type",
    "keyword",
    "photo_id",
    "anonymous_user_id",
    "conversion_country",
]
COLOUR_COLUMNS = ["photo_id", "hex", "red", "green", "blue", "keyword", "ai_coverage", "ai_score"]


def loopback_environment(rate_limit: RateLimit = RateLimit(requests_per_s=10_000.0)) -> FetchEnvironment:
    """A test's environment: both hosts have addresses, plain HTTP to this machine is allowed, retries come at once."""
    addresses = {HOST: ["127.0.0.1"], INSIDE: ["10.1.2.3"]}
    network = Network(lambda host, _: addresses[host], _is_localhost, ("http",))
    retry_policy = replace(FETCH_RETRIES, first_wait_s=0.01)
    return FetchEnvironment(network, retry_policy=retry_policy, read_timeout_s=10.0, rate_limit=rate_limit)


def _is_localhost(address: Address) -> bool:
    return address == ip_address("127.0.0.1")


def photo_id(number: int) -> str:
    """11 characters, as Unsplash's; some differ by case alone."""
    digest = hashlib.sha256(f"{number // 2}".encode()).hexdigest()[:9]
    return f"{'aA'[number % 2]}-{digest}"


class FakeUnsplash:
    """The image server on 127.0.0.1, with `count` photos and a share of faults; also writes the dataset's tables."""

    def __init__(self, folder: Path, count: int, share: float = 0.0, seed: int = 7, retry_after: str = "0") -> None:
        self.folder, self.count, self.retry_after = folder, count, retry_after
        self.requests: Counter[str] = Counter()
        self.numbers = {photo_id(number): number for number in range(count)}
        chosen = random.Random(seed).sample(list(self.numbers), round(count * share))
        kinds = (*PERMANENT, *TRANSIENT)
        self.faults = {photo: kinds[index % len(kinds)] for index, photo in enumerate(chosen)}
        self.lock, self._originals = threading.Lock(), demo.photographs()
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="fake-unsplash", daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def picture(self, number: int, width: int) -> bytes:
        """A photo at a width, always the same bytes: a part of a demo photograph, in other colours."""
        path = self.folder / "pictures" / f"{number}-{width}.jpg"
        if not path.is_file():
            draft = path.with_suffix(f".{threading.get_ident()}")
            draft.write_bytes(_rendered(self._originals[number % len(self._originals)], number, width))
            draft.replace(path)
        return path.read_bytes()

    def expected(self, width: int, photos: Iterable[str] | None = None) -> dict[str, str]:
        """What a complete ingest holds: the SHA-256 of every available photo's picture, by photo id."""
        unavailable = {photo for photo, kind in self.faults.items() if kind in PERMANENT}
        wanted = [photo for photo in (photos or self.numbers) if photo not in unavailable]
        return {photo: hashlib.sha256(self.picture(self.numbers[photo], width)).hexdigest() for photo in wanted}

    def unavailable(self) -> Counter[str]:
        """How many photos are not available, by the reason a report gives."""
        return Counter(REASONS[kind] for kind in self.faults.values() if kind in PERMANENT)

    def write_tables(self, folder: Path, name: str = "{table}.tsv00{shard}") -> Path:
        """Write the five tables, photos and keywords in two shards each."""
        folder.mkdir(parents=True, exist_ok=True)
        tables: dict[str, tuple[list[str], list[list[Any]]]] = {
            "photos": (PHOTO_COLUMNS, [self._photo(photo, number) for photo, number in self.numbers.items()]),
            "keywords": (KEYWORD_COLUMNS, [row for p, n in self.numbers.items() for row in _keywords(p, n)]),
            "collections": (COLLECTION_COLUMNS, [[p, 1000 + n, "Outside", _TIME] for p, n in self.numbers.items()]),
            "conversions": (
                CONVERSION_COLUMNS,
                [[_TIME, "download", f"query {n % 9}", p, f"user-{n}", "DE"] for p, n in self.numbers.items()],
            ),
            "colors": (COLOUR_COLUMNS, [row for photo in self.numbers for row in _colours(photo)]),
        }
        for table, (columns, rows) in tables.items():
            half = len(rows) // 2 if table in ("photos", "keywords") else len(rows)
            for shard, part in enumerate((rows[:half], rows[half:])):
                if part:
                    _write(folder / name.format(table=table, shard=shard), columns, part)
        return folder

    def write_zip(self, path: Path) -> Path:
        """Write the tables as a ZIP, below a folder as in Unsplash's own."""
        tables = self.write_tables(path.with_suffix(""))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in sorted(tables.iterdir()):
                archive.write(table, f"unsplash-research-dataset-lite-latest/{table.name}")
        return path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _photo(self, photo: str, number: int) -> list[Any]:
        values = {
            "photo_id": photo,
            "photo_url": f"https://unsplash.com/photos/{photo}",
            "photo_image_url": f"http://{HOST}:{self.port}/{photo}",
            "photo_submitted_at": "2019-03-04 05:06:07.123456",
            "photo_featured": "t",
            "photo_width": 4000,
            "photo_height": 3000,
            "photo_aspect_ratio": 1.33,
            "photo_description": f'A "view"\nnumber {number}' if number % 3 == 0 else "",
            "photographer_username": f"user{number}",
            "photographer_first_name": "Zoë" if number % 2 else "",
            "photographer_last_name": f"Number{number}" if number % 2 else "",
            "photo_location_name": "Half Dome, Yosemite, United States" if number % 4 == 0 else "",
            "photo_location_country": "United States" if number % 4 == 0 else "",
            "ai_description": f"a hill behind house {number}",
            "blur_hash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
        }
        return [values.get(column, "") for column in PHOTO_COLUMNS]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, unsplash: FakeUnsplash) -> None:
        self.unsplash = unsplash
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that is killed is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Tests look at `requests` instead."""

    def do_GET(self) -> None:
        unsplash, parts = self.server.unsplash, urlsplit(self.path)
        photo, width = parts.path.lstrip("/"), int(parse_qs(parts.query)["w"][0])
        with unsplash.lock:
            unsplash.requests[photo] += 1
            first = unsplash.requests[photo] == 1
        kind = unsplash.faults.get(photo, "")
        self._answer(photo, width, kind if first or kind in PERMANENT else "")

    def _answer(self, photo: str, width: int, kind: str) -> None:
        unsplash = self.server.unsplash
        if kind == "404":
            self._send(404, b"gone", {"Content-Type": "text/plain"})
        elif kind == "429":
            self._send(429, b"", {"Retry-After": unsplash.retry_after})
        elif kind == "wrong type":
            self._send(200, b"<html>sign in</html>", {"Content-Type": "text/html"})
        elif kind == "private":
            self._send(302, b"", {"Location": f"http://{INSIDE}:{unsplash.port}/secret?w=1"})
        else:
            data = unsplash.picture(unsplash.numbers[photo], width)
            self._send(200, data, {"Content-Type": "image/jpeg"}, kind)

    def _send(self, status: int, data: bytes, headers: dict[str, str], kind: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if kind:
            self.wfile.write(data[: len(data) // 2])
            time.sleep(SLOW_S if kind == "slow" else 0.0)
            data = data[len(data) // 2 :] if kind == "slow" else b""
            self.close_connection = kind == "cut"
        self.wfile.write(data)


_TIME = "2020-01-02 03:04:05"


def _write(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows([columns, *rows])


def _keywords(photo: str, number: int) -> list[list[Any]]:
    certain = [[photo, f"thing {number % 7}", 90.5, "", "f"], [photo, "guess", "", 12.25, "f"]]
    return [*certain, [photo, "asked for", "", "", "f"], [photo, "Said By A Person", "", "", "t"]]


def _colours(photo: str) -> list[list[Any]]:
    return [
        [photo, "556B2F", 85, 107, 47, "darkolivegreen", 0.41, 0.2],
        [photo, "F5F5DC", 245, 245, 220, "beige", 0.07, 0.5],
    ]


def _rendered(original: Path, number: int, width: int) -> bytes:
    rng = random.Random(number)
    with Image.open(original) as opened:
        picture = opened.convert("RGB")
    left, top = rng.uniform(0, 0.3) * picture.width, rng.uniform(0, 0.3) * picture.height
    part = picture.crop((int(left), int(top), int(left + 0.7 * picture.width), int(top + 0.7 * picture.height)))
    gain = rng.choice((0.8, 0.9, 1.0))
    bands = part.resize((width, max(1, round(width * part.height / part.width)))).split()
    buffer = io.BytesIO()
    Image.merge("RGB", rng.sample(bands, 3)).point(lambda value: value * gain).save(buffer, "JPEG")
    return buffer.getvalue() + f"#{number}".encode()  # bytes after the end are legal, and tell photos apart for sure
