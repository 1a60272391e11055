"""Reads the pieces of a check, the counts in each, and the frames to play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from frametally.books.evidence import frames_of_bar
from frametally.books.runs import find_tracks
from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.keys import day_start_ms
from frametally.media.overlapping import NotCounted
from frametally.ports.count_index import CountQuery
from frametally.ports.object_store import ObjectMissing
from frametally.ports.picture_places import (
    CountedEvent,
    EventFootage,
    EventPlace,
    directed_label,
    picture_places,
)
from frametally.records import FrameDetections
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.times import is_day_in_range
from frametally.track_records import TrackHead
from frametally_accuracy.population import (
    CheckedUnit,
    CheckFootage,
    CheckScope,
    CountedFrames,
    Population,
    levels_of,
    unsure_labels,
)
from frametally_accuracy.records import AccuracyCheck, CheckUnit
from frametally_accuracy.rules.drawing import Whole, unit_weights, zones_of
from frametally_web.charts.checked_counts import CheckedCount
from frametally_web.charts.local_bars import Ranges, touches

PIECE_MS = 15_000
"""Length of a piece. Pieces begin at multiples of it, so that a bar of a minute has whole pieces."""
LEAD_MS = 3_000
"""Lead-in that the desk plays before a piece, so that people see the objects that are already there."""

PieceKey = tuple[str, int]
"""Source, and number of the piece since the epoch."""


class _Piece:
    """A piece while its frames are read."""

    def __init__(self, first: FrameDetections) -> None:
        self.first, self.last_ms, self.frames = first, 0, 0
        self.unsure: Counter[str] = Counter()
        self.by_second: Counter[int] = Counter()

    def add(self, frame: FrameDetections, limits: CountedBoxes) -> None:
        self.last_ms = frame.captured_at_ms
        self.frames += 1
        self.unsure.update(unsure_labels(frame, limits))
        self.by_second[frame.captured_at_ms // 1000] += 1


def read_pieces(footage: CheckFootage, scope: CheckScope) -> Population:
    """Return the pieces in which objects were tracked, with the counts in each.

    Raises:
        Misconfigured: There is too little footage, or nothing was tracked in it.
        Retryable: A port is unavailable.
    """
    frames = CountedFrames(footage, scope)
    pieces = _pieces(footage, scope, frames)
    if not any(piece.last_ms - piece.first.captured_at_ms > PIECE_MS / 2 for piece in pieces.values()):
        raise Misconfigured(
            f"frametally checks {scope.metric} in clips of {PIECE_MS // 1000} s, but this footage is "
            "shorter; choose a longer range, or check detections"
        )
    place = scope.place
    happened = [*_events(footage, scope, frames.base_interval_s)]
    events = Counter(((event.source, event.at_ms // PIECE_MS), event.label) for event in happened)
    seen = {plain_label(label, place) for at, label in events if at in pieces}
    labels = sorted(set(scope.labels) or seen)
    if not labels:
        raise Misconfigured(f"the model counts no {scope.metric} in this footage; give the labels to check")
    if place is not None:
        labels = [directed_label(label, way) for label in labels for way in place.directions]
    counts = np.array([[events[at, label] for label in labels] for at in pieces], dtype=float)
    doubts = np.array(
        [
            [piece.unsure[plain_label(label, place)] / piece.frames for label in labels]
            for piece in pieces.values()
        ]
    )
    members = [
        CheckedUnit(
            piece.first.source,
            piece.first.captured_at_ms,
            piece.first.image_path,
            piece.first.width_px,
            piece.first.height_px,
            to_ms=piece.last_ms + 1,
            frames=piece.frames,
            counts={label: events[at, label] for label in labels if events[at, label]},
        )
        for at, piece in pieces.items()
    ]
    weights = unit_weights(counts, doubts)
    zones, levels = zones_of(weights), levels_of(members, counts)
    by_second = Counter((event.source, event.at_ms // 1000, event.label) for event in happened)
    if place is not None:
        by_second.clear()  # the index has no crossings of a line that was just drawn
    for piece in pieces.values():
        of_piece = piece.by_second.items()
        by_second.update({(piece.first.source, second, ""): number for second, number in of_piece})
    footage_ms = tuple(_stretches(pieces))
    return Population(
        members, tuple(labels), counts, weights, zones, frames.params, *levels, place, footage_ms, by_second
    )


def plain_label(label: str, place: EventPlace | None) -> str:
    """Return the class in a check's label."""
    return label if place is None else label.rpartition("/")[0]


class PieceFrame(NamedTuple):
    """A frame to play: its time and its key."""

    captured_at_ms: int
    image_path: str


def frames_of_piece(footage: CheckFootage, check: AccuracyCheck, unit: CheckUnit) -> list[PieceFrame]:
    """Return the stored frames of a piece and of its lead-in, by time.

    Raises:
        Retryable: A port is unavailable.
    """
    settings = footage.settings
    frames = frames_of_bar(
        footage.store,
        footage.ledger,
        model=check.model,
        source=unit.source,
        labels=(),
        from_ms=unit.captured_at_ms - LEAD_MS,
        to_ms=unit.to_ms or unit.captured_at_ms + 1,
        limits=settings.counted_boxes(),
        not_counted=NotCounted(footage.ledger).by(settings.count_overlaps),
        empty=True,
    )
    return [PieceFrame(one.frame.captured_at_ms, one.frame.image_path) for one in frames]


def has_pictures(footage: CheckFootage, check: AccuracyCheck, unit: CheckUnit) -> bool:
    """Return whether every picture that a unit shows is in the store and intact.

    Raises:
        Retryable: A port is unavailable.
    """
    keys = [unit.image_path]
    if unit.to_ms is not None:
        frames = frames_of_piece(footage, check, unit)
        if sum(frame.captured_at_ms >= unit.captured_at_ms for frame in frames) < unit.frames:
            return False
        keys = [frame.image_path for frame in frames]
    if any(footage.store.head(key) is None for key in keys):  # before slow decoding
        return False
    from frametally.files.opencv import decode_pixels  # a list of checks needs no pictures

    try:
        for key in keys:
            decode_pixels(footage.store.get(key), 8)
    except (ObjectMissing, Poison):
        return False
    return True


def _pieces(footage: CheckFootage, scope: CheckScope, frames: CountedFrames) -> dict[PieceKey, _Piece]:
    base_ms = frames.base_interval_s * 1000
    asked = CountQuery(
        scope.model,
        frames.base_interval_s,
        sources=scope.sources,
        from_ms=scope.from_ms // base_ms * base_ms,
        to_ms=scope.to_ms,
        by_source=True,
        measured_only=True,
    )
    coverage = footage.counts.histogram(asked).coverage
    followed = {(one.source, one.start_ms) for one in coverage if one.objects is not None}
    pieces: dict[PieceKey, _Piece] = {}
    for proved, limits in frames.read():
        frame, place = proved.frame, scope.place
        at_ms, number = frame.captured_at_ms, frame.captured_at_ms // PIECE_MS
        if (frame.source, at_ms // base_ms * base_ms) in followed and (
            place is None or place.holds_in(number * PIECE_MS, (number + 1) * PIECE_MS)
        ):
            if (frame.source, number) not in pieces:
                pieces[frame.source, number] = _Piece(frame)
            pieces[frame.source, number].add(frame, limits)
    if not followed:
        raise Misconfigured(
            "frametally did not track objects in this footage; turn on FRAMETALLY_COUNT_OBJECTS, analyse "
            f"at least {footage.settings.min_tracking_fps:g} frames per second, and count again"
        )
    if scope.place is not None and not pieces:
        raise Misconfigured(f"line {scope.place.name!r} does not exist in this range; choose another range")
    return pieces


def _events(footage: CheckFootage, scope: CheckScope, base_interval_s: int) -> Iterator[CountedEvent]:
    runs = footage.counts.current_runs()
    try:
        if scope.place is not None:
            places = picture_places()
            yield from (
                ()
                if places is None
                else places.events(
                    EventFootage(footage.store, footage.settings, runs, footage.ledger.manifests()),
                    scope.place,
                    model=scope.model,
                    base_interval_s=base_interval_s,
                    from_ms=scope.from_ms,
                    to_ms=scope.to_ms,
                )
            )
            return
        sources = {*scope.sources}

        def is_wanted(head: TrackHead) -> bool:
            is_in = scope.from_ms <= head.first_seen_ms < scope.to_ms
            return head.is_counted and head.source in sources and is_in

        for run in runs:
            is_own = (run.model, run.interval_s) == (scope.model, base_interval_s)
            if is_own and is_day_in_range(day_start_ms(run.day), scope.from_ms, scope.to_ms):
                for track in find_tracks(
                    footage.store,
                    run,
                    is_match=is_wanted,
                    order=lambda _: (),
                    sources=sources,
                    span=(scope.from_ms, scope.to_ms),
                ):
                    yield CountedEvent(track.source, track.first_seen_ms, track.label)
    except Retryable:
        raise
    except FrametallyError as error:  # damaged; the message has the remedy
        raise Misconfigured(str(error)) from error


def _stretches(pieces: Iterable[PieceKey]) -> Iterator[tuple[str, int, int]]:
    """Yield stretches of consecutive pieces: source, start, end."""
    source, first, end = "", 0, 0
    for piece in pieces:
        if piece == (source, end):
            end += 1
            continue
        if end > first:
            yield source, first * PIECE_MS, end * PIECE_MS
        source, first, end = piece[0], piece[1], piece[1] + 1
    yield source, first * PIECE_MS, end * PIECE_MS


class PiecesOfBars:
    """The start times of a check's pieces."""

    def __init__(self, check: AccuracyCheck) -> None:
        """Compute the start times from the check's footage."""
        starts: dict[str, list[Whole]] = {}
        for source, from_ms, to_ms in check.footage:
            starts.setdefault(source, []).append(np.arange(from_ms, to_ms, PIECE_MS))
        self._starts = {source: np.concatenate(parts) for source, parts in starts.items()}
        self._units = check.units

    def in_bars(
        self, sources: Sequence[str], chosen: Ranges | None, counts: Mapping[int, CheckedCount]
    ) -> dict[int, int]:
        """Return the number of pieces in each bar, by the bar's place; 0 if the bar splits a piece.

        `chosen`: the event times that count; None for all.
        """
        none = np.zeros(0, dtype=np.int64)
        starts = np.sort(np.concatenate([none, *(self._starts.get(one, none) for one in sources)]))
        if chosen is not None:
            starts = starts[[touches(chosen, one, one + PIECE_MS) for one in starts.tolist()]]
        found = {}
        for place, one in counts.items():
            first, behind = np.searchsorted(starts, [one.start_ms - PIECE_MS + 1, one.end_ms])
            number = int(behind - first)
            is_whole = not one.start_ms % PIECE_MS and not one.end_ms % PIECE_MS
            found[place] = number if is_whole or number == self._units else 0
        return found
