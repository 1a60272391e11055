"""Reads the frames of an open camera with their capture times, and tries cameras."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
from av.video.reformatter import VideoReformatter

from frametally.errors import FrametallyError
from frametally_live.cameras.camera_access import CameraAway
from frametally_live.cameras.camera_opening import CameraToOpen, OpenCamera, open_camera
from frametally_live.cameras.rtp_track import gap_in
from frametally_live.cameras.stream_clock import CaptureClock, CaptureTime
from frametally_producer.reading.pixels import encode_jpeg, shrink
from frametally_producer.reading.sampling import PresentationTimes
from frametally_producer.reading.video_file import bgr_pixels
from frametally_producer.reading.whole_pictures import WholePictures

_HOLD_S = 3.0
"""Time within which a camera's clock must appear; otherwise all its frames have arrival times."""
_NOTHING_DECODED_S = 10.0
_MOST_AT_ONCE_MS = 60_000
"""Longest footage that a camera may send in one burst when a connection begins."""
_STEERED_MS, _STEERING = 1000, 100
_TIME_BASE = Fraction(1, 1_000_000)
# libavutil, struct AVProducerReferenceTime: microseconds since 1970, flags.
_REFERENCE_TIME = struct.Struct("<qi")


class CameraFrame(NamedTuple):
    """A decoded frame from FFmpeg; its presentation time counts from the connection's first frame.

    `left_out`: number of frames since the previous one that were damaged, or predicted from a damaged one.
    """

    position_s: Fraction
    captured: CaptureTime
    frame: av.VideoFrame
    left_out: int = 0


class _Arrived(NamedTuple):
    """A packet, or None at the connection's end, to flush the last frames."""

    packet: av.Packet[av.VideoStream] | None
    at_ms: int


class CameraReader:
    """Reads one connection.

    Attributes:
        pieces_damaged: Pieces that could not be decoded so far.
    """

    def __init__(self, camera: OpenCamera, clock: CaptureClock) -> None:
        self.pieces_damaged = 0
        self._camera = camera
        self._clock = clock
        stream = camera.stream
        self._tick_s = (stream.time_base or _TIME_BASE) if camera.has_times else _TIME_BASE
        rate = (stream.average_rate or stream.guessed_rate) if camera.has_times else None
        self._times = PresentationTimes(time_base=self._tick_s, start_ticks=None, rate=rate)
        self._first_ticks: int | None = None
        self._last_s = Fraction(0)
        self._begin_ms: Fraction | None = None
        self._told_begin_ms: Fraction | None = None
        self._pictures = WholePictures(stream, begins_whole=False)
        self._is_beginning_missing = False

    def frames(self) -> Iterator[CameraFrame]:
        """Yield undamaged frames as they arrive. Raises `CameraAway` as `OpenCamera.packets` does."""
        self._clock.connect()
        decoded_at_s = time.monotonic()
        for arrived in self._with_clock():
            try:
                frames = self._decoded(arrived.packet)
            except av.FFmpegError:
                frames = []
                self._note_damage()
            for frame in frames:
                if frame.is_corrupt:  # its missing parts are grey, green or from an older frame
                    self._note_damage(frame)
                if self._pictures.is_whole(frame):
                    decoded_at_s = time.monotonic()
                    yield self._timed(frame, arrived.at_ms)
            if time.monotonic() - decoded_at_s > _NOTHING_DECODED_S:
                raise CameraAway("sends pictures that cannot be decoded")

    def _decoded(self, packet: av.Packet[av.VideoStream] | None) -> list[av.VideoFrame]:
        if packet is not None:
            self._pictures.pass_over(packet, is_key=packet.is_keyframe and not self._is_beginning_missing)
            gap = gap_in(bytes(packet))
            self._is_beginning_missing = gap is True
            self.pieces_damaged += packet.is_corrupt
            if gap is not None:
                self._note_damage()
        return self._camera.stream.decode(packet)

    def _note_damage(self, frame: av.VideoFrame | None = None) -> None:
        self.pieces_damaged += 1
        self._pictures.note_damage(frame)

    def _with_clock(self) -> Iterator[_Arrived]:
        """Yield packets; hold the first ones until the stream's clock is known, but not for long."""
        early: list[_Arrived] = []
        is_known = not self._camera.has_times
        try:
            for packet in self._camera.packets():
                arrived = _Arrived(packet, int(time.time() * 1000))
                is_known = self._hear_clock(packet) or is_known
                early.append(arrived)
                if is_known or arrived.at_ms - early[0].at_ms > _HOLD_S * 1000:
                    is_known = True
                    yield from self._as_sent(early)
                    early = []
        except FrametallyError:
            yield from self._as_sent(early)
            yield _Arrived(None, int(time.time() * 1000))
            raise

    def _as_sent(self, early: list[_Arrived]) -> list[_Arrived]:
        """Return packets with the arrival times that they would have if each had been sent at once.

        When a client connects, a playlist and some cameras send the last seconds in one burst.
        """
        presented_ms = [self._presented_ms(arrived.packet) for arrived in early]
        first_ms = next((ms for ms in presented_ms if ms is not None), Fraction(0))
        near = {
            number: ms
            for number, ms in enumerate(presented_ms)
            if ms is not None and 0 <= ms - first_ms < _MOST_AT_ONCE_MS
        }
        begin_ms = min((early[number].at_ms - ms for number, ms in near.items()), default=Fraction(0))
        return [
            arrived._replace(at_ms=int(begin_ms + near[number])) if number in near else arrived
            for number, arrived in enumerate(early)
        ]

    def _presented_ms(self, packet: av.Packet[av.VideoStream] | None) -> Fraction | None:
        ticks = None if packet is None else packet.dts if packet.pts is None else packet.pts
        return None if ticks is None or not self._camera.has_times else ticks * self._tick_s * 1000

    def _hear_clock(self, packet: av.Packet[av.VideoStream]) -> bool:
        ticks = packet.dts if packet.pts is None else packet.pts
        if ticks is None or not packet.has_sidedata("prft"):
            return False
        microseconds, _ = _REFERENCE_TIME.unpack_from(bytes(packet.get_sidedata("prft")))
        self._told_begin_ms = Fraction(microseconds, 1000) - ticks * self._tick_s * 1000
        return True

    def _timed(self, frame: av.VideoFrame, arrived_at_ms: int) -> CameraFrame:
        if self._camera.has_times:
            ticks = frame.dts if frame.pts is None else frame.pts
        else:
            ticks = arrived_at_ms * 1000
        if self._first_ticks is None:
            self._first_ticks = ticks or 0  # RTP's times begin with 0, and the first may be missing
            ticks = self._first_ticks
        self._times.pass_over(ticks, frame.duration if self._camera.has_times else None)
        position_s = self._times.position_s
        begin_ms = self._steered_begin_ms(position_s)
        stream_ms = (
            None
            if begin_ms is None
            else int(begin_ms + (self._first_ticks * self._tick_s + position_s) * 1000)
        )
        captured = self._clock.time_of(
            int(position_s * 1000), stream_ms=stream_ms, arrived_at_ms=arrived_at_ms
        )
        return CameraFrame(position_s, captured, frame, self._pictures.left_out_before(frame))

    def _steered_begin_ms(self, position_s: Fraction) -> Fraction | None:
        """Return when the stream's times began by its clock, as of a frame.

        Reports of the clock vary by their sending delay, so the value approaches them gradually.
        """
        told_ms, begin_ms = self._told_begin_ms, self._begin_ms
        passed_ms, self._last_s = (position_s - self._last_s) * 1000, position_s
        if told_ms is not None and begin_ms is not None and abs(told_ms - begin_ms) < _STEERED_MS:
            most_ms = passed_ms / _STEERING
            self._begin_ms = begin_ms + max(-most_ms, min(most_ms, told_ms - begin_ms))
        else:
            self._begin_ms = told_ms
        return self._begin_ms


TRIAL_S = 10.0
"""Longest time that a trial takes."""
_SPAN_S = 2
"""Length of the footage from which the rate is measured."""
_PREVIEW_SIDE_PX, _PREVIEW_QUALITY = 640, 80
_NAMES = {"h264": "H.264", "hevc": "H.265", "mjpeg": "Motion JPEG", "rawvideo": "raw video"}


class CameraSight(NamedTuple):
    """A camera's stream: its newest frame's size, its codec (such as `H.264`), and its rate.

    `frames_per_s` is None if only one frame arrived; `jpeg` is the newest frame as a small picture.
    """

    width_px: int
    height_px: int
    code: str
    frames_per_s: float | None
    jpeg: bytes

    def __str__(self) -> str:
        rate = "" if self.frames_per_s is None else f", {self.frames_per_s:.1f} frames/s"
        return f"{self.width_px} x {self.height_px} pixels, {self.code}{rate}"


def try_camera(camera: CameraToOpen) -> CameraSight:
    """Read a camera for about two seconds; give up after `TRIAL_S`.

    Raises:
        Poison: No camera may be at the given IP address.
        CameraAway: It showed nothing.
        Misconfigured: A setting of cameras cannot be read.
    """
    end_s = time.monotonic() + TRIAL_S
    first: CameraFrame | None = None
    newest: CameraFrame | None = None
    steps, code, aspect = 0, "", None
    try:
        with open_camera(camera, lambda: time.monotonic() > end_s) as source:
            aspect = source.stream.sample_aspect_ratio
            name = source.stream.codec_context.codec.canonical_name
            code = _NAMES.get(name, name)
            for frame in CameraReader(source, CaptureClock()).frames():
                first, newest, steps = first or frame, frame, steps + (first is not None)
                if frame.position_s - first.position_s >= _SPAN_S or time.monotonic() > end_s:
                    break
    except CameraAway:
        if newest is None and time.monotonic() <= end_s:
            raise
    if first is None or newest is None:
        raise CameraAway(f"showed no picture within {TRIAL_S:g} s")
    span_s = float(newest.position_s - first.position_s)
    pixels = bgr_pixels(VideoReformatter(), newest.frame, aspect, camera.max_pixels)
    height_px, width_px, _ = pixels.shape
    return CameraSight(
        width_px,
        height_px,
        code,
        round(steps / span_s, 1) if span_s else None,
        encode_jpeg(shrink(pixels, _PREVIEW_SIDE_PX), _PREVIEW_QUALITY),
    )
