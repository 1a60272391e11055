"""Stored pictures that no medium names: they take room, and an erasure may have meant them. No fault."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.media.erasing import UNNAMED_REMEDY, sizes_by_source, unnamed_images
from frametally.plugins import hooks
from frametally.process.reports import Progress
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports


def check_images(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Look for them; a row for each source that has any, and for what plug-ins have of what is gone."""
    found = sizes_by_source(unnamed_images(ports.store, progress))
    for source, (pictures, size_bytes) in found.items():
        what = f"{pictures} pictures that no medium names, {size_bytes / 1e6:.1f} MB"
        yield Finding("images", source, what, UNNAMED_REMEDY)
    for part in [find(ports) for find in hooks("leftovers")]:
        for folder, (objects, size_bytes) in sizes_by_source(part.objects).items():
            what = f"{objects} {part.objects_are}, {size_bytes / 1e6:.1f} MB"
            yield Finding("images", folder, what, UNNAMED_REMEDY)
    yield Finding("images", "all of them", f"{len(found)} sources have pictures that no medium names")
