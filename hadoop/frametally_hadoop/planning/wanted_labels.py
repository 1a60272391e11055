"""Labels that were asked for and that nothing shows: misspelt, or just not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from frametally.errors import FrametallyError
from frametally.ports.object_store import ObjectStore
from frametally.segments.contents import read_segment
from frametally_hadoop.job.input.lines import BadLine, decode_frame

_MOST_SEGMENTS = 50


def label_warnings(store: ObjectStore, *, wanted: Collection[str], segments: Iterable[str]) -> list[str]:
    """Return one line for a person if no box of the segments, however weak, has one of the `wanted` labels.

    Looks at the first segments only: where one of those shows a label, it is known.
    """
    known: set[str] = set()
    for number, key in enumerate(segments):
        if number == _MOST_SEGMENTS or known >= set(wanted):
            break
        try:
            lines = read_segment(store, key).frame_lines
        except FrametallyError:
            continue  # the job has named it
        for line in lines:
            try:
                known.update(detection.label for detection in decode_frame(line).detections)
            except BadLine:
                continue
    if known >= set(wanted):
        return []
    names = ", ".join(repr(label) for label in sorted(set(wanted) - known))
    there = ", ".join(sorted(known)) or "none at all"
    return [
        f"FRAMETALLY_COUNT_LABELS asks for {names}, which nothing detected here has; labels that are: {there}"
    ]
