"""From a key press on the threshold slider to new pixels on the map, in Chromium, beside a bare reference page.

`make bench NAME=slider` measures 1,000, 25,000 and 200,000 pictures; `make bench NAME="slider --sizes 25000"` others.
All pages run in one Chromium on this computer, one after the other, the reference page before and after each of ours.

The pictures are planted (see `planted_collection`); the server finds their dendrogram and map on its disk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from core.app import App, open_app
from core.clusters.edits.model import SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.settings import Settings
from pages.clusters.map_figure import MapScene, map_figure
from pages.clusters.map_view import MAX_POINTS
from tests.benchmarks.measure import record_ratio, verdict
from tests.benchmarks.planted_collection import create_planted_collection
from tests.benchmarks.server import resident_mb, serving
from tests.browser.conftest import CHROMIUM_NAMES, CHROMIUM_OPTIONS

SIZES, BUDGETS = (1_000, 25_000, 200_000), {25_000: 1.3, 200_000: 1.6}
MOVES, WARM_MOVES, SESSIONS, WARM_SESSIONS = 15, 4, 8, 3
# Resolves with the milliseconds from the next key press to the second frame after the map's points have other colours.
WATCH = """() => { window.moved = new Promise(done => {
    const colours = () => {
        const drawn = document.querySelector('.st-key-map .js-plotly-plot');
        const marks = drawn && drawn._fullData && drawn._fullData.find(t => t.type === 'scattergl');
        return marks && marks.marker.color;
    };
    const before = colours();
    addEventListener('keydown', () => {
        const start = performance.now();
        const look = () => {
            const now = colours();
            if (now && now !== before) requestAnimationFrame(() => requestAnimationFrame(
                () => done(performance.now() - start)));
            else requestAnimationFrame(look);
        };
        look();
    }, {once: true, capture: true});
}); }"""


@dataclass(frozen=True)
class SliderMoves:
    """Milliseconds from key press to pixels for each move, and the bytes received for all of them."""

    latencies_ms: list[float]
    received_bytes: int

    @property
    def median_ms(self) -> float:
        return statistics.median(self.latencies_ms)


def move_slider(page: Page, address: str) -> SliderMoves:
    """Open a page and move its slider repeatedly by key, each time after the previous move has been drawn."""
    received_bytes = 0

    def count(payload: str | bytes) -> None:
        nonlocal received_bytes
        received_bytes += len(payload)

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    page.goto(address)
    slider = page.get_by_role("slider", name="Threshold")
    slider.wait_for(timeout=300_000)
    page.locator(".st-key-map .js-plotly-plot .gl-canvas").first.wait_for(state="attached", timeout=300_000)
    wait_until_idle(page)
    slider.focus()
    times = []
    for number in range(WARM_MOVES + MOVES):
        if number == WARM_MOVES:
            received_bytes = 0
        page.evaluate(WATCH)
        page.keyboard.press("ArrowLeft")
        times.append(page.evaluate("() => window.moved"))
        wait_until_idle(page)
    return SliderMoves(times[WARM_MOVES:], received_bytes)


def wait_until_idle(page: Page) -> None:
    page.wait_for_function(
        "!document.querySelector('[data-test-script-state=running], [data-stale=true]')", timeout=300_000
    )
    page.wait_for_timeout(400)


def measure_moves(browser: Browser, address: str) -> SliderMoves:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        return move_slider(page, address)
    finally:
        page.close()


def session_memory_mb(browser: Browser, address: str, pid: int) -> tuple[float, float]:
    """How much the server's memory grows with each further session that shows the clusters: the slope of a straight
    line, and the root mean square of its residuals, which shows how reliable that is."""
    pages, resident = [], []
    for number in range(WARM_SESSIONS + SESSIONS):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.locator(".st-key-map .js-plotly-plot .gl-canvas").first.wait_for(state="attached", timeout=300_000)
        wait_until_idle(page)
        pages.append(page)
        if number >= WARM_SESSIONS:
            resident.append(resident_mb(pid))
    for page in pages:
        page.close()
    sessions = np.arange(len(resident))
    slope, start = np.polyfit(sessions, resident, 1)
    return float(slope), float(np.sqrt(np.mean((start + slope * sessions - resident) ** 2)))


def measure_server_parts(app: App, name: str) -> dict[str, float]:
    """Median milliseconds of each part of a run, for thresholds that are not cached; kB of the figure."""
    parts: dict[str, list[float]] = {"cut and measures": [], "names": [], "figure": [], "as JSON": [], "kB": []}
    atlas = app.atlas.map(name)
    for threshold in np.linspace(0.7, 0.6, MOVES):
        marks = [time.perf_counter()]
        view = app.clusters.view(name, apply(Plan(), SetThreshold(float(threshold))))
        marks.append(time.perf_counter())
        suggestions = app.clusters.name_suggestions(name, view)
        marks.append(time.perf_counter())
        names = [suggestion.name if suggestion else "" for suggestion in suggestions]
        colours = (np.arange(len(view.clusters)) % 12).astype(np.uint8)
        scene = MapScene(
            atlas.coordinates,
            view.labels,
            colours,
            view.base.snapshot.titles,
            names,
            view.statistics.representatives,
            np.empty(0, np.int64),
        )
        figure = map_figure(scene, atlas.level_of_detail.sample(None, MAX_POINTS), atlas.level_of_detail.whole)
        marks.append(time.perf_counter())
        text = json.dumps(figure)
        marks.append(time.perf_counter())
        for values, seconds in zip(parts.values(), np.diff(marks), strict=False):
            values.append(seconds * 1000)
        parts["kB"].append(len(text) / 1000)
    return {name: statistics.median(values) for name, values in parts.items()}


def compare(browser: Browser, app: App, n: int) -> bool:
    """Measure one size and print the result; returns whether it is within its budget."""
    name, data = f"planted-{n}", app.settings.data
    create_planted_collection(app, name, n)
    parts = measure_server_parts(app, name)
    with serving("tests/benchmarks/reference_page.py", data) as (reference, _):
        before = measure_moves(browser, reference)
        with serving("streamlit_app.py", data) as (address, pid):
            ours = measure_moves(browser, f"{address}/clusters?collection={name}")
            session_mb, error_mb = session_memory_mb(browser, f"{address}/clusters?collection={name}", pid)
        after = measure_moves(browser, reference)
    reference_ms = statistics.median(before.latencies_ms + after.latencies_ms)
    ratio, p95_ms = ours.median_ms / reference_ms, np.percentile(ours.latencies_ms, 95)
    record_ratio(f"ours ÷ the reference page, {n:,} pictures, ms", ratio, better="lower")
    print(f"\n{n:,} pictures, {MOVES} moves")
    print(
        f"  reference page, 1,000 points: {reference_ms:.0f} ms; before {before.median_ms:.0f}, after "
        f"{after.median_ms:.0f}; {before.received_bytes / MOVES / 1000:.0f} kB a move"
    )
    print(
        f"  ours: {ours.median_ms:.0f} ms (p95 {p95_ms:.0f}), {ratio:.2f} × the reference; "
        f"{ours.received_bytes / MOVES / 1000:.0f} kB a move"
    )
    print(
        "  on the server: "
        + ", ".join(f"{name} {value:.0f}" + (" ms" if name != "kB" else "") for name, value in parts.items())
    )
    print(f"  memory of one more session: {session_mb:.1f} MB, from {SESSIONS} that lie {error_mb:.1f} MB off a line")
    return verdict(f"{n:,} pictures", ratio, BUDGETS[n], "×") if n in BUDGETS else True


def chromium() -> str:
    import shutil

    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("there is no Chromium on this computer")
    return path


def main(sizes: Sequence[int]) -> int:
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
        app = open_app(Settings(data=Path(temporary) / "data", model="bundled", model_is_explicit=True))
        app.ensure_demo()  # or every server would build it while it is measured
        met = [compare(browser, app, n) for n in sizes]
        browser.close()
    return 0 if all(met) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    raise SystemExit(main(parser.parse_args().sizes))
