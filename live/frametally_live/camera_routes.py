"""The handlers of cameras: added, started, stopped and removed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import msgspec
from flask import Response
from werkzeug.datastructures import MultiDict

from frametally.process.allowed_addresses import AddressRefused
from frametally.settings.loading import Settings
from frametally_live import camera_answers as answers
from frametally_live.cameras.camera_form import (
    CameraTrial,
    NoCamera,
    SourceTaken,
    TryFeed,
    add_camera,
    ask_camera,
    remove_camera,
)
from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.live_ports import LivePorts
from frametally_live.routes import check_live
from frametally_live.viewers.camera_lag import Detected
from frametally_videos.routes import refused
from frametally_videos.upload_refusals import FieldRefused
from frametally_web.access.visitors import remedy_for
from frametally_web.requests import query
from frametally_web.requests.body import read_sent
from frametally_web.requests.problems import Problem
from frametally_web.requests.status import answer_with

Args = MultiDict[str, str]

_LOG = logging.getLogger("frametally_web")

# Made once, before there are threads: see `records.decode`.
_wanted = msgspec.json.Decoder(answers.CameraWanted)


class CameraRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(
        self,
        *,
        settings: Settings,
        ports: LivePorts,
        detected: Detected,
        uploads_remedy: str | None,
        try_feed: TryFeed,
    ) -> None:
        """Make the handlers of one application.

        `uploads_remedy` is None where cameras may be changed, `try_feed` tries those that are added.
        """
        self._settings = settings
        self._feeds = ports.feeds
        self._detected = detected
        self._remedy = uploads_remedy
        self._try_feed = try_feed
        self._trial = Lock()

    def cameras(self, _: Args) -> answers.LiveCameras:
        """List all."""
        feeds = sorted(self._feeds.feeds("camera"), key=lambda feed: (feed.name.casefold(), feed.source))
        lags_ms = self._detected.lags_ms(feeds)
        remedy = remedy_for("run", self._remedy)
        return answers.LiveCameras(
            cameras=[answers.camera_of(feed, lags_ms[feed.source]) for feed in feeds],
            live_allowed=remedy is None,
            remedy=remedy,
        )

    def post_camera(self, _: Args) -> answers.LiveCamera:
        """Add one, and say what it showed when it was tried."""
        check_live(self._remedy)
        wanted = read_sent(_wanted, "camera")
        try:
            feed, trial = add_camera(
                self._feeds,
                self._settings,
                source=wanted.source,
                address=wanted.address,
                transport=wanted.transport,
                try_feed=self._tried,
            )
        except FieldRefused as error:
            raise _without_settings(error) from error
        except SourceTaken as error:
            raise Problem(
                409, f"{error}.", remedy="Choose another name, or remove that camera first."
            ) from error
        answer_with(201)
        words = None if trial is None else f"{trial.words[:1].upper()}{trial.words[1:]}."
        return msgspec.structs.replace(self._answer(feed), trial=words)

    def start_camera(self, args: Args) -> answers.LiveCamera:
        """Start one."""
        return self._answer(self._asked(args, "run"))

    def stop_camera(self, args: Args) -> answers.LiveCamera:
        """Stop one."""
        return self._answer(self._asked(args, "stop"))

    def delete_camera(self, args: Args) -> Response:
        """Remove one that nobody holds any more."""
        with self._changing(args) as source:
            is_removed = remove_camera(self._feeds, source)
        if not is_removed:
            raise Problem(409, "The camera is being stopped.", remedy="Remove it in a few seconds.")
        return Response(status=204)

    def _tried(self, feed: Feed) -> CameraTrial | None:
        """Try a camera, one at a time: each keeps a thread for some seconds."""
        if not self._trial.acquire(blocking=False):
            return None
        try:
            return self._try_feed(feed)
        finally:
            self._trial.release()

    def _answer(self, feed: Feed) -> answers.LiveCamera:
        return answers.camera_of(feed, self._detected.lags_ms([feed])[feed.source])

    def _asked(self, args: Args, wanted: FeedWanted) -> Feed:
        with self._changing(args) as source:
            return ask_camera(self._feeds, source, wanted)

    @contextmanager
    def _changing(self, args: Args) -> Iterator[str]:
        check_live(self._remedy)
        try:
            yield query.read_one(args, "source") or ""
        except NoCamera as error:
            raise Problem(
                404,
                "There is no camera of that source.",
                remedy="Ask /api/v1/cameras for those that there are.",
            ) from error


def _without_settings(error: FieldRefused) -> Problem:
    """Return the 400 of a camera that cannot be added: the log names the setting that would allow it."""
    cause = error.__cause__
    if not isinstance(cause, AddressRefused) or not cause.request:
        return refused(error)
    _LOG.warning("a camera was refused: %s", cause)
    return Problem(400, f"address: {cause.reason}.", remedy=cause.request, parameter="address")
