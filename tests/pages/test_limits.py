"""What pages say and do where a visitor has reached a limit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.app import App
from core.atlas import service as atlas_service
from core.errors import NotAllowed
from core.gemini.failures import NOTICES
from core.jobs.background import BackgroundJobs
from core.records.jobs import Job
from core.settings import Secret, Settings
from pages.ui import person as person_module
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_client import KEY
from tests.pages.conftest import frames, visit

CURATOR_KEY = Secret("correct horse")
SESSION = "test session id"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGeminiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture
def limits() -> dict[str, float]:
    """The limits of the server; tests may set others."""
    return {}


@pytest.fixture
def settings(tmp_path: Path, server: MockGeminiServer, limits: dict[str, float]) -> Settings:
    return Settings(
        data=tmp_path / "data",
        model="local-dir:colour",
        model_is_explicit=True,
        curator_key=CURATOR_KEY,
        gemini_api_key=Secret(KEY),
        gemini_endpoint=server.address,
        rank_results=2,
        rank_deadline_s=20.0,
        **limits,  # type: ignore[arg-type]
    )


def lines(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def enter_key(page: AppTest) -> AppTest:
    page.session_state[person_module.CURATOR_KEY] = CURATOR_KEY
    return page.run()


def searched(query: str) -> AppTest:
    page = visit(q=query)
    assert not page.exception
    return page


@pytest.mark.parametrize("limits", [{"visitor_daily_usd": 0.0}])
def test_a_visitor_whose_share_is_used_up_is_told_so_and_sees_the_order_by_similarity(
    served: App, server: MockGeminiServer
) -> None:
    page = searched("red")
    assert f":material/info: {NOTICES['budget_visitor']}" in lines(page)
    assert "your share of Gemini for today is used up" in lines(page)
    assert frames(page)[0]["title"] == "Red <b>sail</b>"
    assert server.ledger == []


@pytest.mark.parametrize("limits", [{"visitor_daily_usd": 0.0}])
def test_a_curator_has_a_share_of_their_own(served: App, server: MockGeminiServer) -> None:
    page = enter_key(visit())
    page.text_input(key="q").set_value("red").run()
    assert "chose 2 of 3 candidates" in lines(page)
    assert len(server.ledger) == 1


@pytest.mark.parametrize("limits", [{"searches_per_minute": 1}])
def test_above_the_searches_per_minute_the_page_counts_down_and_then_refuses(
    served: App, server: MockGeminiServer
) -> None:
    page = searched("red")
    assert "chose 2 of 3 candidates" in lines(page)
    for query in ("blue", "green"):
        page.text_input(key="q").set_value(query).run()
        assert NOTICES["many_searches"] in lines(page)
        assert " You can ask again in " in lines(page)
        assert page.button(key="ask_again").disabled
        assert len(frames(page)) == 3
    page.text_input(key="q").set_value("red and blue").run()
    assert "3 searches a minute are the limit: try again in " in page.warning[0].value.replace("\\", "")
    assert page.text_input(key="q").value == "red and blue"
    assert not page.exception
    assert len(server.ledger) == 1


@pytest.mark.parametrize("limits", [{"searches_per_minute": 1}])
def test_looking_at_the_same_search_again_is_no_new_one(served: App) -> None:
    page = searched("red")
    for _ in range(5):
        page.run()
    assert "chose 2 of 3 candidates" in lines(page)


@pytest.mark.parametrize("limits", [{"searches_per_minute": 1}])
def test_words_that_light_up_the_map_count_as_searches(served: App) -> None:
    served.ensure_demo()
    for query in ("red", "blue", "green"):
        searched(query)
    page = clusters()
    page.text_input(key="light").set_value("red").run()
    assert not page.exception
    assert "3 searches a minute are the limit: try again in " in lines(page).replace("\\", "")


def test_the_limits_of_a_picture_to_search_by_are_told(served: App) -> None:
    assert "At most 20 MB and 64 megapixels." in lines(visit())


# -- uploads ---------------------------------------------------------------------------------------------------


def may_upload(app: App, size: int) -> str:
    """As what the session of this page may upload a file of some bytes; or why not."""
    try:
        grant = app.upload_permits.begin(SESSION, size, lambda _: 0)
    except NotAllowed as error:
        return str(error)
    app.upload_permits.end(grant)
    return grant.kind


def library(page: AppTest) -> AppTest:
    return page.switch_page("pages/library/page.py").run()


def test_a_viewer_may_upload_a_picture_to_search_by_and_nothing_from_the_library(served: App) -> None:
    library(visit("library"))
    served.upload_permits.withdraw(SESSION, "query")  # of the page that was left
    assert "may upload nothing" in may_upload(served, 1000)
    visit()
    assert may_upload(served, 1000) == "query"


def test_a_curator_may_upload_for_a_collection_until_they_are_none_any_more(served: App) -> None:
    page = library(enter_key(visit()))
    assert page.file_uploader
    assert may_upload(served, 150_000_000) == "collection"
    page.session_state[person_module.CURATOR_KEY] = Secret("another")
    page.run()
    assert may_upload(served, 1000) == "query"


def test_a_picture_that_was_looked_at_does_not_stay_in_memory(served: App, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    monkeypatch.setattr("pages.ui.uploads.remove_upload", lambda file: removed.append(file.name))
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "green").save(buffer, "PNG")
    page = visit()
    page.file_uploader[0].set_value(("boat.png", buffer.getvalue(), "image/png")).run()
    assert not page.exception
    assert removed == ["boat.png"]


# -- jobs and other heavy work -----------------------------------------------------------------------------------


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    started: list[Job] = []
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: started.append(job))
    return started


def clusters() -> AppTest:
    page = visit()
    page.query_params["collection"] = "demo"
    page.switch_page("pages/clusters/page.py").run()
    assert not page.exception
    return page


def test_a_map_that_failed_is_not_made_again_by_who_looks_but_by_a_curator(
    served: App, spawned: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    served.ensure_demo()
    page = clusters()
    assert [job.kind for job in spawned] == ["map"]
    monkeypatch.setattr(atlas_service, "fit_map", fail)
    assert served.run_job(spawned[0].id).state == "failed"
    for _ in range(2):
        page.run()
        clusters()
    assert len(spawned) == 1
    assert "The map could not be computed" in lines(page)
    assert f"retry_job_{spawned[0].id}" not in {button.key for button in page.button}
    enter_key(page).button(key=f"retry_job_{spawned[0].id}").click().run()
    assert not page.exception
    assert [job.kind for job in spawned] == ["map", "map"]


def test_a_viewer_cannot_start_a_search_for_duplicates(served: App) -> None:
    served.ensure_demo()
    page = library(visit())
    page.query_params["collection"], page.query_params["care"] = "demo", "Duplicates"
    page.run()
    assert "look" not in {button.key for button in page.button}
    assert any("Only curators may look for duplicates" in info.value for info in page.info)
    assert "look" in {button.key for button in enter_key(page).button}


def test_a_failed_build_of_the_demo_is_tried_again_once_a_minute_by_all_visitors_together(
    served: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def fail(listener: object) -> None:
        tries.append(1)
        raise MemoryError

    monkeypatch.setattr(served, "ensure_demo", fail)
    page = visit()
    for _ in range(4):
        next(button for button in page.button if button.label == "Try again").click()
        page.run()
    assert len(tries) == 2
    assert any("It was tried a moment ago" in toast.value for toast in page.toast)
