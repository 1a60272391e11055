"""Returns the detections in a stored video, by its playback time, as boxes to draw over the picture."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from dataclasses import dataclass
from fractions import Fraction

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, Parameter, check_known, read_one, shortened
from frametally.actions.problems import bad_parameter
from frametally.books.counted_days import SettingsByDay
from frametally.books.evidence import frames_of_medium
from frametally.errors import Retryable
from frametally.media.manifests import find_manifest
from frametally.ports.object_store import ObjectMissing
from frametally.process.time_limit import time_limit
from frametally.records import FrameDetections, MediaManifest
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.pace import read_pace
from frametally.settings.loading import Settings
from frametally_videos.answers import BoxesAt, VideoDetections
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.records import VideoRecord
from frametally_videos.routes import VIDEO, find_video
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.api.answering import pack
from frametally_web.books.reader import BooksReader
from frametally_web.charts.question import stored_intervals
from frametally_web.requests.query import MODEL

MOST_S = 60.0
"""The longest stretch of a video in one answer."""

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_LEAST_PACKED_BYTES = 500


def _read_seconds(args: Args, name: str) -> float | None:
    value = read_one(args, name)
    if value is None:
        return None
    if not _SECONDS.fullmatch(value) or not math.isfinite(float(value)):
        raise bad_parameter(
            name,
            f"{name}={shortened(value)} is not a number of seconds.",
            remedy=f"Give seconds after the video's first frame, such as {name}=12.5.",
        )
    return float(value)


DETECTED = Routes("Videos", native=True)
_FROM = Parameter(
    name="from_s",
    description="Seconds after its first frame; default: 0.",
    schema={"type": "number", "minimum": 0},
    parse=_read_seconds,
    example="0",
)
_TO = _FROM.but(
    name="to_s", description="End, not included, at most 60 later; default: 60 later.", example="60"
)


@dataclass
class DetectionRoutes:
    """Reads boxes from where the ledger locates them, as the proof of a bar does."""

    ports: DashboardPorts
    catalogue: VideoCatalogue
    settings: Settings
    books: BooksReader

    @DETECTED.route(
        "GET videos/{video_id}/detections",
        "List the detections of a video, by time, to draw over the picture.",
        VIDEO,
        MODEL,
        _FROM,
        _TO,
        operation="video_detections",
        answer=VideoDetections,
    )
    async def detections(self, request: Request) -> Response:
        """Answer with the boxes of a stretch of a video."""
        check_known(request.query_params, ["model", "from_s", "to_s"])
        args = Args(request.query_params.multi_items())
        from_s = _FROM.read(args) or 0.0
        to_s = _TO.read(args)
        to_s = from_s + MOST_S if to_s is None else to_s
        if not from_s < to_s <= from_s + MOST_S:
            raise bad_parameter(
                "to_s",
                f"to_s={to_s:g} is more than {MOST_S:g} seconds after from_s={from_s:g}, or before it.",
                remedy=f"Request at most {MOST_S:g} seconds; continue at next_s.",
            )
        model = MODEL.read(args)
        row = await find_video(self.catalogue, request.path_params["video_id"])
        body = await asyncio.to_thread(self._body, row.record, model, from_s, to_s)
        return await asyncio.to_thread(_json, request, body)

    def _body(self, record: VideoRecord, model: str | None, from_s: float, to_s: float) -> bytes:
        with time_limit(self.settings.web_query_timeout_s):
            self.books.ensure_ledger()
            return msgspec.json.encode(self.find(record, model, from_s, to_s))

    def find(self, record: VideoRecord, model: str | None, from_s: float, to_s: float) -> VideoDetections:
        """Return the boxes of `[from_s, to_s)`, in seconds after the first frame is shown.

        The boxes are of `model` or, if it is None, of the newest model; empty before any detection.

        Raises:
            Problem: 400, that model has no detections.
            Retryable: A server is not available, or the ledger names a segment that was removed.
        """
        model_id = self._choose(model)
        manifest = find_manifest(self.ports.store, record.sha256)
        frames: list[FrameDetections] = []
        limits = self.settings.counted_boxes()
        next_s = None
        start_ms = None if manifest is None else manifest.first_captured_at_ms
        # Event time per second of playback.
        ratio = 1.0
        if manifest is not None and start_ms is not None and model_id is not None:
            last_ms = manifest.last_captured_at_ms or start_ms
            fps = record.facts.fps
            ratio = float(read_pace(manifest.pace).ratio(Fraction(fps) if fps else None))
            from_ms, to_ms = (start_ms + round(1000 * seconds * ratio) for seconds in (from_s, to_s))
            if from_ms <= last_ms:
                limits = self._limits_at(model_id, from_ms)
                frames = self._frames(manifest, model_id, from_ms, to_ms)
            next_s = to_s if to_ms <= last_ms else None
        counts = limits.rule()
        picture = frames[0] if frames else record.facts
        size_px = picture.width_px, picture.height_px
        return VideoDetections(
            model=model_id,
            width_px=size_px[0],
            height_px=size_px[1],
            frames=[
                BoxesAt(
                    position_s=(frame.captured_at_ms - (start_ms or 0)) / 1000 / ratio,
                    captured_at_ms=frame.captured_at_ms,
                    boxes=[
                        (detection.label, detection.confidence, *_on_size(frame, detection.box, size_px))
                        for detection in filter(counts, frame.detections)
                    ],
                )
                for frame in frames
            ],
            next_s=next_s,
        )

    def _choose(self, model: str | None) -> str | None:
        counted_models = list(stored_intervals(self.ports.index))
        there_are = list(dict.fromkeys([*counted_models, *self.ports.ledger.models()]))
        if model is not None and model not in there_are:
            raise bad_parameter(
                "model",
                f"The model {shortened(model)!r} has no detections here.",
                remedy=f"Choose one of these: {', '.join(there_are)}."
                if there_are
                else "There are none yet.",
                value=shortened(model),
            )
        return model or next(iter(there_are), None)

    def _limits_at(self, model: str, time_ms: int) -> CountedBoxes:
        """Return which boxes count at that time: by the settings of the count, if there is one."""
        otherwise = self.settings.counted_boxes()
        for base_s in stored_intervals(self.ports.index).get(model, [])[:1]:
            return SettingsByDay(self.ports.index, model, base_s).counted_boxes_at(time_ms, otherwise)
        return otherwise

    def _frames(self, manifest: MediaManifest, model: str, from_ms: int, to_ms: int) -> list[FrameDetections]:
        try:
            return list(
                frames_of_medium(
                    self.ports.store, self.ports.ledger, manifest, model=model, from_ms=from_ms, to_ms=to_ms
                )
            )
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error


def _json(request: Request, body: bytes) -> Response:
    """Return a response that browsers cache and revalidate."""
    headers = {
        "Cache-Control": "private, no-cache",
        "ETag": f'W/"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if len(body) >= _LEAST_PACKED_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = pack(body, "gzip")
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type="application/json")


def _on_size(
    frame: FrameDetections, box: tuple[float, float, float, float], size_px: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return a frame's box in pixels of a picture of `size_px`, since a video's size may change midway."""
    if (frame.width_px, frame.height_px) == size_px:
        return box
    by_x, by_y = size_px[0] / frame.width_px, size_px[1] / frame.height_px
    left, top, width, height = box
    return left * by_x, top * by_y, width * by_x, height * by_y
