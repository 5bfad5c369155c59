from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from core.access import OPERATOR
from core.api.guards import SAFE_HEADERS
from core.api.image_routes import ORIGINAL_THREADS, THUMBNAIL_THREADS
from core.app import App
from core.errors import SettingError, StoreError
from core.library import image_service
from core.records.assets import ModelCard
from core.records.encoded_images import OriginalFile
from core.store.lance.bin import Bin
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from tests.fakes.colour_app import open_table
from tests.fakes.image_server import raw, server


def ids(app: App) -> list[str]:
    return sorted(app.titles("shades"))


def path(asset_id: str, kind: str = "thumbnail", collection: str = "shades") -> str:
    return f"/images/{collection}/{asset_id}/{kind}"


def counts(app: App) -> tuple[int, int, int]:
    """How many images were served, were not there, failed."""
    totals = app.monitor.image_counts.totals()
    return totals["served"], totals["not_found"], totals["failed"]


# -- what is served ---------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_the_stored_jpeg_with_every_header(client: TestClient, shades: App) -> None:
    first = ids(shades)[0]
    answer = client.get(path(first))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.content == shades.asset(first, "shades")[1]  # type: ignore[index]
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["etag"].startswith('"')
    assert "set-cookie" not in answer.headers
    assert {name: answer.headers[name] for name in SAFE_HEADERS} == {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
    assert counts(shades) == (1, 0, 0)


def test_refusals_have_the_same_headers_and_are_not_stored(client: TestClient) -> None:
    for answer in (
        client.get(path("0" * 64)),
        client.get("/images/"),
        client.post(path("0" * 64)),
        client.get(path("0" * 64), headers={"Host": "evil.example"}),
        client.get(path("0" * 64), headers={"Sec-Fetch-Site": "cross-site"}),
    ):
        assert answer.status_code >= 400
        assert answer.headers["cache-control"] == "no-store"
        assert {name: answer.headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS


def test_below_a_base_path(shades: App) -> None:
    with TestClient(server(lambda: shades, "/gallery"), base_url="http://localhost") as client:
        assert client.get("/gallery" + path(ids(shades)[0])).status_code == 200
        assert client.get(path(ids(shades)[0])).status_code == 404


def test_head_tells_the_same_without_the_bytes_and_counts_nothing(port: int, shades: App) -> None:
    first = ids(shades)[0]
    got, asked = raw(port, path(first)), raw(port, path(first), "HEAD")
    assert (asked[0], asked[2]) == (200, b"")
    assert all(asked[1][name] == got[1][name] for name in ("etag", "content-type", "content-length", "cache-control"))
    assert counts(shades) == (1, 0, 0)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(client: TestClient, shades: App, method: str) -> None:
    answer = client.request(method, path(ids(shades)[0]))
    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD"]


def test_what_a_browser_has_already_is_not_sent_again(client: TestClient, shades: App) -> None:
    first, second = ids(shades)[:2]
    etag = client.get(path(first)).headers["etag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = client.get(path(first), headers={"If-None-Match": condition})
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, "private, no-cache")
    assert client.get(path(second), headers={"If-None-Match": etag}).status_code == 200
    assert counts(shades) == (6, 0, 0)


# -- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/images/shades/{id}",
        "/images/shades/{id}/",
        "/images/shades/{id}/thumbnail/",
        "/images/shades/{id}/thumbnail/more",
        "/images/shades/{id}/secrets",
        "/images/shades/{short}/thumbnail",
        "/images/shades/{upper}/thumbnail",
        "/images/shades/{id}0/thumbnail",
        "/images/shades/{id}%00/thumbnail",
        "/images/shades/{id}%0a/thumbnail",
        "/images/shades/' OR 1=1 --/thumbnail".replace(" ", "%20"),
        "/images/shades/{zeros}/thumbnail",
        "/images/nothing/{id}/thumbnail",
        "/images/Shades/{id}/thumbnail",
        "/images/shades%00/{id}/thumbnail",
        "/images/..%2fshades/{id}/thumbnail",
        "/images/../collections/shades/{id}/thumbnail",
        "/images/shades/..%2f..%2f..%2fcontactsheet.db/thumbnail",
        "/images/shades/%2e%2e%2f%2e%2e%2fetc%2fpasswd/original",
        "/images/shades//{id}/thumbnail",
        "/images//etc/passwd/original",
        "/images/%c3%28/{id}/thumbnail",
        "/images/C:%5cWindows/{id}/thumbnail",
        "/images/" + "a" * 20_000 + "/{id}/thumbnail",
        "/images/shades/" + "0" * 20_000 + "/thumbnail",
    ],
)
def test_no_address_but_that_of_an_image_leads_anywhere(port: int, shades: App, target: str) -> None:
    first = ids(shades)[0]
    names = {"id": first, "short": first[:-1], "upper": first.upper(), "zeros": "0" * 64}
    status, headers, body = raw(port, target.format(**names))
    assert (status, headers["x-content-type-options"]) == (404, "nosniff")
    assert body in (b"There is no such image.", b"Not Found")
    assert counts(shades)[2] == 0


def test_a_removed_picture_is_gone_at_once_also_for_who_has_it(client: TestClient, shades: App) -> None:
    first, second = ids(shades)[:2]
    known = {i: {"If-None-Match": client.get(path(i)).headers["etag"]} for i in (first, second)}
    shades.removal.remove(OPERATOR, "shades", [first])
    for kind in ("thumbnail", "view", "original"):
        assert client.get(path(first, kind)).status_code == 404
        assert client.get(path(first, kind), headers=known[first]).status_code == 404
        assert client.get(path(first, kind), headers={"If-None-Match": "*"}).status_code == 404
    assert client.get(path(second), headers=known[second]).status_code == 304
    assert client.get(path(first, "bin")).status_code == 200
    assert client.get(path(second, "bin")).status_code == 404
    shades.removal.restore(OPERATOR, "shades", [first])
    assert client.get(path(first), headers=known[first]).status_code == 304
    assert client.get(path(first, "bin")).status_code == 404


def test_a_removal_by_another_process_counts_as_well(client: TestClient, shades: App) -> None:
    first = ids(shades)[0]
    assert client.get(path(first)).status_code == 200
    open_table(shades.settings.data, "shades").remove([first], "someone", shades.asset(first, "shades")[0].ingested_at)  # type: ignore[index]
    assert client.get(path(first)).status_code == 404


def test_a_name_that_means_another_table_shows_that_tables_pictures(client: TestClient, shades: App) -> None:
    first, second = ids(shades)[:2]
    assert [client.get(path(i)).status_code for i in (first, second)] == [200, 200]
    collections, table = Collections(shades.settings.data / "collections"), open_table(shades.settings.data, "shades")
    other = collections.create_sibling("shades-new", "shades", ModelCard("other", "fake-2", 4))
    (asset, thumbnail), *_ = table.assets([second])
    other.add([asset], [thumbnail], np.array([[1, 0, 0, 0]], np.float32))
    assert client.get(path(second, collection="shades-new")).status_code == 200
    collections.switch("shades", "shades-new")
    assert [client.get(path(i)).status_code for i in (first, second)] == [404, 200]
    assert client.get(path(first, collection="shades-old")).status_code == 200


def test_a_deleted_collection_has_no_pictures(client: TestClient, shades: App) -> None:
    first = ids(shades)[0]
    etag = client.get(path(first)).headers["etag"]
    shades.removal.delete(OPERATOR, "shades", "shades")
    assert client.get(path(first), headers={"If-None-Match": etag}).status_code == 404
    assert counts(shades) == (1, 1, 0)


# -- what fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"half"])
def test_a_damaged_thumbnail_is_counted_as_failed_and_the_others_are_served(
    client: TestClient, shades: App, damage: bytes
) -> None:
    table, first = open_table(shades.settings.data, "shades"), ids(shades)[0]
    asset, thumbnail = shades.asset(first, "shades")  # type: ignore[misc]
    broken = replace(asset, id=hashlib.sha256(damage).hexdigest())
    stored = thumbnail[: len(thumbnail) // 2] if damage == b"half" else damage
    table.add([broken], [stored], np.array([[1, 0, 0, 0]], np.float32))
    answer = client.get(path(broken.id))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert client.get(path(first)).status_code == 200
    assert counts(shades) == (1, 0, 1)


@pytest.mark.parametrize("error", [StoreError("the disk is full"), RuntimeError("a bug"), MemoryError()])
def test_what_cannot_be_read_now_is_not_available_at_the_moment(
    client: TestClient, shades: App, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    first = ids(shades)[0]
    monkeypatch.setattr(AssetTable, "thumbnail", fail)
    assert client.get(path(first)).status_code == 503
    assert counts(shades) == (0, 0, 1)


def test_a_damaged_collection_is_a_failure_not_a_missing_one(client: TestClient, shades: App) -> None:
    first = ids(shades)[0]
    (shades.settings.data / "collections" / "shades" / "collection.json").write_text("{")
    assert client.get(path(first)).status_code == 503
    assert counts(shades) == (0, 0, 1)


def test_without_an_app_images_are_not_available() -> None:
    def no_app() -> App:
        raise SettingError("CONTACTSHEET_DATA is not allowed")

    with TestClient(server(no_app), base_url="http://localhost") as client:
        assert client.get(path("0" * 64)).status_code == 503


# -- originals --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lying(app: App, tmp_path: Path) -> dict[str, str]:
    """Pictures whose names lie about their format: ids by true format, in the collection `shades`."""
    folder = tmp_path / "lying"
    folder.mkdir()
    formats = {"JPEG": "png", "PNG": "jpg", "WEBP": "gif", "GIF": "bmp", "AVIF": "jpeg", "BMP": "webp"}
    for number, (written, suffix) in enumerate({**formats, "TIFF": "jpg", "HEIF": "png"}.items()):
        Image.new("RGB", (2000, 1000 + number), "teal").save(folder / f"{written}.{suffix}", written)
    app.ingest(folder, "shades")
    return {name.split(".")[0]: asset_id for asset_id, name in app.titles("shades").items()}


@pytest.fixture
def lying_client(app: App, lying: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(server(lambda: app), base_url="http://localhost") as client:
        yield client


def test_an_original_is_its_own_bytes_with_the_type_they_decode_to(
    lying_client: TestClient, lying: dict[str, str]
) -> None:
    for written in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"):
        answer = lying_client.get(path(lying[written], "original"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{written.lower()}")
        assert hashlib.sha256(answer.content).hexdigest() == lying[written]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("written", ["TIFF", "HEIF"])
def test_an_original_that_browsers_do_not_show_is_sent_as_its_view(
    lying_client: TestClient, lying: dict[str, str], written: str
) -> None:
    original, view = (lying_client.get(path(lying[written], kind)) for kind in ("original", "view"))
    assert (original.status_code, original.headers["content-type"]) == (200, "image/jpeg")
    assert max(Image.open(io.BytesIO(original.content)).size) == 1600
    assert original.content == view.content
    etag = original.headers["etag"]
    assert lying_client.get(path(lying[written], "original"), headers={"If-None-Match": etag}).status_code == 304


def test_an_original_that_is_gone_or_another_file_now_is_not_served(
    lying_client: TestClient, lying: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "lying" / "PNG.jpg").unlink()
    (tmp_path / "lying" / "GIF.bmp").write_bytes(b"<html><script>alert(1)</script>")
    for written in ("PNG", "GIF"):
        assert lying_client.get(path(lying[written], "original")).status_code == 404
        assert lying_client.get(path(lying[written], "view")).status_code == 404
        assert lying_client.get(path(lying[written])).status_code == 200


def test_a_huge_original_is_sent_as_its_view_and_one_beyond_the_limit_not_at_all(
    lying_client: TestClient, lying: dict[str, str], app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(lying_client.get(path(lying["PNG"], "original")).content)
    monkeypatch.setattr(image_service, "MAX_ORIGINAL_BYTES", size - 1)
    answer = lying_client.get(path(lying["PNG"], "original"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    monkeypatch.setattr(app.images, "_max_megapixels", 1)
    assert lying_client.get(path(lying["WEBP"], "original")).status_code == 404
    assert counts(app) == (2, 0, 1)


def test_a_download_is_the_file_itself_under_its_own_name(lying_client: TestClient, lying: dict[str, str]) -> None:
    for written, name in (("TIFF", "TIFF.jpg"), ("PNG", "PNG.jpg")):
        answer = lying_client.get(path(lying[written], "download"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{written.lower()}")
        assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        assert hashlib.sha256(answer.content).hexdigest() == lying[written]


def test_what_is_sent_is_what_was_verified_even_if_another_file_takes_its_name(
    app: App, lying: dict[str, str], tmp_path: Path
) -> None:
    found = app.images.original("shades", lying["PNG"])
    (tmp_path / "other").write_bytes(b"another picture")
    (tmp_path / "other").replace(tmp_path / "lying" / "PNG.jpg")
    assert isinstance(found, OriginalFile)
    with found.file as file:
        assert hashlib.sha256(file.read()).hexdigest() == lying["PNG"]


def test_the_name_of_a_download_cannot_add_a_header(app: App, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    Image.new("RGB", (40, 30), "teal").save(folder / 'ä "50%"\r\nX-Evil: 1.png', "PNG")
    app.ingest(folder, "named")
    (asset_id,) = app.titles("named")
    with TestClient(server(lambda: app), base_url="http://localhost") as client:
        headers = client.get(f"/images/named/{asset_id}/download").headers
    assert "x-evil" not in headers
    assert headers["content-disposition"].endswith("''%C3%A4%20%2250%25%22%0D%0AX-Evil%3A%201.png")


# -- many at once -----------------------------------------------------------------------------------------------------


def test_fifty_at_once_are_all_served_and_the_threads_are_bounded(
    client: TestClient, shades: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, running, highest, read = threading.Lock(), 0, 0, AssetTable.thumbnail

    def counted(table: AssetTable, asset_id: str) -> bytes | None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)
        try:
            return read(table, asset_id)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(AssetTable, "thumbnail", counted)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda asset_id: client.get(path(asset_id)), ids(shades)[:50]))
    assert [answer.status_code for answer in answers] == [200] * 50
    assert len({answer.content for answer in answers}) == 50
    assert 1 <= highest <= THUMBNAIL_THREADS
    assert counts(shades) == (50, 0, 0)


def test_slow_originals_keep_no_thumbnail_waiting(
    client: TestClient, shades: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(type(shades.images), "original", lambda *_: go_on.wait(20) and None)
    first = ids(shades)[0]
    with ThreadPoolExecutor(ORIGINAL_THREADS + 2) as pool:
        slow = [pool.submit(client.get, path(first, "original")) for _ in range(ORIGINAL_THREADS + 2)]
        assert client.get(path(first)).status_code == 200
        assert not any(answer.done() for answer in slow)
        go_on.set()
    assert {answer.result().status_code for answer in slow} == {404}


def test_a_thumbnail_is_read_once_while_the_collection_stays_the_same(
    client: TestClient, shades: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, first = list[str](), ids(shades)[0]
    thumbnail = AssetTable.thumbnail
    monkeypatch.setattr(
        AssetTable, "thumbnail", lambda table, asset_id: read.append(asset_id) or thumbnail(table, asset_id)
    )
    for _ in range(3):
        assert client.get(path(first)).status_code == 200
    assert read == [first]


def test_an_id_reaches_the_bin_only_as_an_id(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bin, "get", lambda *_: pytest.fail("the bin was asked"))
    assert client.get("/images/shades/not-an-id/bin").status_code == 404
