"""Videos are brought in by the page: chosen, dropped or pasted, however often they are cut on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.made_up_videos import Shelf, make_video

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit

LISTED = "#videos-page:is([data-state=ready], [data-state=empty]):not([aria-busy])"


def open_panel(visit: Callable[..., Visit], place: Place, shelf: Shelf, **context: object) -> Page:
    window = visit(place, **context)
    shelf.serve(window.page)
    page = window.open("videos", wait_for=LISTED)
    page.locator("#upload-open").click()
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_said_of_a_file_is_checked_while_it_is_typed(
    place: Place,
    visit: Callable[..., Visit],
    picture: Callable[[Page, str], None],
    tmp_path: Path,
    scheme: str,
) -> None:
    shelf = Shelf(*(make_video(number) for number in range(3)))
    page = open_panel(visit, place, shelf, color_scheme=scheme)
    film = tmp_path / "gate.mp4"
    film.write_bytes(movie_head(3_797_395_200))
    other = tmp_path / "yard.avi"
    other.write_bytes(b"RIFF")
    page.locator("#upload input[type=file]").set_input_files([film, other])
    rows = page.locator(".upload-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("The file itself says 1 May 2024, 10:00:00,")
    expect(page.locator("#upload-start")).to_have_text("Upload 2 videos")
    expect(page.locator("#upload-source")).to_be_visible()
    rows.nth(0).locator("summary").click()
    region = rows.nth(0).get_by_label("Region as JSON")
    region.fill('{"x": 100, "y": 100, "width": 500}')
    expect(rows.nth(0)).to_contain_text("It has to be x, y, width and height, or points.")
    picture(page, f"upload-panel-{scheme}")
    page.locator("#upload-start").click()
    expect(region).to_be_focused()
    region.fill('{"x": 100, "y": 100, "width": 500, "height": 300}')
    expect(rows.nth(0)).to_contain_text("A rectangle of 500 \N{MULTIPLICATION SIGN} 300 pixels.")
    rows.nth(0).get_by_label("Calibration as JSON").fill('{"points": [[0,0],[100,100]]}')
    expect(rows.nth(0)).to_contain_text("2 of at least 4 points, none with metres: no speed.")
    rows.nth(0).get_by_label("Time zone").fill("Atlantis/West")
    page.locator("#upload-start").click()
    expect(rows.nth(0).get_by_label("Time zone")).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"upload-panel-phone-{scheme}")


def movie_head(created_s: int) -> bytes:
    """Return the beginning of an MP4 that was made so many seconds after 1904 began."""
    times = bytes(4) + created_s.to_bytes(4, "big") + bytes(92)
    header = (len(times) + 8).to_bytes(4, "big") + b"mvhd" + times
    moov = (len(header) + 8).to_bytes(4, "big") + b"moov" + header
    return b"\0\0\0\x10ftypisom\0\0\0\0" + moov
