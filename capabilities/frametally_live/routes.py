"""The handlers that start, control and stop streams of videos."""

from __future__ import annotations

import logging
import math
import re

from frametally import keys
from frametally.actions.calls import Sent, answer_with
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import UUID, Args, in_path, text
from frametally.actions.problems import Problem, bad_parameter
from frametally.errors import Misconfigured, Retryable
from frametally.process.reports import plural
from frametally_live import answers
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed, FeedWanted, TooManyStreams
from frametally_live.feeds.stream_form import NeedsTime, start_stream
from frametally_live.settings import LiveSettings
from frametally_live.viewers.airflow_launch import AirflowLauncher
from frametally_videos.catalogue.catalogue_rows import VideoRow
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.library.edits import VideoGone
from frametally_videos.routes import SOME_VIDEO, field_problem, id_of, no_video
from frametally_videos.upload_refusals import FieldRefused
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext

STREAMS = Routes("Live")

_LOG = logging.getLogger("frametally_web")

_MODEL = re.compile(r"[A-Za-z0-9._-]{0,200}")
_WANTED = Sent(answers.StreamWanted, "wish for a stream")
_NAMED = Sent(answers.StreamNamed, "stream")
_SEEK = Sent(answers.SeekWanted, "moment of a video")
_OF_VIDEO = text("video_id", "Only streams of this video; default: all.", SOME_VIDEO, UUID)
_STREAM = in_path(
    "stream_id",
    "`stream_id` of the stream.",
    "3f1b8c52-6d0e-4c1a-8a43-9d2f5b7c6e10",
    {"type": "string", "maxLength": 64},
)
_STARTED = {200: "This stream is already running.", 202: "Stream started."}
_STOPPED = {200: "The stream is stopping, or has ended."}


class OpenedFeeds:
    """The live book of one application, its own or the server's."""

    def __init__(self, context: ActionContext) -> None:
        """Take the server's, or open another."""
        book, settings = context.parts.get("feeds"), context.settings
        self.book: LiveBook = book or LiveBook(context.parts["catalogue"].url, settings.catalogue_access)
        self._is_own = book is None

    def close(self) -> None:
        """Close its own."""
        if self._is_own:
            self.book.close()


class LiveRoutes:
    """The handlers."""

    def __init__(self, context: ActionContext) -> None:
        """Make the handlers of one application.

        Raises:
            Misconfigured: Airflow starts streams, but its address or our log-in there is missing.
        """
        settings = self._settings = context.settings
        self._catalogue: VideoCatalogue = context.parts["catalogue"]
        self._feeds = context.shared(OpenedFeeds).book
        self._remedy = context.remedy
        self._airflow = AirflowLauncher(settings) if settings.part(LiveSettings).airflow_url else None

    @STREAMS.route(
        "POST stream/start",
        "Stream a video: each frame at its time, with its detections.",
        body=_WANTED,
        statuses=(404, 409),
        success=_STARTED,
        right="correct",
    )
    def stream_start(self, _: Args) -> answers.StreamOfVideo:
        """Stream a video, unless a stream of it is already running."""
        check_live(self._remedy)
        form = _WANTED.read()
        if not _MODEL.fullmatch(form.model):
            raise bad_parameter(
                "model", "model is not a valid ID.", remedy="Use one from /api/v1/models, or leave it out."
            )
        try:
            started = start_stream(
                self._catalogue,
                self._feeds,
                self._settings,
                form.video_id,
                speed=form.speed,
                model=form.model,
                is_booked=self._airflow is not None,
            )
        except VideoGone as error:
            raise no_video() from error
        except FieldRefused as error:
            raise field_problem(error) from error
        except NeedsTime as error:
            raise Problem(
                409,
                "The video has no start time.",
                remedy="Set its start time, then stream the video.",
            ) from error
        except TooManyStreams as error:
            most = self._settings.part(LiveSettings).streams
            raise Problem(
                409,
                f"{plural(most, 'video is', 'videos are')} already streaming, the maximum: {error}.",
                remedy="Stop one of them, or ask an administrator to allow more.",
            ) from error
        answer_with(202 if started.is_new else 200)
        return answers.stream_of(self._launched(started.feed))

    @STREAMS.route(
        "POST stream/stop",
        "Stop a stream, by its ID or its video's ID.",
        body=_NAMED,
        statuses=(404, 409),
        success=_STOPPED,
        right="correct",
        frees=True,
    )
    def stream_stop(self, _: Args) -> answers.StreamOfVideo:
        check_live(self._remedy)
        form = _NAMED.read()
        if bool(form.video_id) == bool(form.stream_id):
            raise bad_parameter(
                "stream_id", "Give exactly one stream.", remedy="Send either video_id or stream_id."
            )
        if form.stream_id:
            return self._ask_stop(self._stream(form.stream_id))
        feeds = self._feeds.feeds("video", video_id=self._video(form.video_id).record.id, limit=1)
        if not feeds:
            raise _no_stream()
        return self._ask_stop(feeds[0])

    @STREAMS.route(
        "GET streams",
        "List streams of videos, running ones first, then the newest.",
        _OF_VIDEO,
        statuses=(404,),
    )
    def streams(self, args: Args) -> answers.StreamList:
        video_id = _OF_VIDEO.read(args)
        owner_id = "" if video_id is None else self._video(id_of(video_id)).record.id
        remedy = remedy_for("correct", self._remedy)
        return answers.StreamList(
            streams=[answers.stream_of(feed) for feed in self._feeds.feeds("video", video_id=owner_id)],
            most=self._settings.part(LiveSettings).streams,
            live_allowed=remedy is None,
            remedy=remedy,
        )

    @STREAMS.route(
        "POST streams",
        "Stream a video, as `stream/start` does.",
        body=_WANTED,
        statuses=(404, 409),
        success=_STARTED,
        right="correct",
    )
    def post_stream(self, args: Args) -> answers.StreamOfVideo:
        return self.stream_start(args)

    @STREAMS.route("GET streams/{stream_id}", "Show one stream.", _STREAM)
    def stream(self, args: Args) -> answers.StreamOfVideo:
        return answers.stream_of(self._stream(_STREAM.read(args)))

    @STREAMS.route(
        "POST streams/{stream_id}/pause",
        "Pause a stream for everyone who watches.",
        _STREAM,
        statuses=(409,),
        right="correct",
    )
    def pause_stream(self, args: Args) -> answers.StreamOfVideo:
        return answers.stream_of(self._ask(self._running(args), "pause"))

    @STREAMS.route(
        "POST streams/{stream_id}/resume",
        "Resume a paused stream.",
        _STREAM,
        statuses=(409,),
        right="correct",
    )
    def resume_stream(self, args: Args) -> answers.StreamOfVideo:
        return answers.stream_of(self._ask(self._running(args), "run"))

    @STREAMS.route(
        "POST streams/{stream_id}/seek",
        "Move a stream to another position of its video.",
        _STREAM,
        body=_SEEK,
        statuses=(409,),
        right="correct",
    )
    def seek_stream(self, args: Args) -> answers.StreamOfVideo:
        feed = self._running(args)
        seek = _SEEK.read()
        length_s = self._video(feed.video_id).record.facts.duration_s
        if not 0 <= seek.position_s <= (math.inf if length_s is None else length_s):
            raise bad_parameter(
                "position_s",
                f"position_s={seek.position_s:g} is outside the video.",
                remedy=f"Use seconds from 0 to {length_s:g}." if length_s else "Use 0 or more seconds.",
            )
        return answers.stream_of(self._ask(feed, seek_s=seek.position_s))

    @STREAMS.route(
        "DELETE streams/{stream_id}", "Stop a stream.", _STREAM, success=_STOPPED, right="correct", frees=True
    )
    def delete_stream(self, args: Args) -> answers.StreamOfVideo:
        check_live(self._remedy)
        return self._ask_stop(self._stream(_STREAM.read(args)))

    def _launched(self, feed: Feed) -> Feed:
        """Return a stream; if it is booked, first request its run from Airflow."""
        if self._airflow is None or feed.launch != "booked":
            return feed
        try:
            self._airflow.launch(feed)
        except (Misconfigured, Retryable) as error:
            if self._feeds.fail_launch(feed.id, str(error), only_booked=True):
                _LOG.warning("stream of %s: %s", feed.name, error)
        return self._feeds.feed(feed.id) or feed

    def _video(self, video_id: str) -> VideoRow:
        row = self._catalogue.video(video_id) if keys.is_video_id(video_id) else None
        if row is None or row.record.state == "deleting":
            raise no_video()
        return row

    def _stream(self, stream_id: str | None) -> Feed:
        feed = self._feeds.feed(stream_id) if stream_id and keys.is_video_id(stream_id) else None
        if feed is None or feed.kind != "video":
            raise _no_stream()
        return feed

    def _running(self, args: Args) -> Feed:
        check_live(self._remedy)
        feed = self._stream(_STREAM.read(args))
        if feed.is_over or feed.wanted == "stop":
            raise Problem(409, "The stream has ended.", remedy="Start it again.")
        return feed

    def _ask_stop(self, feed: Feed) -> answers.StreamOfVideo:
        return answers.stream_of(self._ask(feed, "stop"))

    def _ask(self, feed: Feed, wanted: FeedWanted | None = None, *, seek_s: float | None = None) -> Feed:
        changed_feed = self._feeds.ask_feed(feed.id, wanted, seek_s=seek_s)
        if changed_feed is None:
            raise _no_stream()
        return changed_feed


def check_live(remedy: str | None) -> None:
    """Refuse a change if streams and cameras may not be changed here.

    Raises:
        Problem: 403.
    """
    if remedy is not None:
        raise Problem(403, "You cannot change cameras, streams or videos here.", remedy=remedy)


def _no_stream() -> Problem:
    return Problem(404, "This stream does not exist.", remedy="/api/v1/streams lists all streams.")
