"""The menu: sections in the readers' words, each linked to the first page that a visitor may open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.capabilities import HERE

from frametally_web.pages import menu


def may_open(*paths: str) -> Callable[[str], bool]:
    return lambda route: route.removeprefix("GET ") in paths


def test_a_section_appears_once_and_links_to_the_first_page_that_a_visitor_may_open() -> None:
    sections, pages = menu(may_open("/", "/data", "/footage", "/books"), "/books")
    assert [(link.path, link.label) for link in sections] == [
        ("/", "web.answers"),
        ("/footage", "web.footage"),
        ("/data", "web.reports"),
        ("/books", "web.health"),
    ]
    assert [link.label for link in sections if link.current] == ["web.health"]
    assert pages == []  # a section of one page needs no second line


@pytest.mark.skipif("videos" not in HERE, reason="without capabilities a section has one page")
def test_a_sections_pages_are_below_it_and_a_page_without_a_link_belongs_to_its_section() -> None:
    sections, pages = menu(lambda _: True, "/somewhere", "/footage")
    assert [link.label for link in sections if link.current == "true"] == ["web.footage"]
    assert {link.path: link.current for link in pages if link.current} == {"/footage": "true"}
    _, pages = menu(lambda _: True, "/footage")
    assert {link.path: link.current for link in pages if link.current} == {"/footage": "page"}
    assert menu(lambda _: True, "/nowhere")[1] == []
