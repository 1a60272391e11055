"""The reduce side of the counting job: turns a group of frame lines into counts and coverage.

Standard library only; integers only. Pairs that come out, keys as JSON arrays, values as JSON:

- `["count", source, label, interval_start_ms]`: an `IntervalCount`;
- `["coverage", source, interval_start_ms]`: a `Coverage`;
- `["duplicates", source, interval_start_ms]`: model and number of lines that repeated a frame, if any;
- `["corrupt", segment, line_number]`: passed on from the map side;
- `["lines", model, day_start_ms]`: model and number of frame lines that the map side passed on.

Groups of kind `tracks` go to `visits`, which says what comes of them. Of groups with parts of pictures, the
same comes of each part, with its place as the source (`mapping.PartRules`).

The records are written field by field here, in the order and to the bytes of `frametally.records`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.once import one_line_per_frame
from frametally.rules.times import RECORD_VERSION
from frametally_hadoop.job.lines import BoxedFrame, Frame, decode_accepted, decode_labels, from_json, to_json
from frametally_hadoop.job.mapping import LINE_SEPARATOR, Count, FramesOfPart, part_rules
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.visits import reduce_hour


def reduce_group(
    key: bytes, values: Iterable[bytes], params: CountParams, count: Count
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the output pairs of one key of the map side."""
    kind, *rest = from_json(key)
    if kind == "corrupt":
        for value in values:
            yield key, value
        return
    if kind == "lines":
        model, day_start_ms = rest
        passed_on = sum(int(value) for value in values)
        yield to_json(["lines", model, day_start_ms]), to_json({"model": model, "lines": passed_on})
        return
    model, source, start_ms, *narrow = rest
    needs_boxes = kind == "tracks" or params.min_side > 0 or bool(narrow)
    texts = [value.replace(LINE_SEPARATOR, b"\n") for value in values]
    frames, repeats = _distinct_frames(texts, needs_boxes=needs_boxes)
    parts = [FramesOfPart(source, frames, len(repeats))]
    if narrow:
        narrowed = part_rules().narrowed(source, narrow[0], frames, repeats)
        parts = [part for part in narrowed if part.frames]
    for place, of_place, dropped in parts:
        if kind == "tracks":
            yield from reduce_hour(
                model=model, source=place, hour_start_ms=start_ms, frames=of_place, params=params
            )
        else:
            yield from _reduce_interval(model, place, start_ms, of_place, dropped, params, count)


def _reduce_interval(
    model: str,
    source: str,
    interval_start_ms: int,
    frames: Sequence[Frame],
    dropped: int,
    params: CountParams,
    count: Count,
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the output pairs of one model, source and interval; `frames` are distinct."""
    where = {"interval_start_ms": interval_start_ms, "interval_s": params.interval_s, "frames": len(frames)}
    hits_of, detections = hits_by_label(frames, params.counted_boxes)
    for label, hits in sorted(hits_of.items()):
        best = heapq.nsmallest(MOST_EVIDENCE, hits)
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
                    "peak": -best[0][0],
                    "objects": None,
                    "tracked_detections": None,
                    "evidence": [
                        {"image_path": path, "captured_at_ms": time_ms, "count": -negative_count}
                        for negative_count, time_ms, path in best
                    ],
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
                "objects": None,
                "analysed_fps": None,
                "covered_ms": None,
            }
        ),
    )
    if dropped:
        count("frames", "duplicates dropped", dropped)
        yield (
            to_json(["duplicates", source, interval_start_ms]),
            to_json({"model": model, "duplicates_dropped": dropped}),
        )


Hit = tuple[int, int, str]
"""`(-boxes, captured_at_ms, image_path)` of a frame that shows a label."""


def hits_by_label(frames: Iterable[BoxedFrame], boxes: CountedBoxes) -> tuple[dict[str, list[Hit]], int]:
    """Return by label the hit of each frame that has some, to sort best first.

    And the boxes of all frames, summed frame by frame: publication compares the two sums.
    """
    counts = boxes.rule()
    hits: dict[str, list[Hit]] = {}
    detections = 0
    for frame in frames:
        tally: dict[str, int] = {}
        for detection in filter(counts, frame.detections):
            label = detection.label
            tally[label] = tally[label] - 1 if label in tally else -1
        time_ms, image_path = frame.captured_at_ms, frame.image_path
        for label, count in tally.items():
            detections -= count
            if label in hits:
                hits[label].append((count, time_ms, image_path))
            else:
                hits[label] = [(count, time_ms, image_path)]
    return hits, detections


def _distinct_frames(texts: Sequence[bytes], *, needs_boxes: bool) -> tuple[list[Frame], list[Frame]]:
    """Return a group's frames, each once, in any order, and those of the lines that repeated one."""
    decode = decode_accepted if needs_boxes else decode_labels
    frames = [frame for text in texts for frame in decode(text)]
    times_seen = Counter([frame.image_path for frame in frames])
    if len(times_seen) == len(frames):
        return frames, []
    lines = (line for text in texts for line in text.split(b"\n"))
    once, frame_of, repeats = [], {}, []
    for frame, line in zip(frames, lines, strict=True):
        if times_seen[frame.image_path] == 1:
            once.append(frame)
        else:
            frame_of[line] = frame
            repeats.append((frame.image_path, line))
    unique_lines = one_line_per_frame(repeats).values()
    dropped = Counter(line for _, line in repeats) - Counter(unique_lines)
    return once + [frame_of[line] for line in unique_lines], [frame_of[line] for line in dropped.elements()]
