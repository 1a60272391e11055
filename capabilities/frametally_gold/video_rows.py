"""Updates the rows of uploaded videos in the gold tables: facts, jobs, and detections.

A video's rows depend only on the store, and carry a mark of everything that they were made from. So the next
run sees whether they are up to date, and repairs them after a crash.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from frametally import keys
from frametally.books.counted_days import counted_with
from frametally.books.evidence import frames_of_bar
from frametally.books.runs import read_run, read_tracks
from frametally.errors import Poison
from frametally.media.manifests import media_of
from frametally.media.overlapping import NotCounted
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.reports import NoProgress, Progress, Skipped
from frametally.records import MediaManifest, Run, decode_at, encode
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.known import Basis, Missing, Number, objects_of, why_unknown
from frametally.rules.overlaps import OverlapWinner
from frametally.rules.seals import name_of
from frametally.rules.times import DAY_MS, days_of_span
from frametally.settings.loading import Settings
from frametally_gold.gold_records import GoldVideo, VideoCount
from frametally_videos.catalogue.catalogue_rows import JobKind
from frametally_videos.media_records import VideoQuality
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_gold.book import Gold

_DAYS_KEPT = 4


class _DayObjects(NamedTuple):
    """A run's intervals with footage, and the frame in which each object was first seen.

    Attributes:
        missing: By source and start of an interval with footage, why objects were not measured in it.
        boxes: By source and label, then by start of an interval: the boxes, those in tracks, and the objects
            that were too fast to follow.
        objects: By source, the label and the `image_path` of each counted object's first box.
    """

    missing: dict[str, dict[int, Missing | None]]
    boxes: dict[tuple[str, str], dict[int, tuple[int, int | None, int]]]
    objects: dict[str, list[tuple[str, str]]]


class _Part(NamedTuple):
    """The part `[from_ms, to_ms)` of a medium within one UTC day, and the day's run, if it was counted."""

    from_ms: int
    to_ms: int
    run: Run | None


class VideoCounter:
    """Counts single videos by the current state of a ledger, which the caller has refreshed."""

    def __init__(self, settings: Settings, store: ObjectStore, ledger: Ledger) -> None:
        """Read the data that all videos need."""
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._manifests = {manifest.sha256: manifest for manifest in ledger.manifests()}
        self._not_counted = NotCounted(ledger)
        self._detected = {
            (model, tally.source, tally.media): tally.detected
            for model in ledger.models()
            for tally in ledger.tallies(model)
        }
        self._runs: dict[tuple[str, str], Run] = {}
        # Objects come from the interval of the settings or, if it is not stored, from the shortest one.
        for ledger_run in sorted(ledger.runs(), key=lambda ledger_run: -ledger_run.run.interval_s):
            run = ledger_run.run
            earlier_run = self._runs.get((run.model, run.day))
            if earlier_run is None or earlier_run.interval_s != settings.interval_s:
                self._runs[run.model, run.day] = run
        self._objects_of = lru_cache(maxsize=_DAYS_KEPT)(self._read_objects)

    def manifest(self, sha256: str) -> MediaManifest | None:
        """Return a medium's manifest, or None if none of its frames was announced."""
        return self._manifests.get(sha256)

    def parts(self, manifest: MediaManifest) -> Iterator[bytes]:
        """Yield everything on which a medium's counts depend."""
        for model in self._models(manifest):
            yield msgspec.json.encode([model, self._detected[model, manifest.source, media_of(manifest)]])
            for part in self._days(model, manifest):
                limits, wins = self._counted_by(part.run)
                losers = self._not_counted.by(wins).get(media_of(manifest), ())
                yield msgspec.json.encode([limits, losers])
                yield encode(part.run) if part.run else b""

    def counts(self, manifest: MediaManifest) -> list[VideoCount]:
        """Return the detections in a medium, by model and label.

        Raises:
            Poison: A segment or a run is damaged; the message names it.
            Retryable: The store or the ledger is not available.
        """
        return [count for model in self._models(manifest) for count in self._of_model(model, manifest)]

    def _models(self, manifest: MediaManifest) -> list[str]:
        place = manifest.source, media_of(manifest)
        return sorted(model for model, *series_place in self._detected if tuple(series_place) == place)

    def _days(self, model: str, manifest: MediaManifest) -> Iterator[_Part]:
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        if first_ms is None or last_ms is None:
            return
        for day in days_of_span(first_ms, last_ms):
            start_ms = day * DAY_MS
            run = self._runs.get((model, keys.utc_day(start_ms)))
            yield _Part(max(first_ms, start_ms), min(last_ms + 1, start_ms + DAY_MS), run)

    def _counted_by(self, run: Run | None) -> tuple[CountedBoxes, OverlapWinner]:
        recorded = counted_with(run.params, run.settings) if run else None
        limits = (recorded and recorded.counted_boxes()) or self._settings.counted_boxes()
        wins: OverlapWinner = (run.settings if run else {}).get("overlaps") or self._settings.count_overlaps
        return limits, wins

    def _of_model(self, model: str, manifest: MediaManifest) -> list[VideoCount]:
        frames, media = 0, media_of(manifest)
        detections: Counter[str] = Counter()
        peaks: Counter[str] = Counter()
        objects: Counter[str] = Counter()
        sums: Counter[tuple[str, str]] = Counter()
        missing: Missing | None = None
        for part in self._days(model, manifest):
            limits, wins = self._counted_by(part.run)
            for bar_frame in frames_of_bar(
                self._store,
                self._ledger,
                model=model,
                source=manifest.source,
                labels=(),
                from_ms=part.from_ms,
                to_ms=part.to_ms,
                limits=limits,
                not_counted=self._not_counted.by(wins),
                empty=True,
            ):
                if bar_frame.frame.media == media:
                    frames += 1
                    boxes = Counter(box.label for box in bar_frame.boxes)
                    detections += boxes
                    peaks |= boxes
            of_day, why_not = self._first_seen(manifest, part)
            missing = why_not or missing
            objects += of_day
            sums += self._boxes(manifest.source, part)
        video_counts = []
        for label in sorted(detections):
            basis = Basis(
                objects[label], sums[label, "boxes"], sums[label, "tracked"], fast_objects=sums[label, "fast"]
            )
            number = objects_of(basis)
            if missing:
                number = Number(None, missing, number.value or number.at_least)
            video_counts.append(
                VideoCount(
                    model=model,
                    label=label,
                    frames=frames,
                    detections=detections[label],
                    peak=peaks[label],
                    objects=number.value,
                    followed_objects=None if missing else objects[label],
                    objects_missing=number.missing,
                    objects_at_least=number.at_least,
                )
            )
        return video_counts

    def _boxes(self, source: str, part: _Part) -> Counter[tuple[str, str]]:
        """Add up the measured intervals that a part touches: boxes, those in tracks, and fast objects."""
        sums: Counter[tuple[str, str]] = Counter()
        if part.run is not None:
            interval_ms = part.run.interval_s * 1000
            of_run = self._objects_of(part.run.key)
            missing = of_run.missing.get(source, {})
            for (of_source, label), of_label in of_run.boxes.items():
                for start_ms, (boxes, tracked, fast) in of_label.items() if of_source == source else ():
                    is_measured = missing.get(start_ms) is None
                    if is_measured and part.from_ms - interval_ms < start_ms < part.to_ms:
                        sums[label, "boxes"] += boxes
                        sums[label, "tracked"] += boxes if tracked is None else tracked
                        sums[label, "fast"] += fast
        return sums

    def _first_seen(self, manifest: MediaManifest, part: _Part) -> tuple[Counter[str], Missing | None]:
        """Return the objects first seen in a frame of the medium, by label, and why others are not known."""
        objects_by_label: Counter[str] = Counter()
        if part.run is None:
            return objects_by_label, "not_analysed"
        of_run = self._objects_of(part.run.key)
        interval_ms = part.run.interval_s * 1000
        of_source = of_run.missing.get(manifest.source, {})
        touched = range(part.from_ms // interval_ms * interval_ms, part.to_ms, interval_ms)
        for label, image_path in of_run.objects.get(manifest.source, ()):
            name = keys.parse_image_name(image_path.rpartition("/")[2])
            if name is not None and manifest.sha256.startswith(name.medium_hex):
                objects_by_label[label] += 1
        return objects_by_label, next(filter(None, map(of_source.get, touched)), None)

    def _read_objects(self, run_key: str) -> _DayObjects:
        run = next(run for run in self._runs.values() if run.key == run_key)
        counts, coverage = read_run(self._store, run)
        boxes: dict[tuple[str, str], dict[int, tuple[int, int | None, int]]] = {}
        for count in counts:
            of_label = boxes.setdefault((count.source, count.label), {})
            numbers = count.detections, count.tracked_detections, count.fast_objects or 0
            of_label[count.interval_start_ms] = numbers
        missing: dict[str, dict[int, Missing | None]] = {}
        for filmed in coverage:
            followed = 0 if filmed.is_measured else None
            reason = why_unknown("objects", Basis(followed, slowest_fps=filmed.analysed_fps))
            missing.setdefault(filmed.source, {})[filmed.interval_start_ms] = reason
        objects: dict[str, list[tuple[str, str]]] = {}
        for track in read_tracks(self._store, run):
            if track.is_counted:
                objects.setdefault(track.source, []).append((track.label, track.first.image_path))
        return _DayObjects(missing, boxes, objects)


IN_ROWS: tuple[JobKind, ...] = ("checks", "playable", "enhance")
"""Jobs whose results are in a video's rows, even if they end after the video is final."""
_ROWS_VERSION = 5
"""Increase this version if the same sources give different rows, to reload all videos."""
_DERIVATIVES = ("playable-", "enhanced-")


class VideosReport(NamedTuple):
    """Numbers of videos with new, unchanged and removed rows, and the unreadable videos."""

    loaded: int
    unchanged: int
    removed: int
    skipped: list[Skipped]


def load_videos(
    *,
    settings: Settings,
    store: ObjectStore,
    ledger: Ledger,
    gold: Gold,
    progress: Progress,
    verify: bool = False,
) -> VideosReport:
    """Update the rows of all videos from the store; a second run changes nothing.

    With `verify`, read all rows, and reload videos whose rows were changed.

    Raises:
        Retryable: The store, the ledger or the database is not available.
        Misconfigured: This user may not write there.
    """
    marks = gold.video_marks()  # first: a video that arrives later must not look like a removed one
    marks |= dict.fromkeys(gold.changed_videos() if verify else (), "")
    objects: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
    for info in store.list(keys.VIDEOS):
        objects[info.key.split("/")[1]].append(info)
    ledger.refresh(store, NoProgress())
    counter = VideoCounter(settings, store, ledger)
    loaded = unchanged = 0
    video_ids: set[str] = set()
    skipped: list[Skipped] = []
    for number, video_id in enumerate(sorted(objects)):
        progress.update(number, len(objects), "videos")
        try:
            video = read_video(store, objects[video_id])
            if video is None or video.record.state == "deleting":
                continue
            video_ids.add(video_id)
            news = _publish(gold, counter, video, marks.get(video_id))
        except (Poison, ObjectMissing) as error:
            video_ids.add(video_id)
            skipped.append(Skipped(keys.video_folder(video_id), str(error)))
            continue
        loaded += news
        unchanged += not news
    stray_ids = marks.keys() - video_ids
    for video_id in stray_ids:
        gold.remove_video(video_id)
    progress.update(len(objects), len(objects), "videos")
    return VideosReport(loaded, unchanged, len(stray_ids), skipped)


def load_video(video_id: str, *, settings: Settings, store: ObjectStore, ledger: Ledger, gold: Gold) -> bool:
    """Update the rows of one video from the store; return whether they changed.

    If its sources change in the meantime, make the rows again until they contain everything.

    Raises:
        Poison: A record, a segment or a run of the video is damaged; the message names it.
        Retryable: The store, the ledger or the database is not available.
        Misconfigured: This user may not write there.
    """
    is_changed = False
    while True:
        ledger.refresh(store, NoProgress())
        video = read_video(store, store.list(keys.video_folder(video_id)))
        before = gold.video_marks().get(video_id)
        if video is None or video.record.state == "deleting":
            if before is not None:
                gold.remove_video(video_id)
            return is_changed or before is not None
        if not _publish(gold, VideoCounter(settings, store, ledger), video, before):
            return is_changed
        is_changed = True


def read_video(store: ObjectStore, objects: Iterable[ObjectInfo]) -> GoldVideo | None:
    """Read a video's folder without its footage; return None if the video has no record (any more).

    Raises:
        Poison: Its record or the record of its checks is unreadable; the message names it.
    """
    record, quality, derivatives = None, None, 0
    for info in objects:
        name = info.key.rpartition("/")[2]
        try:
            if keys.parse_video_key(info.key) is not None:
                record = decode_at(info.key, store.get(info.key), VideoRecord)
            elif name == "quality.json":
                quality = decode_at(info.key, store.get(info.key), VideoQuality)
        except ObjectMissing:
            continue
        derivatives += name.startswith(_DERIVATIVES) and name.endswith(".mp4")
    return None if record is None else GoldVideo(record, quality, derivatives)


def _publish(gold: Gold, counter: VideoCounter, video: GoldVideo, before: str | None) -> bool:
    manifest = counter.manifest(video.record.sha256)
    made_of = _mark_of(_parts(video, counter, manifest))
    if made_of == before:
        return False
    video = video._replace(made_of=made_of)
    if manifest is not None:
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        video = video._replace(
            range_ms=None if first_ms is None or last_ms is None else (first_ms, last_ms),
            frames_announced=manifest.frames_announced,
            counts=counter.counts(manifest),
        )
    gold.put_video(video)
    return True


def _mark_of(parts: Iterable[bytes]) -> str:
    return name_of(b"%d" % _ROWS_VERSION + b"".join(b"\n%d\n%b" % (len(part), part) for part in parts))


def _parts(video: GoldVideo, counter: VideoCounter, manifest: MediaManifest | None) -> Iterator[bytes]:
    yield encode(video.record)
    yield encode(video.quality) if video.quality else b""
    yield msgspec.json.encode(video.derivatives)
    if manifest is not None:
        yield encode(manifest)
        yield from counter.parts(manifest)
