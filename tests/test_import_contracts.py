"""The import contracts of pyproject.toml refuse what they are there for, in modules that did not exist yesterday."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.settings import PROJECT

# Free for every module: arrays and decoded pictures are values of this field.
UNRESTRICTED = {"numpy", "PIL", "typing_extensions"}


def contracts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return found


def protected() -> dict[str, str]:
    """Every protected module with its contract's name."""
    return {
        module: contract["name"]
        for contract in contracts()
        if contract["type"] == "protected"
        for module in contract["protected_modules"]
    }


def vendors() -> list[str]:
    return sorted(name for name in protected() if not name.startswith("core."))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the project in which a new package imports everything it must not."""
    copy = tmp_path_factory.mktemp("planted")
    for name in ("core", "pages"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    for package in (copy / "core" / "newroom", copy / "core" / "search" / "newroom", copy / "pages" / "newpage"):
        package.mkdir()
        (package / "__init__.py").touch()
        for name in protected():
            (package / f"uses_{name.replace('.', '_')}.py").write_text(f"import {name}\n")
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], cwd=copy, capture_output=True, text=True
    )
    assert run.returncode == 1, run.stdout + run.stderr
    return " ".join(run.stdout.split())


@pytest.mark.parametrize("vendor", vendors())
def test_a_new_package_may_not_import_a_vendor(report: str, vendor: str) -> None:
    importers = {f"core.{package}.uses_{vendor}" for package in ("newroom", "search.newroom")}
    refused = {importer for importer in importers if f"{importer} -> {vendor} " in report}
    assert refused == importers


@pytest.mark.parametrize("module", sorted(name for name in protected() if name.startswith("core.")))
def test_a_new_package_may_not_import_what_only_some_may(report: str, module: str) -> None:
    assert f"core.newroom.uses_{module.replace('.', '_')} -> {module} " in report


def test_pages_never_reach_storage_models_or_commands(report: str) -> None:
    for module in ("core.store", "core.embedding", "core.ingest", "core.cli", "lancedb", "sqlite3", "torch"):
        assert f"pages.newpage.uses_{module.replace('.', '_')} -> {module} " in report


def test_every_package_from_outside_has_a_contract() -> None:
    outside = {name for name in _imported() if name not in sys.stdlib_module_names and name not in ("core", "pages")}
    assert outside - set(protected()) - UNRESTRICTED == set()


def _imported() -> Iterator[str]:
    """The top-level name of everything that core and pages import."""
    for path in (path for folder in ("core", "pages") for path in (PROJECT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
