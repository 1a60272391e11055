"""Made-up jobs, metadata, checks and versions for tests of their pages, and a server's answers."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.videos.filmed_video import LENGTH_S, SIZE_PX, Cinema
from tests.videos.made_up_videos import make_picture, make_video
from tests.web.conftest import START_MS

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

KINDS = ("frames", "previews", "metadata", "checks", "playable", "enhance", "gold")
STATES = ("running", "queued", "failed", "done", "cancelled")
REASONS = {
    "failed": "its decoder was killed (SIGSEGV) 3 times",
    "queued": "the object store does not answer; it is tried again",
}


def make_job(number: int, kind: str = "frames", state: str = "done", **known: Any) -> dict[str, Any]:
    """Return one job in the form of the API."""
    begun = state != "queued"
    ended = state in ("done", "failed", "cancelled")
    created_ms = START_MS + number * 1000
    return {
        "id": str(uuid.UUID(int=(0x77 << 112) | (4 << 76) | (8 << 60) | number)),
        "video_id": make_video(1)["id"],
        "video_name": "Gate in the morning",
        "kind": kind,
        "state": state,
        "options": {"contrast": 1.3, "gamma": 1.2} if kind == "enhance" else None,
        "attempts": 3 if state == "failed" else int(begun),
        "progress": 0.4 if state == "running" else None,
        "reason": REASONS.get(state),
        "worker": "host-3:4711" if state == "running" else "",
        "created_at_ms": created_ms,
        "started_at_ms": created_ms + 40 if begun else None,
        "ended_at_ms": created_ms + 8040 if ended else None,
        **known,
    }


def many_jobs(number: int) -> list[dict[str, Any]]:
    """Return jobs of all kinds in all states, each of another video."""
    made = []
    for n in range(number):
        name = "Gate <b>north</b> " + "and a very long name of a camera " * 4 if n == 3 else f"Gate {n:05d}"
        state = STATES[0] if n < 4 else STATES[1] if n < 30 else STATES[2 + n % 3]
        made.append(make_job(n, KINDS[n % 7], state, video_id=make_video(n + 1)["id"], video_name=name))
    return made


def make_metadata() -> dict[str, Any]:
    """Return the facts about a video's bytes."""
    picture = {
        "index": 0,
        "codec": "h264",
        "profile": "High",
        "level": 40,
        "pixel_format": "yuv420p",
        "bits": 8,
        "color_space": "bt709",
        "color_transfer": "bt709",
        "color_primaries": "bt709",
        "color_range": "tv",
        "width_px": SIZE_PX[0],
        "height_px": SIZE_PX[1],
        "sample_aspect_ratio": "1:1",
        "display_aspect_ratio": "16:9",
        "rotation_degrees": 90,
        "frames_stated": 500,
        "frames_counted": 500,
        "average_fps": 25.0,
        "real_fps": 25.0,
        "is_variable_rate": True,
        "shortest_step_s": 0.02,
        "longest_step_s": 0.08,
        "time_base": "1/12800",
        "longest_gop_frames": 25,
        "has_b_frames": True,
        "bit_rate_bps": 1_234_567,
        "start_s": 0.0,
        "duration_s": float(LENGTH_S),
    }
    sound = {
        "index": 1,
        "codec": "aac",
        "profile": "LC",
        "sample_rate_hz": 48_000,
        "channels": 2,
        "layout": "stereo",
        "language": "deu",
        "bit_rate_bps": 128_000,
        "duration_s": float(LENGTH_S),
    }
    return {
        "video_id": make_video(1)["id"],
        "sha256": "0" * 64,
        "size_bytes": 4_200_001,
        "made_by": "metadata 1, FFmpeg 7.1.1",
        "container": "mp4",
        "brands": ["isom", "iso2", "avc1", "mp41"],
        "moov": "last",
        "duration_s": float(LENGTH_S),
        "bit_rate_bps": 1_380_000,
        "created_at_ms": START_MS,
        "tags": {"encoder": "Lavf61.7.100", "title": "Gate <i>north</i>"},
        "had_location": True,
        "pictures": [picture],
        "sounds": [sound, {**sound, "index": 2, "language": "eng"}],
        "others": ["mov_text"],
        "chapters": [{"title": "Morning", "start_s": 0.0, "end_s": 10.0}],
        "plays_in_browsers": True,
        "why_not": None,
        "started_at_ms": START_MS,
        "time_source": "container",
        "sampled_frames": LENGTH_S * 5,
    }


def make_quality() -> dict[str, Any]:
    """Return the checks of a video, two of which failed."""

    def check(name: str, sentence: str, measured: float | None, limit: float, unit: str, **more: Any) -> Any:
        return {
            "name": name,
            "passed": True,
            "sentence": sentence,
            "measured": measured,
            "limit": limit,
            "unit": unit,
            "spans_s": [],
            **more,
        }

    return {
        "video_id": make_video(1)["id"],
        "sha256": "0" * 64,
        "made_by": "checks 1",
        "passed": False,
        "checks": [
            check("black", "No picture is black.", 0.0, 0.1, "1"),
            check(
                "frozen",
                "6.2 of 20.0 s the picture stands still.",
                6.2,
                5.0,
                "s",
                passed=False,
                spans_s=[[5.0, 8.2], [12.0, 15.0]],
            ),
            check("slow", "It has 25 frames a second.", 25.0, 5.0, "fps"),
            check("clock", "It has no start time.", None, 0.0, "s", passed=False),
        ],
    }


def make_derivative(recipe: str = "0a1b2c3d", kind: str = "enhanced", **known: Any) -> dict[str, Any]:
    """Return one video that was made of another."""
    video_id = make_video(1)["id"]
    return {
        "video_id": video_id,
        "kind": kind,
        "recipe": recipe,
        "enhancement": {"contrast": 1.3, "gamma": 1.2} if kind == "enhanced" else None,
        "method": "encode",
        "video_encoder": "libx264",
        "sound": "copied",
        "tried": ["h264_nvenc: there is no such device."],
        "made_by": "derive 1, FFmpeg 7.1.1",
        "content_type": "video/mp4",
        "size_bytes": 2_345_678,
        "width_px": SIZE_PX[0],
        "height_px": SIZE_PX[1],
        "frames": LENGTH_S * 25,
        "duration_s": float(LENGTH_S),
        "url": f"/api/v1/videos/{video_id}/playable?recipe={recipe}",
        **known,
    }


class Workshop(Cinema):
    """A video that plays, with all its facts, edits and artifacts; and the jobs of all."""

    def __init__(
        self,
        *,
        of_all: list[dict[str, Any]] | None = None,
        allowed: bool = True,
        fault: tuple[int, dict[str, Any]] | None = None,
        **known: Any,
    ) -> None:
        api = f"/api/v1/videos/{make_video(1)['id']}"
        of_video = [
            make_job(1, "frames"),
            make_job(2, "metadata"),
            make_job(3, "checks", "failed"),
            make_job(4, "enhance"),
            make_job(5, "enhance", "running", options={"brightness": 0.2}),
        ]
        links = {"metadata": f"{api}/metadata", "quality": f"{api}/quality", **known.pop("links", {})}
        super().__init__(**{"jobs": of_video, "links": links, **known})
        self.jobs = of_video if of_all is None else of_all
        self.allowed = allowed
        self.fault = fault
        self.metadata = make_metadata()
        self.quality = make_quality()
        self.derivatives = [make_derivative()]

    def serve(self, window: Page | BrowserContext) -> None:
        """Also answer a browser's questions about these."""
        super().serve(window)
        window.route(re.compile(r"/api/v1/jobs(\?|$)"), self._jobs)
        window.route(re.compile(r"/metadata$"), lambda route: route.fulfill(json=self.metadata))
        window.route(re.compile(r"/quality$"), lambda route: route.fulfill(json=self.quality))
        window.route(
            re.compile(r"/derivatives$"), lambda route: route.fulfill(json={"derivatives": self.derivatives})
        )
        window.route(re.compile(r"/frame\?"), self._frame)
        window.route(re.compile(r"/playable\?recipe="), self._play)

    def _jobs(self, route: Route) -> None:
        if self.fault:
            return route.fulfill(status=self.fault[0], json=self.fault[1])
        query = parse_qs(urlsplit(route.request.url).query)
        found = [
            one
            for one in reversed(self.jobs)
            if one["state"] in query.get("state", STATES) and one["kind"] in query.get("kind", KINDS)
        ]
        first, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        states: dict[str, int] = {}
        kinds: dict[str, dict[str, int]] = {}
        for one in self.jobs:
            states[one["state"]] = states.get(one["state"], 0) + 1
            of_kind = kinds.setdefault(one["kind"], {})
            of_kind[one["state"]] = of_kind.get(one["state"], 0) + 1
        failed: dict[str, list[int]] = {}
        for one in self.jobs:
            if one["state"] == "failed":
                failed.setdefault(one["kind"], []).append(one["ended_at_ms"])
        answer = {
            "jobs": found[first : first + limit],
            "next": str(first + limit) if first + limit < len(found) else None,
            "states": states,
            "kinds": kinds,
            "failures": {kind: {"jobs": len(ends), "since_ms": min(ends)} for kind, ends in failed.items()},
            "uploads_allowed": self.allowed,
            "remedy": None if self.allowed else "Set FRAMETALLY_WEB_UPLOADS=true where the dashboard runs.",
        }
        return route.fulfill(json=answer)

    def _frame(self, route: Route) -> None:
        is_changed = "&" in urlsplit(route.request.url).query
        body = make_picture(40 if is_changed else 3, (640, 360))
        route.fulfill(body=body, content_type="image/jpeg")
