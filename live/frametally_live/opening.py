"""Opens the live book, and the dashboard's ports with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import cast

from frametally.settings.loading import Settings
from frametally_live.book import LiveBook
from frametally_videos.video_ports import VideoPorts


@dataclass(frozen=True, kw_only=True)
class LivePorts(VideoPorts):
    """The dashboard's ports, the catalogue of videos, and the live book; whoever opened them closes them."""

    feeds: LiveBook


def live_ports(ports: VideoPorts, feeds: LiveBook) -> LivePorts:
    """Return the ports with the live book."""
    return LivePorts(**{field.name: getattr(ports, field.name) for field in fields(VideoPorts)}, feeds=feeds)


def open_live_book(settings: Settings) -> LiveBook:
    """Open the live book; its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: A database that cannot be opened.
    """
    return LiveBook(settings.catalogue_url, settings.catalogue_access)


@contextmanager
def feeds_to_look(settings: Settings) -> Iterator[LiveBook]:
    """Open the live book, which is made by the first feed that is put; close it at the end."""
    from frametally_cli.stages.looking import database_to_look

    with database_to_look(settings, LiveBook, makes=("put_camera", "start_stream")) as book:
        yield cast(LiveBook, book)
