"""Lets a plug-in change pictures before they are stored, and keeps in them what was detected before that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from msgspec import UNSET, UnsetType

from frametally.errors import Misconfigured
from frametally.files.jpeg_header import comments_of, with_comments
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.records import Detection, Record, decode, encode
from frametally.rules.blank_stretches import Blank
from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally.files.opencv import Pixels  # not every stage has OpenCV

_PREFIX = b"frametally "
_MOST_BYTES = 60_000


class Screen(Protocol):
    """Changes the pictures of one source before they are stored; threads may share it.

    Its methods raise `Misconfigured` if it cannot change a picture, which then must not be stored, and
    `Poison` if the picture cannot be decoded or encoded. The same picture always gives the same result.

    Attributes:
        originals: Whether an uploaded video's original is deleted alone, or replaced by a changed version.
    """

    originals: Literal["blur", "delete"]

    @property
    def note(self) -> str:
        """What it does, and by which policy and version."""

    def frame(self, jpeg: bytes) -> bytes:
        """Return a frame's JPEG to store instead of `jpeg`, with its `ScreenNote`."""

    def picture(self, pixels: Pixels) -> Pixels:
        """Return another picture of the source changed, with the shape of `pixels`."""

    def pictures(self, film: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield the pictures of a film in order, changed as `picture` does, and where their neighbours are.

        It reads one picture ahead. So what it finds in a picture shows in neither neighbour.
        """


class ErasedRange(NamedTuple):
    """Event times `[from_ms, to_ms)` of a source (a slug) whose pictures were erased."""

    source: str
    from_ms: int
    to_ms: int


class ScreensPart(NamedTuple):
    """The result of the hook `screens`.

    Attributes:
        find: Returns the `Screen` of a source, or None; see `screen_of`.
        erased: Returns the erasures whose ids are not in `known_ids`, by id; see `erased_ranges`.
        reads: Keys of the records that a process must be able to read to call it.
    """

    find: Callable[[Settings, ObjectStore, str], Screen | None]
    erased: Callable[[ObjectStore, Collection[str]], dict[str, ErasedRange]]
    reads: frozenset[str]


def screen_of(settings: Settings, store: ObjectStore, source: str) -> Screen | None:
    """Return what changes the pictures of a source, by its slug; None if they are stored as they are.

    Raises:
        Misconfigured: The policy cannot be read or followed; no picture may be stored.
        Retryable: The store is unavailable.
    """
    screens: list[Screen] = [
        screen for part in hooks("screens") if (screen := part.find(settings, store, source)) is not None
    ]
    if len(screens) > 1:
        raise Misconfigured("two plug-ins change pictures before they are stored; remove one of them")
    return screens[0] if screens else None


def screened(screen: Screen, jpeg: bytes) -> bytes:
    """Return a JPEG of frametally's own as `screen` changes it, once: its note says whether it has.

    Raises as `Screen.frame`.
    """
    note = note_in(jpeg)
    return jpeg if note is not None and note.screened == screen.note else screen.frame(jpeg)


def erased_ranges(store: ObjectStore, known_ids: Collection[str]) -> dict[str, ErasedRange]:
    """Return what was erased, or is being erased, by the id of the erasure, without the `known_ids`.

    A picture of such a range that waits to be stored must not be stored any more.

    Raises:
        Poison: The record of an erasure is damaged.
        Retryable: The store is unavailable.
    """
    return {id: erased for part in hooks("screens") for id, erased in part.erased(store, known_ids).items()}


class ScreenNote(Record, frozen=True, kw_only=True):
    """What was done to a frame before it was stored, kept in comments of its JPEG.

    Attributes:
        screened: What was done, and by which policy and version.
        model: The model whose detections these are, made before boxes were blurred; empty for none.
        detections: Boxes in pixels of the frame, as in `FrameDetections`.
        shows: As in `FrameDetections`, for the picture before boxes were blurred.
        picture_digest: As in `FrameDetections`, for the picture before boxes were blurred.
    """

    screened: str
    model: str = ""
    detections: tuple[Detection, ...] = ()
    shows: Blank | UnsetType = UNSET
    picture_digest: str = ""


def with_note(jpeg: bytes, note: ScreenNote) -> bytes:
    """Return a JPEG with a note about it, which does not change its pixels."""
    text = encode(note)
    parts = (text[first : first + _MOST_BYTES] for first in range(0, len(text), _MOST_BYTES))
    return with_comments(jpeg, [_PREFIX + part for part in parts])


def note_in(jpeg: bytes) -> ScreenNote | None:
    """Return the note in a stored JPEG, or None if it has none. Raises `Poison` if it cannot be read."""
    parts = [text.removeprefix(_PREFIX) for text in comments_of(jpeg) if text.startswith(_PREFIX)]
    return decode(b"".join(parts), ScreenNote) if parts else None
