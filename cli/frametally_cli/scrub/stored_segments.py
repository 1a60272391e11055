"""Segments: every line of each."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import Progress
from frametally.segments.contents import CutShort, check_belongs, list_segments, read_segment
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports


def check_segments(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every segment."""
    wanted = list(list_segments(ports.store))
    read = 0
    for done, key in enumerate(wanted):
        progress.update(done, len(wanted), key)
        try:
            segment = read_segment(ports.store, key)
            check_belongs(segment.header, key)
            segment.frames()
            segment.dead_letters()
        except ObjectMissing:
            continue  # removed since it was listed
        except (Poison, CutShort, Misconfigured) as error:
            yield Finding("segments", key, "damaged", remedy=str(error))
        read += 1
    progress.update(len(wanted), len(wanted))
    yield Finding("segments", "all", f"{read} read")
