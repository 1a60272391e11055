"""Records with consistent values; a test sets only the relevant ones."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from tests.capabilities import of_capabilities

from frametally import keys
from frametally.books.runs import put_part
from frametally.history_records import HourFile, HourList, hour_file_key, hours_key, list_in
from frametally.ports.object_store import ObjectStore
from frametally.records import (
    Coverage,
    DeadLetter,
    Detection,
    Evidence,
    FrameAnnouncement,
    FrameDetections,
    IntervalCount,
    MediaManifest,
    Run,
    encode,
)
from frametally.rules.counted_boxes import COUNTING_VERSION
from frametally.rules.hour_file import paths_value
from frametally.rules.path_columns import PathColumns
from frametally.rules.seals import name_of, sealed
from frametally.rules.times import HOUR_MS
from frametally.segments.contents import encode_segment
from frametally.track_records import Track

DAY = "2026-01-01"
DAY_MS = keys.day_start_ms(DAY)
MEDIUM = "ab" * 32
MODEL = "pixels-1"
_OF_CAPABILITIES = {
    name: value for module in of_capabilities("run_settings") for name, value in module.RUN_SETTINGS.items()
}


def make_frame(
    captured_at_ms: int,
    index: int = 0,
    detections: Sequence[Detection] = (),
    *,
    source: str = "cam",
    media: str = MEDIUM,
    size_px: tuple[int, int] = (64, 48),
    image_path: str | None = None,
    **fields: Any,
) -> FrameDetections:
    """A frame, at the producer's place for it; `size_px` is its width and height."""
    return FrameDetections(
        image_path=image_path or keys.image_key(source, captured_at_ms, media, index),
        source=source,
        frame_index=index,
        captured_at_ms=captured_at_ms,
        width_px=size_px[0],
        height_px=size_px[1],
        media=media,
        detections=list(detections),
        **({"time_source": "start_time", "model": MODEL} | fields),
    )


def make_announcement(frame: FrameDetections, data: bytes = b"1") -> FrameAnnouncement:
    """The announcement of a frame whose stored picture is `data`."""
    names = set(FrameAnnouncement.__struct_fields__) - {"bytes", "sha256", "screened"}
    return FrameAnnouncement(
        **{name: getattr(frame, name) for name in names},
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def make_letter(offset: int, frame: FrameDetections, **fields: Any) -> DeadLetter:
    """The dead letter of the message that announces a frame, whose picture is damaged."""
    usual: dict[str, Any] = {"message": encode(make_announcement(frame)), "source": frame.source}
    usual |= {"image_path": frame.image_path, "stage": "decode", "reason": "no picture"}
    return DeadLetter(offset=offset, **(usual | fields))


def make_segment(
    frames: Sequence[FrameDetections],
    dead_letters: Sequence[DeadLetter] = (),
    first_offset: int = 0,
    **fields: Any,
) -> bytes:
    """A segment of partition 0 with a line for each of its messages."""
    usual: dict[str, Any] = {"model": MODEL, "log_id": "log-1", "topic": "frames", "partition": 0}
    usual |= {"next_offset": first_offset + len(frames) + len(dead_letters)}
    return encode_segment(
        first_offset=first_offset, frames=list(frames), dead_letters=list(dead_letters), **(usual | fields)
    )


def make_manifest(
    frames: int,
    *,
    media: str = MEDIUM,
    source: str = "cam",
    span_ms: tuple[int | None, int | None] = (None, None),
    **fields: Any,
) -> MediaManifest:
    """The manifest of a video all of whose frames were announced, the first and last at `span_ms`."""
    usual: dict[str, Any] = {
        "name": f"{source}.mp4",
        "source_name": source.title(),
        "kind": "video",
        "sampling": "5",
    }
    usual |= {"time_source": "start_time", "state": "complete"}
    numbers = dict.fromkeys(("frames_expected", "frames_put", "frames_announced"), frames)
    times = dict(zip(("first_captured_at_ms", "last_captured_at_ms"), span_ms, strict=True))
    return MediaManifest(sha256=media, source=source, **(usual | numbers | times | fields))


def make_count(
    interval_start_ms: int = DAY_MS, label: str = "car", detections: int = 1, **fields: Any
) -> IntervalCount:
    """A label's counts in an interval: by default all in one frame, its evidence."""
    shown = Evidence(
        image_path=f"images/{interval_start_ms}", captured_at_ms=interval_start_ms, count=detections
    )
    usual: dict[str, Any] = {"model": "m", "source": "gate", "interval_s": 60, "frames": 1}
    usual |= {"peak": detections, "evidence": [shown]}
    return IntervalCount(
        interval_start_ms=interval_start_ms, label=label, detections=detections, **(usual | fields)
    )


def make_coverage(interval_start_ms: int = DAY_MS, frames: int = 1, **fields: Any) -> Coverage:
    """How much of an interval was analysed."""
    usual: dict[str, Any] = {"model": "m", "source": "gate", "interval_s": 60}
    return Coverage(interval_start_ms=interval_start_ms, frames=frames, **(usual | fields))


def make_run(
    sequence: int = 1,
    *,
    digest: str = "5" * 64,
    model: str = "m",
    params: str = "0" * 8,
    interval_s: int = 60,
    day: str = DAY,
    parts: Sequence[str] = ("part-00000.gz",),
    **fields: Any,
) -> Run:
    """A run of a day with this SHA-256 of its inputs, in its folder."""
    run_id = f"{sequence:06d}-{digest[-16:]}"
    usual: dict[str, Any] = {"frames": 1, "duplicates_dropped": 0, "hours": {}}
    usual |= {"settings": {"counting_version": COUNTING_VERSION} | _OF_CAPABILITIES}
    return Run(
        run_id=run_id,
        sequence=sequence,
        model=model,
        params=params,
        interval_s=interval_s,
        day=day,
        prefix=keys.run_folder(model, params, interval_s, day, run_id),
        parts=list(parts),
        inputs_sha256=digest,
        **(usual | fields),
    )


def put_run(
    store: ObjectStore, run: Run, counts: Sequence[IntervalCount], coverage: Sequence[Coverage]
) -> Run:
    """Put a run of one part file at the counting job's place for it."""
    lines = [
        *((["count", one.source, one.label, one.interval_start_ms], one) for one in counts),
        *((["coverage", one.source, one.interval_start_ms], one) for one in coverage),
    ]
    part = b"".join(msgspec.json.encode(key) + b"\t" + encode(record) + b"\n" for key, record in lines)
    return put_lines(store, run, [part])


def put_lines(store: ObjectStore, run: Run, parts: Sequence[bytes]) -> Run:
    """Put a run with the lines of its part files."""
    for name, lines in zip(run.parts, parts, strict=True):
        put_part(store, f"{run.prefix}/{name.removesuffix('.gz')}", lines)
    run = msgspec.structs.replace(run, parts_crc32=[zlib.crc32(lines) for lines in parts])
    store.put(run.key, encode(run))
    return run


def put_tracks(
    store: ObjectStore, run: Run, tracks: Iterable[Track], paths: Iterable[PathColumns] = ()
) -> Run:
    """Put hour files with a run's tracks and paths; return the run that lists them."""
    lines: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
    for number, track in enumerate(tracks):
        hour = track.hour_start_ms // HOUR_MS % 24
        key = ["track", track.source, track.label, number, track.hour_start_ms]
        lines[track.source, hour].append(msgspec.json.encode(key) + b"\t" + encode(track) + b"\n")
    for of_source in paths:
        key = ["paths", of_source.source, of_source.day_start_ms]
        value = msgspec.json.encode(paths_value(of_source))
        lines[of_source.source, 0].append(msgspec.json.encode(key) + b"\t" + value + b"\n")
    hours: defaultdict[str, dict[int, HourFile]] = defaultdict(dict)
    for (source, hour), of_hour in lines.items():
        data = b"".join(of_hour)
        hours[source][hour] = HourFile(name_of(data), zlib.crc32(data))
        store.put(hour_file_key(run.model, run.day, source, hour, name_of(data)), data)
    named = {name: getattr(run, name) for name in ("run_id", "model", "params", "interval_s", "day")}
    listed = HourList(**named, hours=dict(hours))
    store.put(listed.key, encode(listed) + b"\n")
    return msgspec.structs.replace(run, hours_crc32=zlib.crc32(encode(listed)), hours=listed.digests())


def without_history(store: ObjectStore, run: Run) -> None:
    """Remove the history from the list of a run."""
    key = hours_key(run.prefix)
    store.put(key, list_in(store.get(key)))


def with_checksums(data: bytes) -> bytes:
    """A record or a segment that was changed, with the checksums and positions of what it is now."""
    head, newline, body = data.partition(b"\n")
    fields = json.loads(head)
    fields.pop("seal", None)
    lines, first = body.split(b"\n"), 0
    for source in fields.get("sources", ()):
        if isinstance(source, dict):  # of a segment
            lines_of, lines = lines[: source["frames"]], lines[source["frames"] :]
            of_source = b"\n".join([*lines_of, b""] if lines else lines_of)
            source |= {"first_byte": first, "next_byte": first + len(of_source)}
            source["crc32"], first = zlib.crc32(of_source), first + len(of_source)
    if "dead_letters_crc32" in fields:
        fields["dead_letters_crc32"] = zlib.crc32(body[first:])
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return sealed(text.encode()) + newline + body


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit flipped, counted from the first byte's lowest."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
