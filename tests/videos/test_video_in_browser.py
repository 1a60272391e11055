"""One video next to the list: it plays, its chart is its seek bar, its frames add up, it can be changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from tests.examples import first_quick
from tests.videos.filmed_video import (
    FPS,
    LENGTH_S,
    NOTHING_YET,
    SIZE_PX,
    Cinema,
    box_at,
    failed,
    make_file,
    make_long_file,
    shown_frame,
    timeless,
    unplayable,
    wait_for_frame,
    wait_until,
    wait_until_loaded,
)
from tests.videos.made_up_work import make_job
from tests.videos.video_records import make_facts, make_video
from tests.web.browser import Page, Place, Route, Visits, expect
from tests.web.conftest import START_MS

from frametally import keys
from frametally.media.manifests import list_manifests
from frametally.records import Coverage, IntervalCount, encode
from frametally_videos.catalogue.catalogue_rows import VideoBooks
from frametally_videos.records import VideoRecord

OpenVideo = Callable[..., Page]
OPEN = "#video .video-view"


def film(place: Place) -> tuple[list[IntervalCount], list[Coverage]]:
    """Forty seconds of counts, in bars of 5 s: of the video, and of later footage."""
    return place.film({"car": 6, "person": 2}, source="gate", intervals=8, interval_s=5)


@pytest.fixture
def open_video(place: Place, visit: Visits) -> OpenVideo:
    """Opens a cinema's video in a window."""

    def opens(cinema: Cinema, wait_for: str = OPEN, **context: Any) -> Page:
        window = visit(place, **context)
        cinema.serve(window.page)
        return window.open(f"videos?v={cinema.video['id']}", wait_for=wait_for)

    return opens


@pytest.mark.thorough
def test_keys_and_buttons_go_to_a_frame(open_video: OpenVideo) -> None:
    page = open_video(Cinema())
    wait_until_loaded(page)
    expect(page.locator("#video")).to_be_focused()
    for number in (1, 2, 3):
        page.keyboard.press("ArrowRight")
        wait_for_frame(page, number)
    page.keyboard.press("ArrowLeft")
    wait_for_frame(page, 2)
    page.get_by_role("button", name="Next frame").click()
    wait_for_frame(page, 3)
    page.get_by_role("button", name="Previous frame").click()
    wait_for_frame(page, 2)
    page.get_by_role("button", name="Go to the end").click()
    wait_for_frame(page, LENGTH_S * FPS - 1)
    page.keyboard.press("ArrowRight")  # there is no further one
    page.keyboard.press("ArrowLeft")
    wait_for_frame(page, LENGTH_S * FPS - 2)
    page.keyboard.press("Home")
    wait_for_frame(page, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("pixel_aspect", first_quick([Fraction(2), Fraction(1), Fraction(1, 2)]))
@pytest.mark.parametrize("width_px", first_quick([1280, 390]))
def test_boxes_fit_the_picture_whatever_the_shape_of_its_pixels(
    open_video: OpenVideo, picture: Callable[[Page, str], None], pixel_aspect: Fraction, width_px: int
) -> None:
    cinema = Cinema(body=make_file(pixel_aspect=pixel_aspect))
    page = open_video(cinema, viewport={"width": width_px, "height": 900})
    wait_until_loaded(page)
    drawn = page.locator(".player .video-overlay rect.box")
    expect(drawn).to_have_count(1)
    stage = page.locator(".player .video-stage")
    screen = np.asarray(cv2.imdecode(np.frombuffer(stage.screenshot(), np.uint8), cv2.IMREAD_COLOR), int)
    blue, green, red = screen[..., 0], screen[..., 1], screen[..., 2]
    rows, columns = np.nonzero((red > 150) & (green < 110) & (blue < 90))
    box, corner = drawn.bounding_box(), stage.bounding_box()
    left, top = box["x"] - corner["x"], box["y"] - corner["y"]
    assert [left, top, left + box["width"], top + box["height"]] == pytest.approx(
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], abs=6
    )
    shown = corner["width"] / corner["height"]
    is_low = corner["height"] <= 120  # the least height, with bars at both sides of the picture
    assert is_low or shown == pytest.approx(float(pixel_aspect) * SIZE_PX[0] / SIZE_PX[1], rel=0.02)
    picture(page, f"video-pixels-{pixel_aspect.numerator}-{pixel_aspect.denominator}-{width_px}")


@pytest.mark.thorough
def test_the_video_plays_pauses_and_changes_its_speed(open_video: OpenVideo) -> None:
    page = open_video(Cinema())
    wait_until_loaded(page)
    page.keyboard.press("Space")
    expect(page.locator(".player")).to_have_attribute("data-playing", "true")
    wait_until(page, lambda: shown_frame(page) > 10)
    page.get_by_role("button", name=re.compile("^¼")).click()  # so that its end is far away
    assert page.evaluate("document.querySelector('.player video').playbackRate") == 0.25
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".player")).to_have_attribute("data-playing", "false")
    stood = shown_frame(page)
    page.get_by_role("button", name="Play").press("Space")  # the button's own key, once
    wait_until(page, lambda: shown_frame(page) > stood)
    page.locator(".player video").click()
    expect(page.locator(".player")).to_have_attribute("data-playing", "false")
    page.keyboard.press(">")
    expect(page.get_by_role("button", name=re.compile("^½"))).to_have_attribute("aria-pressed", "true")


@pytest.mark.thorough
def test_the_seek_bar_is_a_chart_of_the_counts_of_this_video_only(
    place: Place, open_video: OpenVideo
) -> None:
    counts, _ = film(place)
    cinema = Cinema()
    page = open_video(cinema)
    wait_until_loaded(page)
    bars = page.locator(".seek-bars rect")
    expect(bars).to_have_count(8)  # of the first 20 of 40 s
    drawn = bars.evaluate_all(
        "all => all.map(({dataset}) => [dataset.label, Number(dataset.start), Number(dataset.value)])"
    )
    ends_ms = START_MS + LENGTH_S * 1000
    counted = [
        [one.label, one.interval_start_ms, one.detections]
        for one in counts
        if one.interval_start_ms < ends_ms
    ]
    assert sorted(drawn) == sorted(counted)
    bar = page.locator(".seek")
    box = bar.bounding_box()
    assert box is not None
    bar.click(position={"x": box["width"] * 0.75, "y": 20})
    wait_for_frame(page, LENGTH_S * FPS * 3 // 4, within=1)
    expect(page.locator(".player .video-stamp")).to_contain_text("10:00:1")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^(14\.9|15\.0)"))
    assert "person" in (bar.get_attribute("aria-valuetext") or "")
    # Dragging moves the video along.
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20, steps=4)
    page.mouse.up()
    wait_for_frame(page, LENGTH_S * FPS // 4, within=1)
    expect(page.locator(".seek-tip")).to_contain_text("0:05 of 0:20")
    # With shift, the arrows move by a bar.
    page.keyboard.press("Home")
    wait_for_frame(page, 0)
    bar.focus()
    for number in (5, 10):
        page.keyboard.press("Shift+ArrowRight")
        wait_for_frame(page, number * FPS)
    page.keyboard.press("Shift+ArrowLeft")
    wait_for_frame(page, 5 * FPS)


def test_boxes_belong_to_the_frame_shown(open_video: OpenVideo) -> None:
    page = open_video(Cinema())
    wait_until_loaded(page)
    overlay = page.locator(".player .video-overlay")
    for seconds in (0, 5, 12.2):
        page.evaluate(f"document.querySelector('.player video').currentTime = {seconds + 0.02}")
        wait_for_frame(page, round(seconds * FPS))
        expect(overlay).to_have_attribute("data-exact", "true")
        drawn = overlay.locator("rect.box")
        expect(drawn).to_have_attribute("x", f"{box_at(seconds)[0]:g}")
    page.keyboard.press("ArrowRight")  # not analysed: the previous frame's boxes, paler
    expect(overlay).to_have_attribute("data-exact", "false")
    expect(overlay.locator("rect.box")).to_have_count(1)
    page.keyboard.press("b")
    expect(overlay.locator("rect.box")).to_have_count(0)
    expect(page.locator(".player .player-tools input")).not_to_be_checked()
    page.locator(".player .player-tools label").click()
    expect(overlay.locator("rect.box")).to_have_count(1)


@pytest.mark.thorough
def test_boxes_are_drawn_around_their_objects(open_video: OpenVideo) -> None:
    page = open_video(Cinema())
    wait_until_loaded(page)
    page.evaluate("document.querySelector('.player video').currentTime = 5.02")
    wait_for_frame(page, 5 * FPS)
    left, top, width, _ = box_at(5)
    box = page.locator(".player .video-overlay rect.box")
    stage = page.locator(".player video").bounding_box()
    scale = stage["width"] / 320
    # The box is drawn once the browser has shown the frame.
    wait_until(page, lambda: abs(box.bounding_box()["x"] - stage["x"] - left * scale) < 3)
    drawn = box.bounding_box()
    assert abs(drawn["y"] - stage["y"] - top * scale) < 3
    assert abs(drawn["width"] - width * scale) < 5


@pytest.mark.thorough
def test_a_file_whose_timestamps_start_late_has_its_boxes_at_the_right_frames(open_video: OpenVideo) -> None:
    page = open_video(Cinema(body=make_file(first_pts=35)))
    wait_until_loaded(page)
    expect(page.locator(".player .video-stamp")).to_contain_text("· 0:00")
    page.get_by_role("button", name="Next frame").click()
    wait_for_frame(page, 1)
    for number in range(2, 6):
        page.keyboard.press("ArrowRight")
        wait_for_frame(page, number)
    overlay = page.locator(".player .video-overlay")
    expect(overlay).to_have_attribute("data-exact", "true")
    expect(overlay).to_have_attribute("data-position-s", "0.2")


@pytest.mark.thorough
def test_a_video_that_browsers_cannot_play_shows_the_reason_and_can_be_downloaded(
    place: Place, open_video: OpenVideo
) -> None:
    film(place)
    cinema = unplayable()
    page = open_video(cinema)
    message = page.locator(".video-message")
    expect(message).to_contain_text("No browser plays MPEG-4 Visual.")
    expect(message.get_by_role("link", name=re.compile("Download"))).to_have_attribute(
        "href", cinema.video["links"]["original"]
    )
    expect(page.locator(".player .player-tools")).to_be_hidden()
    expect(page.locator(".seek-bars rect")).to_have_count(8)  # it is counted nevertheless
    expect(page.locator(".seek")).to_have_attribute("aria-disabled", "true")
    assert cinema.ranges == []


@pytest.mark.thorough
def test_a_failed_browser_version_shows_the_reason_and_can_be_retried(open_video: OpenVideo) -> None:
    cinema = unplayable()
    job = make_job(1, "playable", "failed", reason="No encoder of FRAMETALLY_VIDEO_ENCODERS works here.")
    cinema.video["jobs"] = [job]
    page = open_video(cinema)
    asked = []

    def again(route: Route) -> None:
        asked.append((route.request.method, route.request.url.rsplit("/jobs/", 1)[1]))
        job.update(state="queued", reason=None)
        route.fulfill(status=202, json=job)

    page.route(re.compile(r"/api/v1/jobs/[^/]+/retry$"), again)
    message = page.locator(".video-message")
    expect(message).to_contain_text("Browsers cannot play this file")
    expect(message).to_contain_text("No browser plays MPEG-4 Visual.")
    expect(message).to_contain_text("No encoder of FRAMETALLY_VIDEO_ENCODERS works here.")
    expect(message.get_by_role("link", name=re.compile("Download"))).to_be_visible()
    expect(page.locator("#video .video-state-words")).to_have_text("Counted")
    message.get_by_role("button", name="Try again").click()
    expect(message).to_contain_text("Creating a version for browsers")
    assert asked == [("POST", f"{job['id']}/retry")]


@pytest.mark.thorough
def test_the_account_adds_up_or_shows_where_it_does_not(open_video: OpenVideo) -> None:
    cinema = Cinema()
    page = open_video(cinema)
    account = page.locator(".account")
    expect(account.locator("li")).to_have_text(
        [
            re.compile(text)
            for text in ("^ ?100Expected", "^= 100Announced", "^= 100Analysed", "^= 100Counted")
        ]
    )
    words = page.locator(".account-words")
    chart = page.get_by_role("link", name="In the chart")
    expect(chart).to_have_attribute("href", cinema.video["links"]["chart"].replace("UTC", "Europe/Berlin"))
    expect(words).to_have_text("Every frame is accounted for: all 100 of them are counted.")
    cinema.video["frames"].update(detected=98, dead_lettered=2, counted=98)
    expect(words).to_have_text("Every frame is accounted for: 98 frames analysed, 2 unreadable frames.")
    cinema.video["frames"].update(detected=97, counted=97)
    expect(words).to_have_attribute("data-verdict", "odd")
    expect(account.locator("li").nth(2)).to_have_text("≠ 97Analysedand 2 unreadable frames")
    expect(words).to_have_text("Announced: 100; analysed or unreadable: 99.")
    cinema.video.update(state="detecting")
    expect(words).to_have_attribute("data-verdict", "open")


@pytest.mark.thorough
def test_a_video_keeps_playing_while_it_is_renamed(open_video: OpenVideo) -> None:
    cinema = Cinema()
    page = open_video(cinema)
    wait_until_loaded(page)
    page.keyboard.press("Shift+ArrowRight")
    wait_for_frame(page, 5 * FPS)
    page.locator(".editing summary").click()
    page.get_by_label("Name", exact=True).fill("Gate <b>north</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".video-head h2")).to_have_text("Gate <b>north</b>")
    assert cinema.sent == [("PATCH", cinema.video["id"], {"name": "Gate <b>north</b>"})]
    expect(page.locator(".editing")).not_to_have_attribute("open", "")
    assert shown_frame(page) == 5 * FPS  # it is the same player
    expect(page.locator("#spoken")).to_have_text("Saved")


@pytest.mark.thorough
def test_a_time_is_edited_in_the_time_zone_of_the_page(open_video: OpenVideo) -> None:
    cinema = Cinema(started_at_ms=START_MS + 125)
    page = open_video(cinema)
    page.locator(".editing summary").click()
    field = page.locator(".editing").get_by_label("First frame filmed")
    expect(field).to_have_value("2024-05-01T10:00:00.125")  # Europe/Berlin
    page.get_by_role("button", name="Save").click()  # unchanged fields are not sent
    expect(page.locator(".editing")).not_to_have_attribute("open", "")
    assert cinema.sent == []
    page.locator(".editing summary").click()
    expect(page.locator(".editing")).to_contain_text("100 frames and their counts move with this time")
    page.evaluate("() => new Promise((then) => requestAnimationFrame(then))")  # it is filled when it opens
    field.fill("2024-05-01T09:30:00.125")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#spoken")).to_have_text("Saved")
    change = {"start_time": "2024-05-01T07:30:00.125Z", "timezone": "Europe/Berlin"}
    assert cinema.sent == [("PATCH", cinema.video["id"], change)]


@pytest.mark.thorough
def test_a_refused_change_shows_the_reason_and_keeps_what_you_typed(open_video: OpenVideo) -> None:
    cinema = Cinema()
    cinema.answer = (
        400,
        {"status": 400, "detail": "This name is too long.", "remedy": "Take a shorter one."},
    )
    page = open_video(cinema)
    page.locator(".editing summary").click()
    name = page.get_by_label("Name", exact=True)
    name.fill("Other")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".editing .form-said")).to_have_text("This name is too long. Take a shorter one.")
    cinema.video["name"] = "Gate of others"
    expect(page.locator(".video-head h2")).to_have_text("Gate of others")  # news arrived
    expect(name).to_have_value("Other")
    name.press("Escape")
    expect(page.locator(".editing")).not_to_have_attribute("open", "")
    expect(page.locator(OPEN)).to_be_visible()


@pytest.mark.thorough
def test_a_video_without_a_time_asks_for_one(open_video: OpenVideo) -> None:
    cinema = timeless()
    page = open_video(cinema)
    wait_until_loaded(page)
    form = page.locator(".time-form")
    expect(form).to_contain_text("When was it filmed?")
    expect(page.locator(".player .video-stamp")).to_have_text("0:00")  # no moment that is unknown
    form.get_by_label("First frame filmed").fill("2024-05-01T10:00:00")
    form.get_by_role("button").click()
    expect(page.locator("#spoken")).to_have_text("Saved")
    change = {"start_time": "2024-05-01T08:00:00.000Z", "timezone": "Europe/Berlin"}
    assert cinema.sent == [("PATCH", cinema.video["id"], change)]


@pytest.mark.thorough
def test_the_page_shows_what_will_be_deleted_before_you_confirm(open_video: OpenVideo) -> None:
    cinema = Cinema()
    page = open_video(cinema)
    ask = page.get_by_role("button", name="Delete this video…")
    ask.click()
    question = page.get_by_role("group", name="Delete this video")
    expect(question).to_contain_text("100 frames extracted from it will be deleted.")
    expect(question).to_contain_text("110 detections will disappear from all charts")
    expect(question.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(ask).to_be_focused()
    expect(page.locator(OPEN)).to_be_visible()
    assert cinema.sent == []
    ask.click()
    question.get_by_role("button", name="Delete it").click()
    expect(page.locator(OPEN)).to_have_attribute("data-state", "deleting")
    assert [method for method, _, _ in cinema.sent] == ["DELETE"]
    expect(ask).to_be_hidden()
    cinema.videos.clear()
    expect(page.locator("#video")).to_contain_text("This video does not exist")


@pytest.mark.thorough
def test_failed_jobs_can_be_retried(open_video: OpenVideo) -> None:
    cinema = failed()
    page = open_video(cinema)
    expect(page.locator(".video-standing")).to_contain_text(
        "Failed: its decoder was killed (SIGSEGV) 3 times"
    )
    expect(page.locator(".jobs")).to_contain_text("Frames" + "failed · 3 attempts · 1 May 2024, 10:00:09")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(OPEN)).to_have_attribute("data-state", "received")
    assert cinema.sent == [("POST", "retry", {})]


@pytest.mark.thorough
def test_where_videos_cannot_be_changed_the_page_shows_the_remedy(open_video: OpenVideo) -> None:
    cinema = Cinema()
    cinema.allowed = False
    page = open_video(cinema)
    expect(page.locator("#video")).to_contain_text(
        "Set FRAMETALLY_WEB_UPLOADS=true where the dashboard runs."
    )
    expect(page.locator(".editing")).to_be_hidden()
    expect(page.get_by_role("button", name="Delete this video…")).to_be_hidden()


@pytest.mark.thorough
def test_the_servers_outage_is_shown_and_the_page_recovers(open_video: OpenVideo) -> None:
    cinema = Cinema()
    page = open_video(cinema)
    cinema.is_away = True
    expect(page.locator(".video-outage")).to_contain_text("is not responding")
    expect(page.locator(".video-head h2")).to_have_text("Gate in the morning")
    cinema.is_away = False
    cinema.video["name"] = "Gate at noon"
    expect(page.locator(".video-head h2")).to_have_text("Gate at noon")  # asked again by itself
    expect(page.locator(".video-outage")).to_be_hidden()


@pytest.mark.thorough
def test_a_video_that_failed_to_load_resumes_where_it_was(open_video: OpenVideo) -> None:
    cinema = Cinema()
    whole, cinema.body = cinema.body, b"no video"
    page = open_video(cinema)
    message = page.locator(".video-message")
    page.keyboard.press("Space")
    expect(message).to_contain_text("It does not play")
    cinema.body = whole
    message.get_by_role("button", name="Try again").click()
    wait_until_loaded(page)
    expect(message).to_be_hidden()


@pytest.mark.thorough
def test_escape_closes_the_video_and_returns_the_focus_to_its_card(place: Place, visit: Visits) -> None:
    cinema = Cinema()
    window = visit(place)
    cinema.serve(window.page)
    page = window.open("videos", wait_for=".video-link")
    page.locator(".video-link").click()
    expect(page.locator("#video")).to_be_focused()
    expect(page).to_have_title(re.compile("^Gate in the morning · Videos"))
    page.keyboard.press("Escape")
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator(".video-link")).to_be_focused()
    expect(page).to_have_title(re.compile("^Videos"))
    page.go_back()
    expect(page.locator(OPEN)).to_be_visible()
    page.get_by_role("button", name="Close the video").click()
    expect(page.locator("#video")).to_be_hidden()
    assert page.evaluate("document.querySelectorAll('.player video').length") == 0


@pytest.mark.thorough
def test_a_name_with_markup_is_shown_as_text(open_video: OpenVideo) -> None:
    bad = '"><img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>\u202egpj.exe'
    cinema = Cinema(
        name=bad,
        source_name=bad,
        file_name=bad,
        why_not=bad,
        reason=bad,
        remedy=bad,
        damage=[bad],
        state="failed",
        labels={bad: 3},
        detections_counted=3,
    )
    page = open_video(cinema)
    wait_until_loaded(page)
    expect(page.locator(".video-head h2")).to_contain_text("<img src=x")
    expect(page.locator(".video-head h2")).to_contain_text("[U+202E]")
    expect(page.locator(".damage")).to_contain_text("<script>")
    assert page.evaluate("globalThis.hit") is None
    assert page.locator("#video img[src=x]").count() == 0


class Stored:
    """A video with its bytes in the store, its boxes in segments, and its counts in the index."""

    def __init__(self, place: Place) -> None:
        self.place = place
        body = make_long_file()
        self.counts, _ = place.film({"car": 3, "person": 1}, source="gate", intervals=LENGTH_S, interval_s=1)
        (manifest,) = list_manifests(place.store)
        first_ms, last_ms = START_MS + 200, START_MS + LENGTH_S * 1000 - 800  # with a frame in each second
        manifest = msgspec.structs.replace(
            manifest, first_captured_at_ms=first_ms, last_captured_at_ms=last_ms
        )
        place.store.put(keys.media_key(manifest.sha256), encode(manifest))
        facts = make_facts(
            width_px=SIZE_PX[0],
            height_px=SIZE_PX[1],
            fps=float(FPS),
            duration_s=float(LENGTH_S),
            started_at_ms=first_ms,
        )
        record = make_video(
            sha256=manifest.sha256,
            size_bytes=len(body),
            name="Gate in the morning",
            source_name="Gate",
            facts=facts,
        )
        self.id = record.id
        place.store.put(keys.original_key(record.id), body)
        place.store.put(record.key, encode(record))
        info = place.store.head(record.key)
        place.catalogue.put_video(record, info.version)
        labels: dict[str, int] = {}
        for one in self.counts:
            labels[one.label] = labels.get(one.label, 0) + one.detections
        books = VideoBooks(LENGTH_S, LENGTH_S, LENGTH_S, 0, LENGTH_S, labels)
        place.catalogue.set_video(record.id, state="ready", range_ms=(first_ms, last_ms), books=books)

    def open(self, visit: Visits) -> Page:
        return visit(self.place).open(f"videos?v={self.id}", wait_for=OPEN)

    def record(self) -> VideoRecord:
        return self.place.catalogue.video(self.id).record


@pytest.fixture
def stored(place: Place) -> Stored:
    return Stored(place)


def test_a_video_plays_and_seeks_by_ranges_with_its_own_boxes_and_counts(
    stored: Stored, visit: Visits
) -> None:
    window = visit(stored.place)
    statuses: list[int] = []
    window.page.on("response", lambda one: statuses.append(one.status) if "/playable?v=" in one.url else None)
    page = window.open(f"videos?v={stored.id}", wait_for=OPEN)
    wait_until_loaded(page)
    assert len(statuses) > 1  # its index comes after 6 MB of nothing
    assert set(statuses) == {206}
    bar = page.locator(".seek")
    expect(bar.locator("rect").first).to_be_attached()
    box = bar.bounding_box()
    assert box is not None
    for share in (0.75, 0.25):
        bar.click(position={"x": box["width"] * share, "y": 20})
        wait_for_frame(page, round(LENGTH_S * FPS * share), within=1)
    page.evaluate("document.querySelector('.player video').currentTime = 8.02")
    wait_for_frame(page, 8 * FPS)
    of_second = [one for one in stored.counts if one.interval_start_ms == START_MS + 8000]
    overlay = page.locator(".player .video-overlay")
    expect(overlay).to_have_attribute("data-position-s", "8")
    expect(overlay).to_have_attribute("data-exact", "true")
    expect(overlay.locator("rect.box")).to_have_count(sum(one.peak for one in of_second))
    drawn = bar.locator("rect").evaluate_all(
        "all => all.reduce((sum, one) => sum + Number(one.dataset.value), 0)"
    )
    assert drawn == sum(one.detections for one in stored.counts)
    page.keyboard.press("Space")
    wait_until(page, lambda: shown_frame(page) > 8 * FPS + 5)
    page.keyboard.press("Space")
    page.get_by_role("link", name="In the chart").click()
    page.locator("#dashboard[data-state=ready]").wait_for()
    assert sum(sum(filter(None, values)) for values in window.chart_values().values()) > 0


def test_boxes_are_drawn_even_for_a_frame_that_the_browser_does_not_report(open_video: OpenVideo) -> None:
    page = open_video(Cinema())
    wait_until_loaded(page)
    overlay = page.locator(".player .video-overlay")
    expect(overlay).to_have_attribute("data-position-s", "0")
    page.evaluate("document.querySelector('.player video').requestVideoFrameCallback = () => 0")
    for time_s in (3.02, 8.02):  # the browser still reports the first: it was requested before
        page.evaluate(f"document.querySelector('.player video').currentTime = {time_s}")
        wait_for_frame(page, int(time_s) * FPS)
        expect(overlay).to_have_attribute("data-position-s", str(int(time_s)))
        expect(overlay).to_have_attribute("data-exact", "true")


@pytest.mark.thorough
def test_only_the_poster_is_loaded_until_you_play_or_seek(place: Place, open_video: OpenVideo) -> None:
    film(place)
    cinema = Cinema()
    page = open_video(cinema)
    expect(page.locator(".seek-bars rect").first).to_be_attached()
    expect(page.locator(".fullest")).to_be_visible()
    assert cinema.ranges == []  # not a byte of the video
    page.keyboard.press("ArrowRight")  # the first request for a frame loads it
    wait_for_frame(page, 1)
    assert cinema.ranges


@pytest.mark.thorough
def test_the_fullest_moment_is_named_and_shown_and_playback_pauses_there_until_you_press_space(
    stored: Stored, visit: Visits
) -> None:
    page = visit(stored.place).open(f"videos?v={stored.id}", wait_for=OPEN)
    fullest = max((one for one in stored.counts), key=lambda one: (one.peak, -one.interval_start_ms))
    button = page.locator(".fullest")
    expect(button).to_have_text(re.compile(rf"^Fullest moment: \d:\d\d, {fullest.peak} {fullest.label}s$"))
    place = re.search(r"(\d):(\d\d)", button.inner_text())
    at_s = int(place[1]) * 60 + int(place[2])
    assert abs(at_s - (fullest.interval_start_ms - START_MS) / 1000) <= 1
    button.click()
    wait_until(page, lambda: shown_frame(page) >= at_s * FPS)
    stayed_at = shown_frame(page)
    page.wait_for_timeout(300)
    assert shown_frame(page) == stayed_at
    page.keyboard.press("Space")
    expect(page.locator(".player")).to_have_attribute("data-playing", "true")
    wait_until(page, lambda: shown_frame(page) > stayed_at)


def test_the_fullest_moment_of_a_long_bar_is_a_single_frame(place: Place, open_video: OpenVideo) -> None:
    place.film({"car": 6}, source="gate", intervals=1, interval_s=300)
    cinema = Cinema(labels={"car": 90}, ended_at_ms=START_MS + 299_000)
    cinema.most_at_s = 8.0
    page = open_video(cinema)
    expect(page.locator(".fullest")).to_have_text("Fullest moment: 0:08, 2 cars")
    asked = [end - begin for begin, end in cinema.asked_for]
    assert max(asked) <= 60


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("counted", "words"),
    [(0, "Nothing was detected in this video."), (None, "This video has not been counted yet.")],
    ids=["nothing", "not-counted"],
)
def test_without_detections_the_seek_bar_is_plain_and_explained(
    open_video: OpenVideo, counted: int | None, words: str
) -> None:
    frames = NOTHING_YET if counted is None else dict.fromkeys(NOTHING_YET, 100)
    page = open_video(Cinema(labels={}, detections_counted=counted, frames=frames))
    wait_until_loaded(page)
    expect(page.locator(".seek-words")).to_contain_text(words)
    expect(page.locator(".seek-bars rect")).to_have_count(0)
    expect(page.locator(".fullest")).to_be_hidden()
    box: Any = page.locator(".seek").bounding_box()
    page.locator(".seek").click(position={"x": box["width"] / 2, "y": 20})
    wait_for_frame(page, LENGTH_S * FPS // 2, within=1)


@pytest.mark.thorough
def test_a_video_can_be_renamed_moved_and_deleted(stored: Stored, visit: Visits) -> None:
    page = stored.open(visit)
    page.locator(".editing summary").click()
    page.get_by_label("Name", exact=True).fill("Gate at night")
    page.locator(".editing").get_by_label("First frame filmed").fill("2024-05-01T22:00:00.200")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".video-head h2")).to_have_text("Gate at night")
    expect(page.locator(".editing")).not_to_have_attribute("open", "")
    record = stored.record()
    assert (record.name, record.revision) == ("Gate at night", 1)
    assert record.fields.start_time == "2024-05-01T20:00:00.200Z"
    page.get_by_role("button", name="Delete this video…").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator(OPEN)).to_have_attribute("data-state", "deleting")
    waiting = [job.kind for job in stored.place.catalogue.jobs(stored.id) if job.state == "queued"]
    assert "removal" in waiting


def test_two_people_who_edit_the_same_video_lose_nothing(stored: Stored, visit: Visits) -> None:
    first, second = (stored.open(visit) for _ in range(2))
    for page in (first, second):
        page.locator(".editing summary").click()
    first.get_by_label("Name", exact=True).fill("Gate, by the first")
    first.get_by_role("button", name="Save").click()
    expect(first.locator(".video-head h2")).to_have_text("Gate, by the first")
    form = second.locator(".editing")
    source = form.get_by_label("Source", exact=True)
    source.fill("South Gate")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".form-said")).to_contain_text("Someone else has changed this video")
    expect(form.get_by_label("Name", exact=True)).to_have_value("Gate, by the first")
    expect(source).to_have_value("South Gate")
    form.get_by_role("button", name="Save").click()
    expect(form).not_to_have_attribute("open", "")
    record = stored.record()
    assert (record.name, record.source_name, record.revision) == ("Gate, by the first", "South Gate", 2)
