"""What one source's flows of a day are counted from, and the name that they have by it.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from frametally_traffic.flows.shapes import Shapes

FLOWS_VERSION = 3
"""Raised whenever the same paths and shapes would give other flows: all are then counted anew."""


class StoredPaths(NamedTuple):
    """A file of paths: its key in the store, and the checksum of its bytes."""

    key: str
    crc32: int


class FlowInputs(NamedTuple):
    """What flows are a function of.

    Attributes:
        model: Model id, of the detections.
        source: Slug.
        day_start_ms: Start of the UTC day.
        paths: The source's paths of the day before, of the day, and of the day after; None: it has none.
        shapes: Those that hold in some of the day.
    """

    model: str
    source: str
    day_start_ms: int
    paths: tuple[StoredPaths | None, ...]
    shapes: Shapes

    @property
    def name(self) -> str:
        """Name of the file with the flows: of the same inputs the same, wherever the paths lie."""
        checksums = [file and file.crc32 for file in self.paths]
        identity = [FLOWS_VERSION, self.model, self.source, self.day_start_ms, checksums]
        text = f"{json.dumps(identity)}\n{self.shapes.to_json()}"
        return f"flows-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
