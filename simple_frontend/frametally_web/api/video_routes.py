"""The handlers of the library: videos that were uploaded, and what people change of them."""

from __future__ import annotations

import re
import threading
from typing import cast, get_args

import msgspec
from flask import Response, after_this_request, request
from werkzeug.datastructures import MultiDict

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import ManifestReader
from frametally.ports.video_catalogue import VideoOrder, VideoQuestion, VideoRow, VideoState
from frametally.settings.loading import Settings
from frametally.videos.editing import (
    ChangedSince,
    Changes,
    VideoGone,
    edit_video,
    remove_video,
    source_named,
)
from frametally.videos.refusals import FieldRefused
from frametally_web.books.reader import DashboardPorts
from frametally_web.requests import query
from frametally_web.requests.problems import Problem, bad_parameter
from frametally_web.videos import answers
from frametally_web.videos.library import job_of, video_of

Args = MultiDict[str, str]

_JSON = "application/json"
_PAGE = 48
_MOST_IN_PAGE = 200
_MOST_SOURCES = 100
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')
"""A proxy that packs answers makes their tags weak ones."""


class VideoRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(self, *, settings: Settings, ports: DashboardPorts, uploads_remedy: str | None) -> None:
        """Make the handlers of one application; `uploads_remedy` is None where videos may be changed."""
        self._settings = settings
        self._ports = ports
        self._uploads_remedy = uploads_remedy
        self._manifests = ManifestReader(ports.store)
        self._reading_manifests = threading.Lock()

    def videos(self, args: Args) -> answers.LibraryPage:
        """Answer with a page of the library."""
        states = query.read_many(args, "state", limit=len(get_args(VideoState)))
        for state in states:
            query.read_choice(MultiDict([("state", state)]), "state", get_args(VideoState))
        question = VideoQuestion(
            text=query.read_one(args, "q") or "",
            sources=tuple(query.read_many(args, "source", limit=_MOST_SOURCES)),
            states=cast(tuple[VideoState, ...], tuple(states)),
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
        return answers.LibraryPage(
            videos=[video_of(row) for row in page.rows],
            next=page.next or None,
            total=page.total,
            states={str(state): number for state, number in self._ports.catalogue.states().items()},
            uploads_allowed=self._uploads_remedy is None,
            remedy=self._uploads_remedy,
        )

    def video(self, args: Args) -> answers.LibraryVideo:
        """Answer with one video."""
        return self._answer(_id_in(args))

    def patch_video(self, args: Args) -> answers.LibraryVideo:
        """Change what people say of a video."""
        self._check_uploads()
        video_id = _id_in(args)
        made_of = _revision_in(request.headers.get("If-Match"))
        try:
            edit_video(
                self._ports.store,
                self._ports.catalogue,
                self._settings,
                video_id,
                _read_changes(),
                name_source=self._name_source,
                made_of=made_of,
            )
        except VideoGone as error:
            raise _no_video() from error
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
        self._check_uploads()
        video_id = _id_in(args)
        try:
            is_new = remove_video(self._ports.store, self._ports.catalogue, video_id)
        except VideoGone as error:
            raise _no_video() from error
        _answer_with(202 if is_new else 204)
        return answers.VideoRemoval(id=video_id, state="deleting")

    def retry_video(self, args: Args) -> answers.LibraryVideo:
        """Begin once more what has failed of a video."""
        self._check_uploads()
        catalogue, row = self._ports.catalogue, self._row(_id_in(args))
        again = catalogue.retry(row.record.id)
        if not again and row.state == "failed":  # all was done, and what it made is gone
            catalogue.queue(row.record.id, "frames")
        if row.state == "failed":
            catalogue.set_video(row.record.id, state="received")
        _answer_with(202)
        return self._answer(row.record.id)

    def video_jobs(self, args: Args) -> answers.VideoJobs:
        """List what was done to a video, and what is."""
        row = self._row(_id_in(args))
        return answers.VideoJobs(jobs=[job_of(job) for job in self._ports.catalogue.jobs(row.record.id)])

    def _check_uploads(self) -> None:
        if self._uploads_remedy is not None:
            raise Problem(403, "Uploads are off here.", remedy=self._uploads_remedy)

    def _row(self, video_id: str) -> VideoRow:
        row = self._ports.catalogue.video(video_id)
        if row is None:
            raise _no_video()
        return row

    def _answer(self, video_id: str) -> answers.LibraryVideo:
        row = self._row(video_id)
        return video_of(row, self._ports.catalogue.jobs(video_id))

    def _name_source(self, given: str) -> tuple[str, str]:
        with self._reading_manifests:
            manifests = self._manifests.recent()
        return source_named(manifests, self._ports.catalogue, given)


def refused(error: FieldRefused) -> Problem:
    """Return the 400 of what cannot be said of a video."""
    where = f"{error.field}, {error.place}" if error.place else error.field
    return Problem(400, f"{where}: {error.reason}", remedy=error.remedy, parameter=error.field)


def _no_video() -> Problem:
    return Problem(404, "There is no such video.", remedy="Ask /api/v1/videos for those that there are.")


def _id_in(args: Args) -> str:
    video_id = query.read_one(args, "video_id") or ""
    if not keys.is_video_id(video_id):
        raise _no_video()
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
    """Return what was sent, which says itself that it is JSON: so no form of another site can send it."""
    if request.mimetype != _JSON:
        raise Problem(
            415,
            f"What was sent is {request.mimetype or 'of no type'}.",
            remedy=f"Send JSON, and say so: Content-Type: {_JSON}.",
        )
    try:
        edit = msgspec.json.decode(request.get_data(), type=answers.VideoEdit)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Problem(
            400,
            f"It is no change of a video: {query.shown(str(error))}.",
            remedy=f"Send an object of {', '.join(answers.VideoEdit.__struct_fields__)}; "
            "what is left out stays.",
        ) from error
    said = ((name, getattr(edit, name)) for name in edit.__struct_fields__)
    return cast(Changes, {name: value for name, value in said if value is not msgspec.UNSET})


def _answer_with(status: int) -> None:
    @after_this_request
    def set_status(answer: Response) -> Response:
        answer.status_code = status
        if status == 204:
            answer.set_data(b"")
        return answer
