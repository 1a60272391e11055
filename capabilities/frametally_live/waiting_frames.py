"""Makes frames that wait on this machine's disk known to erasures, retention, the report and `forget`.

Other machines have their own: their next session asks the store what was forgotten and erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from frametally.adapters.sql.kept_books import place_of
from frametally.files.synced import sync_folder
from frametally.media.kept_data import KeptItem, KeptKind, KeptPart
from frametally.media.mending import (
    Change,
    MediumForgotten,
    MediumRenamed,
    MediumRetimed,
    SourceForgotten,
)
from frametally.ports.opened import StorePorts
from frametally.process.reports import Progress, plural
from frametally.rules.times import in_range
from frametally.settings.loading import Settings
from frametally_live import tables
from frametally_live.cameras.spool import spooled_sources, waiting_frames
from frametally_live.live_book_by_url import feeds_to_look


def data_places(ports: StorePorts) -> KeptPart:
    """Return the frames that wait here; the rules for stored frames hold for them, too."""
    data_dir = ports.settings.data_dir
    kind = KeptKind(
        "waiting-frames",
        partial(_items, data_dir),
        lambda item: _remove(data_dir / item.id),
        "rules",
        rule="frames",
        place=(data_dir / "live").as_uri(),
        text="live.kept_waiting_frames",
        ends="live.ends_waiting_frames",
    )
    return KeptPart([kind, place_of("cameras", tables, "live.kept_cameras")])


def changed(ports: StorePorts, change: Change, progress: Progress) -> None:
    """Delete the frames that wait here and are forgotten: a later session would only drop them.

    Frames of a minute that was corrected stay for the next session, which records them as lost.
    """
    match change:
        case MediumRenamed(manifest) | MediumRetimed(manifest):
            frames = waiting_frames(ports.settings.data_dir, manifest.source)
            if number := sum(frame.minute == manifest.sha256 for frame in frames):
                progress.say(
                    f"{manifest.name}: {plural(number, 'frame')} on this machine's disk came too late for "
                    "this change and will not be stored; stop the camera before you correct its footage"
                )
            return
        case MediumForgotten(manifest, _, _, from_ms, to_ms):
            source, minute = manifest.source, manifest.sha256
        case SourceForgotten(source, from_ms, to_ms):
            minute = ""
        case _:
            return
    for frame in list(waiting_frames(ports.settings.data_dir, source)):
        if minute in ("", frame.minute) and in_range(frame.captured_at_ms, from_ms, to_ms):
            _remove(frame.path)


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the camera of a source. Raises as the live book does."""
    with feeds_to_look(settings) as book:
        yield from (f"camera {feed.name}" for feed in book.feeds("camera") if feed.source == source)


def _items(data_dir: Path) -> Iterator[KeptItem]:
    for source in spooled_sources(data_dir):
        for _, _, at_ms, path in waiting_frames(data_dir, source):
            size_bytes = path.stat().st_size if path.exists() else 0
            yield KeptItem(str(path.relative_to(data_dir)), source, at_ms, size_bytes, at_ms, at_ms)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # another process has removed its minute
        sync_folder(path.parent)
