from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect

from tests.browser.conftest import serving, visitor

pytestmark = pytest.mark.browser


def images(page: Page) -> list[dict[str, object]]:
    """Address and width of every picture of the galleries, once each has loaded."""
    page.locator(".frame").first.wait_for()
    found: list[dict[str, object]] = page.locator(".frame img").evaluate_all(
        """async images => {
            for (const image of images) { image.loading = "eager"; await image.decode() }
            return images.map(i => ({ path: new URL(i.src).pathname, width: i.naturalWidth }))
        }"""
    )
    return found


def test_thumbnails_come_from_the_routes_of_images_and_from_nowhere_else(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address)
        found = images(page)
        assert len(found) == 24
        assert all(str(image["path"]).startswith("/images/demo/") for image in found)
        assert all(int(str(image["width"])) > 0 for image in found), found  # some pictures are narrow
        assert sum("/images/" in url for url in requested) == 24
        assert not any(url.startswith(f"{address}/media/") for url in requested)
        embedded = {url[:14] for url in requested if url.startswith("data:image/")}
        assert embedded <= {"data:image/svg"}  # icons of Streamlit's own


def test_a_page_that_is_opened_again_asks_for_no_picture_twice(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(address)
        images(page)
        answers: list[Response] = []
        page.on("response", lambda response: answers.append(response) if "/images/" in response.url else None)
        page.reload()
        images(page)
        assert len(answers) == 24
        sent = [answer.request.sizes()["responseBodySize"] for answer in answers]
        assert sum(sent) == 0  # 304: what the browser has is still right


def test_the_details_and_the_picture_that_is_searched_by_come_from_there_too(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/?q=dog")
        page.locator(".open").first.click()
        picture = page.get_by_role("dialog").locator("img").first
        expect(picture).to_be_visible()
        assert picture.evaluate("i => i.decode().then(() => new URL(i.src).pathname)").endswith("/view")
        page.get_by_role("dialog").get_by_role("button", name="More like this").click()
        expect(page.get_by_text("Pictures like")).to_be_visible()
        reference = page.get_by_test_id("stImage").locator("img").first
        assert reference.evaluate("i => i.decode().then(() => i.naturalWidth)") > 100
        assert "/images/demo/" in str(reference.get_attribute("src"))


def test_the_original_file_is_saved_under_its_own_name(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/?q=dog")
        page.locator(".open").first.click()
        link = page.get_by_role("dialog").get_by_role("link", name="Original file")
        with page.context.expect_event("response", lambda response: response.url.endswith("/download")) as answered:
            link.click()
        disposition = answered.value.headers["content-disposition"]
        assert answered.value.status == 200
        assert disposition.startswith("attachment; filename*=UTF-8''")
        assert disposition.endswith(".jpg")


def test_a_picture_that_does_not_load_leaves_a_calm_placeholder_with_its_title(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        broken: list[str] = []

        def refuse_first(route: Route) -> None:
            broken[:] = broken or [route.request.url]
            if route.request.url in broken:
                route.fulfill(status=404, body="There is no such image.")
            else:
                route.continue_()

        page.route("**/images/**", refuse_first)
        page.goto(address)
        mat = page.locator(".mat.missing")
        expect(mat).to_have_count(1)
        frame = page.locator(".frame", has=mat)
        expect(mat.locator(".missing-title")).to_have_text(frame.locator(".title").inner_text())
        assert mat.evaluate("m => getComputedStyle(m, '::after').content") == '"picture not available"'
        assert frame.bounding_box()["height"] == pytest.approx(  # type: ignore[index]
            page.locator(".frame").nth(1).bounding_box()["height"],  # type: ignore[index]
            abs=1,
        )
        frame.locator(".open").click()
        expect(page.get_by_role("dialog")).to_be_visible()


def test_the_metrics_page_says_how_many_pictures_were_delivered(browser: Browser, demo_data: Path) -> None:
    with serving(demo_data) as fresh, visitor(browser) as page:
        page.goto(fresh)
        images(page)
        page.goto(f"{fresh}/metrics?section=Machine")
        expect(page.get_by_text("Pictures served: 24 · 100.00 % delivered")).to_be_visible()


def test_below_a_base_path_pictures_load_as_well(browser: Browser, demo_data: Path) -> None:
    with serving(demo_data, STREAMLIT_SERVER_BASE_URL_PATH="gallery") as below, visitor(browser) as page:
        page.goto(f"{below}/search?q=dog")
        assert all(str(image["path"]).startswith("/gallery/images/demo/") for image in images(page))
        page.locator(".open").first.click()
        picture = page.get_by_role("dialog").locator("img").first
        assert picture.evaluate("i => i.decode().then(() => new URL(i.src).pathname)").startswith("/gallery/images/")
