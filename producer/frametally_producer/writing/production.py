"""What one call of the producer works with, and what it has done so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from frametally.errors import Misconfigured
from frametally.media.manifests import ManifestReader
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp, Patience
from frametally.records import FrameAnnouncement, MediaManifest
from frametally.settings.loading import Settings
from frametally_producer.reading.event_time import parse_start_time
from frametally_producer.reading.footage import Footage, PicturesToProduce, find_footage
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.writing.call_sources import SourcesOfCall
from frametally_producer.writing.frames import FrameWriter
from frametally_producer.writing.room import Room
from frametally_producer.writing.seen_files import SeenFiles
from frametally_producer.writing.tally import Tally


@dataclass(kw_only=True)
class ProduceCall:
    """What a call of the producer is given.

    Attributes:
        paths: Video files, picture files, and folders of both (searched all through).
        settings: Of the process.
        source: The source's name; None: that of the folder given, for a single file its stem.
        start_time: ISO 8601 time at which the one video given begins.
        extracted_dir: Folder in which stored pictures are also kept as files, below the source's name.
        should_stop: Asked between frames: once true, what is in hand is finished and the call returns.
    """

    paths: Sequence[Path]
    settings: Settings
    source: str | None = None
    start_time: str | None = None
    extracted_dir: Path | None = None
    should_stop: Callable[[], bool] = lambda: False

    def find_footage(self) -> Footage:
        """Find the media at `paths`; folders that frametally itself writes are not searched."""
        left_out = [self.settings.data_dir, *([self.extracted_dir] if self.extracted_dir else [])]
        return find_footage(self.paths, source=self.source, leave_out=left_out)

    def start_of(self, footage: Footage) -> datetime | None:
        """Return the moment that `start_time` names.

        Raises:
            Misconfigured: It is no time, or cannot be meant for this footage.
        """
        start = parse_start_time(self.start_time) if self.start_time else None
        given = len(footage.media) + len(footage.skipped)
        if start and (given > 1 or any(isinstance(medium, PicturesToProduce) for medium in footage.media)):
            raise Misconfigured(
                "--start-time is for one video, and this is not one video: give one video a call, or leave it"
                " out (then the media's own times are used, their names' by --time-pattern, or their files'"
                " dates)"
            )
        return start


@dataclass(kw_only=True)
class Production:
    """One call of the producer at work.

    Attributes:
        patience: Waits for a store or a log that is away, until a stop is asked for.
        seen: What is remembered of files.
        pictures: Reads pictures, within bounds.
        tally: How far this call has come.
        media: Manifests of the media met, by identity.
        frames_known: Frames asked for that an earlier call had announced.
        fresh: Identities of those of which frames were announced since overlaps were looked for.
        manifests: Reads those of the store.
        notices: What a person should know besides what was skipped.
        sources: Those that the footage goes to.
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
    frames_known: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    manifests: ManifestReader = field(init=False)
    sources: SourcesOfCall = field(init=False)

    def __post_init__(self) -> None:
        """Know no source yet."""
        self.manifests = ManifestReader(self.store)
        self.sources = SourcesOfCall(self.manifests, self.patience, self.notice)

    @property
    def settings(self) -> Settings:
        """Settings of the process."""
        return self.call.settings

    @property
    def max_pixels(self) -> int:
        """Width times height above which a picture or a frame is refused."""
        return self.settings.max_image_megapixels * 1_000_000

    def skip(self, name: str, reason: str) -> None:
        """Set the medium `name` aside."""
        self.skipped.append(Skipped(name, reason))

    def notice(self, line: str) -> None:
        """Say what a person should know, and note it for the report."""
        self.notices.append(line)
        self.progress.say(line)

    def go_on(self) -> None:
        """Return if there is more to be done.

        Raises:
            GivenUp: A stop was asked for.
        """
        if self.patience.stopping:
            raise GivenUp("stopped")

    @contextmanager
    def writer(
        self, note: Callable[[list[FrameAnnouncement]], None], write: Callable[[], None]
    ) -> Iterator[FrameWriter]:
        """Open a writer of frames, which calls `note` with what has been announced.

        When a stop is asked for, what is in hand is announced and noted, and `write` is called.
        """
        with FrameWriter(
            settings=self.settings,
            store=self.store,
            log=self.log,
            patience=self.patience,
            topic=self.settings.topic,
            on_announced=note,
        ) as writer:
            try:
                yield writer
            except GivenUp:
                writer.flush()
                write()
                raise

    def make_room(self, writer: FrameWriter, write: Callable[[], None], part: float = 0.0) -> None:
        """Wait for room on the disk, if it is short; what is in hand is announced and noted before.

        Raises:
            GivenUp: There is none, and a stop was asked for.
        """
        if self.room.short():
            writer.flush()
            write()
            self.tally.doing("waiting for room on the disk", part)
            self.room.wait()


def asked_of(settings: Settings, source_name: str, start_time: datetime | None = None) -> str:
    """Return all that decides what a file becomes, besides its bytes and its name, as one text."""
    parts = (
        settings.sample_fps,
        source_name,
        start_time.isoformat() if start_time else "",
        settings.timezone,
        settings.time_pattern,
        settings.file_time,
    )
    return msgspec.json.encode(parts).decode()


def cost_of(settings: Settings) -> str:
    """Return the settings that decide how long a file takes, as one text."""
    return f"{settings.sample_fps} {settings.max_side_px} {settings.jpeg_quality}"
