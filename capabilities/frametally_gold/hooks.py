"""Hooks of gold for commands and uploaded videos: set up, and load a video's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from frametally.adapters_by_url import open_ledger, tables_line
from frametally.errors import Retryable
from frametally.media.kept_data import KeptItem, KeptKind, KeptPart, in_folders
from frametally.ports.opened import StorePorts
from frametally.settings.loading import Settings
from frametally_gold.book import Gold, open_gold
from frametally_gold.commands import must_open_gold, publish_again
from frametally_gold.settings import GoldSettings, is_wanted
from frametally_gold.video_rows import IN_ROWS, load_video
from frametally_videos.catalogue.catalogue_rows import FINAL_STATES, Artifact
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.jobs.job_results import Made
from frametally_videos.jobs.job_steps import PluginJob

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue


def setup(settings: Settings, _: Sequence[str], check_only: bool) -> Iterator[str]:
    """Create the tables. Raises the errors of the database."""
    of_gold = settings.part(GoldSettings)
    yield tables_line("gold", of_gold.gold_url, of_gold.gold_access, Gold)


def load_rows(call: JobCall) -> list[Artifact]:
    """Load a video into the gold tables. Raises the errors of a job."""
    settings = call.settings
    with (
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        closing(open_gold(settings)) as gold,
    ):
        load_video(call.record.id, settings=settings, store=call.store, ledger=ledger, gold=gold)
    return []


JOBS = {"gold": PluginJob(load_rows, must_open_gold)}


def queue_load(settings: Settings, catalogue: VideoCatalogue, video_id: str, kind: Made) -> None:
    """Queue the job for a video's rows when the video is final, and after later jobs that change its rows.

    Raises:
        Retryable: The catalogue is not available.
    """
    if kind not in ("end", *IN_ROWS) or not is_wanted(settings):
        return
    if kind != "end":
        row = catalogue.video(video_id)
        if row is None or row.state not in FINAL_STATES:  # queued when it is final
            return
    catalogue.queue(video_id, "gold")


@contextmanager
def removing_rows(settings: Settings, video_id: str) -> Iterator[bool]:
    """Remove the rows of a video that no job is working on.

    Raises:
        Retryable: The database is not available.
        Misconfigured: It cannot be opened or written.
    """
    if is_wanted(settings):
        with closing(open_gold(settings)) as gold:
            gold.remove_video(video_id)
    yield False


def data_places(ports: StorePorts) -> KeptPart:
    """Return the gold tables, and the Iceberg tables, which an erasure publishes again without history."""

    def tables() -> Iterator[KeptItem]:
        if is_wanted(ports.settings):
            with closing(open_gold(ports.settings)) as gold:
                has_iceberg = gold.has_iceberg()
            if has_iceberg:
                yield KeptItem("iceberg", "", 0, 0)

    def publish(_: KeptItem) -> None:
        if publish_again(ports):
            raise Retryable("the Iceberg tables were not published again: run `frametally iceberg --rebuild`")

    return KeptPart(
        [
            KeptKind("counts", place="gold"),
            KeptKind(
                "iceberg-tables",
                tables,
                publish,
                "recounts",
                files=in_folders("iceberg"),
                text="gold.kept_iceberg",
            ),
        ]
    )
