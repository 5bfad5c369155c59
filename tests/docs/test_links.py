"""Every relative link, anchor and image of the documentation leads somewhere. Addresses elsewhere are not visited."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from core.settings import PROJECT

DOCS = PROJECT / "docs"
PATTERNS = ("*.md", "docs/**/*.md", ".github/*.md", "data/demo/*.md", "data/eval/**/*.md", "data/models/*/*.md")
PAGES = sorted(page for pattern in PATTERNS for page in PROJECT.glob(pattern))
# Where code, texts on pages and messages name a page of the documentation.
NAMED = re.compile(r"docs/[\w/-]+\.md(?:#[\w-]+)?")


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them; a repeated one gets a number."""
    found: dict[str, int] = {}
    anchors = set()
    for title in re.findall(r"^#{1,6} +(.+?) *$", _prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        anchors.add(f"{anchor}-{found[anchor]}" if anchor in found else anchor)
        found[anchor] = found.get(anchor, 0) + 1
    return frozenset(anchors)


def _prose(page: Path) -> str:
    """The text without code blocks and code, whose brackets are no links."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def links(page: Path) -> list[str]:
    """The targets of a page's links and images that are in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", _prose(page)))
    targets += re.findall(r'(?:src|href)="([^"]+)"', _prose(page))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.exists() or not found.is_relative_to(PROJECT):
        return False
    return not anchor or (found.suffix == ".md" and anchor in headings(found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_and_image_leads_somewhere(page: Path) -> None:
    assert [target for target in links(page) if not leads_somewhere(page, target)] == []


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = DOCS / "README.md"
    listed = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    assert set(DOCS.rglob("*.md")) - listed == {index}


def test_every_page_that_code_names_exists() -> None:
    files = [file for folder in ("core", "pages", "tests") for file in (PROJECT / folder).rglob("*.[pjh][yst]*")]
    texts = {file: file.read_text(encoding="utf-8") for file in files if file.suffix in (".py", ".js", ".html")}
    named = {(file.name, page) for file, text in texts.items() for page in NAMED.findall(text)}
    assert {(name, page) for name, page in named if not leads_somewhere(PROJECT / "README.md", page)} == set()


def test_a_link_to_nowhere_is_found() -> None:
    page = DOCS / "sharing.md"
    assert leads_somewhere(page, "#limits")
    assert leads_somewhere(page, "../README.md#start")
    for target in ("#no-such-heading", "nowhere.md", "../README.md#no-such-heading", "../../outside.md", "/etc/passwd"):
        assert not leads_somewhere(page, target)
