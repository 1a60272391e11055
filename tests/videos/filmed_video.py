"""A video whose every frame shows its number, and a server's answers about its detections."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import av
import numpy as np
from tests.videos.made_up_videos import Shelf, make_video
from tests.web.conftest import START_MS

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

FPS = 25
LENGTH_S = 20
SIZE_PX = (320, 180)
BITS = 10
SAMPLED_S = 0.2
READ_FRAME = f"""() => {{
    const video = document.querySelector(".player video");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [{SIZE_PX[0]}, {SIZE_PX[1]}];
    const pen = canvas.getContext("2d", {{willReadFrequently: true}});
    pen.drawImage(video, 0, 0, canvas.width, canvas.height);
    let number = 0;
    for (let bit = 0; bit < {BITS}; bit += 1) {{
        const [light] = pen.getImageData(16 + 32 * bit, 16, 1, 1).data;
        if (light > 128) number += 2 ** bit;
    }}
    return number;
}}"""
"""The number of the frame in the player, read from its picture."""


def shown_frame(page: Page) -> int:
    """Return the number of the frame that the player shows."""
    return page.evaluate(READ_FRAME)


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait; the page's policy forbids Playwright's way of waiting for an expression."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(30)


def wait_for_frame(page: Page, number: int, within: float = 0) -> None:
    """Wait until this frame, or a near one, is shown."""
    wait_until(page, lambda: abs(shown_frame(page) - number) <= within)


def wait_until_loaded(page: Page) -> None:
    """Have the player load the video, as playing does, and wait until it shows a picture."""
    page.evaluate("document.querySelector('.player video').preload = 'auto'")
    wait_until(page, lambda: page.evaluate("document.querySelector('.player video').readyState") >= 2)


@cache
def make_file(
    *,
    length_s: int = LENGTH_S,
    first_pts: int = 0,
    container: str = "mp4",
    pixel_aspect: Fraction = Fraction(1),
) -> bytes:
    """Return a video of which each frame has its number in its upper row, a bit in each block."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "25"})
        stream.width, stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel_aspect
        for number in range(length_s * FPS):
            picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), (90, 110, 100), np.uint8)
            for bit in range(BITS):
                picture[:32, 32 * bit : 32 * bit + 32] = 255 if number >> bit & 1 else 0
            left = number * 2 % 280
            picture[100:130, left : left + 40] = (200, 60, 40)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number + first_pts
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return target.getvalue()


def make_long_file(free_bytes: int = 6_000_000) -> bytes:
    """Return the same video with this many zero bytes before its index, which no player needs to load."""
    body = make_file()
    index = body.index(b"moov") - 4
    free = (free_bytes + 8).to_bytes(4, "big") + b"free" + bytes(free_bytes)
    return body[:index] + free + body[index:]


NOTHING_YET = dict.fromkeys(("expected", "announced", "detected", "dead_lettered", "counted"))


def timeless() -> Cinema:
    """Return a cinema with a video of unknown time."""
    return Cinema(
        state="needs_time",
        reason="nothing in it says when it was filmed",
        started_at_ms=None,
        ended_at_ms=None,
        time_source=None,
        frames=NOTHING_YET,
        labels={},
        detections_counted=None,
    )


def unplayable() -> Cinema:
    """Return a cinema whose video is counted, and not for browsers."""
    return Cinema(
        links={"playable": None},
        plays_in_browsers=False,
        why_not="No browser plays MPEG-4 Visual.",
        codec="mpeg4",
    )


def failed() -> Cinema:
    """Return a cinema whose video's frames could not be taken."""
    reason = "its decoder was killed (SIGSEGV) 3 times"
    job = {
        "id": "1",
        "kind": "frames",
        "state": "failed",
        "attempts": 3,
        "progress": None,
        "reason": reason,
        "created_at_ms": START_MS,
        "started_at_ms": START_MS,
        "ended_at_ms": START_MS + 9000,
    }
    return Cinema(
        state="failed", reason=reason, jobs=[job], frames=NOTHING_YET, labels={}, detections_counted=None
    )


def box_at(position_s: float) -> list[float]:
    """Return where the block of a frame is."""
    return [float(round(position_s * FPS) * 2 % 280), 100.0, 40.0, 30.0]


class Cinema(Shelf):
    """One video that plays, with a car detected in every fifth frame; requests are recorded in `sent`."""

    def __init__(self, *, body: bytes | None = None, **known: Any) -> None:
        self.body = make_file() if body is None else body
        frames = LENGTH_S * 5
        video = make_video(
            1,
            **{
                "name": "Gate in the morning",
                "started_at_ms": START_MS,
                "ended_at_ms": START_MS + LENGTH_S * 1000 - 1,
                "duration_s": float(LENGTH_S),
                "width_px": SIZE_PX[0],
                "height_px": SIZE_PX[1],
                "size_bytes": len(self.body),
                "labels": {"car": 90, "person": 20},
                "detections_counted": 110,
                "frames": dict.fromkeys(("expected", "announced", "detected", "counted"), frames),
                **known,
            },
        )
        super().__init__(video)
        chart = "/?source=gate&from=2024-05-01T08:00:00Z&to=2024-05-01T08:01:00Z&timezone=UTC"
        if video["state"] == "ready":
            video["links"].update(chart=chart, proof=f"{chart}&at=2024-05-01T08:00:00Z")
        self.sent: list[tuple[str, str, Any]] = []
        self.ranges: list[str] = []
        self.asked_for: list[tuple[float, float]] = []
        self.is_away = False
        self.most_at_s: float | None = None
        """When there are two cars."""
        self.answer: tuple[int, Any] | None = None

    @property
    def video(self) -> dict[str, Any]:
        return self.videos[0]

    def serve(self, window: Page | BrowserContext) -> None:
        """Also answer a browser's questions about the video."""
        super().serve(window)
        window.route(re.compile(r"/api/v1/videos/[0-9a-f-]{36}(/retry)?$"), self._change)
        window.route(re.compile(r"/playable$"), self._play)
        window.route(re.compile(r"/detections\?"), self._found)
        window.route(re.compile(r"/api/v1/events$"), self._tell)

    def _tell(self, route: Route) -> None:
        """Report news repeatedly: the browser asks again when an answer has ended."""
        route.fulfill(
            content_type="text/event-stream", body='retry: 300\nevent: videos\ndata: {"version": "1"}\n\n'
        )

    def _change(self, route: Route) -> None:
        request = route.request
        if self.is_away:
            return route.abort()
        if request.method == "GET":
            return self._one(route)
        self.sent.append(
            (request.method, request.url.rsplit("/", 1)[-1], json.loads(request.post_data or "null"))
        )
        if self.answer is not None:
            return route.fulfill(status=self.answer[0], json=self.answer[1])
        if request.method == "DELETE":
            self.video["state"] = "deleting"
            return route.fulfill(status=202, json={"id": self.video["id"], "state": "deleting"})
        if request.method == "PATCH":
            self.video["revision"] += 1
            self.video.update({k: v for k, v in self.sent[-1][2].items() if k == "name"})
        else:
            self.video.update(state="received", reason=None, remedy=None)
        return route.fulfill(status=200 if request.method == "PATCH" else 202, json=self.video)

    def _play(self, route: Route) -> None:
        if self.is_away:
            return route.abort()
        asked = route.request.headers.get("range", "bytes=0-")
        self.ranges.append(asked)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        begin = int(first)
        end = min(int(last) if last else len(self.body) - 1, len(self.body) - 1)
        headers = {
            "Content-Type": "video/mp4",
            "Accept-Ranges": "bytes",
            "Content-Range": f"bytes {begin}-{end}/{len(self.body)}",
        }
        return route.fulfill(status=206, headers=headers, body=self.body[begin : end + 1])

    def _found(self, route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        begin, end = float(query["from_s"][0]), float(query["to_s"][0])
        self.asked_for.append((begin, end))
        positions = [number * SAMPLED_S for number in range(LENGTH_S * 5)]
        frames = [
            {
                "position_s": at,
                "captured_at_ms": START_MS + round(at * 1000),
                "boxes": [["car", 0.9, *box_at(at)]] * (2 if at == self.most_at_s else 1),
            }
            for at in positions
            if begin <= at < end
        ]
        answer = {
            "model": "yolov4-tiny",
            "width_px": SIZE_PX[0],
            "height_px": SIZE_PX[1],
            "frames": frames,
            "next_s": end if end < LENGTH_S else None,
        }
        route.fulfill(json=answer)
