"""The routes of videos as data: the library's, which are Flask's, and the native ones."""

from __future__ import annotations

from typing import get_args

from frametally_videos import answers
from frametally_videos.ports.video_catalogue import VideoOrder, VideoState
from frametally_web.endpoints.parameters import CURSOR, LIMIT, UUID, Endpoint, Parameter, text

SOME_VIDEO = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"
VIDEO = Parameter("video_id", "`id` of the video.", UUID, SOME_VIDEO, required=True, place="path")
FILE = Parameter("file_id", "`file_id` of the video.", UUID, SOME_VIDEO, required=True, place="path")
_REVISION = Parameter(
    "If-Match",
    "`revision` of the video that was changed, in quotes; 412 where another has changed it since.",
    {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    '"0"',
    place="header",
)

ONE = "videos/{video_id}"

LIBRARY_ENDPOINTS = (
    Endpoint(
        "videos",
        "The library: videos that were uploaded, a page of them.",
        (
            Parameter("q", "Is found in the name, the file's name or the source's.", text(), "gate"),
            Parameter("source", "Slugs of sources; default: all.", text(), "gate", many=True),
            Parameter(
                "state",
                "How far they are; default: all.",
                {"type": "string", "enum": list(get_args(VideoState))},
                "ready",
                many=True,
            ),
            Parameter(
                "order",
                "By what they are ordered; default: `uploaded`.",
                {"type": "string", "enum": list(get_args(VideoOrder))},
                "filmed",
            ),
            Parameter(
                "direction",
                "`desc` (default): the newest, longest, largest first, names from Z on.",
                {"type": "string", "enum": ["asc", "desc"]},
                "asc",
            ),
            Parameter("limit", "Most in one page; default: 48.", LIMIT | {"maximum": 200}, "48"),
            CURSOR,
        ),
        answers.LibraryPage,
    ),
    Endpoint(ONE, "One video.", (VIDEO,), answers.LibraryVideo, statuses=(404,), named="video"),
    Endpoint(
        ONE,
        "Changes what people say of a video: its name, source, time, region, calibration.",
        (VIDEO, _REVISION),
        answers.LibraryVideo,
        method="PATCH",
        body=answers.VideoEdit,
        statuses=(403, 404, 409, 412, 413, 415),
        named="patch_video",
        right="correct",
    ),
    Endpoint(
        ONE,
        "Removes a video, its frames and its counts.",
        (VIDEO,),
        answers.VideoRemoval,
        method="DELETE",
        statuses=(403, 404),
        success={202: "It is being removed.", 204: "It is removed already."},
        named="delete_video",
        right="run",
    ),
    Endpoint(
        f"{ONE}/retry",
        "Begins once more what has failed.",
        (VIDEO,),
        answers.LibraryVideo,
        method="POST",
        statuses=(403, 404),
        success={202: "It is begun again."},
        named="retry_video",
        right="correct",
    ),
    Endpoint(
        f"{ONE}/jobs",
        "What was done to a video, and what is.",
        (VIDEO,),
        answers.VideoJobs,
        statuses=(404,),
        named="video_jobs",
    ),
)
