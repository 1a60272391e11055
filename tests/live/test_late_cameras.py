"""A camera is late if its frames are announced or detected late: all places say which."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from tests.fakes.memory import ManualClock
from tests.live.watching import LONG_S, START_MS, Scene
from tests.together.test_wall_in_browser import CAMERA, READY, show
from tests.videos.filmed_video import wait_until
from tests.web.browser import Place, Visits, expect

from frametally_cli.main import cli
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds import result_reader
from frametally_live.feeds.detection_lag import newest_results
from frametally_live.feeds.result_reader import Detected, ResultReader


@pytest.fixture
def scene(place: Place) -> Scene:
    return Scene(place)


@pytest.fixture
def app(scene: Scene) -> Flask:
    return scene.place.app()


def found(scene: Scene, feed: Feed, number: int) -> None:
    """Put a detection in the frame with this number, ten a second."""
    scene.publish(scene.result(number, media="cd" * 32, source=feed.source))


def captured(scene: Scene, feed: Feed, number: int, **told: Any) -> None:
    """Announce the frame with this number, a tenth of a second after it was filmed."""
    told = {"state": "running", "lag_ms": 100, "frames_per_s": 10.0} | told
    scene.tell(feed, captured_at_ms=START_MS + 100 * number, **told)


def told_until(app: Flask, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The API's state of the only camera, once it matches."""
    until_s = time.monotonic() + LONG_S
    while True:
        (camera,) = app.test_client().get("/api/cameras").get_json()["cameras"]
        if is_it(camera):
            return {name: camera[name] for name in ("lag_ms", "shown_lag_ms", "late")}
        assert time.monotonic() < until_s, camera
        time.sleep(0.05)


@pytest.mark.thorough
def test_the_api_gives_the_delays_of_capture_and_of_display(scene: Scene, app: Flask) -> None:
    feed = scene.camera("gate-1")
    assert told_until(app, lambda _: True) == {"lag_ms": None, "shown_lag_ms": None, "late": False}
    found(scene, feed, 48)
    captured(scene, feed, 300)
    is_told = told_until(app, lambda one: one["shown_lag_ms"] is not None)
    assert is_told == {"lag_ms": 100, "shown_lag_ms": 25_300, "late": True}
    found(scene, feed, 300)
    is_told = told_until(app, lambda one: not one["late"])
    assert is_told == {"lag_ms": 100, "shown_lag_ms": 100, "late": False}
    captured(scene, feed, 301, lag_ms=5001)
    is_told = told_until(app, lambda one: one["late"])
    assert (is_told["lag_ms"], is_told["late"]) == (5001, True)
    scene.tell(feed, state="waiting", captured_at_ms=START_MS, lag_ms=9000)
    is_told = told_until(app, lambda one: not one["late"])
    assert is_told["shown_lag_ms"] is None, "one of which nothing comes is gone, not late"


def test_a_camera_without_detection_becomes_late(scene: Scene, app: Flask) -> None:
    feed = scene.camera("gate-1")
    captured(scene, feed, 0)
    assert told_until(app, lambda _: True) == {"lag_ms": 100, "shown_lag_ms": None, "late": False}
    captured(scene, feed, 49)
    assert told_until(app, lambda _: True) == {"lag_ms": 100, "shown_lag_ms": 5000, "late": False}
    captured(scene, feed, 50)
    assert told_until(app, lambda _: True) == {"lag_ms": 100, "shown_lag_ms": 5100, "late": True}


def test_a_camera_whose_clock_went_back_can_still_become_late(scene: Scene, app: Flask) -> None:
    feed = scene.camera("gate-1")
    captured(scene, feed, 1000)
    found(scene, feed, 1000)
    told_until(app, lambda one: one["shown_lag_ms"] == 100)
    captured(scene, feed, 10)
    told_until(app, lambda _: True)
    captured(scene, feed, 100)
    assert told_until(app, lambda one: one["late"])["shown_lag_ms"] >= 9100


def test_nothing_is_read_that_nobody_requests(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    made: list[Any] = []

    class Watched(ResultReader):
        def start(self) -> None:
            made.append(self)
            super().start()

    monkeypatch.setattr(result_reader, "ResultReader", Watched)
    asked = Detected(scene.place.log, scene.topic, clock=clock)
    feed = scene.camera("gate-1")
    asked.lags_ms([feed._replace(told=FeedTold("ended"))])
    assert made == [], "nor where no camera runs"
    running = [feed._replace(told=FeedTold("running"))]
    asked.lags_ms(running)
    clock.advance(31)
    made[0].join()
    asked.lags_ms(running)
    assert [one.is_alive for one in made] == [False, True]
    asked.close()
    asked.lags_ms(running)
    assert [one.is_alive for one in made] == [False, False]


def test_the_command_also_shows_both_delays(scene: Scene) -> None:
    feed = scene.camera("gate-1")

    def listed() -> str:
        said = CliRunner().invoke(
            cli, ["live", "list", "--data-dir", str(scene.place.settings.data_dir)], catch_exceptions=False
        )
        return said.output

    captured(scene, feed, 300)
    assert "captured 0.1 s behind, no recent detections" in listed()
    found(scene, feed, 48)
    assert "10 frames/s, late, captured 0.1 s behind, shown 25.3 s behind" in listed()
    found(scene, feed, 300)
    assert "10 frames/s, captured 0.1 s behind, shown 0.1 s behind" in listed()


def test_the_newest_result_of_each_source_is_found_in_any_partition(scene: Scene) -> None:
    # More than one poll returns.
    scene.publish(
        *(scene.result(number, media="cd" * 32, source=f"cam-{number % 2}") for number in range(900))
    )
    found = newest_results(scene.place.log, scene.topic, within_s=LONG_S)
    assert found == {"cam-0": START_MS + 89_800, "cam-1": START_MS + 89_900}
    assert newest_results(scene.place.log, "no such topic", within_s=LONG_S) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("width_px", [1280, 390])
def test_card_and_large_view_say_which_of_the_two_delays_is_late(
    scene: Scene, visit: Visits, picture: Callable[..., None], width_px: int
) -> None:
    feed = scene.camera("gate-1")
    path = show(scene, feed, 48)
    captured(scene, feed, 300, image_path=path)
    page = visit(scene.place, viewport={"width": width_px, "height": 900}).open(
        "live?camera=gate-1", wait_for=READY
    )
    expect(page.locator(".live-sign")).to_have_text("Late, 25.3 s behind")
    expect(page.locator(CAMERA)).to_have_attribute("data-standing", "late")
    why = "captured 0.1 s behind, shown 25.3 s behind"
    expect(page.locator(".live-facts")).to_contain_text(why)
    expect(page.locator("#live-said")).to_have_text("1 camera, 0 live")
    number = 48

    def is_drawn() -> bool:
        """Until the server listens, no viewer gets its messages."""
        nonlocal number
        number += 1
        show(scene, feed, number)
        page.wait_for_timeout(100)
        return page.locator(".live-large .live-canvas[data-n]").count() > 0

    wait_until(page, is_drawn)
    words = page.locator(".live-large .live-words")
    expect(words).to_have_text("Late")
    expect(page.locator(".live-large .live-stream")).to_have_attribute("data-state", "late")
    shown_s = 0.1 + (300 - number) / 10
    pace = page.locator(".live-large .live-pace")
    expect(pace).to_contain_text(f"captured 0.1 s behind, shown {shown_s:.1f} s behind")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    picture(page, f"wall-late-{width_px}")
    show(scene, feed, 300)
    expect(page.locator(".live-sign")).to_have_text("Live, 0.1 s behind")
    expect(words).to_have_text("Live")
