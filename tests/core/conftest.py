"""The painted collection, made once; whoever changes it takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.painted import paint_collection


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_collection(tmp_path_factory.mktemp("painted"))
