"""The handlers of the library: videos that were uploaded, and what people change of them."""

from __future__ import annotations

import re
from typing import cast, get_args

import msgspec
from flask import request
from werkzeug.datastructures import MultiDict

from frametally import keys
from frametally.errors import Poison
from frametally.settings.loading import Settings
from frametally_videos import answers
from frametally_videos.library.edits import (
    ChangedSince,
    Changes,
    VideoGone,
    edit_video,
    remove_video,
)
from frametally_videos.library_answers import job_of, video_of
from frametally_videos.ports.video_catalogue import VideoOrder, VideoQuestion, VideoRow, VideoState
from frametally_videos.upload_refusals import FieldRefused
from frametally_videos.uploads.source_names import SourceNames
from frametally_videos.video_ports import VideoPorts
from frametally_web.access.visitors import remedy_for
from frametally_web.requests import query
from frametally_web.requests.body import read_sent
from frametally_web.requests.problems import Problem, bad_parameter
from frametally_web.requests.status import answer_with

Args = MultiDict[str, str]

_PAGE = 48
_MOST_IN_PAGE = 200
_MOST_SOURCES = 100
# Made once, before there are threads: see `records.decode`.
_edits = msgspec.json.Decoder(answers.VideoEdit)
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')
"""A proxy that packs answers makes their tags weak ones."""


class VideoRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(self, *, settings: Settings, ports: VideoPorts, uploads_remedy: str | None) -> None:
        """Make the handlers of one application; `uploads_remedy` is None where videos may be changed."""
        self._settings = settings
        self._ports = ports
        self._uploads_remedy = uploads_remedy
        self._sources = SourceNames(ports.store, ports.catalogue)

    def videos(self, args: Args) -> answers.LibraryPage:
        """Answer with a page of the library."""
        question = VideoQuestion(
            text=query.read_one(args, "q") or "",
            sources=tuple(query.read_many(args, "source", limit=_MOST_SOURCES)),
            states=query.read_choices(args, "state", get_args(VideoState)),
            order=query.read_choice(args, "order", get_args(VideoOrder)),
            newest_first=query.read_choice(args, "direction", ("desc", "asc")) == "desc",
            limit=query.read_limit(args, default=_PAGE, most=_MOST_IN_PAGE),
            cursor=query.read_one(args, "cursor") or "",
        )
        try:
            page = self._ports.catalogue.videos(question)
        except Poison as error:
            raise bad_parameter(
                "cursor",
                "cursor is none that this API gave for this question.",
                remedy="Give `next` of the page before, unchanged, with the same order.",
            ) from error
        remedy = remedy_for("correct", self._uploads_remedy)
        return answers.LibraryPage(
            videos=[video_of(row, self._settings.timezone) for row in page.rows],
            next=page.next or None,
            total=page.total,
            states={str(state): number for state, number in self._ports.catalogue.states().items()},
            uploads_allowed=remedy is None,
            remedy=remedy,
        )

    def video(self, args: Args) -> answers.LibraryVideo:
        """Answer with one video."""
        return self._answer(id_in(args))

    def patch_video(self, args: Args) -> answers.LibraryVideo:
        """Change what people say of a video."""
        check_uploads(self._uploads_remedy)
        video_id = id_in(args)
        made_of = _revision_in(request.headers.get("If-Match"))
        try:
            edit_video(
                self._ports.store,
                self._ports.catalogue,
                self._settings,
                video_id,
                _read_changes(),
                name_source=self._sources.named,
                made_of=made_of,
            )
        except VideoGone as error:
            raise no_video() from error
        except ChangedSince as error:
            raise Problem(
                412,
                f"The video was changed since: it is revision {error.video.revision} now.",
                remedy="Ask for it again, make the change in what it is now, and send that.",
            ) from error
        except FieldRefused as error:
            raise refused(error) from error
        return self._answer(video_id)

    def delete_video(self, args: Args) -> answers.VideoRemoval:
        """Have a video removed, with its frames and its counts."""
        check_uploads(self._uploads_remedy)
        video_id = id_in(args)
        try:
            is_new = remove_video(self._ports.store, self._ports.catalogue, video_id)
        except VideoGone as error:
            raise no_video() from error
        answer_with(202 if is_new else 204)
        return answers.VideoRemoval(id=video_id, state="deleting")

    def retry_video(self, args: Args) -> answers.LibraryVideo:
        """Begin once more what has failed of a video."""
        check_uploads(self._uploads_remedy)
        catalogue, row = self._ports.catalogue, self._row(id_in(args))
        again = catalogue.retry(row.record.id)
        if not again and row.state == "failed":  # all was done, and what it made is gone
            catalogue.queue(row.record.id, "frames")
        if row.state == "failed":
            catalogue.set_video(row.record.id, state="received")
        answer_with(202)
        return self._answer(row.record.id)

    def video_jobs(self, args: Args) -> answers.VideoJobs:
        """List what was done to a video, and what is."""
        row = self._row(id_in(args))
        return answers.VideoJobs(jobs=[job_of(job) for job in self._ports.catalogue.jobs(row.record.id)])

    def _row(self, video_id: str) -> VideoRow:
        row = self._ports.catalogue.video(video_id)
        if row is None:
            raise no_video()
        return row

    def _answer(self, video_id: str) -> answers.LibraryVideo:
        row = self._row(video_id)
        return video_of(row, self._settings.timezone, self._ports.catalogue.jobs(video_id))


def check_uploads(remedy: str | None) -> None:
    """Refuse a change of videos where those are not allowed: there is a remedy then.

    Raises:
        Problem: 403.
    """
    if remedy is not None:
        raise Problem(403, "Uploads are off here.", remedy=remedy)


def refused(error: FieldRefused) -> Problem:
    """Return the 400 of what cannot be said of a video."""
    where = f"{error.field}, {error.place}" if error.place else error.field
    return Problem(400, f"{where}: {error.reason}", remedy=error.remedy, parameter=error.field)


def no_video() -> Problem:
    """Return the 404 of an id that no video has."""
    return Problem(404, "There is no such video.", remedy="Ask /api/v1/videos for those that there are.")


def id_in(args: Args, name: str = "video_id") -> str:
    """Return the id of a video that an address names.

    Raises:
        Problem: 404, it is none.
    """
    video_id = query.read_one(args, name) or ""
    if not keys.is_video_id(video_id):
        raise no_video()
    return video_id


def _revision_in(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise Problem(
            412,
            f"If-Match: {query.shown(if_match)} is no revision of a video.",
            remedy="Send `revision` of the video in quotes, or leave the header out.",
        )
    return int(match[1])


def _read_changes() -> Changes:
    edit = read_sent(_edits, "change of a video")
    said = ((name, getattr(edit, name)) for name in edit.__struct_fields__)
    return cast(Changes, {name: value for name, value in said if value is not msgspec.UNSET})
