"""The routes of what is done to videos, as data."""

from __future__ import annotations

from typing import get_args

from frametally_videos import job_answers
from frametally_videos.library_endpoints import FILE, ONE, VIDEO
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.ports.job_book import JobKind, JobState
from frametally_web.endpoints.parameters import CURSOR, LIMIT, UUID, Endpoint, Parameter

_JOB = Parameter(
    "job_id",
    "`id` of the job.",
    {"type": "string", "maxLength": 64},
    "5f2d6c1e-88a4-4f0e-9b1c-0d6c8a1f2b3e",
    required=True,
    place="path",
)
RECIPE = Parameter(
    "recipe",
    "`recipe` of the derivative.",
    {"type": "string", "pattern": "^[0-9a-f]{8}$"},
    "0a1b2c3d",
    required=True,
    place="path",
)
_BEGUN = {202: "It is queued."}

WORK_ENDPOINTS = (
    Endpoint(
        f"{ONE}/jobs",
        "Has something done to a video: enhanced, made playable, or found out once more.",
        (VIDEO,),
        job_answers.JobOfVideo,
        method="POST",
        body=job_answers.JobWanted,
        statuses=(403, 404, 409, 413, 415),
        success={200: "The same was done, or is under way: it is this job.", 202: "It is queued."},
        named="ask_video_job",
        right="correct",
    ),
    Endpoint(
        "jobs",
        "What is done to videos, the newest first.",
        (
            Parameter(
                "state",
                "How they stand; default: all.",
                {"type": "string", "enum": list(get_args(JobState))},
                "failed",
                many=True,
            ),
            Parameter(
                "kind",
                "What they do; default: all.",
                {"type": "string", "enum": list(get_args(JobKind))},
                "enhance",
                many=True,
            ),
            Parameter("video_id", "Those of one video; default: of all.", UUID, ""),
            Parameter("limit", "Most in one page; default: 50.", LIMIT | {"maximum": 200}, "50"),
            CURSOR,
        ),
        job_answers.JobList,
    ),
    Endpoint(
        "jobs/{job_id}/cancel",
        "Cancels a job that is not ended.",
        (_JOB,),
        job_answers.JobOfVideo,
        method="POST",
        statuses=(403, 404, 409),
        success={202: "It is cancelled; what was at it ends within seconds."},
        named="cancel_job",
        right="correct",
    ),
    Endpoint(
        "jobs/{job_id}/retry",
        "Begins a job once more that failed or was cancelled.",
        (_JOB,),
        job_answers.JobOfVideo,
        method="POST",
        statuses=(403, 404, 409),
        success=_BEGUN,
        named="retry_job",
        right="correct",
    ),
    Endpoint(
        f"{ONE}/metadata",
        "All that a video's bytes tell of it, but where it was filmed.",
        (VIDEO,),
        VideoMetadata,
        statuses=(404,),
        named="video_metadata",
    ),
    Endpoint(
        f"{ONE}/quality",
        "What a video was checked for, and what was found.",
        (VIDEO,),
        VideoQuality,
        statuses=(404,),
        named="video_quality",
    ),
    Endpoint(
        f"{ONE}/derivatives",
        "What was made of a video.",
        (VIDEO,),
        job_answers.VideoDerivatives,
        statuses=(404,),
        named="video_derivatives",
    ),
    Endpoint(
        f"{ONE}/derivatives/{{recipe}}",
        "Removes what was made of a video; its original and its counts stay.",
        (VIDEO, RECIPE),
        None,
        (),
        method="DELETE",
        statuses=(403, 404),
        success={204: "It is removed."},
        named="delete_derivative",
        right="correct",
    ),
    Endpoint(
        "internal/video-enhancement-status/{file_id}",
        "How far a video is that is made better to look at, or playable.",
        (FILE,),
        job_answers.ProcessingStatus,
        statuses=(404,),
        at_root=True,
        named="enhancement_status",
    ),
    Endpoint(
        "internal/metadata-extraction-status/{file_id}",
        "How far a video is of which all is found out that its bytes tell.",
        (FILE,),
        job_answers.ProcessingStatus,
        statuses=(404,),
        at_root=True,
        named="extraction_status",
    ),
    Endpoint(
        "metadata/{file_id}.json",
        "All that a video's bytes tell of it, by the id that an upload answered.",
        (FILE,),
        job_answers.MetadataOfFile,
        statuses=(404,),
        at_root=True,
        named="metadata_of_file",
    ),
)
