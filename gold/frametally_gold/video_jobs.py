"""What gold does to uploaded videos: loads their rows, anew where something changed, and removes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from frametally.opening import open_ledger
from frametally.settings.loading import Settings
from frametally_gold.book import Gold
from frametally_gold.commands import must_open_gold
from frametally_gold.settings import GoldSettings
from frametally_gold.video_rows import IN_ROWS, load_video
from frametally_gold.wanted import is_wanted
from frametally_videos.jobs.job_results import Made
from frametally_videos.jobs.job_steps import JobCall, PluginJob
from frametally_videos.ports.video_catalogue import FINAL_STATES, Artifact, VideoCatalogue


def load_rows(call: JobCall) -> list[Artifact]:
    """Bring a video to the gold tables; raises as a job does."""
    settings = call.settings
    with (
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        closing(Gold(settings.part(GoldSettings).gold_url, settings.part(GoldSettings).gold_access)) as gold,
    ):
        load_video(call.record.id, settings=settings, store=call.store, ledger=ledger, gold=gold)
    return []


JOBS = {"gold": PluginJob(load_rows, must_open_gold)}


def queue_load(settings: Settings, catalogue: VideoCatalogue, video_id: str, made: Made) -> None:
    """Have a video's rows made at its end, and again where something that they tell was made behind that.

    Raises:
        Retryable: The catalogue is away.
    """
    if made not in ("end", *IN_ROWS) or not is_wanted(settings):
        return
    if made != "end":
        row = catalogue.video(video_id)
        if row is None or row.state not in FINAL_STATES:  # its end has them made
            return
    catalogue.queue(video_id, "gold")


@contextmanager
def removing_rows(settings: Settings, video_id: str) -> Iterator[bool]:
    """Remove the rows of a video, which nothing is at work on.

    Raises:
        Retryable: The database is away.
        Misconfigured: It cannot be opened or written.
    """
    if is_wanted(settings):
        with closing(
            Gold(settings.part(GoldSettings).gold_url, settings.part(GoldSettings).gold_access)
        ) as gold:
            gold.remove_video(video_id)
    yield False
