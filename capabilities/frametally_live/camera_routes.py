"""The handlers that add, start, stop and remove cameras."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import msgspec

from frametally.actions.calls import NOTHING, Reply, Sent, answer_with
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, in_path
from frametally.actions.problems import Problem
from frametally.process.allowed_addresses import AddressRefused
from frametally_live import camera_answers as answers
from frametally_live.camera_answers import CameraSearch
from frametally_live.cameras.camera_form import (
    CameraTrial,
    NoCamera,
    SourceTaken,
    TryFeed,
    add_camera,
    ask_camera,
    change_camera,
    read_camera,
    remove_camera,
)
from frametally_live.discovery.probe import NoNetwork
from frametally_live.discovery.search import SearchCameras
from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.feeds.result_reader import Detected
from frametally_live.routes import OpenedFeeds, check_live
from frametally_videos.routes import field_problem
from frametally_videos.upload_refusals import FieldRefused
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext

CAMERAS = Routes("Live")

_LOG = logging.getLogger("frametally_web")

_SOURCE = in_path("source", "`source` of the camera.", "gate-1")
_WANTED = Sent(answers.CameraWanted, "camera")
_CHANGE = Sent(answers.CameraChange, "change of a camera")


def detected_feeds(context: ActionContext) -> Detected:
    """Return the reader of results of one application."""
    return Detected(context.ports.log, context.settings.results_topic)


def _nothing_found(_: Sequence[Feed]) -> CameraSearch:
    return CameraSearch(cameras=[], has_more=False)


class CameraRoutes:
    """The handlers of one application; `remedy` is None if cameras may be changed."""

    def __init__(self, context: ActionContext) -> None:
        """Take what the server opened, if it did."""
        self.settings, self.remedy = context.settings, context.remedy
        self.book = context.shared(OpenedFeeds).book
        self.detected = context.shared(detected_feeds)
        self.try_feed: TryFeed = context.parts.get("try_feed", lambda _: None)
        self.search_cameras: SearchCameras = context.parts.get("search_cameras", _nothing_found)
        self._trial, self._search = Lock(), Lock()

    @CAMERAS.route(
        "POST cameras",
        "Add a camera, try it, and start it.",
        body=_WANTED,
        statuses=(409,),
        success={201: "Camera added."},
        right="run",
    )
    def post_camera(self, _: Args) -> answers.LiveCamera:
        check_live(self.remedy)
        with _refusing():
            feed, trial = add_camera(self.book, self._read(), self._try)
        answer_with(201)
        return msgspec.structs.replace(self._answer(feed), trial=trial and trial.sentence)

    @CAMERAS.route(
        "POST cameras/preview",
        "Try a camera for up to 10 s and show its picture; add nothing.",
        body=_WANTED,
        statuses=(409,),
        success={200: "What it shows."},
        right="run",
    )
    def preview_camera(self, _: Args) -> answers.CameraPreview:
        check_live(self.remedy)
        with _refusing():
            feed = self._read()
        trial = self._try(feed)
        if trial is None:
            raise Problem(
                409,
                "This camera cannot be tested right now.",
                remedy="Try again in 10 seconds, or add the camera.",
            )
        picture = base64.b64encode(trial.jpeg).decode() or None
        return answers.CameraPreview(trial=trial.sentence, picture=picture)

    @CAMERAS.route(
        "POST cameras/search",
        "Search the local network for ONVIF cameras for up to 15 s; adds nothing.",
        statuses=(409,),
        success={200: "What answered."},
        right="run",
    )
    def search_for_cameras(self, _: Args) -> answers.CameraSearch:
        """Search the network; only one search runs at a time."""
        check_live(self.remedy)
        if not self._search.acquire(blocking=False):
            raise Problem(409, "Someone is already searching for cameras.", remedy="Try again in 15 seconds.")
        try:
            return self.search_cameras(self.book.feeds("camera"))
        except NoNetwork as error:
            raise Problem(
                409,
                f"{str(error)[:1].upper()}{str(error)[1:]}.",
                remedy="Ask an administrator to check the network.",
            ) from error
        finally:
            self._search.release()

    @CAMERAS.route("GET cameras", "List all cameras with their states.")
    def cameras(self, _: Args) -> answers.LiveCameras:
        feeds = sorted(self.book.feeds("camera"), key=lambda feed: (feed.name.casefold(), feed.source))
        lags_ms = self.detected.lags_ms(feeds)
        remedy = remedy_for("run", self.remedy)
        return answers.LiveCameras(
            cameras=[answers.camera_of(feed, lags_ms[feed.source]) for feed in feeds],
            live_allowed=remedy is None,
            remedy=remedy,
        )

    @CAMERAS.route("POST cameras/{source}/stop", "Stop a camera.", _SOURCE, right="run", frees=True)
    def stop_camera(self, args: Args) -> answers.LiveCamera:
        return self._answer(self._ask(args, "stop"))

    @CAMERAS.route("POST cameras/{source}/start", "Start a stopped camera.", _SOURCE, right="run")
    def start_camera(self, args: Args) -> answers.LiveCamera:
        return self._answer(self._ask(args, "run"))

    @CAMERAS.route(
        "PATCH cameras/{source}",
        "Change a camera's address or rate, and try it for up to 10 s; without a field, only try it.",
        _SOURCE,
        body=_CHANGE,
        statuses=(409,),
        right="run",
    )
    def change_camera(self, args: Args) -> answers.LiveCamera:
        change = msgspec.structs.asdict(_CHANGE.read())
        with self._changing(args) as source, _refusing():
            feed, trial = change_camera(self.book, self.settings, source, **change, try_feed=self._try)
        return msgspec.structs.replace(self._answer(feed), trial=trial and trial.sentence)

    @CAMERAS.route(
        "DELETE cameras/{source}",
        "Delete a camera; its frames and counts stay.",
        _SOURCE,
        success={204: "Camera deleted; a running one is stopped first, and listed until it has ended."},
        right="run",
        frees=True,
    )
    def delete_camera(self, args: Args) -> Reply:
        """Delete a camera; if a worker still has it, it is deleted when the worker ends."""
        with self._changing(args) as source:
            remove_camera(self.book, source)
        return NOTHING

    def _read(self) -> Feed:
        return read_camera(self.book, self.settings, **msgspec.structs.asdict(_WANTED.read()))

    def _try(self, feed: Feed) -> CameraTrial | None:
        """Try a camera, one at a time: each trial keeps a thread for some seconds."""
        if not self._trial.acquire(blocking=False):
            return None
        try:
            return self.try_feed(feed)
        finally:
            self._trial.release()

    def _answer(self, feed: Feed) -> answers.LiveCamera:
        return answers.camera_of(feed, self.detected.lags_ms([feed])[feed.source])

    def _ask(self, args: Args, wanted: FeedWanted) -> Feed:
        with self._changing(args) as source:
            return ask_camera(self.book, source, wanted)

    @contextmanager
    def _changing(self, args: Args) -> Iterator[str]:
        check_live(self.remedy)
        try:
            yield _SOURCE.read(args)
        except NoCamera as error:
            raise Problem(
                404,
                "This source has no camera.",
                remedy="/api/v1/cameras lists all cameras.",
            ) from error


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer with 400 or 409 if a camera cannot be added."""
    try:
        yield
    except FieldRefused as error:
        raise _without_settings(error) from error
    except SourceTaken as error:
        raise Problem(
            409, f"{error}.", remedy="Choose another name, or delete the existing camera first."
        ) from error


def _without_settings(error: FieldRefused) -> Problem:
    """Return the 400 for a camera that cannot be added; the log names the setting that would allow it."""
    cause = error.__cause__
    if not isinstance(cause, AddressRefused) or not cause.request:
        return field_problem(error)
    _LOG.warning("camera refused: %s", cause)
    return Problem(400, f"address: {cause.reason}.", remedy=cause.request, parameter="address")
