"""Finds which frames of a camera's minutes are announced, when no process has noted it: after a power cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.books.evidence import frames_in
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.media.manifests import media_of
from frametally.ports.frame_log import FrameLog, LogRecord
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import FrameAnnouncement, MediaManifest, decode
from frametally.rules.times import DAY_MS
from frametally.segments.contents import read_segment
from frametally.settings.loading import Settings
from frametally_live.log_end import read_to_end

_MOST_BACK = 20_000
"""Messages of each partition to read: minutes of a hundred cameras. Consumers have stored earlier ones."""

Frames = dict[int, int]
"""Event times of frames, by decode index."""


def announced_frames(
    settings: Settings, store: ObjectStore, log: FrameLog, minutes: Sequence[MediaManifest]
) -> dict[str, Frames]:
    """Return the announced frames of minutes, by identity: those at the end of the log, and in segments.

    Segments are read only if the end of the log does not reach back to the minutes, and only by a ledger that
    is in use: a machine that only captures has none. A log that this process may not read is left out.

    Raises:
        Poison: A segment is damaged.
        Retryable: The store, the log or the ledger is unavailable.
    """
    frames: dict[str, Frames] = {minute.sha256: {} for minute in minutes}
    media = {media_of(minute): minute for minute in minutes}
    first_ms = min(_start_ms(minute) for minute in minutes)
    reaching: set[int] = set()  # partitions with an earlier frame of the camera
    partitions = {-1}
    with suppress(Misconfigured):
        partitions = {partition for partition, end in log.end_offsets(settings.live_topic).items() if end}
        for records in read_to_end(log, settings.live_topic, back=_MOST_BACK):
            for partition, announcement in _announcements(records):
                if announcement.media in media:
                    of_minute = frames[media[announcement.media].sha256]
                    of_minute[announcement.frame_index] = announcement.captured_at_ms
                elif announcement.source == minutes[0].source and announcement.captured_at_ms < first_ms:
                    reaching.add(partition)
    if partitions and partitions <= reaching:
        return frames
    with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
        if ledger.models():
            ledger.refresh(store, NoProgress())
        try:
            for model in ledger.models():
                for minute in minutes:
                    frames[minute.sha256] |= _detected(store, ledger, model, minute)
                for name, sha256 in _dead(store, ledger, model, media):
                    frames[sha256][name.frame_index] = name.captured_at_ms
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error
    return frames


def _start_ms(minute: MediaManifest) -> int:
    return 0 if minute.live is None else minute.live.minute_ms


def _announcements(records: list[LogRecord]) -> Iterator[tuple[int, FrameAnnouncement]]:
    for record in records:
        try:
            yield record.partition, decode(record.value, FrameAnnouncement)
        except Poison:
            continue  # the consumer makes it a dead letter


def _detected(store: ObjectStore, ledger: Ledger, model: str, minute: MediaManifest) -> Frames:
    span = {"from_ms": _start_ms(minute), "to_ms": _start_ms(minute) + DAY_MS}
    parts = ledger.parts(model, minute.source, **span)
    lines = frames_in(store, parts, model=model, source=minute.source, **span)
    return {line.frame_index: line.captured_at_ms for line in lines if line.media == media_of(minute)}


def _dead(
    store: ObjectStore, ledger: Ledger, model: str, media: dict[str, MediaManifest]
) -> Iterator[tuple[keys.ImageName, str]]:
    letters = {
        (dead.segment, dead.offset): media[dead.media].sha256
        for dead in ledger.dead_frames(model)
        if dead.media in media
    }
    for key in {segment for segment, _ in letters}:
        for letter in read_segment(store, key).dead_letters():
            sha256 = letters.get((key, letter.offset))
            name = keys.parse_image_name((letter.image_path or "").rpartition("/")[2])
            if sha256 is not None and name is not None:
                yield name, sha256
