"""How far each uploaded video has come: found out from what there is, and noted in the catalogue.

A state is told from the video's jobs, its medium's manifest, the ledger and the count index, so that it comes
right by itself whatever was killed; and what is missing in between is queued again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from frametally.media.manifests import find_manifest
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import MediaManifest
from frametally.settings.loading import Settings
from frametally_videos.books.frame_account import Account, Accounts
from frametally_videos.jobs.job_results import tell_made
from frametally_videos.library.retention import is_forgotten
from frametally_videos.news.video_news import VideoNews
from frametally_videos.ports.job_book import Job
from frametally_videos.ports.video_catalogue import VideoBooks, VideoCatalogue, VideoRow, VideoState
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import NO_TIME

_EVERY_S = 2.0
_REST_PER_WORK = 4
_MOST_AT_ONCE = 200

_BESIDE = {
    "previews": "Its pictures",
    "playable": "What browsers play",
    "metadata": "Its metadata",
    "checks": "Its checks",
    "gold": "Its gold tables",
}
"""What jobs make beside the counts: a video is ready without it, and says so."""

FORGOTTEN = "Its frames were forgotten. Trying again makes them anew."
"""Why a video has none, although they were made."""


class Found(NamedTuple):
    """How far a video has come, as `VideoCatalogue.set_video` notes it."""

    state: VideoState
    reason: str | None = None
    progress: float | None = None
    range_ms: tuple[int, int] | None = None
    books: VideoBooks | None = None
    queues_frames: bool = False


_FORGOTTEN = Found("failed", reason=FORGOTTEN, books=VideoBooks())


class StateSettler:
    """Finds out how far videos have come; whoever does so again and again keeps one."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: ObjectStore,
        index: CountIndex,
        ledger: Ledger,
        catalogue: VideoCatalogue,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet."""
        self._settings = settings
        self._store = store
        self._index = index
        self._ledger = ledger
        self._catalogue = catalogue
        self._news = VideoNews(settings, catalogue)
        self._clock = clock
        self._due_s = float("-inf")

    def settle(self, *, patiently: bool = True) -> int:
        """Look at the videos that are on their way, if it is time for that again; return how many were.

        It takes a fifth of the time at most. Without `patiently` it is time.

        Raises:
            Retryable: The store, the ledger, the index or the catalogue is away.
            IndexDamaged: The index holds other counts than were written.
        """
        began_s = self._clock()
        if patiently and began_s < self._due_s:
            return 0
        rows = self._catalogue.unsettled(_MOST_AT_ONCE)
        if rows:
            self._settle(rows)
        ended_s = self._clock()
        self._due_s = ended_s + max(_EVERY_S, _REST_PER_WORK * (ended_s - began_s))
        return len(rows)

    def settle_all(self) -> None:
        """Look once at every video that is on its way; raises as `settle` does."""
        looked: set[str] = set()
        while rows := [
            row for row in self._catalogue.unsettled(_MOST_AT_ONCE) if row.record.id not in looked
        ]:
            self._settle(rows)
            looked |= {row.record.id for row in rows}

    def _settle(self, rows: list[VideoRow]) -> None:
        # What jobs have made is in the store before they end: so they are asked for first.
        jobs = {row.record.id: self._catalogue.jobs(row.record.id) for row in rows}
        self._ledger.refresh(self._store, NoProgress())
        manifests = {manifest.sha256: manifest for manifest in self._ledger.manifests()}
        accounts = Accounts(self._settings, self._index, self._ledger)
        for row in rows:
            newest: dict[str, Job] = {job.kind: job for job in jobs[row.record.id]}
            manifest = manifests.get(row.record.sha256)
            if manifest is None:
                manifest = find_manifest(self._store, row.record.sha256)
            found = find_state(row.record, newest, manifest, accounts.of)
            if found.queues_frames and manifest is None and is_forgotten(self._store, row.record):
                found = _FORGOTTEN  # and the catalogue has lost the job that made them
            self._tell(row.record, newest.get("frames"), found)
            if found.state in ("ready", "failed"):
                tell_made(self._settings, self._catalogue, row.record.id, "end")
            self._catalogue.set_video(
                row.record.id,
                state=found.state,
                reason=found.reason,
                progress=found.progress,
                range_ms=found.range_ms,
                books=found.books,
            )
            if found.queues_frames:
                self._catalogue.queue(row.record.id, "frames")

    def _tell(self, video: VideoRecord, frames: Job | None, found: Found) -> None:
        """Have people told of an end, before it is noted: then it is looked at no more.

        In a catalogue that was lost and made anew no job has made the frames: that was told before.
        """
        if frames is None:
            return
        if found.state == "ready":
            self._news.ready(video, frames, found.books, found.reason)
        elif found.state == "failed" and found != _FORGOTTEN:  # who forgot them knows
            self._news.failed(video, frames, found.reason or "")


def find_state(
    record: VideoRecord,
    jobs: Mapping[str, Job],
    manifest: MediaManifest | None,
    account_of: Callable[[MediaManifest], Account],
) -> Found:
    """Return how far a video has come.

    Args:
        record: The video.
        jobs: Its newest job of each kind.
        manifest: Its medium's; None if there is none.
        account_of: What became of the frames of a medium that was announced.
    """
    if record.state == "deleting":
        return _going(jobs.get("removal"))
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
    if manifest.state != "complete" or not _is_as_said(record, manifest):
        return Found("received", books=announced, queues_frames=True)
    return _detected(manifest, account_of(manifest), jobs)


def _going(removal: Job | None) -> Found:
    if removal is not None and removal.state == "failed":
        return Found("deleting", reason=f"It could not be removed: {removal.reason}")
    return Found("deleting", progress=removal.progress if removal else None)


def _detected(manifest: MediaManifest, account: Account, jobs: Mapping[str, Job]) -> Found:
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    range_ms = None if first_ms is None or last_ms is None else (first_ms, last_ms)
    books = _announced(manifest)._replace(
        detected=account.detected,
        dead_lettered=account.dead_lettered,
        counted=account.counted,
        labels=account.labels,
    )
    handled = account.detected + account.dead_lettered
    if handled < manifest.frames_announced:
        progress = handled / manifest.frames_announced
        return Found("detecting", progress=progress, range_ms=range_ms, books=books)
    if not account.is_counted:
        return Found("counting", range_ms=range_ms, books=books)
    return Found("ready", reason=_remarks(account, jobs), range_ms=range_ms, books=books)


def _remarks(account: Account, jobs: Mapping[str, Job]) -> str | None:
    said = []
    if account.not_counted:
        said.append(
            f"{account.not_counted} of its frames are not counted: another video of its source has their "
            "time, or they were forgotten."
        )
    said += [
        f"{what} could not be made: {jobs[kind].reason}"
        for kind, what in _BESIDE.items()
        if kind in jobs and jobs[kind].state == "failed"
    ]
    return " ".join(said) or None


def _announced(manifest: MediaManifest) -> VideoBooks:
    return VideoBooks(expected=manifest.frames_expected, announced=manifest.frames_announced)


def _progress(frames: Job, announced: VideoBooks | None) -> float | None:
    if frames.progress is not None:
        return frames.progress
    if announced is None or not announced.expected or announced.announced is None:
        return None
    return min(1.0, announced.announced / announced.expected)


def _is_as_said(record: VideoRecord, manifest: MediaManifest) -> bool:
    """Return whether frames are of the source and the time that the video's record says."""
    return manifest.source == record.source and manifest.start_ms in (None, record.facts.started_at_ms)
