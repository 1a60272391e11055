"""What one call of the producer works with, and what it has done so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from frametally.frame_log import FrameLog
from frametally.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.reports import Progress, Skipped
from frametally.settings import Settings
from frametally_producer.event_time import Remark


@dataclass(kw_only=True)
class Production:
    """One call of the producer.

    Attributes:
        settings: Of the process.
        store: Where frames and manifests go.
        log: Where frames are announced.
        progress: Where it reports to while it works.
        extracted_dir: Folder in which stored pictures are also kept as files, or None.
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
            production.notices.append(line)
            production.progress.say(line)
