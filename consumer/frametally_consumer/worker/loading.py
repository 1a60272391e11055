"""From a message to a picture: what the loading threads do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from frametally.files.opencv import Pixels
from frametally.ports.frame_log import LogRecord
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.meters import METERS
from frametally.process.retrying import GivenUp, Patience
from frametally.records import DeadLetter, FrameAnnouncement
from frametally.segments.dead_letters import as_dead_letter
from frametally.segments.stored_frame import BadFrame, parse_announcement, read_frame
from frametally.telemetry.traces import TRACES


class Loaded(NamedTuple):
    """An announced frame with its picture, (height, width, 3) uint8 BGR, perhaps at a reduced scale."""

    announcement: FrameAnnouncement
    image: Pixels


def parse(record: LogRecord) -> FrameAnnouncement | DeadLetter:
    """Return the announcement in a message, or the dead letter instead."""
    try:
        return parse_announcement(record.value)
    except BadFrame as error:
        return as_dead_letter(offset=record.offset, message=record.value, frame=None, error=error)


def load(
    record: LogRecord,
    frame: FrameAnnouncement,
    *,
    store: ObjectStore,
    max_pixels: int,
    least_px: tuple[int, int] | None,
    patience: Patience,
    give_up: Callable[[], bool],
) -> Loaded | DeadLetter | None:
    """Return the announced frame with its picture, or the dead letter; None if it is wanted no more.

    While the store is away this waits, until `give_up` says that the frame is wanted no more; `max_pixels`
    and `least_px` are as `read_frame` says.
    """

    def read() -> Pixels:
        return read_frame(store, frame, max_pixels=max_pixels, least_px=least_px)

    try:
        with METERS.timed("fetch"), TRACES.timed(frame.image_path, "fetch"):
            image = patience.until_done("fetch", read, give_up)
    except GivenUp:
        return None
    except BadFrame as error:
        return as_dead_letter(offset=record.offset, message=record.value, frame=frame, error=error)
    failpoints.passing("consumer.loaded")
    return Loaded(frame, image)
