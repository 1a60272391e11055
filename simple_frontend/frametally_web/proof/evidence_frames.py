"""The first evidence of a number: the busiest frame per label, with its counted boxes."""

from __future__ import annotations

import logging
from typing import Any

from frametally.adapters.day_cells.busiest_bars import evidence_order
from frametally.books.evidence import FramesBehind, ProvedFrame
from frametally.errors import Poison
from frametally.media.stored_images import missing_images
from frametally.ports.count_index import IndexedEvidence
from frametally.ports.object_store import ObjectMissing
from frametally.ports.picture_places import box_filters
from frametally.records import Detection, FrameDetections
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts.question import Question
from frametally_web.proof import answers
from frametally_web.requests.addresses import image_url

MAX_FRAMES = 12
"""Most frames in one answer, one per label."""

_log = logging.getLogger(__name__)

_LINE_MISSING = "The detections of this frame are no longer in the store, so its boxes cannot be drawn."
_PICTURE_MISSING = "The picture of this frame is no longer in the store; the count stays."
_OTHER_SETTINGS = "Counted with settings that the run did not record, or from earlier data: boxes differ."


def find_evidence(ports: DashboardPorts, question: Question) -> answers.EvidenceFrames:
    """Return the busiest frame per label in the range.

    The index lists the frames, and the ledger where the store has their detections.
    """
    if not question.spans:
        model = None if question.is_waiting else question.model or None
        return answers.EvidenceFrames(model=model, frames=[], labels_left_out=0)
    index, series = question.index, (question.model, question.base_of(None))
    busiest: dict[str, IndexedEvidence] = {}
    for item in sorted(question.reader(None).evidence(), key=evidence_order):
        busiest.setdefault(item.label, item)
    items = [*busiest.values()]
    rank = {label: position for position, (label, _) in enumerate(index.labels(question.model))}
    items.sort(key=lambda item: (rank.get(item.label, len(rank)), item.label))
    shown_items = items[:MAX_FRAMES]
    counted = FramesBehind(
        ports.store, ports.ledger, index, question.settings, series, parts=box_filters(index, *series)
    )
    missing = missing_images(ports.store, [item.evidence.image_path for item in shown_items])
    return answers.EvidenceFrames(
        model=question.model,
        frames=[
            _frame(item, counted, is_missing=item.evidence.image_path in missing) for item in shown_items
        ],
        labels_left_out=len(items) - len(shown_items),
    )


def box(detection: Detection) -> answers.Box:
    """Return the API's answer for a box."""
    return answers.Box(label=detection.label, confidence=detection.confidence, box=detection.box)


def frame_boxes(proved: ProvedFrame) -> dict[str, Any]:
    """Return the fields of `answers.FrameBoxes`."""
    frame = proved.frame
    return {
        "source": frame.source,
        "captured_at_ms": frame.captured_at_ms,
        "image_path": frame.image_path,
        "image_url": image_url(frame.image_path),
        "time_source": frame.time_source,
        "width_px": frame.width_px,
        "height_px": frame.height_px,
        "boxes": [box(detection) for detection in proved.boxes],
    }


def _find_line(item: IndexedEvidence, counted: FramesBehind) -> FrameDetections | None:
    shown = item.evidence
    try:
        return counted.line_of(item.source, shown.captured_at_ms, shown.image_path)
    except (Poison, ObjectMissing) as error:
        _log.warning("no boxes for %s: %s", shown.image_path, error)
        return None


def _frame(item: IndexedEvidence, counted: FramesBehind, *, is_missing: bool) -> answers.EvidenceFrame:
    at_ms, line = item.evidence.captured_at_ms, _find_line(item, counted)
    part = counted.part_at(item.source, at_ms)
    is_in = part(line) if part and line else None
    boxes = [
        box(detection)
        for detection in filter(counted.limits_at(at_ms).rule(), line.detections if line else [])
        if detection.label == item.label and (is_in is None or is_in(detection))
    ]
    note = None
    if line is None:
        note = _LINE_MISSING
    elif len(boxes) != item.evidence.count:
        note = _OTHER_SETTINGS
    elif is_missing:
        note = _PICTURE_MISSING
    return answers.EvidenceFrame(
        label=item.label,
        count=item.evidence.count,
        source=item.source,
        captured_at_ms=item.evidence.captured_at_ms,
        image_path=item.evidence.image_path,
        image_url=image_url(item.evidence.image_path),
        time_source=line.time_source if line else None,
        width_px=line.width_px if line else None,
        height_px=line.height_px if line else None,
        boxes=boxes,
        note=note,
    )
