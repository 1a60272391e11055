"""Notes of segments that hold no frames, for plans that are made by hand."""

from __future__ import annotations

from frametally.ports.object_store import ObjectInfo
from frametally_hadoop.planning.segment_notes import SegmentNote


def notes_of(*segment_keys: str, model: str = "tiny-1") -> list[SegmentNote]:
    """The notes of empty segments under these keys."""
    return [
        SegmentNote(
            info=ObjectInfo(key, 1),
            model=model,
            spans=(),
            days=(),
            near_days=(),
            dead_letters=0,
            next_offset=0,
        )
        for key in segment_keys
    ]
