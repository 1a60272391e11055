"""What planning needs of each segment, noted so that its header is read once.

New is what is listed and not noted: an aggregation with nothing new reads no segment at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from frametally import keys
from frametally.books.offsets import chain_breaks
from frametally.errors import Poison
from frametally.media.object_notes import ObjectNote, ObjectNotes
from frametally.ports.ledger import ChainLink
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.records import NOT_JSON
from frametally.rules.times import DAY_MS
from frametally.segment_records import SegmentHeader, SegmentSource
from frametally.segments.contents import check_belongs, read_header, read_source
from frametally_hadoop.job.tracks.params import MARGIN_MS


class SegmentNote(ObjectNote, frozen=True, array_like=True):
    """What planning needs of one segment.

    Attributes:
        sources: Slugs of the sources with frames in it.
        days: UTC days on which it has frames, as whole days since 1970, sorted.
        near_days: Days of which it has frames, or within `MARGIN_MS` of which, sorted.
        dead_letters: How many it holds.
        next_offset: Where the next segment of its partition begins.
    """

    model: str
    sources: tuple[str, ...]
    days: tuple[int, ...]
    near_days: tuple[int, ...]
    dead_letters: int
    next_offset: int


class SegmentNotes(ObjectNotes[SegmentNote]):
    """The notes of one store's segments, on one machine."""

    def __init__(self, data_dir: Path, store_url: str) -> None:
        """Read them, as `ObjectNotes` does."""
        super().__init__(SegmentNote, "segments", data_dir, store_url)

    def days_of(self, key: str) -> set[tuple[str, int | None]]:
        """Return models and days of a segment, whatever became of it; None as day: any, it was never read."""
        if (note := self.find_any(key)) is not None:
            return {(note.model, day) for day in note.near_days}
        segment = keys.parse_segment_key(key)
        return {(segment.model, None)} if segment else set()


def take_note(store: ObjectStore, info: ObjectInfo) -> SegmentNote:
    """Read the header of a segment, and more of it only if a source of it spans more than two days.

    Raises:
        Poison: It is no segment.
        Misconfigured: It is not where it belongs.
        ObjectMissing: It is gone.
    """
    header, body_start = read_header(store, info.key)
    check_belongs(header, info.key)
    times = _times_of(store, info.key, header, body_start)
    near = {(time_ms + off_ms) // DAY_MS for time_ms in times for off_ms in (-MARGIN_MS, MARGIN_MS)}
    for day in near:
        _check_day(day)
    return SegmentNote(
        info=info,
        model=header.model,
        sources=tuple(sorted({part.source for part in header.sources})),
        days=tuple(sorted({time_ms // DAY_MS for time_ms in times})),
        near_days=tuple(sorted(near)),
        dead_letters=header.dead_letters,
        next_offset=header.next_offset,
    )


def breaks_by_model(notes: Iterable[SegmentNote]) -> dict[str, list[str]]:
    """Return, by model, the gaps and overlaps between its segments, one line each."""
    chains: defaultdict[str, list[ChainLink]] = defaultdict(list)
    for note in notes:
        if (place := keys.parse_segment_key(note.info.key)) is not None:
            link = ChainLink(
                key=note.info.key,
                log_id=place.log_id,
                topic=place.topic,
                partition=place.partition,
                first_offset=place.first_offset,
                next_offset=note.next_offset,
                frames=0,
                dead_letters=note.dead_letters,
                put_at_ms=0,
            )
            chains[note.model].append(link)
    return {model: chain_breaks(links) for model, links in chains.items()}


class _Time(msgspec.Struct):
    captured_at_ms: int


def _times_of(store: ObjectStore, key: str, header: SegmentHeader, body_start: int) -> set[int]:
    """Return enough times of the segment's frames to tell its days.

    The header alone tells them unless a source spans more than two days (pictures do): what lies between its
    first and last is then read from the lines.
    """
    times: set[int] = set()
    for part in header.sources:
        first_ms, last_ms = part.first_captured_at_ms, part.last_captured_at_ms
        times |= {first_ms, last_ms}
        if last_ms // DAY_MS - first_ms // DAY_MS > 1:
            times |= _times_of_lines(store, key, part, body_start)
    return times


def _times_of_lines(store: ObjectStore, key: str, part: SegmentSource, body_start: int) -> set[int]:
    decoder = msgspec.json.Decoder(_Time)
    times = set()
    for line in read_source(store, key, body_start, part):
        try:
            time_ms = decoder.decode(line).captured_at_ms
        except NOT_JSON:
            continue  # the job reports it
        if part.first_captured_at_ms <= time_ms <= part.last_captured_at_ms:
            times.add(time_ms)
    return times


def _check_day(day: int) -> None:
    try:
        keys.utc_day(day * DAY_MS)
    except (OverflowError, ValueError, OSError) as error:
        raise Poison(
            f"it says that it has frames of day {day} since 1970, which no calendar has; restore the segment"
        ) from error
