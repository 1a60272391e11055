"""Finds the state of each uploaded video from the stored facts, and notes it in the catalogue.

A state follows from the video's jobs, its medium's manifest, the ledger and the count index, so that it
corrects itself after any kill; missing jobs are queued again. All functions raise `Retryable` while the
store, ledger, index or catalogue is not available.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, NamedTuple

from frametally import keys
from frametally.books.index_lag import runs_before_undo, runs_to_index
from frametally.media.manifests import by_source, find_manifest, forgotten_by, media_of
from frametally.media.overlapping import not_counted
from frametally.ports.count_index import AGES_S, NOT_LOOKED_AT, CountIndex, CountQuery
from frametally.ports.ledger import FrameTally, Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress, plural
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS, days_of_span
from frametally.rules.tombstones import Range, merged
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import LOST_PICTURES, Job, VideoBooks, VideoRow, VideoState
from frametally_videos.jobs.job_results import tell_made
from frametally_videos.jobs.video_news import VideoNews, tell_checks
from frametally_videos.library.retention import is_forgotten
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import NO_TIME

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue


class Account(NamedTuple):
    """Numbers of distinct frames of one medium.

    Attributes:
        forgotten: Frames of `detected` that no longer count, since they were forgotten.
        overlapped: Further ones that do not count, since another medium of the source covers their time.
        is_counted: Whether all frames of its source in its time are counted, so that `labels` is final.
        labels: Detections of its source between its first and its last frame, by label.
        blank: Frames of its source in that time that show nothing, which no number includes.
        visible_frames: The other counted frames in that time.
    """

    detected: int = 0
    dead_lettered: int = 0
    forgotten: int = 0
    overlapped: int = 0
    counted: int = 0
    is_counted: bool = False
    labels: Mapping[str, int] = {}
    blank: int = 0
    visible_frames: int | None = None


class Accounts:
    """Finds the accounts of media in the ledger, which the caller has refreshed, and the index."""

    def __init__(self, settings: Settings, index: CountIndex, ledger: Ledger) -> None:
        """Read the data that all accounts need."""
        self._index = index
        self._ledger = ledger
        manifests, stones = ledger.manifests(), ledger.tombstones()
        self._by_source = by_source(manifests)
        self._gone = not_counted(manifests, stones, settings.count_overlaps)
        self._forgotten = {media: merged(ranges) for media, ranges in forgotten_by(stones).items()}
        # The model of the newest segment; existing counts may be of another model.
        self._model = next(iter(ledger.models()), None)
        tallies = ledger.tallies(self._model) if self._model else []
        self._tallies = {(tally.source, tally.media): tally for tally in tallies}
        intervals = [interval.base_interval_s for interval in index.series() if interval.model == self._model]
        self._interval_s = min(intervals, default=0)
        if settings.interval_s in intervals:
            self._interval_s = settings.interval_s
        of_model = [
            ledger_run
            for ledger_run in ledger.runs()
            if ledger_run.run.model == self._model and ledger_run.run.interval_s == self._interval_s
        ]
        behind = [
            *runs_before_undo(of_model, stones),
            *runs_to_index(index.current_runs(), [ledger_run.run for ledger_run in of_model]),
        ]
        self._days_behind = {keys.day_start_ms(run.day) for run in behind}

    def of(self, manifest: MediaManifest) -> Account:
        """Return the account of a medium.

        Raises:
            IndexDamaged: The counts in the index were changed after writing.
        """
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        if first_ms is None or last_ms is None:
            return Account(is_counted=True)
        tally = self._tallies.get((manifest.source, media_of(manifest)))
        if tally is None:
            return Account()
        lost_count = self._gone_of(tally, None, None)
        forgotten = self._frames_of(tally, self._forgotten, (None, None))
        account = Account(tally.detected, tally.dead_lettered, forgotten, lost_count - forgotten)
        if not self._interval_s:
            return account
        # Counts are of whole intervals, which also contain frames of other media.
        step_ms = self._interval_s * 1000
        from_ms, to_ms = first_ms // step_ms * step_ms, (last_ms // step_ms + 1) * step_ms
        detected = self._detected_between(manifest.source, from_ms, to_ms)
        visible_frames, blank, labels = self._indexed(manifest.source, from_ms, to_ms)
        indexed = visible_frames + blank
        days = {day * DAY_MS for day in days_of_span(first_ms, last_ms)}
        return account._replace(
            counted=max(0, tally.detected - lost_count - max(0, detected - indexed)),
            is_counted=indexed == detected and self._days_behind.isdisjoint(days),
            labels=labels,
            blank=blank,
            visible_frames=visible_frames,
        )

    def _detected_between(self, source: str, from_ms: int, to_ms: int) -> int:
        """Return how many frames of a source, of all media, should be counted in `[from_ms, to_ms)`."""
        detected = 0
        for manifest in self._by_source.get(source, ()):
            first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
            tally = self._tallies.get((source, media_of(manifest)))
            if first_ms is None or last_ms is None or tally is None:
                continue
            if first_ms >= to_ms or last_ms < from_ms:
                continue
            if from_ms <= first_ms and last_ms < to_ms:
                detected += tally.detected
            else:
                detected += self._frames_between(tally, from_ms, to_ms)
            detected -= self._gone_of(tally, from_ms, to_ms)
        return detected

    def _gone_of(self, tally: FrameTally, from_ms: int | None, to_ms: int | None) -> int:
        """Return how many detected frames of `[from_ms, to_ms)` no longer count."""
        return self._frames_of(tally, self._gone, (from_ms, to_ms))

    def _frames_of(self, tally: FrameTally, table: Mapping[str, Sequence[Range]], within: Range) -> int:
        """Return how many detected frames within a range are in the medium's ranges of a table."""
        return sum(
            self._frames_between(tally, *common)
            for part in table.get(tally.media, ())
            if (common := _common(part, within)) is not None
        )

    def _frames_between(self, tally: FrameTally, from_ms: int | None, to_ms: int | None) -> int:
        detected, _ = self._ledger.tally_between(
            self._model or "", tally.source, tally.media, from_ms=from_ms, to_ms=to_ms
        )
        return detected

    def _indexed(self, source: str, from_ms: int, to_ms: int) -> tuple[int, int, dict[str, int]]:
        """Return the frames of `[from_ms, to_ms)` in the index, those that show nothing, and detections."""
        histogram = self._index.histogram(
            CountQuery(
                self._model or "", self._interval_s, AGES_S, sources=[source], from_ms=from_ms, to_ms=to_ms
            )
        )
        labels: dict[str, int] = {}
        for bucket in histogram.buckets:
            labels[bucket.label] = labels.get(bucket.label, 0) + bucket.detections
        blank = sum(part.frames for part in histogram.blank if part.reason != NOT_LOOKED_AT)
        return sum(bucket.frames for bucket in histogram.coverage), blank, labels


def _common(first: Range, second: Range) -> Range | None:
    """Return the intersection of two ranges, or None if it is empty."""
    starts = [start for start in (first[0], second[0]) if start is not None]
    ends = [end for end in (first[1], second[1]) if end is not None]
    from_ms, to_ms = max(starts, default=None), min(ends, default=None)
    return None if from_ms is not None and to_ms is not None and from_ms >= to_ms else (from_ms, to_ms)


_EVERY_S = 2.0
_REST_PER_WORK = 4
_MOST_AT_ONCE = 200

_BESIDE = {
    "previews": "Its pictures",
    "playable": "The version for browsers",
    "metadata": "Its metadata",
    "checks": "Its checks",
    "gold": "Its gold tables",
}
"""Results besides the counts, by kind of job; if one failed, the video is ready with a remark."""

FORGOTTEN = "Its frames were deleted. Try again to make them again."
"""Why a video has no frames although they were made."""


class Found(NamedTuple):
    """A video's state and progress for `VideoCatalogue.set_video`, and whether to queue its frames."""

    state: VideoState
    reason: str | None = None
    progress: float | None = None
    range_ms: tuple[int, int] | None = None
    books: VideoBooks | None = None
    queues_frames: bool = False


_FORGOTTEN = Found("failed", reason=FORGOTTEN, books=VideoBooks())


@dataclass
class StateSettler:
    """Finds the states of videos; keep one for repeated calls."""

    _: KW_ONLY
    settings: Settings
    store: ObjectStore
    index: CountIndex
    ledger: Ledger
    catalogue: VideoCatalogue
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._news = VideoNews(self.settings, self.catalogue)
        self._due_s = float("-inf")

    def settle(self, *, patiently: bool = True) -> int:
        """Check videos whose state is not final; return their number.

        With `patiently`, return 0 at once if it is too early, so that checks take at most a fifth of the
        time.

        Raises:
            IndexDamaged: The counts in the index were changed after writing.
        """
        began_s = self.clock()
        if patiently and began_s < self._due_s:
            return 0
        rows = self.catalogue.unsettled(_MOST_AT_ONCE)
        if rows:
            self._settle(rows)
        ended_s = self.clock()
        self._due_s = ended_s + max(_EVERY_S, _REST_PER_WORK * (ended_s - began_s))
        return len(rows)

    def settle_all(self) -> None:
        """Check every video whose state is not final once. Raises the errors of `settle`."""
        checked_ids: set[str] = set()
        while rows := [
            row for row in self.catalogue.unsettled(_MOST_AT_ONCE) if row.record.id not in checked_ids
        ]:
            self._settle(rows)
            checked_ids |= {row.record.id for row in rows}

    def settlements(
        self, rows: list[VideoRow] | None = None
    ) -> Iterator[tuple[VideoRow, dict[str, Job], Found]]:
        """Yield videos, by default those longest unchecked, with their newest job of each kind and state now.

        This notes nothing. Raises the errors of `settle`.
        """
        rows = self.catalogue.unsettled(_MOST_AT_ONCE) if rows is None else rows
        # Results are in the store before their jobs end, so read them first.
        jobs = {row.record.id: self.catalogue.jobs(row.record.id) for row in rows}
        self.ledger.refresh(self.store, NoProgress())
        manifests = {manifest.sha256: manifest for manifest in self.ledger.manifests()}
        accounts = Accounts(self.settings, self.index, self.ledger)
        for row in rows:
            newest: dict[str, Job] = {
                job.kind: job for job in jobs[row.record.id] if job.options != LOST_PICTURES
            }
            manifest = manifests.get(row.record.sha256)
            if manifest is None:
                manifest = find_manifest(self.store, row.record.sha256)
            settlement = find_state(row.record, newest, manifest, accounts.of)
            if settlement.queues_frames and manifest is None and is_forgotten(self.store, row.record):
                settlement = _FORGOTTEN  # the catalogue has lost the job that made them
            yield row, newest, settlement

    def _settle(self, rows: list[VideoRow]) -> None:
        for row, newest, settlement in self.settlements(rows):
            if settlement.state == "ready":
                self._correct_checks(row.record)
            self._tell(row.record, newest.get("frames"), settlement)
            if settlement.state in ("ready", "failed"):
                tell_made(self.settings, self.catalogue, row.record.id, "end")
            noted = settlement._asdict()
            del noted["queues_frames"]
            self.catalogue.set_video(row.record.id, **noted)
            if settlement.queues_frames:
                self.catalogue.queue(row.record.id, "frames")

    def _correct_checks(self, video: VideoRecord) -> None:
        # Imported here because only a worker of videos needs FFmpeg.
        from frametally_videos.jobs.black_checks import correct_black_check

        if (manifest := find_manifest(self.store, video.sha256)) is not None:
            correct_black_check(self.settings, self.store, self.ledger, video, manifest)

    def _tell(self, video: VideoRecord, frames: Job | None, settlement: Found) -> None:
        """Put the news of a final state before it is noted, since the video is not checked again afterwards.

        Without a job for the frames, the catalogue was lost and rebuilt, so the news is old.
        """
        if frames is None:
            return
        if settlement.state in ("ready", "failed"):
            tell_checks(self.settings, self.store, self.catalogue, video.id)
        if settlement.state == "ready":
            self._news.ready(video, frames, settlement.books, settlement.reason)
        elif settlement.state == "failed" and settlement != _FORGOTTEN:  # a person who deletes frames knows
            self._news.failed(video, frames, settlement.reason or "")


def find_state(
    record: VideoRecord,
    jobs: Mapping[str, Job],
    manifest: MediaManifest | None,
    account_of: Callable[[MediaManifest], Account],
) -> Found:
    """Return a video's state and progress."""
    if record.state == "deleting":
        return _removal_state(jobs.get("removal"))
    if record.facts.started_at_ms is None:
        return Found("needs_time", reason=NO_TIME)
    frames = jobs.get("frames")
    announced = None if manifest is None else _announced(manifest)
    if frames is not None and frames.state == "failed":
        return Found("failed", reason=frames.reason or "Its frames could not be made.", books=announced)
    if frames is not None and frames.state == "running":
        return Found("producing", progress=_progress(frames, announced), books=announced)
    if frames is not None and frames.state == "queued":
        return Found("received" if frames.attempts == 0 else "producing", reason=frames.reason)
    if manifest is None:
        if frames is not None and frames.state == "done":
            return _FORGOTTEN
        return Found("received", queues_frames=True)
    if manifest.state != "complete" or not (
        manifest.source == record.source and manifest.start_ms in (None, record.facts.started_at_ms)
    ):
        return Found("received", books=announced, queues_frames=True)
    return _detected(manifest, account_of(manifest), jobs)


def _removal_state(removal: Job | None) -> Found:
    if removal is not None and removal.state == "failed":
        return Found("deleting", reason=f"It could not be deleted: {removal.reason}")
    return Found("deleting", progress=removal.progress if removal else None)


def _detected(manifest: MediaManifest, account: Account, jobs: Mapping[str, Job]) -> Found:
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    range_ms = None if first_ms is None or last_ms is None else (first_ms, last_ms)
    books = _announced(manifest)._replace(
        detected=account.detected,
        dead_lettered=account.dead_lettered,
        counted=account.counted,
        labels=account.labels,
        visible_frames=account.visible_frames,
    )
    handled = account.detected + account.dead_lettered
    if handled < manifest.frames_announced:
        progress = handled / manifest.frames_announced
        return Found("detecting", progress=progress, range_ms=range_ms, books=books)
    if not account.is_counted:
        return Found("counting", range_ms=range_ms, books=books)
    return Found("ready", reason=_remarks(account, jobs), range_ms=range_ms, books=books)


def _remarks(account: Account, jobs: Mapping[str, Job]) -> str | None:
    remarks = [
        f"{plural(frames, 'of its frames is', 'of its frames are')} not counted: {why}."
        for frames, why in (
            (account.forgotten, "forgotten or erased"),
            (account.overlapped, "another video of its source covers their time"),
        )
        if frames
    ]
    if account.blank:
        verb = "shows" if account.blank == 1 else "show"
        remarks.append(
            f"{plural(account.blank, 'frame')} of its time {verb} nothing (black, of one colour or frozen), "
            "and no number includes them."
        )
    remarks += [
        f"{result_name} could not be made: {jobs[kind].reason}"
        for kind, result_name in _BESIDE.items()
        if kind in jobs and jobs[kind].state == "failed"
    ]
    return " ".join(remarks) or None


def _announced(manifest: MediaManifest) -> VideoBooks:
    return VideoBooks(expected=manifest.frames_expected, announced=manifest.frames_announced)


def _progress(frames: Job, announced: VideoBooks | None) -> float | None:
    if frames.progress is not None:
        return frames.progress
    if announced is None or not announced.expected or announced.announced is None:
        return None
    return min(1.0, announced.announced / announced.expected)
