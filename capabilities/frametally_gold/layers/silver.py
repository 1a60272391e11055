"""Silver: checks and describes a video, and makes its pictures and playable version.

Each function runs the job of its name, as workers do: in its own process, with limits, and without
a network.
"""

from __future__ import annotations

from frametally.errors import Poison, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import Artifact, Job, JobKind
from frametally_videos.jobs.attempt import Attempt
from frametally_videos.records import VideoRecord


def checks(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the record of the checks of the pictures, their order and their times.

    Raises:
        Poison: The video cannot be opened, or reading it failed this time.
    """
    return _do_job("checks", envelope, store, settings, progress, patience)


def metadata(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the stored record of the video's metadata.

    Raises:
        Poison: The video cannot be opened, or reading it failed this time.
    """
    return _do_job("metadata", envelope, store, settings, progress, patience)


def playable(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the stored version for browsers; none if they play the original.

    Raises:
        Poison: It cannot be decoded.
    """
    if envelope.facts.plays_in_browsers:
        return []
    return _do_job("playable", envelope, store, settings, progress, patience)


def previews(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the stored poster, and the sprite with its times.

    Raises:
        Poison: No frame of it can be decoded.
    """
    return _do_job("previews", envelope, store, settings, progress, patience)


def _do_job(
    kind: JobKind,
    envelope: VideoRecord,
    store: ObjectStore,
    settings: Settings,
    progress: Progress,
    patience: Patience,
) -> list[Artifact]:
    """Do a job now, even if another worker is doing it, and return its stored results.

    Raises:
        Poison: The job failed; the message is the reason.
        GivenUp: The command was stopped.
    """

    def renew(done: float | None) -> bool:
        progress.update(round((done or 0.0) * 100), 100, kind)
        return True

    def attempt() -> list[Artifact]:
        word = Attempt(
            Job(id="", video_id=envelope.id, kind=kind, state="running", attempts=1),
            settings=settings,
            store=store,
            renew=renew,
            keep=lambda: True,
            say=lambda line: patience.say_once_a_minute(line, line),
        ).run(lambda: patience.stopping)
        if word is None or word.end == "stopped":
            raise GivenUp(f"{kind}: stopped")
        reason = word.reason or "the job gave no reason"
        if word.end == "later":
            raise Retryable(reason)
        if word.end != "done":
            raise Poison(reason)
        return word.artifacts

    return patience.until_done(kind, attempt)
