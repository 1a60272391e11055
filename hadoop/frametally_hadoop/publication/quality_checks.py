"""Checks the quality of one run while its lines are published, and holds the data that the checks need.

Counts are compared with coverage, both with the map side's lines, and coverage with the manifests. If sums
differ, the software or the machine is at fault: publication of that day stops, and the previous run stays.
Other failed checks are reported, and publication goes on.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from operator import itemgetter
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.books.quality_reports import QualityCheck, QualityReport, SetAside, read_quality
from frametally.books.runs import read_parts
from frametally.errors import FrametallyError, Poison
from frametally.media.manifests import by_source
from frametally.media.overlapping import (
    hand_overs,
    overlap_reports,
    overlaps_to_mend,
    superseded_versions,
    time_jumps,
    told_hand_overs,
    told_time_jumps,
)
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import MediaManifest, encode
from frametally.rules.known import is_too_weak
from frametally.rules.times import DAY_MS, HOUR_MS, days_of_span, utc
from frametally.rules.tombstones import Forgotten
from frametally.segments.contents import read_segment
from frametally_hadoop.job.lines import BadLine, decode_frame
from frametally_hadoop.planning.plan import DayPlan
from frametally_hadoop.running.outcome import AnalysedFrames

_MOST_FRAMES, _MOST_DAYS = 500_000, 31
"""The most frames and days of a medium that is listed in the store to assign its frames to days."""


class Surroundings(NamedTuple):
    """The data that a run is compared with.

    Attributes:
        manifests: By source, the manifests of its media; None if one cannot be read.
        chain_breaks: By model, gaps and overlaps between its segments, one line each.
        dead_images: Returns a model's frames with dead letters, as keys by source and day; called only if
            coverage falls short of the manifests.
        frames_by_day: Returns the stored frames of a medium by UTC day, or why they are unknown. Only for a
            medium of several days.
    """

    manifests: Mapping[str, Sequence[MediaManifest]] | None
    forgotten: Forgotten
    unusable: Collection[str]
    chain_breaks: Mapping[str, Sequence[str]]
    dead_images: Callable[[str], Mapping[tuple[str, str], Collection[str]]]
    frames_by_day: Callable[[MediaManifest], Counter[str] | str]


def look_around(
    store: ObjectStore,
    manifests: list[MediaManifest] | None,
    *,
    forgotten: Forgotten,
    unusable: Collection[str],
    with_dead_letters: Collection[str],
    chain_breaks: Mapping[str, Sequence[str]],
) -> Surroundings:
    """Read the current contents of the store; `with_dead_letters` are keys of segments that have some.

    Raises `Retryable`.
    """
    known: dict[str, Counter[str] | str] = {}

    def frames_by_day(manifest: MediaManifest) -> Counter[str] | str:
        if manifest.sha256 not in known:
            known[manifest.sha256] = _frames_by_day(store, manifest)
        return known[manifest.sha256]

    return Surroundings(
        manifests=None if manifests is None else by_source(manifests),
        forgotten=forgotten,
        unusable=unusable,
        chain_breaks=chain_breaks,
        dead_images=cache(lambda model: _dead_images(store, model, with_dead_letters)),
        frames_by_day=frames_by_day,
    )


def _frames_by_day(store: ObjectStore, manifest: MediaManifest) -> Counter[str] | str:
    """Count by picture names, which give medium and time; a manifest has only the total."""
    first_ms, last_ms = manifest.first_captured_at_ms or 0, manifest.last_captured_at_ms or 0
    days = days_of_span(first_ms, last_ms)
    if manifest.frames_announced > _MOST_FRAMES or len(days) > _MOST_DAYS:
        return f"{manifest.name} covers {len(days)} days, too many to look up its frames"
    frames_by_day: Counter[str] = Counter()
    for number in days:
        day = keys.utc_day(number * DAY_MS)
        folder = keys.image_folder(manifest.source, day)
        for info in store.list(folder, after=f"{folder}/{max(first_ms, number * DAY_MS)}"):
            name = keys.parse_image_name(info.key.rpartition("/")[2])
            if name is None or not manifest.sha256.startswith(name.medium_hex):
                continue
            if name.captured_at_ms > last_ms:
                break
            frames_by_day[day] += 1
    if (total := frames_by_day.total()) != manifest.frames_announced:
        return (
            f"{manifest.name} covers {len(days)} days, and {total} of its {manifest.frames_announced} "
            "frames are in the store: which ones are missing on this day is unknown"
        )
    return frames_by_day


def _dead_images(
    store: ObjectStore, model: str, segments: Collection[str]
) -> dict[tuple[str, str], set[str]]:
    images: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for key in segments:
        if not key.startswith(f"{keys.METADATA}/model={model}/"):
            continue
        try:
            letters = read_segment(store, key).dead_letters()
        except FrametallyError:
            continue  # the plan or the job has reported it
        for letter in letters:
            _, _, day, name = [*(letter.image_path or "").split("/"), "", "", "", ""][:4]
            if letter.image_path and letter.source and keys.parse_image_name(name):
                images[letter.source, day].add(letter.image_path)
    return dict(images)


_MOST_SEGMENTS = 50


def label_warnings(store: ObjectStore, *, wanted: Collection[str], segments: Iterable[str]) -> list[str]:
    """Return one warning if no box of the segments, however weak, has one of the `wanted` labels.

    Looks only at the first segments, which is enough to find any label that they show.
    """
    known: set[str] = set()
    for number, key in enumerate(segments):
        if number == _MOST_SEGMENTS or known >= set(wanted):
            break
        try:
            lines = read_segment(store, key).frame_lines
        except FrametallyError:
            continue  # the job has reported it
        for line in lines:
            try:
                known.update(detection.label for detection in decode_frame(line).detections)
            except BadLine:
                continue
    if known >= set(wanted):
        return []
    names = ", ".join(repr(label) for label in sorted(set(wanted) - known))
    labels = ", ".join(sorted(known)) or "none at all"
    return [
        f"FRAMETALLY_COUNT_LABELS includes {names}, but nothing detected here has this label; choose from: "
        f"{labels}"
    ]


SUMS_EQUAL = "sums equal"
NO_COUNT_WITHOUT_COVERAGE = "no count without coverage"
COVERAGE_EQUALS_MANIFESTS = "coverage equals manifests"
WITHIN_MEDIA_TIME = "intervals within the media's time"
TIMES_PLAUSIBLE = "times plausible"
LINES_READABLE = "lines readable"
SEGMENTS_WHOLE = "segments whole"
CHAIN_UNBROKEN = "no gap between segments"
LABELS_SEEN = "labels seen"
NO_MEDIA_OVERLAP = "no media of a source overlap"

STOPS_PUBLICATION = (SUMS_EQUAL, NO_COUNT_WITHOUT_COVERAGE)

_MOST_DETAILS = 20
_MOST_SET_ASIDE = 1000
_FIRST_PLAUSIBLE_DAY, _LAST_PLAUSIBLE_DAY = "1990-01-01", "2099-12-31"
"""Fixed, not relative to now: the report must not depend on when it is made."""


class _Line(AnalysedFrames):
    source: str
    interval_start_ms: int
    detections: int
    label: str = ""
    objects: int | None = None
    tracked_detections: int | None = None
    analysed_fps: float | None = None


_decoder = msgspec.json.Decoder(_Line)


@dataclass
class LinesWatched:
    """The sums of lines of counts and coverage, of whole pictures or within zones.

    The map side passed on `lines_passed_on` frame lines, of which `duplicates_dropped` repeated a frame.
    """

    lines_passed_on: int = 0
    duplicates_dropped: int = 0

    def __post_init__(self) -> None:
        self.coverage: dict[tuple[str, int], _Line] = {}
        self.counted: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._frames_of_counts: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        self.labels: set[str] = set()
        self._tracked: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        self.by_hour: defaultdict[tuple[str, str, int], int] = defaultdict(int)

    def watch(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Inspect each line and pass it on."""
        for line in lines:
            record = _decoder.decode(line.partition(b"\t")[2])
            where = record.source, record.interval_start_ms
            hour = record.interval_start_ms % DAY_MS // HOUR_MS
            if line.startswith(b'["count"'):
                self.counted[where] += record.detections
                self._frames_of_counts[where].add(record.frames)
                self.labels.add(record.label)
                if record.objects is not None and record.tracked_detections is not None:
                    of_source = self._tracked[where]
                    of_source[0] += record.detections
                    of_source[1] += record.tracked_detections
                self.by_hour[record.source, record.label, hour] += record.detections
            else:
                self.coverage[where] = record
                self.by_hour[record.source, "", hour] += record.analysed
            yield line

    @property
    def frames_by_interval(self) -> dict[tuple[str, int], int]:
        """Count the frames covered, by source or zone and by start of the interval."""
        return {where: line.analysed for where, line in self.coverage.items()}

    def weak_sources(self) -> Iterator[str]:
        """Yield a line, with what to do, for each source most of whose boxes are in no track."""
        of_sources: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for where, (boxes, tracked) in self._tracked.items():
            if where not in self.coverage or not self.coverage[where].blank:  # frozen footage has no tracks
                of_sources[where[0]].append((boxes, tracked))
        for source, parts in sorted(of_sources.items()):
            boxes, tracked = map(sum, zip(*parts, strict=True))
            if is_too_weak(boxes, tracked):
                rates_fps = [
                    line.analysed_fps
                    for (of_source, _), line in self.coverage.items()
                    if of_source == source and line.objects is not None and line.analysed_fps
                ]
                rate = f" at {min(rates_fps):g} frames per second" if rates_fps else ""
                yield (
                    f"{source}: only {tracked} of {plural(boxes, 'box', 'boxes')} are in tracks, so objects, "
                    f"crossings and stays are unknown there; objects may be too fast{rate}: produce the "
                    "footage with a higher --sample-fps"
                )

    def unequal_sums(self) -> list[str]:
        """Return where counts and coverage differ, and whether lines were lost."""
        problems = []
        for (source, start_ms), line in sorted(self.coverage.items(), key=itemgetter(0)):
            counted = self.counted.get((source, start_ms), 0)
            if counted != line.detections:
                problems.append(
                    f"{source} {utc(start_ms)}: the counts have {counted} detections, but its frames have "
                    f"{line.detections}"
                )
        frames = sum(line.analysed for line in self.coverage.values())
        if frames + self.duplicates_dropped != self.lines_passed_on:
            problems.append(
                f"{frames} frames and {self.duplicates_dropped} duplicates do not add up to the "
                f"{self.lines_passed_on} lines that were read"
            )
        return problems

    def counts_without_coverage(self) -> list[str]:
        """Return where counts refer to other frames than the coverage."""
        covered = {where: line.frames for where, line in self.coverage.items()}
        return [
            f"{source} {utc(start_ms)}: the counts have {sorted(frames)} frames, but the coverage has "
            f"{covered.get((source, start_ms), 0)}"
            for (source, start_ms), frames in sorted(self._frames_of_counts.items())
            if frames != {covered.get((source, start_ms), 0)}
        ]


@dataclass
class DayAudit(LinesWatched):
    """Watches the lines of one day, and those within its zones.

    The map side set aside `corrupt_lines`: their numbers by segment key.
    """

    plan: DayPlan = field(kw_only=True)
    corrupt_lines: Mapping[str, Collection[int]] = field(kw_only=True)
    surroundings: Surroundings = field(kw_only=True)
    within_zones: LinesWatched = field(default_factory=LinesWatched, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set_aside = [
            SetAside(segment=segment, line=line)
            for segment in (self.plan.segments.keys() if self.corrupt_lines else ())
            for line in sorted(self.corrupt_lines.get(segment, ()))
        ]
        self.failed: list[str] = []

    @property
    def is_all_there(self) -> bool:
        """Return whether no line was set aside, nor any segment with frames of the day."""
        return not self._set_aside and self.plan.is_whole

    def report(self, run_id: str) -> QualityReport:
        """Make the report after the last line; `failed` then has the names of the failed checks."""
        model, interval_s, day = self.plan.key
        report = QualityReport(
            run_id=run_id,
            model=model,
            params=self.plan.params.digest(),
            interval_s=interval_s,
            day=day,
            frames=sum(line.analysed for line in self.coverage.values()),
            detections=sum(self.counted.values()),
            duplicates_dropped=self.duplicates_dropped,
            lines_dead=len(self._set_aside),
            set_aside=self._set_aside[:_MOST_SET_ASIDE],
            settings=self.plan.params.in_words(),
            checks=[
                _check(SUMS_EQUAL, self.unequal_sums() + self.within_zones.unequal_sums()),
                _check(
                    NO_COUNT_WITHOUT_COVERAGE,
                    self.counts_without_coverage() + self.within_zones.counts_without_coverage(),
                ),
                self._coverage_equals_manifests(self.frames_by_source),
                self._within_media_time(),
                self._times_plausible(self.frames_by_source),
                _check(LINES_READABLE, [f"{item.segment}, line {item.line}" for item in self._set_aside]),
                self._segments_whole(),
                self._chain_unbroken(),
                self._labels_seen(),
                self._no_media_overlap(),
            ],
            frames_by_source=self.frames_by_source,
        )
        self.failed = [check.name for check in report.failed]
        return report

    def is_outdated(self, report: QualityReport) -> bool:
        """Return whether any failed check of the day's report would have another result now.

        It needs no lines, and runs only the checks whose data can change after the count.
        """
        now = {
            COVERAGE_EQUALS_MANIFESTS: self._coverage_equals_manifests(report.frames_by_source),
            TIMES_PLAUSIBLE: self._times_plausible(report.frames_by_source),
            SEGMENTS_WHOLE: self._segments_whole(),
            CHAIN_UNBROKEN: self._chain_unbroken(),
        }
        return any(not check.passed and now.get(check.name, check) != check for check in report.checks)

    def _coverage_equals_manifests(self, frames_by_source: Mapping[str, int]) -> QualityCheck:
        problems, unknown = [], []
        model, _, day = self.plan.key
        for source, covered in sorted(frames_by_source.items()):
            announced = self._announced(source)
            if isinstance(announced, str):
                unknown.append(f"{source}: {announced}")
            elif covered != announced:
                dead = len(self.surroundings.dead_images(model).get((source, day), ()))
                beginning = f"{source}: {plural(covered, 'frame')} counted, "
                if covered > announced:
                    problems.append(f"{beginning}but only {announced} announced")
                elif covered < announced - dead - self._handed_over.get(source, 0):
                    # The job does not query the log: as with a camera, the rest may still be on its way.
                    unknown.append(
                        f"{beginning}{announced} announced, {plural(dead, 'dead letter')}; `frametally "
                        "status` shows whether the rest is still waiting or is lost"
                    )
        return _check(COVERAGE_EQUALS_MANIFESTS, problems, unknown)

    @property
    def frames_by_source(self) -> dict[str, int]:
        """Count the frames covered, by source."""
        by_source: defaultdict[str, int] = defaultdict(int)
        for (source, _), frames in sorted(self.frames_by_interval.items()):
            by_source[source] += frames
        return dict(by_source)

    def _announced(self, source: str) -> int | str:
        """Return the number of the source's frames announced for this day, or why it is unknown."""
        if self.surroundings.manifests is None:
            return "a manifest cannot be read"
        start_ms = keys.day_start_ms(self.plan.key.day)
        end_ms = start_ms + DAY_MS
        announced, media = 0, 0
        for manifest in self.surroundings.manifests.get(source, ()):
            first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
            if first_ms is None or last_ms is None:
                if manifest.state != "complete" and (manifest.start_ms or 0) < end_ms:
                    return f"{manifest.name} is still being produced"  # its first frames are not recorded yet
                continue
            if last_ms < start_ms or first_ms >= end_ms:
                continue
            if manifest.state != "complete":
                return f"{manifest.name} is still being produced"
            if first_ms < start_ms or last_ms >= end_ms:
                by_day = self.surroundings.frames_by_day(manifest)
                if isinstance(by_day, str):
                    return by_day
                announced += by_day[self.plan.key.day]
            else:
                announced += manifest.frames_announced
            media += 1
        if not media:
            return "it has no manifest"
        if source in self._partly_forgotten:
            return "some of it is forgotten"
        if source in self._overlapping:
            return "some of it is not counted, because recordings overlap"
        return announced

    @cached_property
    def _overlapping(self) -> set[str]:
        overlaps, versions = self.plan.overlaps, superseded_versions(self.plan.overlaps, self._media)
        return {overlap.source for overlap in overlaps_to_mend(overlaps, self._media)} | {
            pair.longer.source for pair in versions
        }

    @cached_property
    def _handed_over(self) -> dict[str, int]:
        """The frames, by source, that may be missing where videos follow each other without overlapping."""
        by_source = hand_overs(self.plan.overlaps, self._media)
        return {source: sum(pair.frames + 1 for pair in pairs) for source, pairs in by_source.items()}

    @property
    def _media(self) -> list[MediaManifest]:
        sources = {overlap.source for overlap in self.plan.overlaps}
        manifests = self.surroundings.manifests or {}
        return [manifest for source in sources for manifest in manifests.get(source, ())]

    @cached_property
    def _partly_forgotten(self) -> set[str]:
        """The sources that are partly forgotten."""
        return {
            stone.source for stone in self.plan.tombstones if (stone.from_ms, stone.to_ms) != (None, None)
        }

    def _within_media_time(self) -> QualityCheck:
        problems, unknown = [], []
        interval_ms = self.plan.key.interval_s * 1000
        starts_by_source: defaultdict[str, list[int]] = defaultdict(list)
        for source, start_ms in sorted(self.coverage):
            starts_by_source[source].append(start_ms)
        for source, starts in starts_by_source.items():
            media = (self.surroundings.manifests or {}).get(source, ())
            spans = [
                (item.first_captured_at_ms, item.last_captured_at_ms)
                for item in media
                if item.state == "complete"
                and item.first_captured_at_ms is not None
                and item.last_captured_at_ms is not None
            ]
            if not spans or len(spans) < len(media):
                unknown.append(f"{source}: no manifest, or one that is incomplete")
                continue
            problems += [
                f"{source} {utc(start_ms)}: no medium has footage at that time"
                for start_ms in starts
                if not any(first < start_ms + interval_ms and last >= start_ms for first, last in spans)
            ]
        return _check(WITHIN_MEDIA_TIME, problems, unknown)

    def _times_plausible(self, frames_by_source: Mapping[str, int]) -> QualityCheck:
        day = self.plan.key.day
        problems = []
        if not _FIRST_PLAUSIBLE_DAY <= day <= _LAST_PLAUSIBLE_DAY:
            sources = ", ".join(frames_by_source)
            problems.append(
                f"{sources}: footage from {day}; check that the camera's clock is set; `frametally retime` "
                "corrects the times"
            )
        start_ms = keys.day_start_ms(day)
        for source in sorted(frames_by_source):
            for item in (self.surroundings.manifests or {}).get(source, ()):
                jumps = time_jumps(item, self.surroundings.forgotten)
                of_day = [
                    jump for jump in jumps if any(start_ms <= end_ms < start_ms + DAY_MS for end_ms in jump)
                ]
                if of_day:
                    problems.append(f"{source}: {told_time_jumps(item, of_day)}")
        return _check(TIMES_PLAUSIBLE, problems)

    def _segments_whole(self) -> QualityCheck:
        of_model = f"{keys.METADATA}/model={self.plan.key.model}/"
        return _check(
            SEGMENTS_WHOLE, sorted(key for key in self.surroundings.unusable if key.startswith(of_model))
        )

    def _chain_unbroken(self) -> QualityCheck:
        return _check(CHAIN_UNBROKEN, list(self.surroundings.chain_breaks.get(self.plan.key.model, ())))

    def _no_media_overlap(self) -> QualityCheck:
        start_ms = keys.day_start_ms(self.plan.key.day)
        of_day = [
            overlap
            for overlap in self.plan.overlaps
            if overlap.from_ms < start_ms + DAY_MS and overlap.to_ms > start_ms
        ]
        unknown = ["a manifest cannot be read"] if self.surroundings.manifests is None else []
        skipped = overlap_reports(of_day, self._media)
        handed_over = [told_hand_overs(*pairs) for pairs in hand_overs(of_day, self._media).items()]
        check = _check(
            NO_MEDIA_OVERLAP,
            [
                f"{source}: {item.name} {item.reason}"
                for source in sorted(skipped)
                for item in skipped[source]
            ],
            unknown,
        )
        return msgspec.structs.replace(check, details=handed_over) if check.passed else check

    def _labels_seen(self) -> QualityCheck:
        """Name the requested labels that occur nowhere, whether misspelt or simply absent."""
        unseen = [label for label in self.plan.params.labels if label not in self.labels]
        return _check(LABELS_SEEN, [], [f"{label}: in no frame of the day" for label in unseen])


def _check(name: str, problems: list[str], unknown: list[str] | None = None) -> QualityCheck:
    findings = problems or unknown or []
    return QualityCheck(
        name=name,
        passed=False if problems else None if unknown else True,
        count=len(findings),
        details=findings[:_MOST_DETAILS],
    )


def renew_report(store: ObjectStore, day: DayPlan, surroundings: Callable[[], Surroundings]) -> None:
    """Update the quality report of an up-to-date day if failed checks would now have another result.

    Manifests, dead letters and other days' segments arrive after its counts, and do not make the day stale.
    The surroundings are read only if some checks failed.
    """
    run = day.current
    try:
        if run is None or (report := read_quality(store, run)) is None:
            return
        if all(check.passed for check in report.checks):
            return
        audit = DayAudit(
            plan=day,
            lines_passed_on=run.frames + run.duplicates_dropped,
            duplicates_dropped=run.duplicates_dropped,
            corrupt_lines={},
            surroundings=surroundings(),
        )
        if audit.is_outdated(report):
            lines = (line for _, data in read_parts(store, run) for line in data.splitlines(keepends=True))
            deque(audit.watch(lines), maxlen=0)
            store.put(keys.quality_key(run.prefix), encode(audit.report(run.run_id)))
    except Poison:
        return  # readers of the run report the damage
