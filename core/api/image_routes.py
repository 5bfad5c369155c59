"""Thumbnails and originals by collection and asset id: `/images/{collection}/{asset_id}/{kind}`.

Nothing in an address is ever taken for a path: a collection is looked up by its name, an original by the places that
the collection holds for the asset.

Every answer carries a strong ETag and `no-cache`: a browser may keep an image, but asks each time whether it is still
there, so that a removed picture is gone at once, from its cache as well. That costs one short request (304) per image
of a newly opened page; within a page browsers show an image again without asking.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, get_args
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from core.api.guards import SafeHeaders, SameOriginCheck
from core.errors import BadImage, ContactSheetError
from core.logs import log
from core.records.encoded_images import ImageFile, ImageKind, ImageOutcome, OriginalFile

if TYPE_CHECKING:
    from core.app import App  # takes seconds to import, which a server should not wait for

PREFIX = "/images"
KINDS: tuple[ImageKind, ...] = get_args(ImageKind)
CACHE_CONTROL = "private, no-cache"
# Reading a thumbnail is short; decoding an original may take seconds and hundreds of megabytes.
THUMBNAIL_THREADS, ORIGINAL_THREADS = 8, 2
CHUNK_BYTES = 256 * 1024


def image_routes(app: Callable[[], App], base_path: str = "") -> list[BaseRoute]:
    """The routes of images, below `base_path` (empty, or like `/gallery`), to be added to a server.

    The server has a `ConnectionGuard` before its routes. `app` is called with each request, in a thread.
    """
    endpoint = _ImageEndpoint(app)
    routes = [Route("/{collection}/{asset_id}/{kind}", endpoint.respond, methods=["GET", "HEAD"])]
    served = Starlette(routes=routes, middleware=[Middleware(SafeHeaders), Middleware(SameOriginCheck)])
    served.router.redirect_slashes = False
    mount = Mount(base_path + PREFIX, app=served)
    # Also what has a line break in it ends here, not at the page that a server may show for unknown addresses.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return [mount]


class _ImageEndpoint:
    def __init__(self, app: Callable[[], App]) -> None:
        self._app = app
        self._thumbnails, self._originals = CapacityLimiter(THUMBNAIL_THREADS), CapacityLimiter(ORIGINAL_THREADS)

    async def respond(self, request: Request) -> Response:
        kind: str = request.path_params["kind"]
        if kind not in KINDS:
            return PlainTextResponse("There is no such image.", 404)
        limiter = self._thumbnails if kind in ("thumbnail", "bin") else self._originals
        return await to_thread.run_sync(partial(self._respond, request, kind), limiter=limiter)

    def _respond(self, request: Request, kind: ImageKind) -> Response:
        outcome: ImageOutcome
        try:
            app = self._app()
        except ContactSheetError as error:
            log("api", "images are not available", logging.ERROR, error=str(error))
            return PlainTextResponse("Images are not available at the moment.", 503)
        try:
            image = app.images.get(kind, request.path_params["collection"], request.path_params["asset_id"])
            response, outcome = _response(request, image), "served" if image else "not_found"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one image, the page shows the others
            response, outcome = _failure(request, error), "failed"
        if request.method == "GET":
            app.monitor.image_counts.add(outcome)
        return response


def _response(request: Request, image: ImageFile | OriginalFile | None) -> Response:
    if image is None:
        return PlainTextResponse("There is no such image.", 404)
    headers = {"ETag": image.etag, "Cache-Control": CACHE_CONTROL}
    is_known = _matches(request.headers.getlist("if-none-match"), image.etag)
    if not is_known:
        headers["Content-Length"] = str(image.size)
    if isinstance(image, OriginalFile):
        return _original_response(request, image, headers, is_known)
    if is_known:
        return Response(status_code=304, headers=headers)
    return Response(b"" if request.method == "HEAD" else image.data, headers=headers, media_type=image.media_type)


def _original_response(request: Request, image: OriginalFile, headers: dict[str, str], is_known: bool) -> Response:
    if image.file_name and not is_known:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(image.file_name, safe='')}"
    if is_known or request.method == "HEAD":
        image.file.close()
        return Response(status_code=304 if is_known else 200, headers=headers, media_type=image.media_type)
    return StreamingResponse(_chunks(image), headers=headers, media_type=image.media_type)


async def _chunks(image: OriginalFile) -> AsyncIterator[bytes]:
    """Read piece by piece as the browser takes them, so that one which takes none costs no memory."""
    with image.file as file:
        while chunk := await to_thread.run_sync(file.read, CHUNK_BYTES):
            yield chunk


def _matches(if_none_match: list[str], etag: str) -> bool:
    """Whether a condition names this entity tag; a proxy may have made it a weak one (RFC 9110, 13.1.2)."""
    given = [tag.strip().removeprefix("W/") for value in if_none_match for tag in value.split(",")]
    return etag in given or "*" in given


def _failure(request: Request, error: Exception) -> Response:
    """404 for an image that is damaged, 503 where trying again may help."""
    expected = isinstance(error, ContactSheetError)
    text = str(error) if expected else repr(error)
    log("api", "image failed", logging.WARNING if expected else logging.ERROR, error=text, **request.path_params)
    if isinstance(error, BadImage):
        return PlainTextResponse("This image is damaged.", 404)
    return PlainTextResponse("This image is not available at the moment.", 503)
