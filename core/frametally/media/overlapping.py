"""Finds where media of one source overlap, by their manifests, and all footage that does not count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from frametally import keys
from frametally.media.manifests import forgotten_by, media_of
from frametally.ports.ledger import Ledger
from frametally.process.reports import Skipped, plural
from frametally.records import MediaManifest
from frametally.rules.overlaps import (
    HAND_OVER_MS,
    MediumTime,
    Overlap,
    OverlapWinner,
    Span,
    find_overlaps,
    is_hand_over,
    lost_ranges,
)
from frametally.rules.times import DAY_MS, utc, utc_range
from frametally.rules.tombstones import Forgotten, Range, is_forgotten, merged
from frametally.undo_records import Tombstone


def overlaps_of(
    manifests: Iterable[MediaManifest], tombstones: Iterable[Tombstone], wins: OverlapWinner
) -> list[Overlap]:
    """Return where media lose time to others of their source, by source and time."""
    times = [
        MediumTime(media_of(manifest), manifest.source, runs_of(manifest), covers=manifest.kind == "video")
        for manifest in manifests
    ]
    return find_overlaps(times, forgotten_by(tombstones), wins=wins)


def runs_of(manifest: MediaManifest) -> list[Span]:
    """Return the runs of frames of a medium; empty before its first frame."""
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    if first_ms is None or last_ms is None:
        return []
    return manifest.runs or [(first_ms, last_ms)]  # pictures have no runs


def overlap_reports(
    overlaps: Iterable[Overlap], manifests: Iterable[MediaManifest], *, sha256s: Collection[str] | None = None
) -> dict[str, list[Skipped]]:
    """Return a line for each pair of overlapping media, by source: which loses, when, and the remedy.

    Overlaps that need no person (see `overlaps_to_mend`) are left out. With `sha256s`, identities of media,
    include only pairs with one of these.
    """
    media = {media_of(manifest): manifest for manifest in manifests}
    skipped_by_source: dict[str, list[Skipped]] = {}
    overlaps = overlaps_to_mend(overlaps, media.values())
    for (source, loser, winner), ranges in _pairs(overlaps, sha256s).items():
        loser_name, by = (named_medium(media.get(media_id), media_id) for media_id in (loser, winner))
        skipped_by_source.setdefault(source, []).append(
            Skipped(
                loser_name,
                f"is not counted from {utc_range(ranges[0].from_ms, ranges[-1].to_ms)}, because {by} of "
                f"the same source covers that time; {_remedy(ranges, media)}give another camera's footage a "
                "source of its own",
            )
        )
    return skipped_by_source


class HandOver(NamedTuple):
    """The overlap of two videos that follow each other, and about how many frames do not count."""

    length_ms: int
    frames: int


def hand_overs(
    overlaps: Iterable[Overlap], manifests: Iterable[MediaManifest], *, sha256s: Collection[str] | None = None
) -> dict[str, list[HandOver]]:
    """Return where videos only follow each other, by source; only pairs with one of `sha256s` if given."""
    media = {media_of(manifest): manifest for manifest in manifests}
    by_source: dict[str, list[HandOver]] = {}
    for (source, loser, winner), ranges in _pairs(overlaps, sha256s).items():
        if is_hand_over(*(_runs_in(media, media_id) for media_id in (loser, winner))):
            length_ms = sum(overlap.to_ms - overlap.from_ms for overlap in ranges)
            by_source.setdefault(source, []).append(
                HandOver(length_ms, frames_within(media.get(loser), ranges))
            )
    return by_source


def told_hand_overs(source: str, hand_overs: Sequence[HandOver]) -> str:
    """Return a line about videos that begin before the previous one ends, and frames that do not count."""
    longest_ms = max(hand_over.length_ms for hand_over in hand_overs)
    frames = sum(hand_over.frames for hand_over in hand_overs)
    return (
        f"in source {source}, {plural(len(hand_overs), 'video begins', 'videos begin')} up to "
        f"{longest_ms / 1000:.1f} s before the previous one ends, as happens "
        f"if names contain whole seconds; each moment counts once, so about {plural(frames, 'frame')} there "
        f"{'does' if frames == 1 else 'do'} not count"
    )


def overlaps_to_mend(overlaps: Iterable[Overlap], manifests: Iterable[MediaManifest]) -> list[Overlap]:
    """Return the overlaps without those of media that only follow each other, and of versions of a file."""
    media = {media_of(manifest): manifest for manifest in manifests}
    return [
        overlap
        for overlap in overlaps
        if not is_hand_over(_runs_in(media, overlap.loser), _runs_in(media, overlap.winner))
        and _versions(media, overlap.loser, overlap.winner) is None
    ]


class Versions(NamedTuple):
    """Two versions of one video file: `forerunner` covers only time that `longer` also covers."""

    forerunner: MediaManifest
    longer: MediaManifest


def superseded_versions(
    overlaps: Iterable[Overlap], manifests: Iterable[MediaManifest], *, sha256s: Collection[str] | None = None
) -> list[Versions]:
    """Return the pairs of versions of a file that overlap; only those with one of `sha256s` if given."""
    media = {media_of(manifest): manifest for manifest in manifests}
    pairs = [_versions(media, loser, winner) for _, loser, winner in _pairs(overlaps, sha256s)]
    return list({pair.forerunner.sha256 + pair.longer.sha256: pair for pair in pairs if pair}.values())


def told_versions(versions: Versions) -> str:
    """Return a line about a file that is longer than when it was produced before."""
    return (
        f"{versions.longer.name} is now another version of a file that was produced before and covers all of "
        f"its time: each moment counts once, and the earlier version ({versions.forerunner.sha256[:12]}, "
        f"{plural(versions.forerunner.frames_announced, 'frame')}) is superseded"
    )


def _versions(media: Mapping[str, MediaManifest], media_id: str, other_id: str) -> Versions | None:
    """Return two media as versions of one file, or None if they are not: a file that grew keeps its path."""
    pair = [media[one] for one in (media_id, other_id) if one in media and media[one].kind == "video"]
    if len({(one.name, one.track) for one in pair}) != 1 or len(pair) != 2 or pair[0].live:
        return None
    (begins_ms, ends_ms), (longer_begins_ms, longer_ends_ms) = spans = [
        (runs[0][0], runs[-1][1]) for runs in map(runs_of, pair)
    ]
    if spans[0][1] > spans[1][1]:
        pair.reverse()
        (longer_begins_ms, longer_ends_ms), (begins_ms, ends_ms) = spans
    off_ms = begins_ms - longer_begins_ms
    # A file that grows keeps its start, unless that is reckoned from the file's date.
    is_same_start = off_ms > -HAND_OVER_MS and (off_ms < HAND_OVER_MS or pair[1].time_source == "file_time")
    return Versions(*pair) if is_same_start and ends_ms < longer_ends_ms else None


def frames_within(manifest: MediaManifest | None, ranges: Iterable[Overlap]) -> int:
    """Return about how many frames of a medium are in some ranges, assuming that they are evenly spread."""
    runs = runs_of(manifest) if manifest else []
    frames = manifest.frames_announced if manifest else 0
    length_ms = sum(last - first for first, last in runs)
    if not length_ms or frames <= len(runs):
        return min(frames, len(runs))
    step_ms = length_ms / (frames - len(runs))
    parts_ms = [
        min(last, overlap.to_ms - 1) - max(first, overlap.from_ms)
        for first, last in runs
        for overlap in ranges
    ]
    return min(frames, sum(int(part_ms / step_ms) + 1 for part_ms in parts_ms if part_ms >= 0))


def _pairs(
    overlaps: Iterable[Overlap], sha256s: Collection[str] | None
) -> dict[tuple[str, str, str], list[Overlap]]:
    """Return the overlaps of each pair, by source, loser and winner; only with one of `sha256s` if given."""
    pairs: dict[tuple[str, str, str], list[Overlap]] = {}
    for overlap in overlaps:
        sha256_pair = {keys.parse_media_id(media_id)[0] for media_id in (overlap.loser, overlap.winner)}
        if sha256s is None or not sha256_pair.isdisjoint(sha256s):
            pairs.setdefault((overlap.source, overlap.loser, overlap.winner), []).append(overlap)
    return pairs


def _runs_in(media: Mapping[str, MediaManifest], media_id: str) -> list[Span]:
    manifest = media.get(media_id)
    return runs_of(manifest) if manifest and manifest.kind == "video" else []


def _remedy(ranges: Sequence[Overlap], media: Mapping[str, MediaManifest]) -> str:
    """Return how to count the loser's frames instead, or an empty string if that would lose more frames."""
    loser, winner = media.get(ranges[0].loser), media.get(ranges[0].winner)
    if loser is None or winner is None:
        return ""
    wins, loses = frames_within(loser, ranges), winner.frames_announced
    if loses > wins:
        return ""
    return (
        f"to count about {plural(wins, 'frame')} of this one instead of {loses} of the other, run "
        f"`frametally forget {winner.sha256[:12]}`; "
    )


def reports_by_source(skipped_by_source: Mapping[str, Sequence[Skipped]]) -> list[Skipped]:
    """Return the first line of each source in `overlap_reports`, with the number of further lines."""
    return [
        first._replace(
            reason=f"{first.reason}; {plural(len(more), 'more pair')} of source {source} "
            f"{'overlaps' if len(more) == 1 else 'overlap'} in the same way",
        )
        if more
        else first
        for source, (first, *more) in skipped_by_source.items()
    ]


def named_medium(manifest: MediaManifest | None, media: str) -> str:
    """Return a medium's name with enough of its sha256 to identify it; `media` is its name in frames."""
    return f"{manifest.name if manifest else 'other footage'} ({media[:12]})"


def not_counted(
    manifests: Iterable[MediaManifest], tombstones: Iterable[Tombstone], wins: OverlapWinner
) -> dict[str, list[Range]]:
    """Return the ranges that are forgotten or lost to other media; they do not touch."""
    stones = list(tombstones)
    table = forgotten_by(stones)
    for media, ranges in lost_ranges(overlaps_of(manifests, stones, wins)).items():
        table[media] = [*table.get(media, ()), *ranges]
    return {media: merged(ranges) for media, ranges in table.items()}


class NotCounted:
    """The footage that does not count in the last refresh of a ledger, and which overlapping media count."""

    def __init__(self, ledger: Ledger) -> None:
        """Read the ledger's media and tombstones."""
        self._manifests, self._tombstones = ledger.manifests(), ledger.tombstones()
        self._tables: dict[OverlapWinner, dict[str, list[Range]]] = {}

    def by(self, wins: OverlapWinner) -> dict[str, list[Range]]:
        """Return the cached result of `not_counted`."""
        if wins not in self._tables:
            self._tables[wins] = not_counted(self._manifests, self._tombstones, wins)
        return self._tables[wins]


def time_jumps(manifest: MediaManifest, forgotten: Forgotten) -> list[tuple[int, int]]:
    """Return `(from_ms, to_ms)` of a video's consecutive frames that are more than a day apart.

    Jumps from or to forgotten footage are left out.
    """
    if manifest.kind != "video":
        return []
    jumps = [(last, first) for (_, last), (first, _) in pairwise(runs_of(manifest)) if first - last > DAY_MS]
    media = media_of(manifest)
    return [jump for jump in jumps if not any(is_forgotten(media, end_ms, forgotten) for end_ms in jump)]


def told_time_jumps(manifest: MediaManifest, jumps: Sequence[tuple[int, int]]) -> str:
    """Return a line about a medium's jumps in time, at least one, and what to do."""
    from_ms, to_ms = jumps[0]
    more = f" (and {plural(len(jumps) - 1, 'more jump')})" if len(jumps) > 1 else ""
    return (
        f"{manifest.name}: its times jump from {utc(from_ms)} to {utc(to_ms)}{more}; if it was not filmed "
        "like that, `frametally forget` it, or only the wrong part with --from and --to"
    )
