"""Feeds: cameras and streams of videos, the last request for each, and its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

FeedKind = Literal["camera", "video"]

FeedWanted = Literal["run", "pause", "stop"]

LOOP = "loop:"
"""Begins the address of a simulated camera; the SHA-256 of the video that it shows follows."""

FeedState = Literal["requested", "starting", "running", "waiting", "paused", "stopping", "ended", "failed"]
"""In order: no worker has the feed yet; it is being opened; its frames arrive; the camera, the store, the log
or a detector is unavailable (`reason` says which); it is paused; it is being ended; it has ended, or was
stopped; it cannot run (`reason` says why)."""

CAPTURE_FIELDS = "address", "transport", "sample_fps"
"""The fields of a camera with which a worker captures it."""

LATE_MS = 5000
"""Results that lag this far behind the event time are late: frames are judged without waiting for them."""

OVER: tuple[FeedState, ...] = ("ended", "failed")

FeedLaunch = Literal["", "booked", "launched", "unheard"]
"""In order: the feed needs no launch, and any worker may claim it; it must be launched first; its launcher
runs; its launcher has been silent for a lease."""

LAUNCH_NEVER_CAME = (
    "Airflow did not start its run in time: check there that the scheduler works and that no other run "
    "blocks this one, then start the stream again."
)
NOBODY_RUNS_IT = "A worker starts it within seconds; if none does, run `frametally live work`."
LAUNCH_IS_GONE = (
    "Its run in Airflow is not responding: check there for the reason, then start the stream again."
)


_NEARLY_ALL = 0.95
"""A rate covers a few seconds, so one frame more or less does not mean that frames are left out."""


class FeedTold(NamedTuple):
    """A worker's report about its feed.

    Attributes:
        reason: Reason for the state, as one sentence for people; empty if there is nothing to say.
        position_s: For a video, the presentation time so far; None before the first frame.
        captured_at_ms: Event time of the newest frame; None before the first frame.
        image_path: Key of the newest announced frame; empty before the first.
        frames_per_s: Recent rate of announced frames; None until it is known.
        lag_ms: Recent delay of announced frames after their capture, by this machine's clock (for a camera,
            event time minus `drift_ms`), or for a video after they were due. None until it is known.
        drift_ms: How far a camera's clock was last ahead of this machine's; None if the camera sends no time.
        frames_announced: Frames announced since the feed was added.
        frames_lost: Named losses since the feed was added: frames that were captured and could not be stored.
        packets_lost: Packets lost by the network since the feed was added.
        away_since_ms: Last contact with the camera, by this machine's clock; None while it is connected.
        due_at_ms: For a video, when `position_s` was due, by this machine's clock. None until it is known.
        taken_per_s: For a camera, the recent rate of stored frames. None until it is known.
        offered_per_s: For a camera, the recent rate of frames that it sends, or the sampling rate if that is
            lower. None until it is known.
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
        """Whether fewer frames are stored than offered, by more than the error of a rate."""
        taken_per_s, offered = self.taken_per_s, self.offered_per_s
        return taken_per_s is not None and offered is not None and taken_per_s < offered * _NEARLY_ALL


class Feed(NamedTuple):
    """A camera, or a stream of a video. Each video has at most one unfinished stream, each source one camera.

    Attributes:
        id: UUID4.
        source: Slug of its source.
        name: Name of the source.
        video_id: ID of the streamed video; empty for a camera.
        address: Address of the camera, without user and password; empty for a video. See also `LOOP`.
        sample_fps: Frames a second that a camera's footage has, as in the setting; empty for the setting.
        speed: Seconds of the video per second.
        model: Model whose results are shown; empty for any.
        wanted: The last request of a person.
        seek_s: Position to continue at; None without a seek.
        worker: Name of its worker; empty if it has none.
        generation: Rises with every claim; a worker of an old generation writes nothing more.
        launch: State of the launch, if the stream is launched from elsewhere (Airflow).
        created_at_ms: Time of the request, by the database's clock.
        ended_at_ms: Its end; None until it ends.
    """

    id: str
    kind: FeedKind
    source: str
    name: str
    video_id: str = ""
    address: str = ""
    transport: Literal["tcp", "udp"] = "tcp"
    sample_fps: str = ""
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
    def is_simulated(self) -> bool:
        """Whether it is a camera that shows a stored video in a loop."""
        return self.address.startswith(LOOP)

    @property
    def is_over(self) -> bool:
        """Whether it will never run again automatically."""
        return self.told.state in OVER

    @property
    def reason(self) -> str:
        """The reason for its state, as one sentence for people; may be empty."""
        return self.told.reason or (NOBODY_RUNS_IT if self.told.state == "requested" else "")


class TooManyStreams(Exception):
    """The maximum number of video streams is already running."""

    def __init__(self, running: Sequence[Feed]) -> None:
        """Store the running streams."""
        super().__init__(", ".join(feed.name for feed in running))
        self.running = list(running)
