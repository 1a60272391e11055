"""axe-core finds no barrier in any state of a page, in any size, colours or print."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.accuracy.checked_gate import begin, check_gate, let_go_stale
from tests.examples import some_quick
from tests.live.watched_cameras import (
    StreamedVideo,
    film_wall,
    forbid_cameras,
    no_cameras_for_now,
    offer_cameras,
)
from tests.together import test_narrow_in_browser
from tests.traffic import crossroads, junction
from tests.videos.filmed_video import Cinema, failed, timeless, unplayable
from tests.videos.made_up_videos import Shelf, all_states, make_video
from tests.videos.made_up_work import Workshop, make_job, many_jobs
from tests.videos.video_records import make_video as make_record
from tests.web.browser import Page, Place, Visits, expect
from tests.web.counted_footage import (
    START_MS,
    make_lines,
    publish_lines,
    publish_objects,
    put_dead_letters,
    put_footage,
)
from tests.web.recounted import three_changes

from frametally_live.camera_answers import CameraSearch
from frametally_live.discovery.probe import NoNetwork

DAY_MS = 86_400_000
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE = {"width": 1280, "height": 900}
HALF = {"width": 640, "height": 450}  # the same window at 200 %
PHONE = {"width": 390, "height": 844}
BAR = "?interval=60&at=2024-05-01T08:02:00Z"
TRAFFIC = "#traffic-page"
LETTERS = "#letters-page[data-state=ready]"
FOOTAGE = "#footage-page[data-state=ready]"
EDITOR = "#editor[data-state=ready]"
FAILED = "#dashboard[data-state=failed]"


def film_two(place: Place) -> None:
    """Ten minutes of two sources, one of which has a gap."""
    gate = place.film(
        {"car": 6, "bus": 2}, source="gate", intervals=10, interval_s=60, filmed=lambda n: n not in (4, 5)
    )
    place.film({"car": 3}, source="yard", intervals=10, interval_s=60, also=gate, time_source="file_time")


def film_objects(place: Place) -> None:
    """Film a minute with known objects."""
    publish_objects(place, b"\xff\xd8 not a picture, but what is stored")


def film_crossroads(place: Place) -> None:
    """Film road users at a junction, and draw its legs."""
    crossroads.film(place, crossroads.make_drivers(120, [6]), 120)
    crossroads.draw_legs(place)


def film_junction(place: Place) -> None:
    """Film a junction, and draw lines and zones over it."""
    junction.film(place)
    junction.draw(place)


def nothing(_: Any) -> None:
    """Film nothing, and do nothing."""


def film(place: Place) -> None:
    """Film the content of the displayed video."""
    place.film({"car": 6, "person": 2}, source="gate", intervals=4)


def open_large(page: Page) -> None:
    page.locator(".proof-picture").first.click()
    expect(page.locator("#lightbox")).to_be_visible()


def open_hole(page: Page) -> None:
    page.locator(".lane", has_text="gate").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#gap-panel")).to_contain_text("First frame after")


def open_both(page: Page) -> None:
    page.locator(".compare-most tbody button").first.click()
    expect(page.locator("#lightbox figure")).to_have_count(2)


def open_crossings(page: Page) -> None:
    page.locator("#crossings-table button").first.click()
    expect(page.locator("#crossings-proof .sighting")).not_to_have_count(0)
    page.locator("#movements-books button").first.click()
    expect(page.locator("#movements-proof .sighting")).not_to_have_count(0)


def choose_line(page: Page) -> None:
    page.locator(".shape-item").first.click()
    page.get_by_text("2 points").first.click()


def draw_zone(page: Page) -> None:
    choose_line(page)
    page.locator("#draw-zone").click()
    page.locator("#stage").click(position={"x": 40, "y": 40})


def choose_files(page: Page) -> None:
    page.locator("#upload-open").click()
    films: Any = [
        {"name": name, "mimeType": "video/mp4", "buffer": b"film of " + name.encode()} for name in "ab"
    ]
    page.locator("#upload input[type=file]").set_input_files(films)
    page.locator(".upload-row summary").first.click()
    page.get_by_label("Region as JSON").first.fill("{")


def play_other_version(page: Page) -> None:
    page.get_by_label("Version", exact=True).select_option(index=1)


def change_contrast(page: Page) -> None:
    page.get_by_label("Contrast", exact=True).fill("1.6")
    page.locator(".enhance-row input[type=number]").first.fill("7")
    expect(page.locator(".split")).to_have_attribute("data-state", "ready")


def spoil_frames(place: Place) -> None:
    lines = make_lines("gate", frames=12)
    publish_lines(place, lines[:10])
    put_dead_letters(place, [(lines[10], "missing", "no such object"), (None, "malformed", "not JSON")])


def plan_forgetting(page: Page) -> None:
    page.get_by_role("button", name="Delete footage").click()
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("dialog tbody tr")).to_have_count(1)


def open_by(button: str, opened: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        page.locator(button).click()
        expect(page.locator(opened)).to_be_visible()

    return press


def film_told(place: Place) -> None:
    """Film two sources, and add rules, reports and sent alerts."""
    film_two(place)
    test_narrow_in_browser.tell_much(place)


def make_alert(page: Page) -> None:
    page.locator("#rule-box summary").click()
    page.locator("#rule-name").fill("crowd")
    page.locator("#rule-threshold").fill("3")
    expect(page.locator("#trial")).not_to_be_empty()


def mark_range(page: Page) -> None:
    chart = page.locator("#chart")
    for key in ("Home", "Shift+ArrowRight", "Shift+ArrowRight"):
        chart.press(key)
    expect(page.locator(".zoom-selection")).to_be_visible()


def choose_hole(page: Page) -> None:
    page.locator(".lane", has_text="gate").press("ArrowRight")
    expect(page.locator(".lane .chosen")).to_have_count(1)


def find_no_cameras(place: Place) -> None:
    """Search for a text that has no match."""
    film_wall(place)
    place.search_cameras = lambda _: CameraSearch(cameras=[], has_more=False)


def search_without_network(place: Place) -> None:
    """Have no network to search."""
    film_wall(place)

    def fail(_: object) -> CameraSearch:
        raise NoNetwork("this machine has no network to search for cameras (it is unplugged)")

    place.search_cameras = fail


def answer_nothing(page: Page) -> None:
    """Make the server leave all questions unanswered for now."""
    problem = {
        "status": 503,
        "title": "Away",
        "detail": "The index is not responding.",
        "remedy": "Try again.",
    }
    page.route("**/api/v1/**", lambda route: route.fulfill(status=503, json=problem))


def film_year(place: Place) -> None:
    """Film a year, by the day."""
    place.film(
        {"car": 6, "bus": 2},
        source="gate",
        start_ms=START_MS - START_MS % DAY_MS,
        intervals=366,
        interval_s=86_400,
        filmed=lambda n: n % 40 != 7,
    )


@dataclass(frozen=True)
class State:
    """A state of a page: its address, and the actions there."""

    query: str = "?interval=60"
    do: Callable[[Page], None] = nothing
    wait_for: str = "#dashboard[data-state=ready][aria-busy=false]"
    film: Callable[[Place], object] = field(default=film_two)
    serve: Callable[[Page], None] = nothing
    """Answers the window's requests where no server does."""


def await_picture(page: Page) -> None:
    """Wait until a frame is drawn."""
    expect(page.locator(".live-canvas")).to_have_attribute("data-n", re.compile(r"\d"))


STREAMED = StreamedVideo()
STATES = {
    "the start": State(),
    "a bar": State(BAR),
    "the large view": State(BAR, open_large),
    "the frames without boxes": State(f"{BAR}&empty=1"),
    "the table": State("?interval=60&view=table"),
    "lines": State("?interval=60&chart=lines"),
    "the labels": State(do=open_by("#labels-chip", "#labels-list")),
    "the range": State(do=open_by("#range-chip", "#calendar-month")),
    "more": State(do=open_by("#more-chip", "#metric")),
    "the export menu": State(do=open_by("#export summary", "#export-links")),
    "a hole": State(do=open_hole),
    "a comparison": State("?interval=60&compare=source:yard"),
    "both pictures of a difference": State("?interval=60&compare=source:yard", open_both),
    "objects": State("?metric=objects&interval=60&at=2024-05-01T08:00:00Z", film=film_objects),
    "no footage": State("?from=2031-01-01T00:00:00Z"),
    "nothing counted": State(wait_for="#dashboard[data-state=empty][aria-busy=false]", film=nothing),
    "a mistake": State("?label=cra", wait_for=FAILED),
    "an index away": State(wait_for=FAILED, film=lambda place: place.go_away()),
    "the books": State("books", wait_for="#books-page[data-state=ready]"),
    "dead letters": State("dead-letters", wait_for=LETTERS, film=spoil_frames),
    "what dropping one would change": State(
        "dead-letters",
        open_by("[data-cause=missing] button:text-is('Drop')", "dialog"),
        wait_for=LETTERS,
        film=spoil_frames,
    ),
    "no dead letters": State("dead-letters", wait_for=LETTERS),
    "all footage": State("footage", wait_for=FOOTAGE, film=put_footage),
    "no footage at all": State("footage", wait_for=FOOTAGE, film=nothing),
    "footage of no source": State("footage?source=roof", wait_for="#footage-page[data-state=failed]"),
    "what forgetting would change": State(
        "footage?source=gate", plan_forgetting, wait_for=FOOTAGE, film=put_footage
    ),
    "how to correct a time": State(
        "footage?source=gate",
        open_by("button:text-is('Correct the time…')", "dialog"),
        wait_for=FOOTAGE,
        film=put_footage,
    ),
    "a history": State(
        "history?from=2026-01-01&to=2026-01-02&timezone=UTC", wait_for="#history-changes", film=three_changes
    ),
    "no history": State("history?from=2020-01-01&to=2020-01-02&timezone=UTC", wait_for="#no-history"),
    "Data & API": State("data?label=car", wait_for="#code-embed"),
    "the chart alone": State("embed?interval=60", wait_for="#embed[data-state=ready]"),
    "a traffic report": State("traffic", wait_for=f"{TRAFFIC}[data-state=ready]", film=film_crossroads),
    "a traffic report without legs": State("traffic", wait_for=f"{TRAFFIC}[data-state=nothing]"),
    "the API": State("api/docs", wait_for="#operations-Counts-counts"),
    "crossings": State(
        "lines?source=gate", open_crossings, "#lines-page[data-state=ready][aria-busy=false]", film_junction
    ),
    "a line in the editor": State("lines/edit?source=gate", choose_line, EDITOR, film_junction),
    "a zone that is drawn": State("lines/edit?source=gate", draw_zone, EDITOR, film_junction),
    "a range that is marked": State(do=mark_range),
    "a hole that is chosen": State(do=choose_hole),
    "a year": State("", film=film_year),
    "a year of one label as a table": State("?label=car&view=table", film=film_year),
    "lines where none is drawn": State("lines?source=gate", wait_for="#lines-page:not([data-state=loading])"),
    "an alert to make": State("alerts", make_alert, "#alerts-page", film_told),
    "an alert from the chart": State(
        "alerts?new=1&source=gate&label=car&metric=detections", nothing, "#rule-form", film_told
    ),
    "a report to make": State(
        "alerts", open_by("#report-box summary", "#report-form"), "#alerts-page", film_told
    ),
    "a channel to add": State(
        "alerts", open_by("#channel-box summary", "#channel-form"), "#alerts-page", film_told
    ),
    "notifications that failed": State("alerts?state=failed", wait_for="#alerts-page", film=film_told),
    "no changes in the audit log": State("audit", wait_for="#audit-page", film=nothing),
    **{
        f"{name} without an answer": State(query, wait_for=main, serve=answer_nothing)
        for name, query, main in (
            ("the start", "", "#dashboard"),
            ("dead letters", "dead-letters", "#letters-page"),
            ("footage", "footage", "#footage-page"),
            ("lines", "lines?source=gate", "#lines-page"),
            ("the editor", "lines/edit?source=gate", "#editor"),
            ("a traffic report", "traffic", TRAFFIC),
            ("accuracy", "accuracy", "#accuracy-page"),
            ("jobs", "jobs", "#jobs-page"),
            ("videos", "videos", "#videos-page"),
        )
    },
    "no alerts": State("alerts", wait_for="#alerts-page", film=nothing),
    "alerts": State("alerts", wait_for="#alerts-page", film=test_narrow_in_browser.tell_much),
    "the audit log": State("audit", wait_for="#audit-page", film=test_narrow_in_browser.change_much),
    **{
        name: State(f"videos?v={make_video(1)['id']}", do, "#video .video-view", film, cinema().serve)
        for name, cinema, do in (
            ("a video", Cinema, nothing),
            ("a change of a video", Cinema, open_by(".editing summary", ".editing .fields")),
            ("a video that is forgotten", Cinema, open_by(".forgetting > button", ".forget-question")),
            ("a video without a time", timeless, nothing),
            ("a video that no browser plays", unplayable, nothing),
            ("a video that failed", failed, nothing),
        )
    },
    **{
        name: State(
            f"videos{query}", do, "#videos-page:not([data-state=loading], [aria-busy])", serve=shelf.serve
        )
        for name, query, shelf, do in (
            ("the videos", "", Shelf(*all_states()), nothing),
            ("no videos", "", Shelf(), nothing),
            ("no video that matches", "?q=zebra", Shelf(*all_states()), nothing),
            ("videos where uploads are off", "", Shelf(*all_states(), allowed=False), nothing),
            ("videos to upload", "", Shelf(*all_states()), choose_files),
        )
    },
    **{
        f"{name} of a video": State(
            f"videos?v={make_video(1)['id']}&tab={tab}", do, "#video .video-view", film, Workshop().serve
        )
        for name, tab, do in (
            ("the file", "about", nothing),
            ("the jobs", "processing", nothing),
            ("an enhancement", "enhance", change_contrast),
            ("another version", "enhance", play_other_version),
            ("the checks", "quality", nothing),
        )
    },
    "a version that is being made": State(
        f"videos?v={make_video(1)['id']}",
        wait_for="#video .video-message progress",
        serve=Workshop(
            plays_in_browsers=False,
            why_not="No browser plays MPEG-4 Visual.",
            links={"playable": None},
            jobs=[make_job(1, "playable", "running")],
        ).serve,
    ),
    **{
        name: State(f"jobs{query}", nothing, f"#jobs-page[data-state={state}]", serve=shop.serve)
        for name, query, shop, state in (
            ("the jobs", "", Workshop(of_all=many_jobs(40)), "ready"),
            ("no jobs", "", Workshop(of_all=[]), "empty"),
            ("no job that is like this", "?kind=gold", Workshop(of_all=[make_job(1)]), "empty"),
            ("jobs where uploads are off", "", Workshop(of_all=many_jobs(5), allowed=False), "ready"),
            (
                "jobs that cannot be shown",
                "",
                Workshop(fault=(503, {"status": 503, "detail": "The catalogue is away.", "remedy": ""})),
                "failed",
            ),
        )
    },
    **{
        name: State(f"live{query}", do, f"#live-page[data-state={state}]", film, serve)
        for name, query, film, do, serve, state in (
            ("the wall", "", film_wall, nothing, nothing, "ready"),
            ("a camera", "?camera=gate-1", film_wall, nothing, nothing, "ready"),
            ("a late camera", "?camera=yard", film_wall, nothing, nothing, "ready"),
            ("a camera that is gone", "?camera=cycle-path", film_wall, nothing, nothing, "ready"),
            ("a camera that failed", "?camera=car-park", film_wall, nothing, nothing, "ready"),
            ("a camera to add", "", film_wall, open_by("#add-open", "#add"), nothing, "ready"),
            ("cameras of the network", "", offer_cameras, open_by("#search", "#offers"), nothing, "ready"),
            ("no cameras found", "", find_no_cameras, open_by("#search", "#search-said"), nothing, "ready"),
            (
                "no network",
                "",
                search_without_network,
                open_by("#search", "#search-failed"),
                nothing,
                "ready",
            ),
            ("no cameras", "", nothing, nothing, nothing, "empty"),
            ("cameras that may not be changed", "", forbid_cameras, nothing, nothing, "ready"),
            ("cameras that cannot be shown", "", nothing, nothing, no_cameras_for_now, "failed"),
        )
    },
    **{
        name: State(f"videos?v={make_record(1).id}", do, f".live-stream[data-state={state}]", film)
        for name, state, film, do in (
            ("a stream of a video", "running", STREAMED.film, nothing),
            ("a stream whose viewer is left frames out", "running", STREAMED.film, STREAMED.leave_out),
            ("a stream that waits", "waiting", STREAMED.wait, nothing),
            ("a stream that stands still", "paused", STREAMED.pause, await_picture),
        )
    },
    **{
        name: State(f"accuracy{query}", nothing, f"#accuracy-page[data-state={state}]", film)
        for name, query, film, state in (
            ("accuracy checks", "", check_gate, "ready"),
            ("no accuracy checks", "", nothing, "ready"),
            ("an accuracy check", "?check=gate&view=result", check_gate, "ready"),
            ("an accuracy check without an answer", "?check=gate&view=result", begin, "ready"),
            ("a stale accuracy check", "?check=gate&view=result", let_go_stale, "ready"),
            ("a desk", "?check=gate&view=desk", begin, "ready"),
            ("the desk of a stale check", "?check=gate&view=desk", let_go_stale, "failed"),
            ("a certificate", "?check=gate&view=certificate", check_gate, "ready"),
            ("an accuracy check that does not exist", "?check=none", nothing, "failed"),
        )
    },
    "no page": State("there-is-none", wait_for="main.lonely"),
}
QUICK = {"the start", "a video", "a traffic report"}
"""The pages with the most content, which `make test` checks."""
# Other colours and sizes only check their own effects: the rest was checked before.
COLOURS = ["color-contrast"]
PLACES = ["target-size", "scrollable-region-focusable"]
APPEARANCES: list[tuple[str, dict[str, int], dict[str, str], list[str]]] = [
    ("wide", WIDE, {}, RULES),
    ("in the dark", WIDE, {"color_scheme": "dark"}, COLOURS),
    ("on paper", WIDE, {"color_scheme": "dark", "media": "print"}, COLOURS),
    ("at 200 %", HALF, {}, PLACES),
    ("on a phone", PHONE, {}, RULES),
]
NARROWEST = {"width": 320, "height": 800}
ON_NARROWEST = ("on the narrowest phone", NARROWEST, dict[str, str](), list[str]())
"""Only the live page fits it in every state."""
PICTURED = {"wide", "in the dark", "on a phone"}
# A change of colours is complete, new answers have arrived, and nothing is faded any more.
DRAWN = """async () => {
  for (let still = 0; still < 3; still++) {
    await new Promise(requestAnimationFrame);
    const fading = document.getAnimations().some((one) => one instanceof CSSTransition);
    if (fading || document.querySelector("#dashboard[aria-busy=true]")) still = 0;
  }
}"""
AS_USUAL = {"media": "screen", "color_scheme": "light", "forced_colors": "none"}


@pytest.mark.parametrize("name", some_quick(STATES, QUICK))
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    place: Place, visit: Visits, axe: str, picture: Callable[[Page, str], None], name: str
) -> None:
    state = STATES[name]
    state.film(place)
    window = visit(place)
    state.serve(window.page)
    page = window.open(state.query, wait_for=state.wait_for)
    window.complaints.clear()  # of a missing page
    state.do(page)
    # Not as the page's code: its policy forbids scripts from elsewhere.
    window.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": axe})
    # All of it, at the scroll position of a reader.
    page.evaluate(
        "for (const one of document.querySelectorAll('.card')) one.style.contentVisibility = 'visible'"
    )
    found = []
    appearances = [*APPEARANCES, ON_NARROWEST] if state.query.startswith("live") else APPEARANCES
    for appearance, size, media, rules in appearances:
        page.emulate_media(**(AS_USUAL | media))  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.locator(state.wait_for).wait_for(state="attached")  # drawn again in other colours
        page.evaluate(DRAWN)
        if appearance in PICTURED:
            picture(page, f"state-{name}-{appearance}".replace(" ", "-"))
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        run = "async (options) => (await axe.run(options)).violations"
        violations = page.evaluate(run, options) if rules else []
        for one in violations:
            places = json.dumps([[node["html"][:160], node["failureSummary"]] for node in one["nodes"][:3]])
            found.append(f"{appearance}: {one['id']}: {places}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > size["width"] and media.get("media") != "print":
            found.append(f"{appearance}: {wide} px wide")
    assert not found, "\n".join(found)


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stays_readable_while_new_answers_load(
    place: Place, visit: Visits, axe: str, scheme: str
) -> None:
    film_two(place)
    window = visit(place, color_scheme=scheme)
    page = window.open("?interval=60&compare=source:yard")
    window.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": axe})
    page.evaluate("document.getElementById('dashboard').ariaBusy = 'true'")
    expect(page.locator("#chart")).to_have_css("opacity", "0.55")
    violations = page.evaluate("async () => (await axe.run({runOnly: ['color-contrast']})).violations")
    assert [one["failureSummary"] for found in violations for one in found["nodes"]] == []
