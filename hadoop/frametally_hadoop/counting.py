"""The reduce side of the counting job: one group of frame lines in, counts and coverage out.

Standard library only; integers only. Pairs that come out, keys as JSON arrays, values as JSON:

- `["count", source, label, interval_start_ms]`: an `IntervalCount`;
- `["coverage", source, interval_start_ms]`: a `Coverage`;
- `["duplicates", source, interval_start_ms]`: model and number of lines that repeated a frame, if any;
- `["corrupt", segment, line_number]`: passed on from the map side;
- `["lines", model, day_start_ms]`: model and number of frame lines that the map side passed on.

Groups of kind `tracks` go to `visits`, which says what comes of them.

The records are written field by field here, in the order and to the bytes of `frametally.records`.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from frametally.once import one_line_per_frame
from frametally_hadoop.lines import RECORD_VERSION, Frame, decode_frame, decode_labels
from frametally_hadoop.mapping import LINE_SEPARATOR, Count, to_json
from frametally_hadoop.params import CountParams
from frametally_hadoop.visits import reduce_hour

EVIDENCE_FRAMES = 5


def reduce_group(
    key: bytes, values: Iterable[bytes], params: CountParams, count: Count
) -> Iterator[tuple[bytes, bytes]]:
    """The output pairs of one key of the map side."""
    kind, *rest = json.loads(key)
    if kind == "corrupt":
        for value in values:
            yield key, value
        return
    if kind == "lines":
        model, day_start_ms = rest
        passed_on = sum(int(value) for value in values)
        yield to_json(["lines", model, day_start_ms]), to_json({"model": model, "lines": passed_on})
        return
    model, source, interval_start_ms = rest
    needs_boxes = kind == "tracks" or params.min_side > 0
    frames, dropped = _distinct_frames(values, decode_frame if needs_boxes else decode_labels)
    if kind == "tracks":
        yield from reduce_hour(
            model=model, source=source, hour_start_ms=interval_start_ms, frames=frames, params=params
        )
        return
    where = {"interval_start_ms": interval_start_ms, "interval_s": params.interval_s, "frames": len(frames)}
    hits_by_label, detections = _hits_by_label(frames, params)
    for label, hits in sorted(hits_by_label.items()):
        yield (
            to_json(["count", source, label, interval_start_ms]),
            to_json(
                {
                    "v": RECORD_VERSION,
                    "model": model,
                    "source": source,
                    "label": label,
                    **where,
                    "detections": -sum(hit[0] for hit in hits),
                    "peak": -min(hits)[0],
                    "objects": None,
                    "evidence": _evidence(hits),
                }
            ),
        )
    yield (
        to_json(["coverage", source, interval_start_ms]),
        to_json(
            {
                "v": RECORD_VERSION,
                "model": model,
                "source": source,
                **where,
                "detections": detections,
                "analysed_fps": None,
            }
        ),
    )
    if dropped:
        count("frames", "duplicates dropped", dropped)
        yield (
            to_json(["duplicates", source, interval_start_ms]),
            to_json({"model": model, "duplicates_dropped": dropped}),
        )


def _distinct_frames(values: Iterable[bytes], decode: Callable[[bytes], Frame]) -> tuple[list[Frame], int]:
    lines = [line for value in values for line in value.split(LINE_SEPARATOR)]
    frames = [decode(line) for line in lines]
    kept = one_line_per_frame(zip((frame.image_path for frame in frames), lines, strict=True))
    if len(kept) < len(lines):
        frame_of = dict(zip(lines, frames, strict=True))
        frames = [frame_of[line] for line in kept.values()]
    return frames, len(lines) - len(kept)


def _hits_by_label(
    frames: Iterable[Frame], params: CountParams
) -> tuple[dict[str, list[tuple[int, int, str]]], int]:
    """By label, `(-boxes, captured_at_ms, image_path)` of each frame that has some; the best sort first.

    And the boxes of all frames, summed frame by frame: whoever publishes compares the two sums.
    """
    labels = frozenset(params.labels)
    hits: dict[str, list[tuple[int, int, str]]] = {}
    detections = 0
    for frame in frames:
        tally: dict[str, int] = {}
        for detection in frame.detections:
            # Back to the whole numbers that were written: 0.25 and 2500 are the same, 0.1 + 0.2 never occurs.
            if round(detection.confidence * 10_000) < params.min_confidence:
                continue
            if params.min_side and round(min(detection.box[2:]) * 10) < params.min_side:
                continue
            label = detection.label
            if not labels or label in labels:
                tally[label] = tally.get(label, 0) + 1
        for label, boxes in tally.items():
            hits.setdefault(label, []).append((-boxes, frame.captured_at_ms, frame.image_path))
        detections += sum(tally.values())
    return hits, detections


def _evidence(hits: Iterable[tuple[int, int, str]]) -> list[dict[str, Any]]:
    """The frames that show most: by count, then time, then path."""
    return [
        {"image_path": image_path, "captured_at_ms": captured_at_ms, "count": -negative_count}
        for negative_count, captured_at_ms, image_path in heapq.nsmallest(EVIDENCE_FRAMES, hits)
    ]
