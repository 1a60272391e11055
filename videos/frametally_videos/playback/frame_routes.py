"""One frame of a video as a picture, as it is or made better to look at: before and after."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import MultiDict

from frametally import keys
from frametally.settings.loading import Settings
from frametally_videos.library.enhancements import ENHANCEMENT_FIELDS, read_enhancement
from frametally_videos.library.video_looks import frame_picture
from frametally_videos.routes import VIDEO, find_video
from frametally_videos.upload_refusals import FieldRefused, Refused
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.parameters import check_known, text
from frametally_web.requests.problems import Problem

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

FRAMES = Routes("Videos", native=True)

_POSITION = text(
    "position_s", "Seconds after its first frame; default: 0.", "0", {"type": "number", "minimum": 0}
)
_FIELDS = tuple(text(name, "As in `Enhancement`.") for name in ENHANCEMENT_FIELDS)
_MOST_AT_ONCE = 2
"""Each is a process that decodes."""
_RETRY_AFTER_S = 1


class FrameRoutes:
    """Has frames decoded, a few at once."""

    def __init__(self, settings: Settings, catalogue: VideoCatalogue) -> None:
        """Nothing is decoded yet."""
        self._settings = settings
        self._catalogue = catalogue
        self._at_work = 0

    @FRAMES.route(
        "GET videos/{video_id}/frame",
        "Show one frame of a video, original or enhanced.",
        VIDEO,
        _POSITION,
        *_FIELDS,
        named="video_frame",
        media_types=("image/jpeg",),
        statuses=(404, 422, 429),
    )
    async def frame(self, request: Request) -> Response:
        """Answer with the frame at a position, as a JPEG.

        Raises:
            Problem: 400, by field; 404; 422, it cannot be decoded; 429, others are decoded already.
        """
        check_known(request.query_params, ["position_s", *ENHANCEMENT_FIELDS])
        row = await find_video(self._catalogue, request.path_params["video_id"])
        args = MultiDict(request.query_params.multi_items())
        fields = {field.name: field.read(args) for field in _FIELDS}
        if self._at_work >= _MOST_AT_ONCE:
            problem = Problem(
                429, "Other frames are being decoded.", remedy="Try again in a second, as Retry-After says."
            )
            problem.headers = {"Retry-After": str(_RETRY_AFTER_S)}
            raise problem
        self._at_work += 1
        try:
            jpeg = await asyncio.to_thread(
                frame_picture,
                self._settings,
                keys.original_key(row.record.id),
                _number(_POSITION.read(args) or "0"),
                read_enhancement(fields),
            )
        except FieldRefused as error:
            raise Problem(400, error.reason, remedy=error.remedy, parameter=error.field) from error
        except Refused as error:
            raise Problem(error.status, error.reason, remedy="Ask for another position.") from error
        finally:
            self._at_work -= 1
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which is not a position
