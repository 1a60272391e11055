"""Explains why nothing is counted for a source in a range of event time, from the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from frametally.media.manifests import find_manifest, forgotten_by, media_of
from frametally.media.overlapping import not_counted, runs_of
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import MediaManifest
from frametally.rules.blank_stretches import BLANK_WORDS
from frametally.rules.overlaps import HOLE_MS
from frametally.rules.times import in_range
from frametally.rules.tombstones import Forgotten, Range, is_forgotten, merged, without
from frametally.segments.dead_letters import REASONS
from frametally.settings.loading import Settings

_BLANK_WORDS = {**BLANK_WORDS, "frozen": "frozen (exactly the same picture again)"}

Kind = Literal[
    "nothing_produced",
    "camera_away",
    "behind",
    "dead_letters",
    "forgotten",
    "overlapping",
    "not_counted",
    "shows_nothing",
    "not_within",
]
"""The reasons for a hole; `not_within`: the footage is counted, but outside the hole's zone."""


class Reason(NamedTuple):
    """One reason for a hole: how many frames it explains (0 if there are none), and a sentence."""

    kind: Kind
    frames: int
    words: str


class _Frames(NamedTuple):
    """Frames of one medium in a hole: `waiting` ones are announced but in no segment yet."""

    waiting: int
    detected: int
    dead_lettered: int
    forgotten: int
    overlapping: int


def find_reasons(
    *,
    store: ObjectStore,
    ledger: Ledger,
    settings: Settings,
    model: str | None,
    source: str,
    from_ms: int,
    to_ms: int,
    blank_frames: Mapping[str, int] = MappingProxyType({}),
) -> list[Reason]:
    """Return why no frame of `source` in `[from_ms, to_ms)` is counted, at least one reason.

    `blank_frames` are the frames that show nothing according to the index, by reason. Refresh the ledger from
    the store first, and call this only if the index has nothing there. Frames of a video have no times before
    detection, so waiting ones count wherever its footage reaches.

    Raises:
        Retryable: The store or the ledger is unavailable.
    """
    hole = from_ms, to_ms
    manifests = ledger.manifests()
    stones = ledger.tombstones()
    forgotten = forgotten_by(stones)
    forgotten_ranges = not_counted(manifests, stones, settings.count_overlaps)
    of_source = {media_of(manifest): manifest for manifest in manifests if manifest.source == source}
    in_segments = {
        tally.media for tally in (ledger.tallies(model) if model else []) if tally.source == source
    }
    media_frames = [
        _frames_of(
            store, ledger, model, source, media, of_source.get(media), hole, forgotten, forgotten_ranges
        )
        for media in sorted(in_segments | of_source.keys())
    ]
    dead = sorted(
        (letter.captured_at_ms, letter.cause)
        for letter in (ledger.dead_frames(model) if model else [])
        if letter.source == source
        and letter.captured_at_ms is not None
        and in_range(letter.captured_at_ms, *hole)
        and not is_forgotten(letter.media, letter.captured_at_ms, forgotten_ranges)
    )
    reasons = [
        _reason("behind", sum(frames.waiting for frames in media_frames), "announced and not analysed yet."),
        _reason("dead_letters", len(dead), f"unreadable: {REASONS[dead[0][1]] if dead else ''}."),
        _reason(
            "forgotten",
            sum(frames.forgotten for frames in media_frames),
            "deleted from the counts (forgotten).",
        ),
        _reason(
            "overlapping",
            sum(frames.overlapping for frames in media_frames),
            "not counted: other footage from this source covers the same time.",
        ),
        *(
            _reason("shows_nothing", frames, f"{_BLANK_WORDS[reason]}: there is nothing to count.")
            for reason, frames in sorted(blank_frames.items())
        ),
        _reason(
            "not_counted",
            max(sum(frames.detected for frames in media_frames) - sum(blank_frames.values()), 0),
            "analysed and not counted yet.",
        ),
    ]
    reasons_here = [reason for reason in reasons if reason.frames]
    outages = _outages(hole, of_source.values())
    if outages:
        reasons_here.append(_away(outages, hole))
    reasons_here += _lost(hole, of_source.values())
    filmed = [(first, last + 1) for manifest in of_source.values() for first, last in runs_of(manifest)]
    left = (span for unfilmed in without(hole, filmed) for span in without(unfilmed, outages))
    left_ms = max((to_ms - from_ms for from_ms, to_ms in left), default=0)
    if not reasons_here or left_ms > HOLE_MS:
        beginning = "For the rest of this time, nothing" if reasons_here else "Nothing"
        words = (
            f"{beginning} was produced: nothing was filmed, or the footage was never given to the producer."
        )
        reasons_here.append(Reason("nothing_produced", 0, words))
    return reasons_here


def _outages(hole: tuple[int, int], media: Iterable[MediaManifest]) -> dict[tuple[int, int], str]:
    """Return when and why the camera was away in a hole; an open outage ends with the next footage."""
    minutes = list(media)
    starts_ms = sorted(first for minute in minutes for first, _ in runs_of(minute))
    outages: dict[tuple[int, int], str] = {}  # an outage across two minutes is in both
    for outage in (outage for minute in minutes if minute.live is not None for outage in minute.live.outages):
        to_ms = outage.to_ms
        if to_ms is None:
            to_ms = next((ms for ms in starts_ms if ms > outage.from_ms), hole[1])
        for span in _cut([(outage.from_ms, to_ms)], hole):
            outages[span] = min(outages.get(span, outage.reason), outage.reason)
    return outages


def _away(outages: Mapping[tuple[int, int], str], hole: tuple[int, int]) -> Reason:
    """Return for how long the camera was away, with the reason for the longest outage."""
    spans = _cut([*outages], hole)  # merges overlaps
    away_s = sum(to_ms - from_ms for from_ms, to_ms in spans) / 1000
    longest = min(outages, key=lambda span: (span[0] - span[1], span))  # the first if equal
    times = f", {len(spans)} times; the longest" if len(spans) > 1 else ""
    words = f"The camera was disconnected for {away_s:,.1f} s of this time{times}: {outages[longest]}."
    return Reason("camera_away", 0, words)


def _lost(hole: tuple[int, int], media: Iterable[MediaManifest]) -> list[Reason]:
    """Return how many frames of a camera were lost in a hole or across its edges, by reason."""
    frames: Counter[str] = Counter()
    for loss in (loss for medium in media if medium.live is not None for loss in medium.live.losses):
        if loss.from_ms < hole[1] and loss.to_ms >= hole[0]:
            frames[loss.reason] += loss.frames
    return [
        Reason("camera_away", lost, f"{plural(lost, 'frame was', 'frames were', form=',')} lost: {reason}.")
        for reason, lost in sorted(frames.items())
    ]


def _reason(kind: Kind, frames: int, explanation: str) -> Reason:
    return Reason(kind, frames, f"{plural(frames, 'frame is', 'frames are', form=',')} {explanation}")


def _frames_of(
    store: ObjectStore,
    ledger: Ledger,
    model: str | None,
    source: str,
    media: str,
    manifest: MediaManifest | None,
    hole: tuple[int, int],
    forgotten: Forgotten,
    forgotten_ranges: Forgotten,
) -> _Frames:
    def tally(ranges: Iterable[Range]) -> tuple[int, int]:
        detected = dead = 0
        for from_ms, to_ms in ranges if model else ():
            frames = ledger.tally_between(model or "", source, media, from_ms=from_ms, to_ms=to_ms)
            detected, dead = detected + frames[0], dead + frames[1]
        return detected, dead

    detected, dead = tally([hole])
    of_forgotten = sum(tally(_cut(forgotten.get(media, ()), hole)))
    of_gone = tally(_cut(forgotten_ranges.get(media, ()), hole))
    if manifest is None and not of_forgotten:  # of an earlier revision, which no books include
        return _Frames(0, 0, 0, 0, 0)
    return _Frames(
        _waiting(store, manifest, hole, forgotten_ranges, sum(tally([(None, None)])), detected + dead)
        if manifest
        else 0,
        detected - of_gone[0],
        dead - of_gone[1],
        of_forgotten,
        max(sum(of_gone) - of_forgotten, 0),
    )


def _waiting(
    store: ObjectStore,
    manifest: MediaManifest,
    hole: tuple[int, int],
    forgotten_ranges: Forgotten,
    handled: int,
    handled_in_hole: int,
) -> int:
    """Return how many announced frames of a medium in a hole are in no segment."""
    waiting = manifest.frames_announced - handled
    runs = [run for first, last in runs_of(manifest) for run in _cut([(first, last + 1)], hole)]
    if waiting <= 0 or not any(without(run, forgotten_ranges.get(media_of(manifest), ())) for run in runs):
        return 0
    if manifest.kind == "pictures":  # their names include their times; the ledger does not keep them
        whole = find_manifest(store, manifest.sha256) or manifest
        times = [int(name[: name.rindex("-")]) for name in whole.announced_pictures]
        waiting = min(waiting, sum(in_range(ms, *hole) for ms in times) - handled_in_hole)
    return max(waiting, 0)


def _cut(ranges: Sequence[Range], hole: tuple[int, int]) -> list[tuple[int, int]]:
    cut = [
        (hole[0] if first is None else max(first, hole[0]), hole[1] if end is None else min(end, hole[1]))
        for first, end in merged(ranges)
    ]
    return [(first, end) for first, end in cut if first < end]
