"""The routes of what is live, as data."""

from __future__ import annotations

from frametally_live import answers
from frametally_live.camera_endpoints import CAMERA_ENDPOINTS
from frametally_videos.library_endpoints import VIDEO
from frametally_web.endpoints.parameters import Endpoint, Parameter

_STREAM = Parameter(
    "stream_id",
    "`stream_id` of the stream.",
    {"type": "string", "maxLength": 64},
    "3f1b8c52-6d0e-4c1a-8a43-9d2f5b7c6e10",
    required=True,
    place="path",
)
_STARTED = {200: "It runs already: it is this stream.", 202: "It is started."}
_STOPPED = {200: "It is being stopped, or is over."}
_SENT = (403, 404, 409, 413, 415)

LIVE_ENDPOINTS = (
    Endpoint(
        "stream/start",
        "Streams a video: each frame at its time, with what is found in it.",
        (),
        answers.StreamOfVideo,
        method="POST",
        body=answers.StreamWanted,
        statuses=_SENT,
        success=_STARTED,
        named="stream_start",
        right="correct",
    ),
    Endpoint(
        "stream/stop",
        "Stops a stream, by its id or its video's.",
        (),
        answers.StreamOfVideo,
        method="POST",
        body=answers.StreamNamed,
        statuses=_SENT,
        success=_STOPPED,
        named="stream_stop",
        right="correct",
    ),
    Endpoint(
        "streams",
        "Streams of videos, those that are not over first, then the newest.",
        (VIDEO._replace(description="Those of one video; default: of all.", required=False, place="query"),),
        answers.StreamList,
        statuses=(404,),
    ),
    Endpoint(
        "streams",
        "Streams a video, as `stream/start` does.",
        (),
        answers.StreamOfVideo,
        method="POST",
        body=answers.StreamWanted,
        statuses=_SENT,
        success=_STARTED,
        named="post_stream",
        right="correct",
    ),
    Endpoint(
        "streams/{stream_id}",
        "One stream.",
        (_STREAM,),
        answers.StreamOfVideo,
        statuses=(404,),
        named="stream",
    ),
    Endpoint(
        "streams/{stream_id}/pause",
        "Has a stream stand still, for all who watch.",
        (_STREAM,),
        answers.StreamOfVideo,
        method="POST",
        statuses=(403, 404, 409),
        named="pause_stream",
        right="correct",
    ),
    Endpoint(
        "streams/{stream_id}/resume",
        "Has a stream go on that stands still.",
        (_STREAM,),
        answers.StreamOfVideo,
        method="POST",
        statuses=(403, 404, 409),
        named="resume_stream",
        right="correct",
    ),
    Endpoint(
        "streams/{stream_id}/seek",
        "Has a stream go on at another moment of its video.",
        (_STREAM,),
        answers.StreamOfVideo,
        method="POST",
        body=answers.SeekWanted,
        statuses=_SENT,
        named="seek_stream",
        right="correct",
    ),
    Endpoint(
        "streams/{stream_id}",
        "Stops a stream.",
        (_STREAM,),
        answers.StreamOfVideo,
        method="DELETE",
        statuses=(403, 404),
        success=_STOPPED,
        named="delete_stream",
        right="correct",
    ),
)

ENDPOINTS = tuple(one._replace(tag="Live") for one in (*LIVE_ENDPOINTS, *CAMERA_ENDPOINTS))
