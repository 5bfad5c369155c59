"""Texts that people read use the field's words: none of those that the glossary replaced."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import PROJECT

# What is said instead stands in CONTRIBUTING's glossary.
REPLACED = re.compile(
    r"""\b(least\ similarity | dearest | in\ none | stand-?ins? | predecessors? | (cannot|could\ not|could)\ be\ had
    | rosters? | heirs? | is\ told | are\ told(?!\ apart) | things?\ could\ not\ be\ carried | lay\ my\ changes
    | make\ it\ again | evidence | no\ alert\ fires | allowed\ are | light\ up)\b""",
    re.IGNORECASE | re.VERBOSE,
)
TEXTS = [PROJECT / "README.md", PROJECT / "SECURITY.md", *sorted((PROJECT / "docs").rglob("*.md"))]
CODE = [PROJECT / "streamlit_app.py", *(path for name in ("core", "pages") for path in (PROJECT / name).rglob("*.py"))]
_CODE_SPAN = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def literals(source: str) -> Iterator[str]:
    """The texts in a program: literals of several words, without docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and " " in value.strip() and value not in docstrings:
            yield value


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_message_uses_a_replaced_word(path: Path) -> None:
    assert [text for text in literals(path.read_text(encoding="utf-8")) if REPLACED.search(text)] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_page_of_documentation_uses_a_replaced_word(path: Path) -> None:
    prose = _CODE_SPAN.sub("", path.read_text(encoding="utf-8"))
    assert [line for line in prose.splitlines() if REPLACED.search(line)] == []


def test_the_check_sees_a_replaced_word() -> None:
    (text,) = literals('x = f"{n} pictures in none"')
    assert REPLACED.search(text)
    assert REPLACED.search("Lower the least similarity")
    assert not REPLACED.search("Minimum similarity")
