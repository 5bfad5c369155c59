"""What records say of themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.records.assets import file_name
from core.store.objects.names import path_to_uri


@pytest.mark.parametrize("name", ["100%.jpg", "50%25.jpg", "ä ö.png", "a#b?c.png", "日本.png", "plain.jpg"])
def test_a_file_is_called_what_its_owner_called_it(name: str) -> None:
    assert file_name(path_to_uri(Path("/pictures") / name)) == name


def test_a_name_that_would_break_the_line_stays_encoded() -> None:
    assert file_name(path_to_uri(Path("/pictures/two\nlines.jpg"))) == "two%0Alines.jpg"
    assert file_name(path_to_uri(Path("/pictures/\u202egpj.exe"))) == "%E2%80%AEgpj.exe"


def test_a_name_that_is_no_text_stays_encoded() -> None:
    assert file_name(path_to_uri(Path(os.fsdecode(b"/pictures/\xff.jpg")))) == "%FF.jpg"
