"""Holds the inputs and the progress of one call of the producer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.media.manifests import ManifestReader
from frametally.media.sources import composed, names_by_source
from frametally.packs.pack_keys import MINUTE_MS
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped, Standing
from frametally.process.retrying import GivenUp, Patience
from frametally.records import FrameAnnouncement, MediaManifest
from frametally.rules.pace import Pace
from frametally.rules.time_patterns import time_pattern
from frametally.settings.data_folder import store_folder
from frametally.settings.loading import Settings
from frametally_producer.reading.event_time import parse_start_time
from frametally_producer.reading.footage import Footage, PicturesToProduce, find_footage
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.reading.time_doubts import TimeDoubts
from frametally_producer.writing.frames import FrameWriter
from frametally_producer.writing.receipt import FileRecord
from frametally_producer.writing.seen_files import SeenFiles

_LOOK_EVERY_S = 2.0
_MB = 1_000_000


def embedded_folders(settings: Settings) -> list[Path]:
    """Return the folders of the store and the log on this machine; empty if they are elsewhere."""
    store = store_folder(settings)
    folders = [] if store is None else [store]
    if settings.log_url.startswith("sqlite:///"):
        folders.append(Path(settings.log_url.removeprefix("sqlite:///")).parent)
    return folders


class Room:
    """Waits for free space on the disks of the embedded store and log."""

    def __init__(self, settings: Settings, patience: Patience) -> None:
        """Require `min_free_disk_mb` of free space."""
        self._folders = embedded_folders(settings)
        self._least_bytes = settings.min_free_disk_mb * _MB
        self._patience = patience

    def short(self) -> str:
        """Return which disk is short of space, with the remedy, or an empty string."""
        for folder in self._folders:
            try:
                free = shutil.disk_usage(folder).free
            except OSError:  # missing; a write there will report it
                continue
            if free < self._least_bytes:
                return (
                    f"only {free // _MB} MB are free on the disk that holds {folder}, but at least "
                    f"{self._least_bytes // _MB} MB must stay free (FRAMETALLY_MIN_FREE_DISK_MB): free "
                    "some space there; frametally then continues by itself"
                )
        return ""

    def wait(self) -> None:
        """Return once there is enough space. Raises `GivenUp` if a stop is requested while there is not."""
        since_s = time.monotonic()
        while line := self.short():
            self._patience.say_once_a_minute("room", f"waiting: {line}")
            self._patience.pause(_LOOK_EVERY_S)
            self._patience.waited(since_s, Retryable(line))
            if self._patience.stopping:
                raise GivenUp(f"stopped while waiting: {line}")
        self._patience.say_once_a_minute.over("no longer waiting: there is room on the disk again", "room")


Outcome = Literal["finished", "known", "skipped"]


class Tally:
    """The progress of a call's files, sent to `show` whenever it changes."""

    def __init__(self, show: Callable[[Standing], None]) -> None:
        self._show = show
        self._standing = Standing()
        self._size = 0
        self._worked = 0.0

    @property
    def frames_announced(self) -> int:
        """Frames that this call announced."""
        return self._standing.frames_announced

    def count_announced(self, frames: int) -> None:
        """Add announced frames, to be shown with the next change."""
        self._standing = self._standing._replace(frames_announced=self.frames_announced + frames)

    def expect(self, paths: Iterable[Path]) -> None:
        """Add files to be processed."""
        sizes = [_size(path) for path in paths]
        self._tell(
            files_total=self._standing.files_total + len(sizes),
            bytes_total=self._standing.bytes_total + sum(sizes),
        )

    def begin(self, path: Path) -> None:
        """Note that work on a file begins."""
        self._size = _size(path)
        self._tell(at_hand=str(path), doing="reading it", bytes_worked=self._worked)

    def doing(self, what: str, part: float = 0.0) -> None:
        """Note the current step of the current file, and its progress, 0 to 1."""
        self._tell(doing=what, bytes_worked=self._worked + min(max(part, 0.0), 1.0) * self._size)

    def end(self, outcome: Outcome) -> None:
        """Note that work on the current file is over."""
        passed = self._standing.bytes_passed
        if outcome == "finished":
            self._worked += self._size
        else:
            passed += self._size
        files = {f"files_{outcome}": getattr(self._standing, f"files_{outcome}") + 1}
        self._size = 0
        self._tell(doing="", bytes_worked=self._worked, bytes_passed=passed, **files)

    def _tell(self, **changes: Any) -> None:
        self._standing = self._standing._replace(**changes)
        self._show(self._standing)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class SourcesOfCall:
    """The sources of one call of the producer, by name."""

    def __init__(self, manifests: ManifestReader, patience: Patience) -> None:
        """Read nothing yet."""
        self._manifests = manifests
        self._patience = patience
        self._names: dict[str, list[str]] = {}

    def slug_of(self, name: str) -> str:
        """Return the slug under which footage of the source `name` is stored. Raises `Poison`, `GivenUp`."""
        name = composed(name)
        slug = keys.slug(name)
        if slug not in self._names:
            manifests = self._patience.until_done("the object store", self._manifests.recent)
            self._names[slug] = names_by_source(manifests).get(slug, [name])
        names = self._names[slug]
        if name not in names:
            raise Poison(
                f"its source {name!r} has the same key as {names[0]!r} ({slug}: sources that differ "
                "only in case and hyphens are the same); if it is the same source, give --source "
                f"{names[0]!r}, else choose a name that differs more"
            )
        return slug


@dataclass(kw_only=True)
class ProduceCall:
    """The inputs of a call of the producer.

    Attributes:
        paths: Video files, picture files, and folders of both (searched recursively).
        start_time: ISO 8601 time at which the only given video begins.
        track: Number of the video track of each file, from 1, or None for the usual one.
        pace: How fast each video runs, or None for real time or as produced before.
        extracted_dir: Folder in which stored pictures are also kept as files, below the source's name.
        receipt: File for a list of what became of every file; the report has its rows.
        packs: Whether frames are stored in packs, one object per source and minute.
        should_stop: Called between frames; once it is true, current frames are finished and the call returns.
    """

    paths: Sequence[Path]
    settings: Settings
    source: str | None = None
    start_time: str | None = None
    track: int | None = None
    pace: Pace | None = None
    extracted_dir: Path | None = None
    receipt: Path | None = None
    packs: bool = False
    should_stop: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        """Reject a track without a source, which would share a source with the file's other tracks."""
        if self.track is not None and not self.source:
            raise Misconfigured("--track needs --source: each track of a file is a source; name this one")

    def find_footage(self) -> Footage:
        """Find the media at `paths`, without searching folders that frametally writes.

        Raises `Misconfigured` if both `source` and the time pattern name the source.
        """
        pattern = time_pattern(self.settings.time_pattern)
        if self.source is not None and pattern is not None and pattern.names_source:
            raise Misconfigured("use either --source or {source} in the time pattern, not both")
        left_out = [self.settings.data_dir, *([self.extracted_dir] if self.extracted_dir else [])]
        footage = find_footage(self.paths, source=self.source, leave_out=left_out, pattern=pattern)
        receipt = self.receipt and self.receipt.resolve()
        for path in [path for path in footage.passed_over if path.resolve() == receipt]:
            del footage.passed_over[path]
        return footage

    def start_of(self, footage: Footage) -> datetime | None:
        """Return the time in `start_time`, or None. Raises `Misconfigured`."""
        start = parse_start_time(self.start_time) if self.start_time else None
        media_count = len(footage.media) + len(footage.skipped)
        if start and (
            media_count > 1 or any(isinstance(medium, PicturesToProduce) for medium in footage.media)
        ):
            raise Misconfigured(
                "--start-time is for one video only; produce one video at a time, or leave it out "
                "(frametally then uses the media's own times, their names' with --time-pattern, or their "
                "files' dates)"
            )
        return start


@dataclass(kw_only=True)
class Production:
    """One call of the producer in progress.

    Attributes:
        media: Manifests of the media read so far, by identity.
        frames_known: Wanted frames that an earlier call had announced.
        records: What was done with each file, if a receipt is wanted.
        fresh: Identities of media with frames announced since the last check for overlaps.
    """

    call: ProduceCall
    store: ObjectStore
    log: FrameLog
    progress: Progress
    patience: Patience
    room: Room
    seen: SeenFiles
    pictures: PictureReader
    tally: Tally
    media: dict[str, MediaManifest] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    records: dict[Path, FileRecord] = field(default_factory=dict)
    frames_known: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    manifests: ManifestReader = field(init=False)
    sources: SourcesOfCall = field(init=False)
    doubts: TimeDoubts = field(init=False)

    def __post_init__(self) -> None:
        self.manifests = ManifestReader(self.store)
        self._remarks: set[str] = set()
        self.sources = SourcesOfCall(self.manifests, self.patience)
        self.doubts = TimeDoubts(self.call.settings)

    @property
    def settings(self) -> Settings:
        """Settings of the process."""
        return self.call.settings

    @property
    def max_pixels(self) -> int:
        """Width times height above which a picture or a frame is rejected."""
        return self.settings.max_image_megapixels * 1_000_000

    def note_file(self, path: Path, record: FileRecord) -> None:
        """Note what was done with a file, for the receipt."""
        if self.call.receipt is not None:
            self.records[path] = record

    def skip(self, name: str, reason: str) -> None:
        """Set the medium `name` aside."""
        self.skipped.append(Skipped(name, reason))

    def notice(self, line: str) -> None:
        """Print a message for people, and note it for the report."""
        self.notices.append(line)
        self.progress.say(line)

    def notice_once(self, name: str, remark: str) -> None:
        """Print and note a message about the medium `name`, unless another medium had the same one."""
        if remark not in self._remarks:
            self._remarks.add(remark)
            self.notice(f"{name}: {remark}")

    def go_on(self) -> None:
        """Raise `GivenUp` if a stop was requested."""
        if self.patience.stopping:
            raise GivenUp("stopped")

    @contextmanager
    def writer(
        self,
        note: Callable[[list[FrameAnnouncement]], None],
        write: Callable[[], None],
        *,
        is_new: bool = False,
    ) -> Iterator[FrameWriter]:
        """Open a writer of frames, which calls `note` with the announced frames.

        `is_new` means that the store cannot have frames of the medium. When a stop is requested, current
        frames are announced and noted, and `write` is called.
        """
        with FrameWriter(
            settings=self.settings,
            store=self.store,
            log=self.log,
            patience=self.patience,
            topic=self.settings.topic,
            on_announced=note,
            pack_ms=MINUTE_MS if self.call.packs else 0,
            is_new=is_new,
        ) as writer:
            try:
                yield writer
            except GivenUp:
                writer.flush()
                write()
                raise

    def make_room(self, writer: FrameWriter, write: Callable[[], None], part: float = 0.0) -> None:
        """Wait for space on the disk if it is short, after announcing and noting the current frames.

        Raises `GivenUp` if a stop is requested while waiting.
        """
        if self.room.short():
            writer.flush()
            write()
            self.tally.doing("waiting for space on the disk", part)
            self.room.wait()


def asked_of(
    settings: Settings, source_name: str, start_time: datetime | None = None, *of_video: object
) -> str:
    """Return everything that decides how a file is produced, except its bytes and name, as one text."""
    parts = (
        settings.sample_fps,
        source_name,
        start_time.isoformat() if start_time else "",
        settings.timezone,
        settings.time_pattern,
        settings.file_time,
        settings.container_time,
        *of_video,
        *([settings.value_range] if settings.value_range else []),
    )
    return msgspec.json.encode(parts).decode()


def cost_of(settings: Settings) -> str:
    """Return the settings that decide how long a file takes, as one text."""
    return f"{settings.sample_fps} {settings.max_side_px} {settings.jpeg_quality}"
