"""Stored pictures that no medium names: they take room, and an erasure may have meant them. No fault."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.media.erasing import UNNAMED_REMEDY, sizes_by_source, unnamed_images
from frametally.process.reports import Progress
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports
from frametally_videos.library.retention import objects_of_no_video


def check_images(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Look for them; a row for each source that has any, and for each video that is gone."""
    found = sizes_by_source(unnamed_images(ports.store, progress))
    for source, (pictures, size_bytes) in found.items():
        what = f"{pictures} pictures that no medium names, {size_bytes / 1e6:.1f} MB"
        yield Finding("images", source, what, UNNAMED_REMEDY)
    left = sizes_by_source(objects_of_no_video(ports.store))
    for video_id, (objects, size_bytes) in left.items():
        what = f"{objects} objects of an uploaded video that is gone, {size_bytes / 1e6:.1f} MB"
        yield Finding("images", video_id, what, UNNAMED_REMEDY)
    yield Finding("images", "all of them", f"{len(found)} sources have pictures that no medium names")
