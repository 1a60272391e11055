"""What one call of the producer works with, and what it has done so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp, Patience
from frametally.records import MediaManifest
from frametally.settings.stages import Settings
from frametally_producer.reading.event_time import Remark
from frametally_producer.writing.room import Room
from frametally_producer.writing.seen_files import SeenFiles
from frametally_producer.writing.tally import Tally


@dataclass(kw_only=True)
class Production:
    """One call of the producer.

    Attributes:
        settings: Of the process.
        store: Where frames and manifests go.
        log: Where frames are announced.
        progress: Where it reports to while it works.
        extracted_dir: Folder in which stored pictures are also kept as files, or None.
        patience: Waits for a store or a log that is away, until a stop is asked for.
        room: Waits for room on the disk.
        seen: What is remembered of files.
        tally: How far this call has come.
        media: Manifests of the media met, by identity.
        frames_announced: Frames that this call announced.
        frames_known: Frames asked for that an earlier call had announced.
        skipped: What was set aside.
        notices: What a person should know besides.
    """

    settings: Settings
    store: ObjectStore
    log: FrameLog
    progress: Progress
    extracted_dir: Path | None
    patience: Patience
    room: Room
    seen: SeenFiles
    tally: Tally
    media: dict[str, MediaManifest] = field(default_factory=dict)
    frames_announced: int = 0
    frames_known: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

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

    def count_announced(self, announcements: Sized) -> None:
        """These have been announced."""
        self.frames_announced += len(announcements)
        self.tally.frames_announced = self.frames_announced

    def go_on(self) -> None:
        """Return if there is more to be done.

        Raises:
            GivenUp: A stop was asked for.
        """
        if self.patience.stopping:
            raise GivenUp("stopped")

    def asked(self, source_name: str, start_time: str = "") -> str:
        """All that decides what a file becomes, besides its bytes and its name, as one text."""
        return asked_of(self.settings, source_name, start_time)


def asked_of(settings: Settings, source_name: str, start_time: str = "") -> str:
    """All that decides what a file becomes, besides its bytes and its name, as one text."""
    parts = (
        settings.sample_fps,
        source_name,
        start_time,
        settings.timezone,
        settings.time_pattern,
        settings.file_time,
    )
    return msgspec.json.encode(parts).decode()


def cost_of(settings: Settings) -> str:
    """The settings that decide how long a file takes, as one text."""
    return f"{settings.sample_fps} {settings.max_side_px} {settings.jpeg_quality}"


class Remarks:
    """What there is to say about the times of one medium or several, each kind of remark said once."""

    def __init__(self) -> None:
        """Nothing to say yet."""
        self._first: dict[str, tuple[str, Remark]] = {}
        self._count: Counter[str] = Counter()

    def add(self, name: str, remark: Remark) -> None:
        """A remark about the medium `name`."""
        self._first.setdefault(remark.kind, (name, remark))
        self._count[remark.kind] += 1

    def tell(self, production: Production) -> None:
        """Say each kind of remark once, as soon as it is known, and note it for the report."""
        for kind, (name, remark) in self._first.items():
            others = self._count[kind] - 1
            likewise = f" ({others} more likewise)" if others else ""
            line = f"{name}{likewise}: {remark.text}"
            production.notice(line)
