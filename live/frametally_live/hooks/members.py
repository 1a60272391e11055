"""What cameras and streams have run beside a dashboard, and what a dashboard is given of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

from frametally.errors import Retryable
from frametally.settings.loading import Settings
from frametally_cli.options.ports import Ports, opened_once, wait_for
from frametally_cli.stages.family_members import MemberOptions, MembersPart, command, counting
from frametally_live.commands.camera_trial import try_feed
from frametally_live.opening import feeds_to_look, open_live_book
from frametally_videos.settings import VideoSettings


def members(settings: Settings, options: MemberOptions) -> MembersPart:
    """Return who runs feeds, and who detects and counts; `serve` starts none where it starts no worker."""
    return MembersPart(
        [
            command("consume", settings, "--live")._replace(name="consume --live"),
            command("live", settings, of="work"),
            counting(settings, options),
        ],
        partial(_waiting, settings) if settings.part(VideoSettings).video_workers else None,
    )


@contextmanager
def _waiting(settings: Settings) -> Iterator[Callable[[], bool]]:
    with feeds_to_look(settings) as book:
        yield lambda: any(feed.told.state == "requested" for feed in book.feeds())


def must_open(settings: Settings) -> None:
    """Open the live book, unless it is away for now. Raises `Misconfigured`."""
    with suppress(Retryable), closing(open_live_book(settings)):
        pass


@contextmanager
def serving(ports: Ports, _: MemberOptions) -> Iterator[dict[str, Any]]:
    """Open the live book for a dashboard, and what tries new cameras."""
    with opened_once(lambda: feeds_to_look(ports.settings)) as opened:
        yield {"feeds": wait_for(opened), "try_feed": partial(try_feed, ports.settings)}
