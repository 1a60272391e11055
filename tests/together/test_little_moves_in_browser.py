"""A loading page hardly moves: a layout shift of 0.05 at most, wide and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.examples import some_quick
from tests.together.test_narrow_in_browser import PAGES, READY
from tests.videos.made_up_videos import Shelf, all_states
from tests.videos.made_up_work import Workshop, many_jobs
from tests.web.browser import Page, Place, Visit, Visits

SCREENS = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MOST_SHIFT = 0.05
SUM_SHIFTS = """
  window.shifts = [];
  const nameOf = ({ node, previousRect: before, currentRect: after }) =>
    `${node?.id || node?.className || node?.nodeName} from ${Math.round(before.y)} to ${Math.round(after.y)}`;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries())
      if (!one.hadRecentInput) window.shifts.push([one.value, one.sources.map(nameOf)]);
  }).observe({ type: "layout-shift", buffered: true });
"""
QUICK = {"lines"}


def check_shift(window: Visit, query: str, ready: str) -> None:
    """Open a page, and add up its layout shifts (https://web.dev/articles/cls)."""
    window.page.add_init_script(SUM_SHIFTS)
    window.page.route("**/healthz", lambda route: route.fulfill(json={}))  # a busy machine is no outage
    page = window.open(query, wait_for=ready)
    window.complaints.clear()  # of a missing page
    page.wait_for_timeout(500)  # content after the answers, such as pictures
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) <= MOST_SHIFT, shifts


@pytest.mark.parametrize("name", some_quick(PAGES, QUICK))
def test_little_moves_while_a_page_loads(place: Place, visit: Visits, name: str) -> None:
    query, ready, film = PAGES[name]
    film(place)
    for viewport in SCREENS:
        check_shift(visit(place, viewport=viewport, reduced_motion="no-preference"), query, ready)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "ready", "serve"),
    [
        ("videos", "#videos-page:not([data-state=loading], [aria-busy])", Shelf(*all_states()).serve),
        ("jobs", f"#jobs-page{READY}", Workshop(of_all=many_jobs(40)).serve),
    ],
    ids=["videos", "jobs"],
)
def test_little_moves_while_videos_and_jobs_load(
    place: Place, visit: Visits, query: str, ready: str, serve: Callable[[Page], None]
) -> None:
    for viewport in SCREENS:
        window = visit(place, viewport=viewport, reduced_motion="no-preference")
        serve(window.page)
        check_shift(window, query, ready)
