"""Cameras on the wall, in each possible state, and a streamed video."""

from __future__ import annotations

import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
from tests.kit.clips import grey_jpeg
from tests.live.watching import START_MS, Scene
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import MODEL, Place

from frametally.records import Coverage, FrameDetections, IntervalCount
from frametally_live.camera_answers import CameraSearch, OfferedCamera, OfferedStream

if TYPE_CHECKING:
    from playwright.sync_api import Page


MINUTE_MS = 60_000
LOST = "It does not answer: frametally tries again, at last every 30 s."
REFUSED = "It refuses the user name or password: check FRAMETALLY_LIVE_LOGINS."


def film_wall(place: Place, *, more: int = 0) -> None:
    """Add a camera in each state, two of which were counted in the last hour; and this many more."""
    scene = Scene(place)
    now_ms = round(time.time() * 1000)
    begun_ms = now_ms // MINUTE_MS * MINUTE_MS - 45 * MINUTE_MS
    yard = place.film(
        {"car": 3, "person": 4},
        source="yard",
        start_ms=begun_ms,
        intervals=46,
        interval_s=60,
        filmed=lambda minute: not 30 <= minute < 38,
    )
    place.film(
        {"car": 9, "bus": 1}, start_ms=begun_ms, intervals=46, interval_s=60, source="gate-1", also=yard
    )
    states: list[tuple[str, dict[str, Any]]] = [
        ("gate-1", {"lag_ms": 800, "frames_per_s": 9.8}),
        ("yard", {"lag_ms": 11_200, "frames_per_s": 4.1, "drift_ms": -3200}),
        ("cycle path", {"state": "waiting", "reason": LOST, "away_since_ms": now_ms - 90_000}),
        ("car park", {"state": "failed", "reason": REFUSED}),
        *((f"camera {number}", {"lag_ms": 120, "frames_per_s": 10.0}) for number in range(more)),
    ]
    pictures = [one.key for one in place.store.list("images/")]
    for position, (source, told) in enumerate(states):
        feed = scene.camera(source)
        shown = {"image_path": pictures[7 * position % len(pictures)], "captured_at_ms": now_ms - 900}
        scene.tell(feed, **{"state": "running", "packets_lost": 3 * position} | shown | told)
    scene.tell(scene.camera("old gate"), state="starting")


def forbid_cameras(place: Place) -> None:
    """The same, without permission to change cameras."""
    place.settings = place.settings.model_copy(update={"web_uploads": False})
    film_wall(place)


def publish_fast_cars(place: Place) -> None:
    """Count a minute of gate-1 again, in which 20 cars passed too fast beside 7."""
    at_ms = round(time.time() * 1000) // MINUTE_MS * MINUTE_MS - 5 * MINUTE_MS
    where: Any = {"model": MODEL, "source": "gate-1", "interval_start_ms": at_ms, "interval_s": 60}
    boxes: Any = {"detections": 171, "peak": 3, "objects": 7, "tracked_detections": 91, "fast_objects": 20}
    cars = IntervalCount(**where, frames=300, label="car", **boxes, evidence=[])
    filmed: Any = {"detections": 171, "objects": 7, "analysed_fps": 5.0, "covered_ms": MINUTE_MS}
    place.publish([cars], [Coverage(**where, frames=300, **filmed)], interval_s=60, model=MODEL)


def offer_cameras(place: Place) -> None:
    """Have a search return a camera with two streams, and one that needs a log-in."""
    film_wall(place)
    streams = [
        OfferedStream(name=name, address=f"rtsp://10.1.2.3/{name}", code="H264", width_px=side, height_px=360)
        for name, side in (("main", 1280), ("sub", 640))
    ]
    usable = OfferedCamera(
        host="10.1.2.3",
        name="Front door",
        source="Front door",
        maker="Example",
        model="Dome 4",
        streams=streams,
        snapshot="",
        cameras=["gate-1"],
        problem=None,
    )
    locked = msgspec.structs.replace(
        usable,
        host="10.1.2.4",
        name="Yard " + "W" * 85,
        streams=[],
        cameras=[],
        problem="10.1.2.4 requires a user name and password",
    )
    place.search_cameras = lambda _: CameraSearch(cameras=[usable, locked], has_more=True)


def no_cameras_for_now(page: Page) -> None:
    """Hide all from the server, as if its catalogue were unavailable."""
    problem = {"status": 503, "title": "Away", "detail": "The catalogue is not responding.", "remedy": ""}
    page.route(
        "**/api/v1/cameras",
        lambda route: route.fulfill(
            status=503, body=json.dumps(problem), content_type="application/problem+json"
        ),
    )


class StreamedVideo:
    """A video that is streamed."""

    def film(self, place: Place, **told: Any) -> None:
        """Have it streamed, with reports."""
        facts = make_facts(started_at_ms=START_MS, width_px=64, height_px=48)
        self._record = make_video(1, facts=facts)
        self._scene = Scene(place)
        self._feed = self._scene.stream(self._record)
        running = {"state": "running", "position_s": 12.0, "frames_per_s": 9.9}
        self._scene.tell(self._feed, **(running | told))

    def wait(self, place: Place) -> None:
        """Have it wait for a server."""
        self.film(place, state="waiting", reason="The object store does not answer: it is tried again.")

    def pause(self, place: Place) -> None:
        """Stop it at a frame that is in a segment."""
        self.film(place)
        at = self._result(120)
        self._scene.write(at, jpeg=_picture())
        told = {"captured_at_ms": at.captured_at_ms, "image_path": at.image_path}
        self._scene.tell(self._feed, state="paused", **told)

    def leave_out(self, page: Page) -> None:
        """Send frames, several at once, until some were skipped."""
        numbers = itertools.count(120)
        while not re.search(r"[1-9]\d* skipped", page.locator(".live-pace").text_content() or ""):
            self._scene.show(*(self._result(next(numbers)) for _ in range(5)), jpeg=_picture())
            page.wait_for_timeout(100)

    def _result(self, number: int) -> FrameDetections:
        return self._scene.result(number, media=self._record.sha256, source=self._record.source)


def _picture() -> bytes:
    return grey_jpeg(64, 48, 90)
