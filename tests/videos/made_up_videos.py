"""Made-up videos for the tests of their page, in the form of the API, and a server's answers about them."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
from tests.kit.clips import jpeg_of

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

NOON_MS = 1_714_564_800_000  # 2024-05-01T12:00:00Z
TILES = 100
TILE_PX = (160, 90)
ORDERS = {
    "uploaded": "uploaded_at_ms",
    "filmed": "started_at_ms",
    "name": "name",
    "length": "duration_s",
    "size": "size_bytes",
}


def make_video(number: int = 1, **known: Any) -> dict[str, Any]:
    """Return one video in the form of the API, counted unless `known` says otherwise."""
    video_id = str(uuid.UUID(int=(0x1234 << 112) | (4 << 76) | (8 << 60) | number))
    start_ms = NOON_MS + number * 3_600_000
    api = f"/api/v1/videos/{video_id}"
    made: dict[str, Any] = {
        "id": video_id,
        "file_id": video_id,
        "name": f"Gate {number:05d}",
        "file_name": f"gate-{number}.mp4",
        "source": "gate",
        "source_name": "Gate",
        "state": "ready",
        "reason": None,
        "remedy": None,
        "progress": None,
        "uploaded_at_ms": NOON_MS + number * 60_000,
        "owner": None,
        "started_at_ms": start_ms,
        "ended_at_ms": start_ms + 79_000,
        "time_source": "container",
        "duration_s": 79.0 + number % 7,
        "width_px": 640,
        "height_px": 360,
        "fps": 25.0,
        "size_bytes": 4_200_000 + number,
        "sha256": f"{number:064x}",
        "container": "mp4",
        "codec": "h264",
        "content_type": "video/mp4",
        "has_sound": True,
        "plays_in_browsers": True,
        "why_not": None,
        "damage": [],
        "remarks": [],
        "frames": {"expected": 398, "announced": 398, "detected": 398, "dead_lettered": 0, "counted": 398},
        "labels": {"car": 1200, "person": 40, "bus": 3},
        "detections_counted": 1243,
        "roi": None,
        "calibration": None,
        "calibrate_coordinates": None,
        "revision": 0,
        "links": {
            "original": f"{api}/original",
            "playable": f"{api}/playable",
            "poster": f"{api}/poster?v=1",
            "sprite": f"{api}/sprite?v=1",
            "sprite_vtt": f"{api}/sprite.vtt?v=1",
            "detections": f"{api}/detections",
            "chart": None,
        },
        "jobs": [],
    }
    frames = known.pop("frames", {})
    links = known.pop("links", {})
    made.update(known)
    made["frames"].update(frames)
    made["links"].update(links)
    return made


def uncounted(number: int, state: str, **known: Any) -> dict[str, Any]:
    """Return a video of which nothing is counted yet."""
    blank = dict.fromkeys(("expected", "announced", "detected", "dead_lettered", "counted"))
    frames = {**blank, **known.pop("frames", {})}
    return make_video(number, state=state, labels={}, detections_counted=None, frames=frames, **known)


def all_states() -> list[dict[str, Any]]:
    """Return one video in each state, and some with defects."""
    bare = {"poster": None, "sprite": None, "sprite_vtt": None}
    return [
        uncounted(9, "received", links=bare, name="Just come in"),
        uncounted(8, "producing", progress=0.31, frames={"expected": 398}),
        uncounted(7, "detecting", frames={"expected": 398, "announced": 398, "detected": 141}),
        uncounted(6, "counting", frames={"expected": 398, "announced": 398, "detected": 398}),
        make_video(5, source="yard", source_name="Yard", time_source="file_time"),
        uncounted(4, "needs_time", started_at_ms=None, ended_at_ms=None, time_source=None),
        uncounted(3, "failed", reason="its decoder was killed (SIGSEGV) 3 times"),
        uncounted(2, "deleting"),
        make_video(1, frames={"dead_lettered": 2, "detected": 396}, damage=["The file ends early."]),
    ]


class Shelf:
    """A server's content and answers; `fault`, if set, is the problem that it answers with."""

    def __init__(self, *videos: dict[str, Any], allowed: bool = True) -> None:
        self.videos = list(videos)
        self.allowed = allowed
        self.fault: tuple[int, dict[str, Any]] | None = None
        self.asked: list[str] = []

    def serve(self, window: Page | BrowserContext) -> None:
        """Answer a browser's questions about videos."""
        window.route(re.compile(r"/api/v1/videos(\?|$)"), self._list)
        window.route(re.compile(r"/api/v1/videos/[0-9a-f-]{36}$"), self._one)
        window.route(re.compile(r"/poster\?v="), self._poster)
        window.route(re.compile(r"/sprite\?v="), self._sprite)
        window.route(re.compile(r"/sprite\.vtt\?v="), self._vtt)

    def _list(self, route: Route) -> None:
        self.asked.append(route.request.url)
        if self.fault:
            return route.fulfill(status=self.fault[0], json=self.fault[1])
        query = parse_qs(urlsplit(route.request.url).query)
        found = [one for one in self.videos if _matches(one, query)]
        by = ORDERS[query.get("order", ["uploaded"])[0]]
        found.sort(
            key=lambda one: (one[by], one["id"]), reverse=query.get("direction", ["desc"])[0] == "desc"
        )
        first, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        states: dict[str, int] = {}
        for one in self.videos:
            states[one["state"]] = states.get(one["state"], 0) + 1
        answer = {
            "videos": found[first : first + limit],
            "next": str(first + limit) if first + limit < len(found) else None,
            "total": len(found),
            "states": states,
            "uploads_allowed": self.allowed,
            "remedy": None if self.allowed else "Set FRAMETALLY_WEB_UPLOADS=true where the dashboard runs.",
        }
        return route.fulfill(json=answer)

    def _one(self, route: Route) -> None:
        found = [one for one in self.videos if route.request.url.endswith(one["id"])]
        if found:
            return route.fulfill(json=found[0])
        problem = {"status": 404, "detail": "There is no such video.", "remedy": "Look at /videos."}
        return route.fulfill(status=404, json=problem)

    def _poster(self, route: Route) -> None:
        number = int(route.request.url.split("/videos/")[1][24:36], 16)
        route.fulfill(body=make_picture(number, (640, 360)), content_type="image/jpeg")

    def _sprite(self, route: Route) -> None:
        tiles = [make_picture(number, TILE_PX, jpeg=False) for number in range(TILES)]
        rows = [np.hstack(tiles[first : first + 10]) for first in range(0, TILES, 10)]
        body = jpeg_of(np.vstack(rows))
        route.fulfill(body=body, content_type="image/jpeg")

    def _vtt(self, route: Route) -> None:
        lines = ["WEBVTT", ""]
        for number in range(TILES):
            x, y = number % 10 * TILE_PX[0], number // 10 * TILE_PX[1]
            lines += [
                f"00:00:{number * 0.6:06.3f} --> 00:00:{(number + 1) * 0.6:06.3f}",
                f"sprite#xywh={x},{y},{TILE_PX[0]},{TILE_PX[1]}",
                "",
            ]
        route.fulfill(body="\n".join(lines), content_type="text/vtt")


def _matches(video: dict[str, Any], query: dict[str, list[str]]) -> bool:
    text = query.get("q", [""])[0].lower()
    said = " ".join([video["name"], video["file_name"], video["source_name"]]).lower()
    return (
        text in said
        and video["source"] in query.get("source", [video["source"]])
        and video["state"] in query.get("state", [video["state"]])
    )


def make_picture(number: int, size: tuple[int, int], *, jpeg: bool = True) -> Any:
    """Return a street of sorts, another one for each number."""
    width, height = size
    picture = np.full((height, width, 3), (92, 88, 86), np.uint8)
    picture[: height // 4] = (216 - number * 7 % 60, 190, 160 + number * 11 % 60)
    for car in range(3):
        left = (number * 37 + car * width // 3) % width
        top = height // 2 + car * height // 9
        tone = (number * 53 + car * 80) % 200
        cv2.rectangle(
            picture, (left, top), (left + width // 8, top + height // 8), (tone, 190 - tone % 190, 120), -1
        )
    return jpeg_of(picture) if jpeg else picture
