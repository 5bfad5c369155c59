"""Apps whose Gemini is the mock server, and what they spend and leave on disk."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from core.app import App
from core.gemini.failures import Cause
from core.gemini.prices import PRICES
from core.search.answer import Answer
from core.settings import Secret, Settings
from core.store.lance.collections import Collections
from core.store.sql.database import Database
from core.store.sql.spend_store import Budgets, SpendStore
from tests.fakes.encoder import ColourEncoder
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_reply import LedgerRow

# A deadline short enough to wait for.
DEADLINE_S = 1.0


def make_collections(folder: Path, titles: dict[str, str]) -> Path:
    """A folder of collections; `c` has one plain picture per colour, with its title."""
    (folder / "pictures").mkdir()
    for colour in titles:
        Image.new("RGB", (48, 32), colour).save(folder / "pictures" / f"{colour}.png")
    captions = folder / "captions.csv"
    lines = [f'{colour}.png,"{title.replace(chr(34), chr(34) * 2)}"' for colour, title in titles.items()]
    captions.write_text("\n".join(["file,title", *lines]), encoding="utf-8")
    report = ranking_app(folder / "first", folder, "").ingest(folder / "pictures", "c", captions)
    assert report.added == len(titles)
    return folder


def ranking_app(data: Path, collections_dir: Path, address: str, **settings: Any) -> App:
    """An App with its own data folder, on existing collections, whose Gemini is at an address."""
    given = {"gemini_api_key": Secret(KEY), "rank_deadline_s": DEADLINE_S, **settings}
    chosen = Settings(data=data, model="local-dir:colour", model_is_explicit=True, gemini_endpoint=address, **given)
    return App(chosen, Collections(collections_dir / "collections"), lambda *_: ColourEncoder())


def billed_usd(rows: Sequence[LedgerRow], day: date | None = None) -> float:
    """What rows of the mock server's ledger cost, computed from the price file alone."""
    return sum(_row_usd(row, day or datetime.now(UTC).date()) for row in rows)


def _row_usd(row: LedgerRow, day: date) -> float:
    prices = tomllib.loads(PRICES.read_text(encoding="utf-8"))["price"]
    price = max((p for p in prices if p["model"] == row.model and p["from"] <= day), key=lambda p: p["from"])
    fresh, output = row.prompt_tokens - row.cached_tokens, row.candidates_tokens + row.thoughts_tokens
    cached = row.cached_tokens * price.get("cached", price["input"])
    return float(fresh * price["input"] + cached + output * price["output"]) / 1_000_000


def spent_usd(app: App) -> float:
    """What counts against today's budget."""
    return SpendStore(Database(app.settings.data / "contactsheet.db"), Budgets(0, 0)).spent().day_usd


def cause_of(answer: Answer) -> Cause | None:
    assert answer.ranking is not None
    return answer.ranking.failure.cause if answer.ranking.failure else None


def files_with_the_key(*folders: Path) -> list[Path]:
    """Files that contain the key, SQLite's own and its logs included."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if KEY.encode() in _bytes_of(path)]


def _bytes_of(path: Path) -> bytes:
    """The bytes of a file; none if SQLite has removed it meanwhile, as it does with its logs."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
