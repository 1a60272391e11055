"""The first evidence of a number: the busiest frame per label, with its counted boxes."""

from __future__ import annotations

import logging
from typing import Any

from frametally.adapters.day_cells.busiest_bars import evidence_order
from frametally.books.counted_days import SettingsByDay
from frametally.books.evidence import ProvedFrame, find_line
from frametally.errors import Poison
from frametally.media.overlapping import NotCounted
from frametally.media.stored_images import missing_images
from frametally.ports.count_index import IndexedEvidence
from frametally.ports.object_store import ObjectMissing
from frametally.ports.picture_places import BoxFilter
from frametally.records import Detection, FrameDetections
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.tombstones import Forgotten
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts import catalogue, scope
from frametally_web.charts.catalogue import box_filters
from frametally_web.proof import answers
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import Selection

MAX_FRAMES = 12
"""Most frames in one answer, one per label."""

_log = logging.getLogger(__name__)

_LINE_MISSING = "The detections of this frame are no longer in the store, so its boxes cannot be drawn."
_PICTURE_MISSING = "The picture of this frame is no longer in the store; the count stays."
_OTHER_SETTINGS = "Counted with settings that the run did not record, or from earlier data: boxes differ."


def find_evidence(ports: DashboardPorts, settings: Settings, selection: Selection) -> answers.EvidenceFrames:
    """Return the busiest frame per label in the range.

    The index lists the frames, and the ledger where the store has their detections.

    Raises:
        Problem: 400 if the model does not exist, or the request is too large.
    """
    choice = catalogue.choose_model(ports.index, selection.model)
    resolved = scope.resolve(ports.index, choice, selection, None) if choice else None
    if choice is None or resolved is None:
        return answers.EvidenceFrames(model=choice.model if choice else None, frames=[], labels_left_out=0)
    base_s = resolved.base_of(selection, None)
    busiest: dict[str, IndexedEvidence] = {}
    for item in sorted(resolved.reader(ports.index, selection, None).evidence(), key=evidence_order):
        busiest.setdefault(item.label, item)
    items = [*busiest.values()]
    rank = {label: position for position, (label, _) in enumerate(ports.index.labels(choice.model))}
    items.sort(key=lambda item: (rank.get(item.label, len(rank)), item.label))
    shown_items = items[:MAX_FRAMES]
    by_day = SettingsByDay(ports.index, choice.model, base_s)
    not_counted = NotCounted(ports.ledger)
    parts = box_filters(ports.index, choice.model, base_s)
    missing = missing_images(ports.store, [item.evidence.image_path for item in shown_items])
    return answers.EvidenceFrames(
        model=choice.model,
        frames=[
            _frame(
                item,
                _find_line(
                    ports,
                    choice.model,
                    item,
                    not_counted.by(by_day.overlaps_at(at_ms, settings.count_overlaps)),
                ),
                by_day.counted_boxes_at(at_ms, settings.counted_boxes()),
                parts(item.source, at_ms) if parts else None,
                is_missing=item.evidence.image_path in missing,
            )
            for item in shown_items
            for at_ms in [item.evidence.captured_at_ms]
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


def _find_line(
    ports: DashboardPorts, model: str, item: IndexedEvidence, not_counted: Forgotten
) -> FrameDetections | None:
    try:
        return find_line(
            ports.store,
            ports.ledger,
            model=model,
            source=item.source,
            captured_at_ms=item.evidence.captured_at_ms,
            image_path=item.evidence.image_path,
            not_counted=not_counted,
        )
    except (Poison, ObjectMissing) as error:
        _log.warning("no boxes for %s: %s", item.evidence.image_path, error)
        return None


def _frame(
    item: IndexedEvidence,
    line: FrameDetections | None,
    limits: CountedBoxes,
    part: BoxFilter | None,
    *,
    is_missing: bool,
) -> answers.EvidenceFrame:
    is_in = part(line) if part and line else None
    boxes = [
        box(detection)
        for detection in filter(limits.rule(), line.detections if line else [])
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
