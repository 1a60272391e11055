"""Handles the routes of the library: uploaded videos, and changes to them."""

from __future__ import annotations

import asyncio
import re
from typing import cast, get_args

import msgspec

from frametally import keys
from frametally.actions.calls import Sent, answer_with, current_call
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import (
    CURSOR,
    UUID,
    Args,
    choice,
    choices,
    header,
    in_path,
    page_limit,
    read_one,
    shortened,
    text,
    texts,
)
from frametally.actions.problems import Problem, bad_parameter
from frametally.errors import Poison
from frametally_videos import answers
from frametally_videos.catalogue.catalogue_rows import VideoOrder, VideoQuestion, VideoRow, VideoState
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.library.edits import (
    ChangedSince,
    Changes,
    SourceNames,
    VideoGone,
    edit_video,
    remove_video,
)
from frametally_videos.library_answers import job_of, video_of
from frametally_videos.upload_refusals import FieldRefused
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext

LIBRARY = Routes("Videos")
SOME_VIDEO = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"

_EDIT = Sent(answers.VideoEdit, "change of a video")
_TEXT = text("q", "Text in the name of the video, its file or its source.", "gate")
_SOURCE = texts("source", "Slugs of sources; default: all.", "gate", most=100)
_STATE = choices("state", "States of videos; default: all.", get_args(VideoState), "ready")
_ORDER = choice("order", "Order of the list; default: `uploaded`.", get_args(VideoOrder), "filmed")
_DIRECTION = choice(
    "direction",
    "`desc` (default): newest, longest or largest first, names from Z to A.",
    ("desc", "asc"),
    "asc",
).but(schema={"type": "string", "enum": ["asc", "desc"]})
_LIMIT = page_limit(48, 200, shows_most=True)
_REVISION = header(
    "If-Match",
    "`revision` of the video that you changed, in quotes; 412 if someone else has changed it since then.",
    {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    '"0"',
)
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')
"""Also matches weak tags, which proxies that compress responses make."""


def no_video() -> Problem:
    """Return the 404 problem of an unknown ID."""
    return Problem(404, "This video does not exist.", remedy="GET /api/v1/videos lists all videos.")


def id_of(video_id: str) -> str:
    """Check and return the ID of a video from an address. Raises `Problem`: 404."""
    if not keys.is_video_id(video_id):
        raise no_video()
    return video_id


def row_of(catalogue: VideoCatalogue, video_id: str) -> VideoRow:
    """Return a video from the catalogue. Raises `Problem`: 404."""
    row = catalogue.video(video_id)
    if row is None:
        raise no_video()
    return row


async def find_video(catalogue: VideoCatalogue, video_id: str) -> VideoRow:
    """Return a video to show. Raises `Problem`: 404, also if it is being removed."""
    row = await asyncio.to_thread(row_of, catalogue, id_of(video_id))
    if row.record.state == "deleting":
        raise Problem(404, "The video is being deleted.", remedy="Upload it again if you still need it.")
    return row


VIDEO = in_path("video_id", "`id` of the video.", SOME_VIDEO, UUID).but(
    parse=lambda args, name: id_of(read_one(args, name) or "")
)
FILE = VIDEO.but(name="file_id", description="`file_id` of the video.")


class VideoRoutes:
    """Handlers of the routes of the library."""

    def __init__(self, context: ActionContext) -> None:
        """Create the handlers of one application."""
        self._settings, self._store = context.settings, context.ports.store
        self._catalogue: VideoCatalogue = context.parts["catalogue"]
        self._uploads_remedy = context.remedy
        self._sources = SourceNames(self._store, self._catalogue)

    @LIBRARY.route(
        "GET videos",
        "List the uploaded videos, page by page.",
        _TEXT,
        _SOURCE,
        _STATE,
        _ORDER,
        _DIRECTION,
        _LIMIT,
        CURSOR,
    )
    def videos(self, args: Args) -> answers.LibraryPage:
        question = VideoQuestion(
            text=_TEXT.read(args) or "",
            sources=tuple(_SOURCE.read(args)),
            states=_STATE.read(args),
            order=_ORDER.read(args),
            newest_first=_DIRECTION.read(args) == "desc",
            limit=_LIMIT.read(args),
            cursor=CURSOR.read(args) or "",
        )
        try:
            page = self._catalogue.videos(question)
        except Poison as error:
            raise bad_parameter(
                "cursor",
                "cursor does not belong to this query.",
                remedy="Use `next` from the previous page, unchanged, with the same order.",
            ) from error
        remedy = remedy_for("correct", self._uploads_remedy)
        return answers.LibraryPage(
            videos=[video_of(row, self._settings.timezone) for row in page.rows],
            next=page.next or None,
            total=page.total,
            states={str(state): number for state, number in self._catalogue.states().items()},
            uploads_allowed=remedy is None,
            remedy=remedy,
        )

    @LIBRARY.route("GET videos/{video_id}", "Show one video.", VIDEO)
    def video(self, args: Args) -> answers.LibraryVideo:
        return self._answer(VIDEO.read(args))

    @LIBRARY.route(
        "PATCH videos/{video_id}",
        "Change a video's name, source, time, region or calibration.",
        VIDEO,
        _REVISION,
        body=_EDIT,
        statuses=(409, 412),
        right="correct",
    )
    def patch_video(self, args: Args) -> answers.LibraryVideo:
        check_uploads(self._uploads_remedy)
        video_id = VIDEO.read(args)
        made_of = _revision_in(current_call().sent_headers.get(_REVISION.name, "") or None)
        try:
            edit_video(
                self._store,
                self._catalogue,
                self._settings,
                video_id,
                _read_changes(),
                name_source=self._sources.resolve,
                made_of=made_of,
            )
        except VideoGone as error:
            raise no_video() from error
        except ChangedSince as error:
            raise Problem(
                412,
                f"The video has changed since then: it is now revision {error.video.revision}.",
                remedy="Get it again, apply your change to the new version, and send that.",
            ) from error
        except FieldRefused as error:
            raise field_problem(error) from error
        return self._answer(video_id)

    @LIBRARY.route(
        "DELETE videos/{video_id}",
        "Delete a video, its frames and its counts.",
        VIDEO,
        success={202: "The video is being deleted.", 204: "The video is already deleted."},
        right="run",
        frees=True,
    )
    def delete_video(self, args: Args) -> answers.VideoRemoval:
        check_uploads(self._uploads_remedy)
        video_id = VIDEO.read(args)
        try:
            is_new = remove_video(self._store, self._catalogue, video_id)
        except VideoGone as error:
            raise no_video() from error
        answer_with(202 if is_new else 204)
        return answers.VideoRemoval(id=video_id, state="deleting")

    @LIBRARY.route(
        "POST videos/{video_id}/retry",
        "Start the failed jobs of a video again.",
        VIDEO,
        success={202: "Jobs started again."},
        right="correct",
    )
    def retry_video(self, args: Args) -> answers.LibraryVideo:
        check_uploads(self._uploads_remedy)
        catalogue, row = self._catalogue, row_of(self._catalogue, VIDEO.read(args))
        jobs = catalogue.retry(row.record.id)
        if not jobs and row.state == "failed":  # all jobs were done, but their results are gone
            catalogue.queue(row.record.id, "frames")
        if row.state == "failed":
            catalogue.set_video(row.record.id, state="received")
        answer_with(202)
        return self._answer(row.record.id)

    @LIBRARY.route("GET videos/{video_id}/jobs", "List the jobs of a video.", VIDEO)
    def video_jobs(self, args: Args) -> answers.VideoJobs:
        row = row_of(self._catalogue, VIDEO.read(args))
        return answers.VideoJobs(jobs=[job_of(job) for job in self._catalogue.jobs(row.record.id)])

    def _answer(self, video_id: str) -> answers.LibraryVideo:
        row = row_of(self._catalogue, video_id)
        return video_of(row, self._settings.timezone, self._catalogue.jobs(video_id))


def check_uploads(remedy: str | None) -> None:
    """Refuse changes to videos if `remedy` says that they are not allowed here.

    Raises:
        Problem: 403.
    """
    if remedy is not None:
        raise Problem(403, "Uploads are off here.", remedy=remedy)


def field_problem(error: FieldRefused) -> Problem:
    """Return the 400 problem of an invalid field of a video."""
    place = f"{error.field}, {error.place}" if error.place else error.field
    return Problem(400, f"{place}: {error.reason}", remedy=error.remedy, parameter=error.field)


def _revision_in(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise Problem(
            412,
            f"If-Match: {shortened(if_match)} is not a revision of a video.",
            remedy="Send `revision` of the video in quotes, or leave the header out.",
        )
    return int(match[1])


def _read_changes() -> Changes:
    edit = _EDIT.read()
    changes = ((name, getattr(edit, name)) for name in edit.__struct_fields__)
    return cast(Changes, {name: value for name, value in changes if value is not msgspec.UNSET})
