"""Two real servers on one data folder: what one does the other shows, and neither needs the other to live."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed

from core.ingest.sources import demo
from core.store.objects.locks import ingest_lock, write_lock
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from pages.clusters.dial import DIAL_KEY
from pages.ui.person import NAME_KEY
from tests.benchmarks.server import serving
from tests.benchmarks.session import COMPONENT, TEXT_INPUT, ScriptResult, Session, session
from tests.fakes.event_loops import run_in_thread
from tests.fakes.gemini import MockGeminiServer

KEY = "a-key-for-the-mock-server"
BUTTON, BUTTON_GROUP, SELECTBOX = "button", "button_group", "selectbox"
SEARCHES_PER_MINUTE, REFUSED_AT, PICTURES, PATIENCE_S = 10, 3, 240, 120.0
THROUGH_A_PROXY = {"Via": "1.1 proxy"}  # whoever comes like this is no curator


@dataclass(frozen=True)
class Pair:
    """Two servers, their data folder, the folder of pictures to add, and the mock server that both ask to rank."""

    first: str
    second: str
    data: Path
    pictures: Path
    gemini: MockGeminiServer
    settings: dict[str, str]


@pytest.fixture(scope="module")
def pair(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("two")
    data = folder / "data"
    shutil.copytree(demo_data, data, ignore=shutil.ignore_patterns("*.db*", "jobs", "uploads*"))
    pictures = many_pictures(folder / "roots" / "pictures")
    with ExitStack() as stack:
        gemini = stack.enter_context(MockGeminiServer(key=KEY))
        settings = {
            "GEMINI_API_KEY": KEY,
            "CONTACTSHEET_GEMINI_ENDPOINT": gemini.address,
            "NO_PROXY": "127.0.0.1",
            "CONTACTSHEET_ROOTS": str(pictures.parent),
            "CONTACTSHEET_SEARCHES_PER_MINUTE": str(SEARCHES_PER_MINUTE),
            "CONTACTSHEET_VISITOR_DAILY_USD": "0.01",
        }
        addresses = [
            stack.enter_context(serving("streamlit_app.py", data, **settings))[0].replace("http:", "ws:")
            for _ in range(2)
        ]
        yield Pair(*addresses, data, pictures, gemini, settings)


def many_pictures(folder: Path) -> Path:
    """Pictures that differ: work for long enough to be seen and cancelled."""
    folder.mkdir(parents=True)
    photographs = [Image.open(path).convert("RGB") for path in demo.photographs()[:40]]
    for number in range(PICTURES):
        photographs[number % 40].rotate(number // 40, expand=True).save(folder / f"{number:04}.jpg")
    return folder


def said(page: ScriptResult) -> str:
    """Every text of a page, without the escapes of Markdown."""
    bodies = (message.body for kind, message, _ in page.elements if kind in ("alert", "markdown", "heading"))
    return "\n".join(bodies).replace("\\", "")


def has(page: ScriptResult, kind: str, key: str) -> bool:
    return any(found == kind and message.id.endswith(f"-{key}") for found, message, _ in page.elements)


@asynccontextmanager
async def curator(address: str, name: str, page: str, **query: str) -> AsyncIterator[tuple[Session, ScriptResult]]:
    """Someone at this computer who opened a page and gave a name."""
    async with session(address) as opened:
        box = (await opened.open(page, **query)).widget(TEXT_INPUT, NAME_KEY).id
        yield opened, await opened.set(WidgetState(id=box, string_value=name))


async def look(address: str, page: str, headers: dict[str, str] | None = None, **query: str) -> ScriptResult:
    """What a page shows to someone who comes anew."""
    async with session(address, additional_headers=headers) as opened:
        return await opened.open(page, **query)


async def move(opened: Session, page: ScriptResult, number: int, threshold: float) -> ScriptResult:
    """Move the dial of the Clusters page; `number` counts the moves of this page."""
    asked = {"session": page.component(DIAL_KEY)["session"], "threshold": [number, threshold]}
    state = WidgetState(id=page.widget(COMPONENT, DIAL_KEY).id, json_value=json.dumps({"asked": asked}))
    await opened.set(state, fragment=page.fragment_of(COMPONENT, DIAL_KEY))
    return await opened.set()


async def press(opened: Session, page: ScriptResult, key: str) -> ScriptResult:
    return await opened.press(page.widget(BUTTON, key).id)


async def until(
    once_more: Callable[[], Awaitable[ScriptResult]], shown: Callable[[ScriptResult], bool]
) -> ScriptResult:
    """Look again and again until a page shows something."""
    async with asyncio.timeout(PATIENCE_S):
        while not shown(page := await once_more()):
            await asyncio.sleep(0.3)
    return page


def drafts_of(data: Path) -> list[str]:
    return [draft.id for draft in DraftStore(Database(data / "contactsheet.db")).list("demo")]


def test_an_edit_is_on_the_other_after_a_rerun_and_a_draft_has_one_owner(pair: Pair) -> None:
    async def edits() -> None:
        async with curator(pair.first, "Ada", "clusters") as (ada, page):
            page = await move(ada, page, 1, 0.71)
            assert page.component(DIAL_KEY)["threshold"] == 0.71
            async with curator(pair.second, "Ada", "clusters") as (elsewhere, same):
                assert same.component(DIAL_KEY)["threshold"] == 0.71
                await move(elsewhere, same, 1, 0.66)
            page = await ada.set()
            assert page.component(DIAL_KEY)["threshold"] == 0.66
            (draft_id,) = drafts_of(pair.data)
            async with curator(pair.second, "Bob", "clusters", draft=draft_id) as (bob, foreign):
                assert "This draft belongs to Ada; you can only view it." in said(foreign)
                await move(bob, foreign, 1, 0.8)
            page = await ada.set()
            assert page.component(DIAL_KEY)["threshold"] == 0.66
            assert "1 change not saved" in said(page)
            page = await press(ada, page, "save")
            assert "Saved as revision 1" in said(page)
        async with curator(pair.second, "Bob", "clusters") as (_, seen):
            assert "**Revision 1**" in said(seen)
            assert seen.component(DIAL_KEY)["threshold"] == 0.66

    run_in_thread(edits())


def test_an_ingest_that_one_starts_is_seen_stopped_and_resumed_by_the_other(pair: Pair) -> None:
    async def ingests() -> None:
        async with curator(pair.first, "Ada", "library") as (ada, page), session(pair.second) as other:
            await add_folder(ada, page, pair.pictures, "many")
            there, here = lambda: other.open("library"), lambda: ada.open("library")
            seen = await until(there, lambda shown: "**many** · running" in said(shown))
            await press(other, seen, cancel := key_of(seen, "cancel"))
            job = cancel.rpartition("_")[2]
            page = await until(here, lambda shown: has(shown, BUTTON, f"resume_{job}"))
            assert "cancelled; what was committed is kept" in said(page)
            await press(ada, page, f"resume_{job}")
            again = await until(there, lambda shown: "**many** · running" in said(shown))
            await press(other, again, key_of(again, "cancel"))
            await until(here, lambda shown: "**many** · running" not in said(shown))
            assert said(await there()).count("**many** · cancelled") == 2

    run_in_thread(ingests())
    assert nothing_is_locked(pair.data / "collections" / "many")


async def add_folder(opened: Session, page: ScriptResult, folder: Path, collection: str) -> None:
    page = await opened.set(
        WidgetState(id=page.widget(BUTTON_GROUP, "way").id, string_array_value={"data": ["Folder on this computer"]})
    )
    page = await opened.set(
        WidgetState(id=page.widget(SELECTBOX, "library_collection").id, string_value=collection),
        WidgetState(id=page.widget(TEXT_INPUT, "folder").id, string_value=str(folder)),
    )
    await press(opened, page, "add_folder")


def key_of(page: ScriptResult, action: str) -> str:
    """The key of the first button for a job, as `cancel_7`."""
    ids = [message.id for kind, message, _ in page.elements if kind == BUTTON]
    return next(id_.rpartition("-")[2] for id_ in ids if id_.rpartition("-")[2].startswith(f"{action}_"))


def nothing_is_locked(folder: Path) -> bool:
    with ingest_lock(folder), write_lock(folder, wait_s=0.0):
        return True


def test_what_one_removes_is_gone_from_the_other_and_comes_back_when_it_restores(pair: Pair) -> None:
    async def found(address: str) -> list[str]:
        shown = (await look(address, "search", q="a red strawberry")).component("results")
        return [frame["id"] for frame in shown["frames"]]

    async def remove_and_restore() -> None:
        before = await found(pair.second)
        async with curator(pair.first, "Ada", "library", collection="demo", photo=before[0]) as (ada, page):
            await press(ada, page, "remove_one")
        assert before[0] not in await found(pair.second)
        async with curator(pair.second, "Bob", "library", collection="demo", care="Bin") as (bob, page):
            assert "1 picture in the bin." in said(page)
            await press(bob, page, "put_back")
        assert await found(pair.first) == before

    run_in_thread(remove_and_restore())


def test_budgets_and_limits_of_a_visitor_are_shared(pair: Pair) -> None:
    queries, used_up = (
        # Plain words: Gemini is not asked to read them.
        (f"boat {first}{second}" for first, second in itertools.product("bcdfghjkl", repeat=2)),
        "your share of Gemini for today is used up",
    )

    async def search(address: str) -> str:
        return said(await look(address, "search", THROUGH_A_PROXY, q=next(queries)))

    async def searches() -> int:
        count, answer = 1, await search(pair.first)
        while used_up not in answer and count < SEARCHES_PER_MINUTE - 1:
            count, answer = count + 1, await search(pair.first)
        assert used_up in answer
        ranked = len(pair.gemini.ledger)
        assert used_up in await search(pair.second)
        assert len(pair.gemini.ledger) == ranked
        count += 1
        while count < REFUSED_AT * SEARCHES_PER_MINUTE:
            count, answer = count + 1, await search(pair.first)
            assert "are the limit" not in answer
        assert f"{count} searches a minute are the limit" in await search(pair.second)
        return ranked

    assert run_in_thread(searches()) > 0


def test_one_that_is_killed_leaves_the_other_working(pair: Pair) -> None:
    async def edit_until_cut(address: str, ready: asyncio.Event) -> None:
        async with curator(address, "Cleo", "clusters") as (cleo, page):
            for number in itertools.count(1):
                page = await move(cleo, page, number, 0.6 + number % 30 / 100)
                ready.set()

    async def kill_one() -> None:
        with serving("streamlit_app.py", pair.data, **pair.settings) as (address, pid):
            ready = asyncio.Event()
            editing = asyncio.create_task(edit_until_cut(address.replace("http:", "ws:"), ready))
            await ready.wait()
            await asyncio.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(ConnectionClosed, match="no close frame"):
                await editing
        async with curator(pair.first, "Cleo", "clusters") as (cleo, page):
            assert "not saved" in said(page)  # the edits until then
            page = await move(cleo, page, 1, 0.77)
            assert page.component(DIAL_KEY)["threshold"] == 0.77
        assert (await look(pair.first, "search", q="a dog")).component("results")["frames"]

    run_in_thread(kill_one())
    assert nothing_is_locked(pair.data / "collections" / "demo")
