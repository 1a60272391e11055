"""Leaves out damaged pictures and those predicted from damaged ones."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import av
from av.codec.context import Flags
from av.video.frame import PictureType

_MOST_REMEMBERED = 64
"""How many key frames and damaged places to remember while their pictures may be in the decoder."""
_RECOVERY_POINT = re.compile(rb"\0\0\x01\x06\x06.(.{4})", re.DOTALL)
_HEAD_BYTES = 1000
_AFTER_GAP = 2
"""At a gap in the container's numbering, FFmpeg marks the packet before the one that it is reading."""
_MARKED = ("h264", "mpeg1video", "mpeg2video")
"""Codecs of which FFmpeg marks damaged pictures; if it failed at them, it would also lose whole ones."""


def frames_to_recover(packet: bytes) -> int:
    """Return how many frames after a packet decoded pictures become whole, usually 0.

    H.264 may have no key frames: a recovery point (D.1.8) states after how many frames each part is renewed.
    """
    message = _RECOVERY_POINT.search(packet, 0, _HEAD_BYTES)
    bits = int.from_bytes(message[1]) if message else 0
    zeros = 32 - bits.bit_length()
    return (bits >> 31 - 2 * zeros) - 1 if bits and zeros < 16 else 0  # an unsigned Exp-Golomb code (9.1)


def prepare_decoder(stream: av.VideoStream, *, max_pixels: int) -> None:
    """Set up the decoder of a stream, before it decodes, so that `WholePictures` can judge its pictures.

    Every decoder whose damage is judged is set up here, so a file gives the same pictures on every machine.
    It has one thread: with threads for slices, FFmpeg does not mark damaged H.264 pictures; with threads for
    frames, it reports damage late, and each thread holds further pictures in memory. Codecs of which FFmpeg
    does not mark damaged pictures, such as Motion JPEG, report errors that they would otherwise paint over.

    Args:
        stream: A stream with a known codec.
        max_pixels: Width times height above which frames count as damaged.
    """
    context = stream.codec_context
    context.thread_type, context.thread_count = "NONE", 1
    context.flags |= Flags.copy_opaque
    options = {"max_pixels": str(max_pixels)}
    context.options = options if context.name in _MARKED else options | {"err_detect": "explode"}


class _Key(NamedTuple):
    """A packet at which prediction starts again, and the first picture that is whole from there."""

    number: int
    whole_from: int
    pts: int | None


class WholePictures:
    """Judges the decoded pictures of one stream, whose decoder `prepare_decoder` has set up.

    FFmpeg marks a picture of which it had to invent a part, but not the pictures predicted from it. So
    everything decoded after damage counts as damaged, up to the next whole key frame. If every picture is a
    key frame (Motion JPEG), only the damaged one counts. If no key frame is marked, each picture that is not
    predicted counts as one. A gap in a container's numbering counts only if no key frame follows; if one
    does, recordings were joined there.

    Attributes:
        damaged: How often damage was noted.
    """

    def __init__(self, stream: av.VideoStream, *, begins_whole: bool) -> None:
        """Judge a stream; unless it `begins_whole`, pictures before the first key frame count as damaged."""
        self.damaged = 0
        self._stream = stream
        self._has_keys = False
        self._predicts = not stream.codec_context.codec.intra_only
        self._number = 0
        self._keys: deque[_Key] = deque([_Key(0, 0, None)], _MOST_REMEMBERED)
        self._damages: deque[int] = deque(maxlen=_MOST_REMEMBERED)
        if self._predicts and not begins_whole:
            self._damages.append(0)
        self._key_yielded = self._yielded = self._after_gap = 0

    def decode(
        self, packets: Iterable[av.Packet[av.VideoStream] | None]
    ) -> Iterator[tuple[av.VideoFrame, bool]]:
        """Yield the pictures of packets (None follows the last), each with whether it is whole."""
        delayed: deque[av.VideoFrame] = deque()  # a picture shown later may damage it
        for packet in packets:
            try:
                if packet is not None:
                    self.pass_over(packet, is_key=packet.is_keyframe)
                frames = self._stream.decode(packet)
            except av.FFmpegError:
                self.note_damage()
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.note_damage(frame)
                delayed.append(frame)
                if len(delayed) > self._stream.codec_context.has_b_frames:
                    yield delayed[0], self.is_whole(delayed.popleft())
        yield from ((frame, self.is_whole(frame)) for frame in delayed)

    def pass_over(self, packet: av.Packet[av.VideoStream], *, is_key: bool) -> None:
        """Move to the next packet to decode; with `is_key`, later packets do not depend on earlier ones."""
        self._number += 1
        packet.opaque = (self._number,)  # PyAV loses an object that two packets share, such as a small int
        self._has_keys = self._has_keys or is_key
        frames = frames_to_recover(bytes(packet)) if is_key and self._predicts else 0
        if is_key or not self._predicts:
            self._keys.append(_Key(self._number, self._number + frames, None if frames else packet.pts))
        elif self._number == self._after_gap:
            self._damages.append(self._number)
        if packet.is_corrupt:
            self._after_gap = self._number + _AFTER_GAP

    def note_damage(self, frame: av.VideoFrame | None = None) -> None:
        """Note that a frame, or by default the last packet, is damaged."""
        self.damaged += 1
        self._damages.append(self._number_of(frame))

    def is_whole(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame, and everything that it may be predicted from, is whole."""
        number, pts = self._number_of(frame), frame.pts
        if not self._has_keys and frame.pict_type == PictureType.I and not frame.is_corrupt:
            self._keys.append(_Key(number, number, pts))
        # Pictures decoded after a key frame but shown before it are also predicted from earlier ones.
        begin = next(
            (
                key.number
                for key in reversed(self._keys)
                if key.whole_from <= number and (pts is None or key.pts is None or key.pts <= pts)
            ),
            0,
        )
        return not any(begin <= damage <= number for damage in self._damages)

    def left_out_before(self, frame: av.VideoFrame) -> int:
        """Return how many pictures were left out before a whole frame; call it for each frame in order."""
        self._yielded += 1
        number = self._number_of(frame)
        if all(key.whole_from != number for key in self._keys):
            return 0
        begin, yielded, self._key_yielded, self._yielded = self._key_yielded, self._yielded, number, 0
        is_damaged = any(begin <= damage < number for damage in self._damages)
        return max(number - begin - yielded, 0) if is_damaged else 0

    def _number_of(self, frame: av.VideoFrame | None) -> int:
        place = None if frame is None else frame.opaque
        return place[0] if isinstance(place, tuple) else self._number
