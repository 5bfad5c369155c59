"""From a key press on the threshold slider to new pixels on the map, in Chromium, beside a bare reference page.

`make bench NAME=slider` statistics 1,000, 25,000 and 200,000 pictures; `make bench NAME="slider --sizes 25000"` others.
All pages run in one Chromium on this computer, one after the other, the reference page before and after each of ours.

The pictures are planted: groups of uneven size in blocks of 25,000 whose vectors have no direction in common, so that
the dendrogram of all of them is known once that of one block is. The server finds dendrogram and map on its disk.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from core.app import App, open_app
from core.clusters.edits.model import SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.clusters.tree.linkage import average_linkage
from core.records.assets import Asset, Description, utc_now
from core.settings import PROJECT, Settings
from core.store.lance.collections import Collections
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.map_files import MapFiles, StoredMap
from pages.clusters.map_figure import MapScene, map_figure
from pages.clusters.map_view import MAX_POINTS
from tests.benchmarks.measure import verdict
from tests.browser.conftest import CHROMIUM_NAMES, CHROMIUM_OPTIONS, free_port

SIZES, BUDGETS = (1_000, 25_000, 200_000), {25_000: 1.3, 200_000: 1.6}
BLOCK, BLOCK_DIMENSION, DIMENSION = 25_000, 48, 384
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
class Measured:
    """Key press to pixels in milliseconds, one per move, and what came over the wire for all of them."""

    ms: list[float]
    received_bytes: int

    @property
    def median_ms(self) -> float:
        return statistics.median(self.ms)


# -- the collection ---------------------------------------------------------------------------------------------


def planted(n: int) -> NDArray[np.float32]:
    """Rows (n, 48) of unit length: groups of very uneven size and width around 30 directions."""
    rng = np.random.default_rng(0)
    count = max(2, n // 20)
    themes = rng.standard_normal((30, BLOCK_DIMENSION)) + 0.8
    centres = themes[rng.integers(0, 30, count)] + 0.6 * rng.standard_normal((count, BLOCK_DIMENSION))
    weights = rng.pareto(1.2, count) + 0.2
    own = rng.choice(count, n, p=weights / weights.sum())
    spread = rng.uniform(0.2, 0.9, (count, 1))
    rows = centres[own] + spread[own] * rng.standard_normal((n, BLOCK_DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def of_blocks(z: NDArray[np.float64], n: int, blocks: int) -> NDArray[np.float64]:
    """The dendrogram of `blocks` sets that share no direction, each with the dendrogram `z` of `n` rows."""
    assert z[:, 2].max() < 1, "rows of one block are less similar than rows of two"
    total, merges = n * blocks, []
    for block in range(blocks):
        own = z.copy()
        nodes = own[:, :2]
        own[:, :2] = np.where(nodes < n, nodes + block * n, total + (nodes - n) * blocks + block)
        merges.append(own)
    joined = np.stack(merges, axis=1).reshape(-1, 4)  # merge i of block b is merge i * blocks + b of all
    roots, tops = total + (n - 2) * blocks + np.arange(blocks), []
    last, size = roots[0], n
    for number, root in enumerate(roots[1:]):
        size += n
        tops.append([min(last, root), max(last, root), 1.0, size])
        last = total + len(joined) + number
    return np.vstack([joined, np.array(tops).reshape(-1, 4)])


def lay_down(app: App, name: str, n: int) -> None:
    """A collection of `n` planted pictures with dendrogram and map, as if they had been made."""
    blocks, size = -(-n // BLOCK), min(n, BLOCK)
    part = planted(size)
    vectors = np.zeros((n, DIMENSION), np.float32)
    places = np.empty((n, 2), np.float32)
    flat = part @ np.random.default_rng(1).standard_normal((BLOCK_DIMENSION, 2)).astype(np.float32)
    for block in range(blocks):
        rows = slice(block * size, (block + 1) * size)
        vectors[rows, block * BLOCK_DIMENSION : (block + 1) * BLOCK_DIMENSION] = part
        places[rows] = flat + 12 * np.array([block % 3, block // 3], np.float32)
    data = app.settings.data
    table = Collections(data / "collections").create(name, app.encoder.card)
    ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(n)]
    jpeg, now = thumbnail(), utc_now()
    for start in range(0, n, 20_000):
        some = range(start, min(start + 20_000, n))
        assets = [
            Asset(ids[i], (f"/planted/{i}.jpg",), name, Description(title=f"Picture {i}"), 400, 300, now) for i in some
        ]
        table.add(assets, [jpeg] * len(some), vectors[start : start + 20_000])
    version = app.version(name)
    z = of_blocks(average_linkage(part).z, size, blocks)
    LinkageFiles(data / "linkages" / name).put(version, tuple(ids), z)
    MapFiles(data / "maps" / name).put(StoredMap(version, tuple(ids), places, np.ones(n, bool), 0))


def thumbnail() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (160, 120), (90, 120, 150)).save(data, "JPEG")
    return data.getvalue()


# -- the measurement --------------------------------------------------------------------------------------------


@contextmanager
def serving(script: str, data: Path) -> Iterator[tuple[str, int]]:
    """`streamlit run` on a free port of loopback: its address and its process."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        script,
        "--server.port",
        str(port),
        "--server.address",
        "127.0.0.1",
        "--server.headless",
        "true",
    ]
    environment = {
        **os.environ,
        "CONTACTSHEET_DATA": str(data),
        "CONTACTSHEET_MODEL": "bundled",
        "PYTHONPATH": str(PROJECT),
    }
    with (data / "server.log").open("a") as log:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/_stcore/health")
            yield address, server.pid
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


def moves(page: Page, address: str) -> Measured:
    """Open a page and press its slider again and again, each time once the last move is drawn."""
    received = 0

    def count(payload: str | bytes) -> None:
        nonlocal received
        received += len(payload)

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    page.goto(address)
    slider = page.get_by_role("slider", name="Threshold")
    slider.wait_for(timeout=300_000)
    page.locator(".st-key-map .js-plotly-plot .gl-canvas").first.wait_for(state="attached", timeout=300_000)
    settle(page)
    slider.focus()
    times = []
    for number in range(WARM_MOVES + MOVES):
        if number == WARM_MOVES:
            received = 0
        page.evaluate(WATCH)
        page.keyboard.press("ArrowLeft")
        times.append(page.evaluate("() => window.moved"))
        settle(page)
    return Measured(times[WARM_MOVES:], received)


def settle(page: Page) -> None:
    page.wait_for_function(
        "!document.querySelector('[data-test-script-state=running], [data-stale=true]')", timeout=300_000
    )
    page.wait_for_timeout(400)


def in_chromium(browser: Browser, address: str) -> Measured:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        return moves(page, address)
    finally:
        page.close()


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def memory_of_a_session_mb(browser: Browser, address: str, pid: int) -> tuple[float, float]:
    """What the server's memory grows by with each further person who looks at the clusters: the slope of a straight
    line, and how far off its points lie (root mean square), which is what the figure can be trusted to."""
    pages, resident = [], []
    for number in range(WARM_SESSIONS + SESSIONS):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.locator(".st-key-map .js-plotly-plot .gl-canvas").first.wait_for(state="attached", timeout=300_000)
        settle(page)
        pages.append(page)
        if number >= WARM_SESSIONS:
            resident.append(resident_mb(pid))
    for page in pages:
        page.close()
    sessions = np.arange(len(resident))
    slope, start = np.polyfit(sessions, resident, 1)
    return float(slope), float(np.sqrt(np.mean((start + slope * sessions - resident) ** 2)))


def on_the_server(app: App, name: str) -> dict[str, float]:
    """Milliseconds of the parts of a run, each for thresholds that were not asked for before; kB of the figure."""
    parts: dict[str, list[float]] = {"cut and measures": [], "names": [], "figure": [], "as JSON": [], "kB": []}
    atlas = app.atlas.map(name)
    for threshold in np.linspace(0.7, 0.6, MOVES):
        marks = [time.perf_counter()]
        view = app.clusters.view(name, apply(Plan(), SetThreshold(float(threshold))))
        marks.append(time.perf_counter())
        suggested = app.clusters.name_suggestions(name, view)
        marks.append(time.perf_counter())
        names = [one.name if one else "" for one in suggested]
        colours = (np.arange(len(view.clusters)) % 12).astype(np.uint8)
        drawn = MapScene(
            atlas.coordinates,
            view.labels,
            colours,
            view.base.snapshot.titles,
            names,
            view.statistics.representatives,
            np.empty(0, np.int64),
        )
        made = map_figure(drawn, atlas.level_of_detail.sample(None, MAX_POINTS), atlas.level_of_detail.whole)
        marks.append(time.perf_counter())
        text = json.dumps(made)
        marks.append(time.perf_counter())
        for values, seconds in zip(parts.values(), np.diff(marks), strict=False):
            values.append(seconds * 1000)
        parts["kB"].append(len(text) / 1000)
    return {name: statistics.median(values) for name, values in parts.items()}


def compare(browser: Browser, app: App, n: int) -> bool:
    """Measure one size and print it; whether it is within its budget."""
    name, data = f"planted-{n}", app.settings.data
    lay_down(app, name, n)
    parts = on_the_server(app, name)
    with serving("tests/benchmarks/reference_page.py", data) as (bare, _):
        before = in_chromium(browser, bare)
        with serving("streamlit_app.py", data) as (address, pid):
            ours = in_chromium(browser, f"{address}/clusters?collection={name}")
            session_mb, error_mb = memory_of_a_session_mb(browser, f"{address}/clusters?collection={name}", pid)
        after = in_chromium(browser, bare)
    reference_ms = statistics.median(before.ms + after.ms)
    ratio = ours.median_ms / reference_ms
    print(f"\n{n:,} pictures, {MOVES} moves")
    print(
        f"  reference page, 1,000 points: {reference_ms:.0f} ms; before {before.median_ms:.0f}, after "
        f"{after.median_ms:.0f}; {before.received_bytes / MOVES / 1000:.0f} kB a move"
    )
    print(
        f"  ours: {ours.median_ms:.0f} ms (p95 {np.percentile(ours.ms, 95):.0f}), {ratio:.2f} × the reference; "
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
