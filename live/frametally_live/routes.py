"""The handlers of what is live: streams of videos, started, steered and stopped."""

from __future__ import annotations

import logging
import math
import re

import msgspec
from werkzeug.datastructures import MultiDict

from frametally import keys
from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import Settings
from frametally_live import answers
from frametally_live.feed_records import Feed, FeedWanted, TooManyStreams
from frametally_live.feeds.stream_form import NeedsTime, start_stream
from frametally_live.live_ports import LivePorts
from frametally_live.settings import LiveSettings
from frametally_live.viewers.airflow_launch import AirflowLauncher
from frametally_videos.library.edits import VideoGone
from frametally_videos.ports.video_catalogue import VideoRow
from frametally_videos.routes import id_in, no_video, refused
from frametally_videos.upload_refusals import FieldRefused
from frametally_web.access.visitors import remedy_for
from frametally_web.requests import query
from frametally_web.requests.body import read_sent
from frametally_web.requests.problems import Problem, bad_parameter
from frametally_web.requests.status import answer_with

Args = MultiDict[str, str]

_LOG = logging.getLogger("frametally_web")

_MODEL = re.compile(r"[A-Za-z0-9._-]{0,200}")
# Made once, before there are threads: see `records.decode`.
_wanted = msgspec.json.Decoder(answers.StreamWanted)
_named = msgspec.json.Decoder(answers.StreamNamed)
_seek = msgspec.json.Decoder(answers.SeekWanted)


class LiveRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(self, *, settings: Settings, ports: LivePorts, uploads_remedy: str | None) -> None:
        """Make the handlers of one application; `uploads_remedy` is None where streams may be steered.

        Raises:
            Misconfigured: Airflow is to start streams, and nothing says where it is, or who we are there.
        """
        self._settings = settings
        self._catalogue = ports.catalogue
        self._feeds = ports.feeds
        self._remedy = uploads_remedy
        self._airflow = (
            AirflowLauncher(settings) if settings.part(LiveSettings).stream_launcher == "airflow" else None
        )

    def streams(self, args: Args) -> answers.StreamList:
        """List the streams, or those of one video."""
        of = "" if query.read_one(args, "video_id") is None else self._video(id_in(args)).record.id
        remedy = remedy_for("correct", self._remedy)
        return answers.StreamList(
            streams=[answers.stream_of(feed) for feed in self._feeds.feeds("video", video_id=of)],
            most=self._settings.part(LiveSettings).streams,
            live_allowed=remedy is None,
            remedy=remedy,
        )

    def stream(self, args: Args) -> answers.StreamOfVideo:
        """Answer with one stream."""
        return answers.stream_of(self._stream(query.read_one(args, "stream_id")))

    def stream_start(self, _: Args) -> answers.StreamOfVideo:
        """Stream a video, unless it is streamed already."""
        check_live(self._remedy)
        wanted = read_sent(_wanted, "wish for a stream")
        if not _MODEL.fullmatch(wanted.model):
            raise bad_parameter(
                "model", "model is the id of none.", remedy="Take one of /api/v1/models, or leave it out."
            )
        try:
            started = start_stream(
                self._catalogue,
                self._feeds,
                self._settings,
                wanted.video_id,
                speed=wanted.speed,
                model=wanted.model,
                is_booked=self._airflow is not None,
            )
        except VideoGone as error:
            raise no_video() from error
        except FieldRefused as error:
            raise refused(error) from error
        except NeedsTime as error:
            raise Problem(
                409,
                "Nothing says when the video was filmed.",
                remedy="Change its start time, then stream it.",
            ) from error
        except TooManyStreams as error:
            most = self._settings.part(LiveSettings).streams
            raise Problem(
                409,
                f"As many videos are streamed as may be ({most}): {error}.",
                remedy="Stop one of them, or have whoever runs this server allow more.",
            ) from error
        answer_with(202 if started.is_new else 200)
        return answers.stream_of(self._launched(started.feed))

    post_stream = stream_start

    def stream_stop(self, _: Args) -> answers.StreamOfVideo:
        """Stop a stream that is named by its id or its video's."""
        check_live(self._remedy)
        named = read_sent(_named, "stream")
        if bool(named.video_id) == bool(named.stream_id):
            raise bad_parameter(
                "stream_id", "The stream is named by neither or both.", remedy="Give video_id or stream_id."
            )
        if named.stream_id:
            return self._ask_stop(self._stream(named.stream_id))
        feeds = self._feeds.feeds("video", video_id=self._video(named.video_id).record.id, limit=1)
        if not feeds:
            raise _no_stream()
        return self._ask_stop(feeds[0])

    def delete_stream(self, args: Args) -> answers.StreamOfVideo:
        """Stop a stream."""
        check_live(self._remedy)
        return self._ask_stop(self._stream(query.read_one(args, "stream_id")))

    def pause_stream(self, args: Args) -> answers.StreamOfVideo:
        """Have a stream stand still."""
        return answers.stream_of(self._asked(self._running(args), "pause"))

    def resume_stream(self, args: Args) -> answers.StreamOfVideo:
        """Have a stream go on."""
        return answers.stream_of(self._asked(self._running(args), "run"))

    def seek_stream(self, args: Args) -> answers.StreamOfVideo:
        """Have a stream go on at another moment."""
        feed = self._running(args)
        seek = read_sent(_seek, "moment of a video")
        length_s = self._video(feed.video_id).record.facts.duration_s
        if not 0 <= seek.position_s <= (math.inf if length_s is None else length_s):
            raise bad_parameter(
                "position_s",
                f"position_s={seek.position_s:g} is not in the video.",
                remedy=f"Give seconds from 0 to {length_s:g}." if length_s else "Give seconds from 0 on.",
            )
        return answers.stream_of(self._asked(feed, seek_s=seek.position_s))

    def _launched(self, feed: Feed) -> Feed:
        """Return a stream as it is once Airflow was asked for its run, if it waits for one."""
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
        feed = self._stream(query.read_one(args, "stream_id"))
        if feed.is_over or feed.wanted == "stop":
            raise Problem(409, "The stream is over.", remedy="Start it again.")
        return feed

    def _ask_stop(self, feed: Feed) -> answers.StreamOfVideo:
        return answers.stream_of(self._asked(feed, "stop"))

    def _asked(self, feed: Feed, wanted: FeedWanted | None = None, *, seek_s: float | None = None) -> Feed:
        asked = self._feeds.ask_feed(feed.id, wanted, seek_s=seek_s)
        if asked is None:
            raise _no_stream()
        return asked


def check_live(remedy: str | None) -> None:
    """Refuse a change of what is live where that is not allowed: there is a remedy then.

    Raises:
        Problem: 403.
    """
    if remedy is not None:
        raise Problem(403, "What is live may not be changed here, as videos may not.", remedy=remedy)


def _no_stream() -> Problem:
    return Problem(404, "There is no such stream.", remedy="Ask /api/v1/streams for those that there are.")
