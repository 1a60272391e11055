"""Cameras: which address may be one's, whose source it is, and what is wanted of it."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from frametally import keys
from frametally.errors import FrametallyError
from frametally.process.allowed_addresses import AddressRefused, AllowedPlaces, read_address
from frametally.settings.loading import Settings
from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.settings import LiveSettings
from frametally_videos.records import VideoFields
from frametally_videos.upload_fields import check_fields
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_REMEDY = "Give the camera another address."


class SourceTaken(FrametallyError):
    """A source has a camera already."""


class NoCamera(FrametallyError):
    """A source has no camera."""


class CameraTrial(NamedTuple):
    """What came of trying a camera.

    Attributes:
        words: What it shows, or why nothing, as a clause.
        shows: Whether it shows something.
    """

    words: str
    shows: bool


TryFeed = Callable[[Feed], CameraTrial | None]
"""Tries a camera that is not captured yet, for some seconds; None: there is nothing to say."""


def add_camera(
    book: LiveBook,
    settings: Settings,
    *,
    source: str,
    address: str,
    transport: Literal["tcp", "udp"] = "tcp",
    devices: bool = False,
    try_feed: TryFeed = lambda _: None,
) -> tuple[Feed, CameraTrial | None]:
    """Put a camera, to be run from now on; return it, and what came of trying it before.

    Args:
        book: Where cameras stand.
        settings: Where cameras may be.
        source: Its name, as people write it.
        address: Where it is, without any log-in.
        transport: How RTSP brings its pictures.
        devices: Whether it may be a device of this machine, too.
        try_feed: Tries it once it may be put; whatever comes of that, it is put.

    Raises:
        FieldRefused: The name can be none, or no camera may be at the address.
        SourceTaken: The source has one.
        Misconfigured: What the settings say of addresses cannot be read.
        Retryable: The catalogue is away.
    """
    name = check_fields(VideoFields(source=source)).source
    if not name:
        raise FieldRefused("source", "The camera has no name.", "Name it, such as gate-1.")
    try:
        place = read_address(address, devices=devices)
        if place.host:
            AllowedPlaces(settings.part(LiveSettings).live_allow).check(
                place.host, _found(place.host, place.port)
            )
    except AddressRefused as error:
        remedy = f"{error.remedy[:1].upper()}{error.remedy[1:]}" or _REMEDY
        raise FieldRefused("address", f"{error.line}.", remedy) from error
    feed = Feed(str(uuid.uuid4()), "camera", keys.slug(name), name, address=place.text, transport=transport)
    taken = SourceTaken(f"{name} has a camera already")
    if any(other.source == feed.source for other in book.feeds("camera")):
        raise taken
    trial = try_feed(feed)
    put = book.put_camera(feed)
    if put is None:
        raise taken
    return put, trial


def ask_camera(book: LiveBook, source: str, wanted: FeedWanted) -> Feed:
    """Want something else of the camera of a source, which may be written as people do; return it then.

    Raises:
        NoCamera: There is none.
        Retryable: The catalogue is away.
    """
    slug = keys.slug(source)
    for feed in book.feeds("camera"):
        if feed.source == slug and (asked := book.ask_feed(feed.id, wanted)) is not None:
            return asked
    raise NoCamera(f"{source[:200]!r} has no camera")


def remove_camera(book: LiveBook, source: str) -> bool:
    """Stop the camera of a source, and remove it; what was captured of it stays.

    Returns:
        False: who captures it has not ended yet, and it is to be removed in a few seconds.

    Raises:
        NoCamera: There is none.
        Retryable: The catalogue is away.
    """
    return book.remove_feed(ask_camera(book, source, "stop").id)


def _found(host: str, port: int) -> list[str]:
    """Return all addresses that a host has by now."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        remedy = "look whether its name is written right, or give its IP address"
        raise AddressRefused(f"{host[:200]!r} has no address: no name server knows it", remedy) from error
    return sorted({str(one[4][0]) for one in found})
