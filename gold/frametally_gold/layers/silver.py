"""Silver: a video checked, described, and with what is made of it so that people can look at it.

Each function is the job of its name, done as workers do it: in a process of its own, with bounds, and without
a network.
"""

from __future__ import annotations

from frametally.errors import Poison, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings
from frametally_videos.jobs.attempt import Attempt
from frametally_videos.ports.job_book import Job, JobKind
from frametally_videos.ports.video_catalogue import Artifact
from frametally_videos.records import VideoRecord


def checks(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the record of what the pictures, their order and their times were checked for.

    Raises:
        Poison: It cannot be opened, or could not be looked through this time.
    """
    return _made("checks", envelope, store, settings, progress, patience)


def metadata(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the record of all that the bytes tell, which was put into the store.

    Raises:
        Poison: It cannot be opened, or could not be looked through this time.
    """
    return _made("metadata", envelope, store, settings, progress, patience)


def playable(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the video that browsers play, which was put into the store; none where they play the original.

    Raises:
        Poison: It cannot be decoded.
    """
    if envelope.facts.plays_in_browsers:
        return []
    return _made("playable", envelope, store, settings, progress, patience)


def previews(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> list[Artifact]:
    """Return the poster, and the sprite with its times, that were put into the store.

    Raises:
        Poison: No frame of it can be decoded.
    """
    return _made("previews", envelope, store, settings, progress, patience)


def _made(
    kind: JobKind,
    envelope: VideoRecord,
    store: ObjectStore,
    settings: Settings,
    progress: Progress,
    patience: Patience,
) -> list[Artifact]:
    """Do a job here and now, whoever else does it; return what it has put into the store.

    Raises:
        Poison: It could not be done; the message says why.
        GivenUp: A stop was asked for.
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
        reason = word.reason or "no reason was told"
        if word.end == "later":
            raise Retryable(reason)
        if word.end != "done":
            raise Poison(reason)
        return word.artifacts

    return patience.until_done(kind, attempt)
