from __future__ import annotations

from pathlib import Path

import pytest

from core.store.sql.database import Database
from tests.fakes.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "contactsheet.db")
