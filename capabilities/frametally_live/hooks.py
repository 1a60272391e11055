"""Hooks of cameras and streams for the commands of frametally."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import Any

from frametally.console.rounds import opened_once, wait_for
from frametally.naming import NamesPart
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import Ports
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions, MembersPart, command, counting
from frametally_live.cameras.camera_form import try_feed
from frametally_live.live_book_by_url import feeds_to_look, open_live_book
from frametally_videos.settings import VideoSettings


def known_names(settings: Settings, _: ObjectStore | None) -> NamesPart:
    """Return how the names of the cameras' sources are written. Raises as the database does."""
    with feeds_to_look(settings) as book:
        return NamesPart({feed.source: feed.name or feed.source for feed in book.feeds("camera")})


@contextmanager
def removing_streams(settings: Settings, video_id: str) -> Iterator[bool]:
    """Stop the stream of a video, and delete it at the end; yield whether there was one.

    Raises:
        Retryable: The database is unavailable.
        Misconfigured: The database cannot be opened or written.
    """
    with closing(open_live_book(settings)) as book:
        yield bool(book.stop_streams(video_id))
        book.forget_streams(video_id)


def members(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the commands that run feeds, detect and count, each with what starts it."""

    def waiting(*, simulated: bool) -> Callable[[], AbstractContextManager[Callable[[], bool]]] | None:
        works = settings.part(VideoSettings).video_workers
        return partial(_feeds_waiting, settings, simulated) if works else None

    return [
        MembersPart(
            [command("live", settings, *(("--packs",) if options.packs else ()), subcommand="work")],
            waiting(simulated=True),
        ),
        MembersPart(
            [
                command("consume", settings, "--live")._replace(name="consume --live"),
                counting(settings, options),
            ],
            waiting(simulated=False),
        ),
    ]


@contextmanager
def _feeds_waiting(settings: Settings, simulated: bool) -> Iterator[Callable[[], bool]]:
    """Yield whether a feed waits for a worker; simulated cameras only if `simulated`."""
    with feeds_to_look(settings) as book:
        yield lambda: any(
            feed.told.state == "requested" and (simulated or not feed.is_simulated) for feed in book.feeds()
        )


@contextmanager
def serving(ports: Ports, _: MemberOptions) -> Iterator[dict[str, Any]]:
    """Open the live book for a dashboard, and provide the search for new cameras and their trial."""
    from frametally_live.discovery.search import search_cameras

    with opened_once(lambda: feeds_to_look(ports.settings)) as opening:
        yield {
            "feeds": wait_for(opening),
            "try_feed": partial(try_feed, ports.settings),
            "search_cameras": partial(search_cameras, ports.settings),
        }
