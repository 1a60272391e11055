"""What uploaded videos have run beside a dashboard, and what a dashboard is given of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import click

from frametally.errors import Retryable
from frametally.settings.loading import Settings
from frametally_cli.options.ports import Ports, opened_once, wait_for
from frametally_cli.stages.family_members import MemberOptions, MembersPart, command, counting
from frametally_videos.jobs.job_bells import telling
from frametally_videos.opening import catalogue_to_look, open_task_queue, open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoState
from frametally_videos.settings import VideoSettings

_SETTLED: tuple[VideoState, ...] = ("ready", "failed")


def members(settings: Settings, options: MemberOptions) -> MembersPart:
    """Return the workers, and who detects and counts; `serve` starts none where that many are set."""
    workers = settings.part(VideoSettings).video_workers
    return MembersPart(
        [
            command("work", settings, "--workers", options.workers or max(1, workers)),
            command("consume", settings),
            counting(settings, options),
        ],
        partial(_waiting, settings) if workers else None,
    )


@contextmanager
def _waiting(settings: Settings) -> Iterator[Callable[[], bool]]:
    seen = ""
    with catalogue_to_look(settings) as catalogue:

        def look() -> bool:
            nonlocal seen
            version = catalogue.version()
            is_waiting = version != seen and bool(catalogue.states().keys() - set(_SETTLED))
            seen = version
            return is_waiting

        yield look


def must_open(settings: Settings) -> None:
    """Open the catalogue and the queue, unless they are away for now. Raises `Misconfigured`."""
    of_videos = settings.part(VideoSettings)
    with (
        suppress(Retryable),
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        closing(open_task_queue(of_videos.queue_url, catalogue, of_videos.queue_access)),
    ):
        pass


@contextmanager
def serving(ports: Ports, _: MemberOptions) -> Iterator[dict[str, Any]]:
    """Open the catalogue for a dashboard, and tell the queue of what is queued there."""
    with opened_once(lambda: catalogue_to_look(ports.settings)) as opened:
        catalogue = wait_for(opened)
        with telling(ports.settings, catalogue, lambda line: click.echo(line, err=True)):
            yield {"catalogue": catalogue}
