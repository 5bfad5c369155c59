from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

from core.clusters.views.print_sheet import MAX_PRINTED, render_print_sheet
from core.records.assets import Asset, Hit, Location
from core.records.descriptions import Description


def hit(title: str, author: str = "") -> Hit:
    about = Description(title=title, author=author, licence="CC BY 4.0" if author else "")
    asset = Asset("a" * 64, (Location("/x.jpg", ""),), about, 4, 3, datetime(2026, 1, 1, tzinfo=UTC))
    return Hit(1, 0.9, asset, b"\xff\xd8\xff jpeg")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def tags(page: bytes) -> list[str]:
    parser = Tags()
    parser.feed(page.decode())
    return parser.tags


def test_a_print_sheet_has_every_picture_with_its_title_and_credit() -> None:
    page = render_print_sheet("Boats", "2 pictures", [hit("Harbour", "C. Camera"), hit("Ketch")])
    assert tags(page).count("img") == 2
    assert b"1 Harbour<br>C. Camera \xc2\xb7 CC BY 4.0" in page
    assert b"2 Ketch<" in page
    assert b"http" not in page


def test_texts_from_outside_are_never_markup() -> None:
    page = render_print_sheet("<script>1</script>", "<img>", [hit("<b onload=x>", "<script>")])
    assert "script" not in tags(page)
    assert tags(page).count("b") == 0
    assert tags(page).count("img") == 1


def test_a_very_large_cluster_is_truncated_with_a_note() -> None:
    page = render_print_sheet("All", "500 pictures", [hit("x")] * 500)
    assert tags(page).count("img") == MAX_PRINTED
    assert b"The first 400 are shown." in page
