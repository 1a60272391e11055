"""Finds footage that was filmed but is not in the counts: not detected or counted yet, or dead letters.

It reads only the manifests, the ledger and the index. Unfinished videos are returned as the times of their
runs (`rules.overlaps`), so holes of up to a minute in them are taken for footage; dead letters and pictures
have their exact times. Pages show it only where nothing was counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from frametally.media.manifests import by_source, find_manifest, footage_of, media_of
from frametally.media.overlapping import not_counted, runs_of
from frametally.ports.count_index import NOT_LOOKED_AT, CountIndex, CountQuery
from frametally.ports.ledger import DeadFrame, FrameTally, Ledger
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.rules.known import TRACK_GAP_MS
from frametally.rules.times import DAY_MS, DAY_S, days_of_span
from frametally.rules.tombstones import Forgotten, is_forgotten, without
from frametally.settings.loading import Settings

_NOTHING = FrameTally("", "", 0, 0)

NO_MODEL = ""
"""Key for the footage of a store in which no model has detected or counted anything."""

Spans = list[tuple[int, int]]
"""Sorted event times `[from_ms, to_ms)` that do not touch."""


class _Medium(NamedTuple):
    """One medium: its manifest, its frames in segments, and how many of these count."""

    manifest: MediaManifest
    tally: FrameTally
    countable: int

    @property
    def days(self) -> range:
        return days_of_span(self.manifest.first_captured_at_ms or 0, self.manifest.last_captured_at_ms or 0)


def find_unanalysed(
    *, store: ObjectStore, ledger: Ledger, index: CountIndex, settings: Settings
) -> dict[str, dict[str, Spans]]:
    """Return the times of footage that is not in the counts, by model and source.

    A model is included as soon as it has segments; without any model, all footage is under `NO_MODEL`.
    Refresh the ledger from the store first.

    Raises:
        Retryable: The store, the ledger or the index is unavailable.
    """
    models = {series.model for series in index.series()}.union(ledger.models()) or {NO_MODEL}
    return {model: _of_model(store, ledger, index, settings, model) for model in sorted(models)}


def find_dead_letters(ledger: Ledger) -> dict[str, dict[str, list[int]]]:
    """Return the sorted times of the open dead letters that have one, by model and source.

    Raises:
        Retryable: The ledger is unavailable.
    """
    times_by_model: dict[str, dict[str, list[int]]] = {}
    for model in ledger.models():
        for letter in ledger.dead_frames(model):
            if letter.captured_at_ms is not None:
                times_by_model.setdefault(model, {}).setdefault(letter.source, []).append(
                    letter.captured_at_ms
                )
    return {
        model: {source: sorted(times_ms) for source, times_ms in sources.items()}
        for model, sources in times_by_model.items()
    }


def _of_model(
    store: ObjectStore, ledger: Ledger, index: CountIndex, settings: Settings, model: str
) -> dict[str, Spans]:
    all_manifests = footage_of(ledger.manifests(), model)
    forgotten = not_counted(all_manifests, ledger.tombstones(), settings.count_overlaps)
    tallies = {(tally.source, tally.media): tally for tally in ledger.tallies(model)}
    dead: dict[str, list[DeadFrame]] = defaultdict(list)
    for letter in ledger.dead_frames(model):
        dead[letter.source].append(letter)
    has_damage = bool(ledger.damaged_segments(model))
    indexed = {summary.source: summary.frames for summary in index.sources(model)}
    spans_by_source: dict[str, Spans] = {}
    for source, manifests in by_source(all_manifests).items():
        media = [
            _Medium(manifest, tally, _countable(ledger, model, tally, forgotten))
            for manifest in manifests
            if manifest.first_captured_at_ms is not None
            for tally in [tallies.get((source, media_of(manifest)), _NOTHING)]
        ]
        dead_of = Counter(letter.media for letter in dead[source])
        unnamed = tallies.get((source, ""), _NOTHING).dead_lettered
        times = _moments(dead[source], forgotten, TRACK_GAP_MS)
        is_behind = sum(medium.countable for medium in media) > indexed.get(source, 0)
        behind = _days_behind(media, _count_frames_by_day(index, model, source)) if is_behind else set()
        undetected = [medium for medium in media if _waiting(medium) > unnamed]
        if has_damage and undetected:
            # A damaged segment has no frames, but counts from before the damage may include them all.
            days = _days_behind(map(_as_announced, media), _count_frames_by_day(index, model, source))
            undetected = [medium for medium in undetected if days.intersection(medium.days)]
        for medium in media:
            tally = medium.tally
            dropped = tally.dead_lettered - dead_of[tally.media]
            if medium in undetected or dropped > 0 or behind.intersection(medium.days):
                times += _times_of(store, medium.manifest, forgotten)
        if times:
            spans_by_source[source] = _joined(times, 0)
    return spans_by_source


def _waiting(medium: _Medium) -> int:
    tally = medium.tally
    return medium.manifest.frames_announced - tally.detected - tally.dead_lettered


def _as_announced(medium: _Medium) -> _Medium:
    """Return a medium as if all its announced frames, except dead letters, should be counted."""
    return medium._replace(countable=medium.manifest.frames_announced - medium.tally.dead_lettered)


def _count_frames_by_day(index: CountIndex, model: str, source: str) -> Counter[int]:
    """Return a source's frames in the index by day, the maximum over its base intervals."""
    frames_by_day: Counter[int] = Counter()
    for series in index.series():
        if series.model == model:
            answer = index.histogram(CountQuery(*series, interval_s=DAY_S, sources=[source]))
            frames = Counter({day.start_ms // DAY_MS: day.frames for day in answer.coverage})
            for part in answer.blank:
                if part.reason != NOT_LOOKED_AT:
                    frames[part.start_ms // DAY_MS] += part.frames
            frames_by_day |= frames
    return frames_by_day


def _countable(ledger: Ledger, model: str, tally: FrameTally, forgotten: Forgotten) -> int:
    """Return how many detected frames of a medium should be counted."""
    frames = tally.detected
    for from_ms, to_ms in forgotten.get(tally.media, ()) if frames else ():
        frames -= ledger.tally_between(model, tally.source, tally.media, from_ms=from_ms, to_ms=to_ms)[0]
    return frames


def _days_behind(media: Iterable[_Medium], frames_by_day: Mapping[int, int]) -> set[int]:
    """Return the days with fewer counted than detected frames; days that share a medium form one group."""
    behind: set[int] = set()
    group, frames = range(0), 0
    for medium in [*sorted(media, key=lambda medium: medium.days[0]), None]:
        if medium is not None and medium.days[0] in group:
            group = range(group[0], max(group[-1], medium.days[-1]) + 1)
            frames += medium.countable
            continue
        if frames > sum(frames_by_day.get(day, 0) for day in group):
            behind.update(group)
        if medium is not None:
            group, frames = medium.days, medium.countable
    return behind


def _times_of(store: ObjectStore, manifest: MediaManifest, forgotten: Forgotten) -> Spans:
    """Return when a medium was filmed, without lost, forgotten or overlapped times."""
    runs = [(first_ms, last_ms + 1) for first_ms, last_ms in runs_of(manifest)]
    if manifest.kind == "pictures":  # the ledger does not keep their names, which include the times
        whole = find_manifest(store, manifest.sha256) or manifest
        times = [int(name[: name.rindex("-")]) for name in whole.announced_pictures]
        runs = [(ms, ms + 1) for ms in times] or runs
    excluded = [*forgotten.get(media_of(manifest), ())]
    if manifest.live is not None:
        excluded += manifest.live.without_pictures(manifest.last_captured_at_ms or 0)
    return [span for run in runs for span in without(run, excluded)]


def _moments(letters: Iterable[DeadFrame], forgotten: Forgotten, gap_ms: int) -> Spans:
    times = [
        (letter.captured_at_ms, letter.captured_at_ms + 1)
        for letter in letters
        if letter.captured_at_ms is not None
        and not is_forgotten(letter.media, letter.captured_at_ms, forgotten)
    ]
    return _joined(times, gap_ms)


def _joined(spans: Sequence[tuple[int, int]], gap_ms: int) -> Spans:
    joined: Spans = []
    for from_ms, to_ms in sorted(spans):
        if joined and from_ms - joined[-1][1] <= gap_ms:
            joined[-1] = joined[-1][0], max(to_ms, joined[-1][1])
        else:
            joined.append((from_ms, to_ms))
    return joined
