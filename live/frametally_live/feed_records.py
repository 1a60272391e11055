"""Feeds: cameras and streams of videos, what is wanted of them, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

FeedKind = Literal["camera", "video"]

FeedWanted = Literal["run", "pause", "stop"]

FeedState = Literal["requested", "starting", "running", "waiting", "paused", "stopping", "ended", "failed"]
"""Nobody has it yet; it is being opened; its frames come; they would, but the camera, the store, the log or a
detector is away (`reason` says which); it stands still as asked; it is being ended; it has ended, or was
stopped; it cannot run (`reason` says why)."""

OVER: tuple[FeedState, ...] = ("ended", "failed")

FeedLaunch = Literal["", "booked", "launched", "unheard"]
"""It needs no launch: any worker may claim it; nobody may before it is launched; its launcher is there; its
launcher has not been heard of for a lease."""

LAUNCH_NEVER_CAME = (
    "Airflow began no run of it in time: see there whether its scheduler is at work and the run waits for "
    "others, then start it again."
)
NOBODY_RUNS_IT = "A worker starts it within seconds; if none does, run `frametally live work`."
LAUNCH_IS_GONE = "Nothing is heard of its run in Airflow any more: see there why, then start it again."


_NEARLY_ALL = 0.95
"""A rate is of some seconds: a frame more or less in them is no frame that was left out."""


class FeedTold(NamedTuple):
    """What who runs a feed tells of it.

    Attributes:
        state: How it stands.
        reason: Why, as one sentence, where a person should know; empty: nothing to say.
        position_s: Of a video: presentation time that has been reached. None before there is one.
        captured_at_ms: Event time of the newest frame; None before there is one.
        image_path: Key of the newest frame that was announced; empty before there is one.
        frames_per_s: Frames announced a second, of late; None before it can be told.
        lag_ms: By how much frames are announced after their event time, of late; of a video, after they were
            due. None before it can be told.
        drift_ms: By how much a camera's clock is ahead of this machine's; None where it tells none.
        frames_announced: Frames announced since it was made.
        frames_lost: Named losses since it was made: frames that were captured and could be kept nowhere.
        packets_lost: Packets that the network lost since it was made.
        away_since_ms: When the camera was heard last, by this machine's clock; None while it is there.
        due_at_ms: Of a video: when `position_s` was due, by this machine's clock. None before it can be told.
        taken_per_s: Of a camera: frames a second that are kept, of late. None before it can be told.
        offered_per_s: Of a camera: frames a second that it sends, of late, or those of the sampling where
            these are fewer. None before it can be told.
    """

    state: FeedState
    reason: str = ""
    position_s: float | None = None
    captured_at_ms: int | None = None
    image_path: str = ""
    frames_per_s: float | None = None
    lag_ms: int | None = None
    drift_ms: int | None = None
    frames_announced: int = 0
    frames_lost: int = 0
    packets_lost: int = 0
    away_since_ms: int | None = None
    due_at_ms: int | None = None
    taken_per_s: float | None = None
    offered_per_s: float | None = None

    @property
    def leaves_out(self) -> bool:
        """Whether a camera's frames are left out that the sampling asks for, beyond what a rate errs by."""
        taken, offered = self.taken_per_s, self.offered_per_s
        return taken is not None and offered is not None and taken < offered * _NEARLY_ALL


class Feed(NamedTuple):
    """A camera, or a stream of a video; of one video at most one is not over, of one source one camera.

    Attributes:
        id: UUID4.
        kind: Which of both.
        source: Slug of the source that its frames are of.
        name: The source as it is written.
        video_id: Of a stream of a video; else empty.
        address: Of a camera, without any log-in; else empty.
        transport: Of an RTSP camera.
        speed: Of a video: seconds of it in a second.
        model: Whose results are shown; empty: of whoever detects.
        wanted: What a person asked for last.
        seek_s: Where a video is to go on; None: where it is.
        told: How it stands.
        worker: Who runs it; empty: nobody.
        generation: Rises with every claim; a worker whose generation is over writes nothing any more.
        launch: Of a stream that is launched from elsewhere (Airflow): how that stands.
        created_at_ms: When it was asked for, by the database's clock.
        ended_at_ms: When it was over; None while it is not.
    """

    id: str
    kind: FeedKind
    source: str
    name: str
    video_id: str = ""
    address: str = ""
    transport: Literal["tcp", "udp"] = "tcp"
    speed: float = 1.0
    model: str = ""
    wanted: FeedWanted = "run"
    seek_s: float | None = None
    told: FeedTold = FeedTold("requested")
    worker: str = ""
    generation: int = 0
    launch: FeedLaunch = ""
    created_at_ms: int = 0
    ended_at_ms: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will never run again by itself."""
        return self.told.state in OVER

    @property
    def reason(self) -> str:
        """Why it stands as it does, as one sentence for people; empty: nothing to say."""
        return self.told.reason or (NOBODY_RUNS_IT if self.told.state == "requested" else "")


class TooManyStreams(Exception):
    """As many streams of videos run as may."""

    def __init__(self, running: Sequence[Feed]) -> None:
        """Name those that run."""
        super().__init__(", ".join(feed.name for feed in running))
        self.running = list(running)
