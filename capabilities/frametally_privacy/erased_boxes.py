"""Erases boxes from segments: a frame's line stays, without anything that was seen in it.

The line says that the frame was announced and analysed, so the books of the log stay complete. Its tombstone
keeps it out of the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from frametally import keys
from frametally.media.forgetting import Target
from frametally.media.manifests import list_tombstones
from frametally.media.stored_images import announced_images
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import FrameDetections
from frametally.rules.times import FIRST_MS, NEXT_MS, in_range
from frametally.segment_records import DIGEST_CHARACTERS
from frametally.segments.contents import Segment, decode_segment, encode_segment, read_segment

_NO_DIGEST = "A" * DIGEST_CHARACTERS


class ErasedFrames(NamedTuple):
    """The frames of a source and range, also under their names from before a correction.

    Attributes:
        names: Of frames of media in the range: the medium's hex in keys, and the index, None for all frames.
        sources: Slugs of all sources under which such a frame can be announced.
    """

    source: str
    from_ms: int
    to_ms: int
    names: frozenset[tuple[str, int | None]]
    sources: frozenset[str]

    def has(self, frame: FrameDetections) -> bool:
        """Return whether a frame is one of these."""
        if frame.source == self.source and self.from_ms <= frame.captured_at_ms < self.to_ms:
            return True
        name = keys.parse_image_name(frame.image_path.rpartition("/")[2])
        return name is not None and not self.names.isdisjoint(
            [(name.medium_hex, None), (name.medium_hex, name.frame_index)]
        )


def erased_frames(
    store: ObjectStore, source: str, from_ms: int, to_ms: int, targets: Sequence[Target]
) -> ErasedFrames:
    """Return the frames to erase; the manifests of `targets` must still exist.

    Raises:
        Misconfigured: It is unknown which of several pictures belongs to a frame.
        Poison: A tombstone is damaged.
    """
    names: set[tuple[str, int | None]] = set()
    for target in targets:
        manifest = target.manifest
        if manifest.kind == "video" and target.whole:
            names.add((manifest.sha256[:12], None))
            continue
        names.update(
            (name.medium_hex, name.frame_index)
            for name in announced_images(store, manifest)
            if in_range(name.captured_at_ms, target.from_ms, target.to_ms)
        )
    corrected = {stone.source for stone in list_tombstones(store) if stone.why != "forget"}
    return ErasedFrames(source, from_ms, to_ms, frozenset(names), frozenset(corrected))


def segments_with_boxes(
    store: ObjectStore, ledger: Ledger, frames: ErasedFrames
) -> Iterator[tuple[str, int]]:
    """Yield the key of each segment with lines that say what such a frame showed, and their number.

    Raises as `read_segment`.
    """
    for key in sorted(_segment_keys(ledger, frames)):
        try:
            segment = read_segment(store, key)
        except ObjectMissing:  # removed since the ledger was refreshed
            continue
        if number := sum(_is_to_erase(frames, line) for line in _with_digests(segment)):
            yield key, number


def erase_boxes(store: ObjectStore, key: str, frames: ErasedFrames) -> None:
    """Erase what a segment says about such frames; another erasure may change it at the same time.

    Raises as `decode_segment`.
    """

    def change(data: bytes | None) -> bytes | None:
        if data is None:
            return None
        segment = decode_segment(data, key)
        lines = _with_digests(segment)
        return _encoded(segment, [_blanked(line) if _is_to_erase(frames, line) else line for line in lines])

    store.change(key, change)


def _segment_keys(ledger: Ledger, frames: ErasedFrames) -> set[str]:
    spans = dict.fromkeys(frames.sources, (FIRST_MS, NEXT_MS))
    spans.setdefault(frames.source, (frames.from_ms, frames.to_ms))
    return {
        part.key
        for model in ledger.models()
        for source, (from_ms, to_ms) in spans.items()
        for part in ledger.parts(model, source, from_ms=from_ms, to_ms=to_ms)
    }


def _with_digests(segment: Segment) -> list[FrameDetections]:
    digests = [
        part.picture_digest(number) for part in segment.header.sources for number in range(part.frames)
    ]
    return [
        replace(line, picture_digest=digest) for line, digest in zip(segment.frames(), digests, strict=True)
    ]


def _is_to_erase(frames: ErasedFrames, line: FrameDetections) -> bool:
    has_digest = line.picture_digest not in (UNSET, _NO_DIGEST)
    return (bool(line.detections) or line.shows is not UNSET or has_digest) and frames.has(line)


def _blanked(line: FrameDetections) -> FrameDetections:
    digest = UNSET if line.picture_digest is UNSET else _NO_DIGEST
    return replace(line, detections=[], shows=UNSET, picture_digest=digest)


def _encoded(segment: Segment, lines: Sequence[FrameDetections]) -> bytes:
    header = segment.header
    return encode_segment(
        model=header.model,
        log_id=header.log_id,
        topic=header.topic,
        partition=header.partition,
        first_offset=header.first_offset,
        next_offset=header.next_offset,
        frames=lines,
        dead_letters=segment.dead_letters(),
    )
