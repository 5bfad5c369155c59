from __future__ import annotations

from core.app import App
from tests.pages.conftest import visit


def test_every_run_of_a_page_is_logged_with_its_name(served: App) -> None:
    page = visit()
    page.switch_page("pages/library/page.py").run()
    events = [event for event in served.events.latest() if event.kind == "page"]
    assert [event.detail["page"] for event in events] == ["library", "search"]
    assert all(event.outcome == "ok" and event.stage_ms["total"] > 0 for event in events)
