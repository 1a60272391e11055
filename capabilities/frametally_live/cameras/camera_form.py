"""Adding and changing cameras: the allowed addresses, the source, and the request."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from frametally import keys
from frametally.errors import FrametallyError, Poison
from frametally.process.allowed_addresses import AddressRefused, AllowedPlaces, read_address
from frametally.settings.loading import Settings
from frametally.settings.producer import known_sampling
from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.settings import LiveSettings
from frametally_videos.records import VideoFields
from frametally_videos.upload_fields import check_fields
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook


_REMEDY = "Enter another address."


class SourceTaken(FrametallyError):
    """A source has a camera already."""


class NoCamera(FrametallyError):
    """A source has no camera."""


class CameraTrial(NamedTuple):
    """The result of a camera's trial: its stream, or why it failed, as a clause, and its picture, if any."""

    words: str
    shows: bool
    jpeg: bytes = b""

    @property
    def sentence(self) -> str:
        """The clause as a sentence."""
        return f"{self.words[:1].upper()}{self.words[1:]}."


TryFeed = Callable[[Feed], CameraTrial | None]
"""Tries a camera for some seconds before it is captured; returns None if there is nothing to report."""


def add_camera(
    book: LiveBook, feed: Feed, try_feed: TryFeed = lambda _: None
) -> tuple[Feed, CameraTrial | None]:
    """Add the camera that `read_camera` returned, and start it; return it, and the result of its trial.

    The camera is added whether or not its trial succeeds. Raises `SourceTaken`, `Retryable`.
    """
    trial = try_feed(feed)
    stored_feed = book.put_camera(feed)
    if stored_feed is None:
        raise _source_taken(feed)
    return stored_feed, trial


def read_camera(
    book: LiveBook,
    settings: Settings,
    *,
    source: str,
    address: str,
    transport: Literal["tcp", "udp"] = "tcp",
    devices: bool = False,
) -> Feed:
    """Return a camera that could be added.

    `address` has no user and password. `devices`: whether a device of this machine is allowed.

    Raises:
        FieldRefused: The name is not valid, or the address is not allowed.
        SourceTaken: The source already has a camera.
        Misconfigured: The setting of allowed addresses cannot be read.
        Retryable: The catalogue is unavailable.
    """
    name = check_fields(VideoFields(source=source)).source
    if not name:
        raise FieldRefused("source", "The camera has no name.", "Enter a name, such as gate-1.")
    text = _allowed_address(settings, address, devices=devices)
    feed = Feed(str(uuid.uuid4()), "camera", keys.slug(name), name, address=text, transport=transport)
    if any(camera.source == feed.source for camera in book.feeds("camera")):
        raise _source_taken(feed)
    return feed


def _allowed_address(settings: Settings, address: str, *, devices: bool) -> str:
    """Return an address in the form that is stored; raises as `read_camera` does."""
    try:
        place = read_address(address, devices=devices)
        if place.host:
            AllowedPlaces(settings.part(LiveSettings).live_allow).check(
                place.host, _addresses_of(place.host, place.port)
            )
    except AddressRefused as error:
        remedy = f"{error.remedy[:1].upper()}{error.remedy[1:]}" or _REMEDY
        raise FieldRefused("address", f"{error.detail}.", remedy) from error
    return place.text


def change_camera(
    book: LiveBook,
    settings: Settings,
    source: str,
    *,
    address: str | None = None,
    transport: Literal["tcp", "udp"] | None = None,
    sample_fps: str | None = None,
    try_feed: TryFeed = lambda _: None,
) -> tuple[Feed, CameraTrial | None]:
    """Give a source's camera another address or rate, and try it; return its feed, and the trial's result.

    Arguments that are not given keep their values. A failed camera starts again; a stopped one stays stopped.

    Raises:
        FieldRefused: The address or the rate is not allowed, or the camera is simulated.
        NoCamera: The source has no camera.
        Misconfigured: The setting of allowed addresses cannot be read.
        Retryable: The catalogue is unavailable.
    """
    feed = find_camera(book, source)
    if feed.is_simulated:
        raise FieldRefused("address", "This camera is simulated: it shows a stored video.", "Add a camera.")
    camera = feed._replace(
        address=feed.address if address is None else _allowed_address(settings, address, devices=False),
        transport=transport or feed.transport,
        sample_fps=feed.sample_fps if sample_fps is None else _allowed_rate(sample_fps),
    )
    trial = try_feed(camera)
    changed_feed = book.change_camera(camera)
    if changed_feed is not None and changed_feed.told.state == "failed":
        changed_feed = book.ask_feed(feed.id, "run")
    if changed_feed is None:
        raise NoCamera(f"source {source[:200]!r} has no camera")
    return changed_feed, trial


def _allowed_rate(text: str) -> str:
    """Return the rate of frames as the setting has it; empty for the setting itself."""
    try:
        return text and known_sampling(text)
    except ValueError as error:
        raise FieldRefused("sample_fps", f"{error}.", "Enter a number, such as 10.") from error


def _source_taken(feed: Feed) -> SourceTaken:
    return SourceTaken(f"{feed.name} already has a camera")


def ask_camera(book: LiveBook, source: str, wanted: FeedWanted) -> Feed:
    """Change the request of a source's camera; return its feed. The source may be a name or a slug.

    Raises:
        NoCamera: The source has no camera.
        Retryable: The catalogue is unavailable.
    """
    changed_feed = book.ask_feed(find_camera(book, source).id, wanted)
    if changed_feed is None:
        raise NoCamera(f"source {source[:200]!r} has no camera")
    return changed_feed


def find_camera(book: LiveBook, source: str) -> Feed:
    """Return the camera of a source, which may be a name or a slug; raises as `ask_camera` does."""
    slug = keys.slug(source)
    for feed in book.feeds("camera"):
        if feed.source == slug:
            return feed
    raise NoCamera(f"source {source[:200]!r} has no camera")


def remove_camera(book: LiveBook, source: str) -> bool:
    """Stop the camera of a source, and remove it; its footage stays.

    Returns:
        Whether it is removed; if not, it is deleted when its worker ends.

    Raises:
        NoCamera: The source has no camera.
        Retryable: The catalogue is unavailable.
    """
    return book.remove_feed(ask_camera(book, source, "stop").id)


def _addresses_of(host: str, port: int) -> list[str]:
    """Return all current addresses of a host."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        remedy = "check the spelling of the name, or use its IP address"
        raise AddressRefused(f"the name servers do not know {host[:200]!r}", remedy) from error
    return sorted({str(address[4][0]) for address in addresses})


def try_feed(settings: Settings, feed: Feed) -> CameraTrial | None:
    """Read a camera for some seconds, and return the result, or None if its address is not allowed.

    Raises:
        Misconfigured: A setting of cameras cannot be read.
    """
    from frametally_live.cameras.camera_access import CameraAway
    from frametally_live.cameras.camera_frames import try_camera
    from frametally_live.cameras.camera_opening import camera_to_open

    try:
        camera = camera_to_open(settings, address=feed.address, source=feed.source, transport=feed.transport)
        sight = try_camera(camera)
        return CameraTrial(f"it shows {sight}", shows=True, jpeg=sight.jpeg)
    except CameraAway as error:
        return CameraTrial(f"the camera {error}", shows=False)
    except Poison:  # capturing it reports the reason
        return None
