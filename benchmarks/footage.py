"""Makes what the benchmarks store: frames with given boxes, segments, and runs."""

from __future__ import annotations

from collections.abc import Sequence

from frametally import keys
from frametally.records import Detection, FrameDetections, Run
from frametally.segments.contents import encode_segment

LOG_ID, TOPIC, PARAMS = "log", "frames", "0a1b2c3d"
MEDIUM = "ab" * 32


def frame(
    model: str,
    source: str,
    at_ms: int,
    number: int,
    detections: list[Detection],
    *,
    medium: str = MEDIUM,
    size: tuple[int, int] = (640, 480),
    image_path: str = "",
) -> FrameDetections:
    """Return a frame as a worker stores it; `number` is its place in the medium."""
    return FrameDetections(
        image_path=image_path or keys.image_key(source, at_ms, medium, number),
        source=source,
        frame_index=number,
        captured_at_ms=at_ms,
        time_source="start_time",
        width_px=size[0],
        height_px=size[1],
        media=medium,
        model=model,
        detections=detections,
    )


def segment(
    model: str, partition: int, first_offset: int, frames: Sequence[FrameDetections]
) -> tuple[str, bytes]:
    """Return a segment's key and bytes, as the consumer writes it."""
    body = encode_segment(
        model=model,
        log_id=LOG_ID,
        topic=TOPIC,
        partition=partition,
        first_offset=first_offset,
        next_offset=first_offset + len(frames),
        frames=frames,
        dead_letters=[],
    )
    return keys.segment_key(model, LOG_ID, TOPIC, partition, first_offset), body


def run(model: str, day: str, sequence: int, *, frames: int, track_parts: Sequence[str] = ()) -> Run:
    """Return a run of a day with one part file, at an interval of a minute."""
    run_id = f"{sequence:06d}-0123456789abcdef"
    return Run(
        run_id=run_id,
        sequence=sequence,
        model=model,
        params=PARAMS,
        interval_s=60,
        day=day,
        prefix=keys.run_folder(model, PARAMS, 60, day, run_id),
        parts=["part-00000"],
        inputs_sha256="0" * 64,
        frames=frames,
        duplicates_dropped=0,
        track_parts=list(track_parts),
    )
