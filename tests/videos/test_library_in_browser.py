"""The page of videos: a list with states, search, order and pages, and one open video."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.videos.made_up_videos import Shelf, all_states, make_video, uncounted
from tests.videos.video_records import make_video as make_record
from tests.web.browser import Page, Place, Visits, expect

READY = "#videos-page[data-state=ready]:not([aria-busy])"
NONE = "#videos-page[data-state=empty]:not([aria-busy])"


def open_shelf(
    visit: Visits, place: Place, shelf: Shelf, query: str = "", *, wait_for: str = READY, **context: Any
) -> Page:
    window = visit(place, **context)
    shelf.serve(window.page)
    return window.open(f"videos{query}", wait_for=wait_for)


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_card_shows_the_progress_of_its_video(
    place: Place, visit: Visits, picture: Callable[[Page, str], None], scheme: str
) -> None:
    page = open_shelf(visit, place, Shelf(*all_states()), color_scheme=scheme)
    cards = page.locator(".video-card")
    expect(cards.locator(".video-state-words")).to_have_text(
        [
            "Waiting",
            "Extracting frames: 31%",
            "Detecting: 141 of 398 frames",
            "Counting",
            "Counted",
            "Needs a time",
            "Failed: its decoder was killed (SIGSEGV) 3 times",
            "Deleting",
            "Counted · 2 frames not readable · the file is damaged",
        ]
    )
    expect(page.locator("#videos-words")).to_have_text("9 videos · 1 needs a time · 1 failed")
    counted = cards.nth(4)
    expect(counted).to_contain_text("Yard · 4.2 MB")
    expect(counted).to_contain_text("1 May 2024, 19:00:00 \N{EN DASH} 19:01:19")
    expect(counted.locator(".remark")).to_have_text("time guessed from the file date")
    expect(counted).to_contain_text("1,243 detections: car 1,200, person 40, and 1 more label")
    expect(counted.locator(".poster-length")).to_have_text("1:24")
    expect(cards.nth(0).locator(".poster-none")).to_be_visible()
    picture(page, f"videos-{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"videos-phone-{scheme}")


def names(page: Page) -> list[str]:
    return page.locator(".video-link").all_inner_texts()


def many(count: int) -> list[dict[str, Any]]:
    """Return so many videos of two sources; every tenth has failed."""
    return [
        make_video(
            number,
            source=("gate", "yard")[number % 2],
            source_name=("Gate", "Yard")[number % 2],
            name=f"{('Gate', 'Yard')[number % 2]} {number:05d}",
            state="failed" if number % 10 == 0 else "ready",
        )
        for number in range(1, count + 1)
    ]


@pytest.mark.thorough
def test_videos_can_be_searched_filtered_and_sorted_and_the_address_shows_others_the_same(
    place: Place, visit: Visits
) -> None:
    shelf = Shelf(*many(30))
    page = open_shelf(visit, place, shelf)
    expect(page.locator(".video-link").first).to_have_text("Gate 00030")
    page.locator("#asked-source").select_option(label="Yard")
    expect(page.locator("#videos-words")).to_contain_text("15 of 30 videos")
    page.get_by_label("Order").select_option(label="Name, A to Z")
    expect(page.locator(".video-link").first).to_have_text("Yard 00001")
    page.get_by_label("Search").fill("0002")
    expect(page.locator(".video-link")).to_have_text(
        ["Yard 00021", "Yard 00023", "Yard 00025", "Yard 00027", "Yard 00029"]
    )
    page.get_by_label("State").select_option(label="Failed (3)")
    expect(page.locator("#nothing")).to_contain_text("No videos match")
    page.go_back()
    expect(page.locator(".video-link")).to_have_count(5)
    expect(page.locator("#nothing")).to_be_hidden()
    answers = page.locator("#pages a", has_text="Answers")
    assert str(answers.get_attribute("href")).endswith("/?source=yard&timezone=Europe/Berlin")
    shared = page.url
    other = open_shelf(visit, place, shelf, shared.partition("/videos")[2])
    assert names(other) == names(page)
    expect(other.get_by_label("Search")).to_have_value("0002")
    expect(other.locator("#asked-source")).to_have_value("yard")


def test_an_empty_result_offers_to_show_all_videos(place: Place, visit: Visits) -> None:
    page = open_shelf(visit, place, Shelf(*many(3)), "?q=zebra&label=car", wait_for=NONE)
    expect(page.locator("#nothing")).to_contain_text("No videos match")
    page.get_by_role("button", name="Show all videos").click()
    expect(page.locator(".video-link")).to_have_count(3)
    # The parameters of other pages stay unchanged.
    assert page.url.endswith("/videos?label=car")
    assert str(page.locator("#pages a", has_text="Answers").get_attribute("href")).endswith(
        "/?label=car&timezone=Europe/Berlin"
    )


@pytest.mark.thorough
def test_the_list_has_48_videos_a_page_and_a_reload_keeps_its_place(place: Place, visit: Visits) -> None:
    page = open_shelf(visit, place, Shelf(*many(100)))
    expect(page.locator(".video-card")).to_have_count(48)
    steps = page.locator("#videos-steps")
    expect(steps).to_contain_text("1 \N{EN DASH} 48 of 100")
    expect(steps.get_by_role("button", name="Previous")).to_be_disabled()
    steps.get_by_role("button", name="Next").click()
    expect(steps).to_contain_text("49 \N{EN DASH} 96 of 100")
    expect(page.locator(".video-link").first).to_have_text("Gate 00052")
    page.reload()
    expect(page.locator(".video-link").first).to_have_text("Gate 00052")
    steps.get_by_role("button", name="Next").click()
    expect(page.locator(".video-card")).to_have_count(4)
    expect(steps.get_by_role("button", name="Next")).to_be_disabled()
    page.go_back()
    expect(steps).to_contain_text("49 \N{EN DASH} 96 of 100")
    steps.get_by_role("button", name="Previous").click()
    expect(page.locator(".video-link").first).to_have_text("Gate 00100")


@pytest.mark.thorough
def test_a_preview_plays_while_its_card_has_the_pointer_or_the_focus(place: Place, visit: Visits) -> None:
    shelf = Shelf(make_video(1), make_video(2))
    page = open_shelf(visit, place, shelf, reduced_motion="no-preference")
    card = page.locator(".video-card").first
    sprite = card.locator("canvas")
    expect(sprite).to_be_hidden()
    card.hover()
    expect(sprite).to_be_visible()
    expect(sprite).to_have_attribute("data-tiles", "100")
    begun = int(str(sprite.get_attribute("data-tile")))
    page.wait_for_function(
        "(begun) => Number(document.querySelector('.video-card canvas').dataset.tile) > begun", arg=begun
    )
    page.mouse.move(2, 2)
    expect(sprite).to_be_hidden()
    page.locator(".video-link").nth(1).focus()
    expect(page.locator(".video-card").nth(1).locator("canvas")).to_be_visible()


@pytest.mark.thorough
def test_nothing_moves_for_people_who_prefer_reduced_motion(place: Place, visit: Visits) -> None:
    page = open_shelf(visit, place, Shelf(make_video(1)))
    page.locator(".video-card").hover()
    page.locator(".video-link").focus()
    expect(page.locator(".video-card canvas")).to_be_hidden()


@pytest.mark.thorough
def test_a_card_shows_progress_and_keeps_the_focus(place: Place, visit: Visits) -> None:
    shelf = Shelf(uncounted(2, "producing", progress=0.1), make_video(1))
    page = open_shelf(visit, place, shelf)
    words = page.locator(".video-state-words").first
    expect(words).to_have_text("Extracting frames: 10%")
    page.locator(".video-link").first.focus()
    page.evaluate("window.first = document.querySelector('.video-card')")
    shelf.videos[0] = uncounted(2, "detecting", frames={"expected": 10, "announced": 10, "detected": 4})
    shelf.videos.append(make_video(3))
    tell_news(page)
    expect(page.locator(".video-card").nth(1).locator(".video-state-words")).to_have_text(
        "Detecting: 4 of 10 frames"
    )
    assert page.evaluate("document.querySelectorAll('.video-card')[1] === window.first")
    expect(page.locator(".video-link").nth(1)).to_be_focused()
    shelf.videos.pop(0)
    tell_news(page)
    expect(page.locator(".video-card")).to_have_count(2)


def tell_news(page: Page) -> None:
    """Make the list load again, as a step in the history does."""
    page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")


@pytest.mark.thorough
def test_arrow_keys_move_between_cards_and_enter_opens_one(place: Place, visit: Visits) -> None:
    shelf = Shelf(*many(6))
    page = open_shelf(visit, place, shelf, "?order=name&direction=asc")
    page.locator(".video-link").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".video-link").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#video")).to_be_visible()
    opened = page.locator(".video-card").nth(1).get_attribute("data-id")
    assert f"v={opened}" in page.url
    expect(page.locator(".video-link").nth(1)).to_have_attribute("aria-current", "true")
    page.locator(".video-card").nth(3).click()
    expect(page.locator(".video-link").nth(3)).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.locator(".video-link").nth(1)).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator("[aria-current=true]")).to_have_count(0)


@pytest.mark.thorough
def test_an_empty_library_is_not_an_error_and_links_to_the_upload(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = open_shelf(visit, place, Shelf(), wait_for=NONE)
    expect(page.locator("#nothing")).to_contain_text("No videos have been uploaded yet")
    expect(page.locator("#nothing")).to_contain_text("frametally run is in the chart")
    expect(page.locator("#videos-asked")).to_be_hidden()
    picture(page, "videos-none")
    upload = page.locator("#nothing").get_by_role("button", name="Upload video")
    upload.click()
    expect(page.locator("#upload")).to_be_visible()
    upload.click()
    expect(page.locator("#upload-choose")).to_be_focused()
    expect(page.locator("#upload")).to_be_visible()


@pytest.mark.thorough
def test_where_uploads_are_off_the_page_shows_the_remedy(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    remedy = "Set FRAMETALLY_WEB_UPLOADS=true where the dashboard runs."
    page = open_shelf(visit, place, Shelf(make_video(1), allowed=False))
    expect(page.locator("#uploads-off")).to_have_text(f"Uploads are off here. {remedy}")
    expect(page.locator("#upload-open")).to_be_hidden()
    picture(page, "videos-uploads-off")
    empty = open_shelf(visit, place, Shelf(allowed=False), wait_for=NONE)
    expect(empty.locator("#nothing")).to_contain_text(remedy)
    expect(empty.locator("#uploads-off")).to_be_hidden()
    expect(empty.get_by_role("button", name="Upload video")).to_have_count(0)


@pytest.mark.thorough
def test_the_servers_outage_is_shown_and_the_videos_stay(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    shelf = Shelf(*many(3))
    shelf.fault = (503, {"status": 503, "detail": "The catalogue does not answer.", "remedy": "Try again."})
    page = open_shelf(visit, place, shelf, wait_for="#videos-page[data-state=failed]")
    expect(page.locator("#nothing")).to_contain_text("The videos cannot be shown")
    expect(page.locator("#nothing")).to_contain_text("The catalogue does not answer. Try again.")
    picture(page, "videos-failed")
    shelf.fault = None
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".video-card")).to_have_count(3)
    shelf.fault = (503, {"status": 503, "detail": "The catalogue does not answer.", "remedy": "Try again."})
    tell_news(page)
    expect(page.locator("#notice")).to_contain_text("The videos cannot be loaded")
    expect(page.locator("#notice")).to_contain_text("This page keeps trying")
    expect(page.locator(".video-card")).to_have_count(3)
    shelf.fault = None
    page.locator("#notice").get_by_role("button", name="Try now").click()
    expect(page.locator("#notice")).to_be_hidden()


HOSTILE = [
    "<img src=x onerror=window.caught=1>",
    '"><script>window.caught=1</script>',
    "javascript:window.caught=1",
    "{{7*7}}${window.caught=1}",
    "Gate\u202egpj.4pm",
    "line\nbreak\tand\x07bell",
    "\N{GRINNING FACE}" * 255,
    "\u05e9\u05e2\u05e8 \u05e6\u05e4\u05d5\u05e0\u05d9",
    "a" * 255,
]


def test_names_are_shown_as_text_whatever_they_contain(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    shelf = Shelf(
        *(
            uncounted(number, "failed", name=name, file_name=name, source_name=name, reason=name)
            for number, name in enumerate(HOSTILE, 1)
        ),
        make_video(20, labels={"<b onmouseover=window.caught=1>": 3}, detections_counted=3),
    )
    page = open_shelf(visit, place, shelf, "?order=uploaded&direction=asc")
    shown = page.locator(".video-link").all_text_contents()
    assert shown[:4] == HOSTILE[:4]
    assert shown[4] == "Gate[U+202E]gpj.4pm"
    assert shown[5] == "line\u240abreak\u2409and\u2407bell"
    assert shown[6:9] == HOSTILE[6:9]
    page.locator(".video-card").first.hover()
    expect(page.locator(".video-state-words").nth(4)).to_have_text("Failed: Gate[U+202E]gpj.4pm")
    assert page.evaluate("window.caught") is None
    assert page.locator(".video-card :is(script, img[onerror], b)").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    picture(page, "videos-hostile-names")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.thorough
def test_ten_thousand_videos_can_be_searched_and_paged_on_the_running_server(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    for number in range(10_000):
        place.catalogue.put_video(make_record(number), "1")
    page = visit(place).open("videos", wait_for=READY)
    expect(page.locator("#videos-words")).to_have_text("10,000 videos")
    expect(page.locator(".video-card")).to_have_count(48)
    picture(page, "videos-many")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#videos-steps")).to_contain_text("49 \N{EN DASH} 96 of 10,000")
    page.get_by_label("Search").fill("gate 9999")
    expect(page.locator(".video-link")).to_have_text(["Gate 9999"])
    page.locator("#asked-order").select_option(label="Longest first")
    expect(page.locator(".video-link")).to_have_text(["Gate 9999"])
    place.catalogue.set_video(make_record(9999).id, state="failed", reason="its file is cut")
    tell_news(page)
    expect(page.locator(".video-state-words")).to_have_text("Failed: its file is cut")
    page.get_by_label("Search").fill("")
    expect(page.locator("#videos-words")).to_have_text("10,000 videos · 1 failed")
    page.locator("#asked-state").select_option(label="Failed (1)")
    expect(page.locator(".video-link")).to_have_text(["Gate 9999"])


@pytest.mark.thorough
def test_a_videos_page_shows_who_uploaded_it(place: Place, visit: Visits) -> None:
    video = make_video(1, owner="clara")
    asked = f"?v={video['id']}&tab=about"
    page = open_shelf(visit, place, Shelf(video), asked, wait_for="#video .video-view")
    expect(page.get_by_role("tabpanel")).to_contain_text(" by clara")


@pytest.mark.thorough
def test_a_videos_card_and_page_show_what_it_waits_for(place: Place, visit: Visits) -> None:
    video = make_video(1, state="received", reason="Kafka at localhost:9092 is not responding.")
    page = open_shelf(visit, place, Shelf(video), wait_for=READY)
    says = "Waiting: Kafka at localhost:9092 is not responding."
    expect(page.locator(".video-state-words")).to_have_text(says)
    page.locator(".video-link").click()
    expect(page.locator("#video")).to_contain_text(says)


@pytest.mark.thorough
def test_a_videos_page_shows_the_region_and_the_calibration_of_its_upload(
    place: Place, visit: Visits
) -> None:
    region = {"x": 100, "y": 50, "width": 300, "height": 200}
    points = {"points": [[0, 0], [10, 0]]}
    video = make_video(1, roi=region, calibration=points, width_px=640, height_px=360)
    page = open_shelf(
        visit, place, Shelf(video), f"?v={video['id']}&tab=about", wait_for="#video .video-view"
    )
    about = page.get_by_role("tabpanel")
    expect(about).to_contain_text("A rectangle of 300 \N{MULTIPLICATION SIGN} 200 pixels.")
    expect(about).to_contain_text("2 points (at least 4 needed), ")
    drawn = page.get_by_role("img", name="Region of interest")
    expect(drawn).to_have_attribute("viewBox", "0 0 640 360")
    expect(drawn.locator("polygon")).to_have_attribute("points", "100,50 400,50 400,250 100,250")


@pytest.mark.thorough
def test_a_button_pressed_during_an_update_still_gets_its_click(place: Place, visit: Visits) -> None:
    page = open_shelf(visit, place, Shelf(*many(100)))
    following = page.locator("#videos-steps").get_by_role("button", name="Next")
    following.evaluate("(button) => button.scrollIntoView({ block: 'center', behavior: 'instant' })")
    following.hover()
    page.mouse.down()
    with page.expect_response(re.compile(r"/api/v1/videos\?")):
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    page.locator(READY).wait_for()
    page.mouse.up()
    expect(page.locator("#videos-steps")).to_contain_text("49 \N{EN DASH} 96 of 100")
