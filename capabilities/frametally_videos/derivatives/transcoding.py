"""Makes a version of a video: copies its pictures if browsers play them, else filters and encodes them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.filter import Graph

from frametally.errors import FrametallyError, Poison
from frametally.files.opencv import Pixels
from frametally.media.screening import Screen
from frametally.process.reports import Progress
from frametally.process.retrying import GivenUp
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_videos.derivatives.filters import TIME_BASE, Parity, PictureFilter, Wanted, derivative_size_px
from frametally_videos.derivatives.mp4_encoding import Chosen, Coding, Mp4File, choose_encoder, open_mp4
from frametally_videos.library.video_looks import NO_FRAME
from frametally_videos.media_records import Enhancement

Method = Literal["copied", "encoded", "none"]
_COPIED = {"aac", "mp3"}
_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_USUAL_RATE_HZ = 48_000
_BITS_PER_CHANNEL = 64_000
_PRIMING_S = Fraction(1, 2)
"""Sound up to this long before the first picture is kept: decoders need some, and players skip it."""


class SoundTrack:
    """Writes the sound of a video to a file, once the start of the pictures is known."""

    def __init__(self, video: Video, file: Mp4File) -> None:
        """Keep the sound packets that are read from now on."""
        self._waiting: deque[av.Packet[av.AudioStream]] = deque()
        self._sound = video.sound
        self._file = file
        self._encoder: _Encoder | None = None
        self._track: av.AudioStream | None = None
        self._last_ticks: int | None = None
        self._shift_ticks: int | None = None
        self._least_ticks = 0
        self.method: Method = "none"
        video.hear(self._waiting.append)

    def begin(self) -> None:
        """Add the track, if there is sound."""
        sound = self._sound
        if sound is None:
            return
        if sound.codec_context.codec.canonical_name in _COPIED and sound.codec_context.sample_rate:
            self.method = "copied"
            self._track = self._file.container.add_stream_from_template(sound, opaque=True)
        else:
            self.method = "encoded"
            self._encoder = _Encoder(sound, self._file)

    def put(self, origin_s: Fraction) -> None:
        """Write the new packets; `origin_s` is the time of the first picture, by the sound's clock."""
        while self._waiting:
            packet = self._waiting.popleft()
            if self._encoder is not None:
                self._file.put(self._encoder.encode(packet, origin_s))
            else:
                self._copy(packet, origin_s)

    def end(self) -> None:
        """Write the rest of the encoder's output."""
        if self._encoder is not None:
            self._file.put(self._encoder.finish())

    def _copy(self, packet: av.Packet[av.AudioStream], origin_s: Fraction) -> None:
        if packet.pts is None or packet.dts is None:
            return
        if self._shift_ticks is None:  # only once: dividing fractions takes longer than copying a packet
            base = packet.time_base
            self._shift_ticks, self._least_ticks = round(origin_s / base), math.ceil(-_PRIMING_S / base)
        packet.pts -= self._shift_ticks
        packet.dts -= self._shift_ticks
        if packet.dts < self._least_ticks:
            return
        if self._last_ticks is not None and packet.dts <= self._last_ticks:  # where recordings were joined
            return
        self._last_ticks = packet.dts
        packet.stream = cast("av.AudioStream", self._track)
        self._file.put([packet])


class _Encoder:
    """Encodes sound as AAC, mono or stereo, with silence for missing parts."""

    def __init__(self, sound: av.AudioStream, file: Mp4File) -> None:
        context = sound.codec_context
        self._sound = sound
        self._layout = "mono" if context.channels == 1 else "stereo"
        self._rate_hz = context.sample_rate if context.sample_rate in _RATES_HZ else _USUAL_RATE_HZ
        self._track = file.container.add_stream("aac", rate=self._rate_hz, layout=self._layout)
        encoder: AudioCodecContext = self._track.codec_context
        encoder.options = {"aac_coder": "fast"}  # takes half the time of the default
        encoder.bit_rate = _BITS_PER_CHANNEL * (1 if self._layout == "mono" else 2)
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()

    def encode(
        self, packet: av.Packet[av.AudioStream], origin_s: Fraction
    ) -> Iterator[av.Packet[av.AudioStream]]:
        try:
            frames = self._sound.decode(packet)
        except av.FFmpegError:  # a damaged packet becomes silence
            return
        for frame in frames:
            if frame.pts is None or frame.time_base is None:
                continue
            frame.pts -= round(origin_s / frame.time_base)
            shape = (frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base)
            if shape != self._shape:
                yield from self._flushed()
                self._graph, self._shape = self._graph_for(frame), shape
            assert self._graph  # noqa: S101 - for the type checker
            self._graph.push(frame)
            yield from self._ready()

    def finish(self) -> Iterator[av.Packet[av.AudioStream]]:
        yield from self._flushed()
        yield from self._track.encode(None)

    def _flushed(self) -> Iterator[av.Packet[av.AudioStream]]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
            self._graph = None

    def _ready(self) -> Iterator[av.Packet[av.AudioStream]]:
        assert self._graph  # noqa: S101 - for the type checker
        while True:
            try:
                frame = cast("av.AudioFrame", self._graph.pull())
            except (BlockingIOError, EOFError):
                return
            yield from self._track.encode(frame)

    def _graph_for(self, frame: av.AudioFrame) -> Graph:
        graph = Graph()
        form = f"sample_fmts=fltp:sample_rates={self._rate_hz}:channel_layouts={self._layout}"
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format,
                layout=frame.layout,
                time_base=frame.time_base,
            ),
            graph.add("aresample", "async=1:first_pts=0"),
            graph.add("aformat", form),
            graph.add("abuffersink"),
        ).configure()
        return graph


_USUAL_FPS = Fraction(25)
_MOST_FPS = 1000
_PARTS = 1000
_MOST_UNTIMED = 32  # H.264 lets a frame wait for at most 16 others
_LOOK_EVERY_PIECES = 50
"""Copied frames between two reports: a report takes longer than copying a frame."""


class MakingLimits(NamedTuple):
    """Limits for making a file."""

    most_bytes: int
    progress: Progress
    should_stop: Callable[[], bool]

    def look(self, done_s: Fraction, video: Video) -> None:
        """Report the progress. Raises `GivenUp` after a stop."""
        if self.should_stop():
            raise GivenUp("stopped")
        total_s = video.duration_s
        self.progress.update(int(done_s * _PARTS), int(total_s * _PARTS) if total_s else None)


class Look(NamedTuple):
    """Settings for filtering and encoding pictures.

    Attributes:
        parity: Of interlaced pictures to deinterlace, or None to deinterlace none.
        encoders: FFmpeg's names of the encoders to try, in order.
        screen: Changes each picture first; None for nothing.
    """

    enhancement: Enhancement
    parity: Parity | None
    most_side_px: int
    encoders: tuple[str, ...]
    crf: int
    preset: str
    screen: Screen | None = None


class Made(NamedTuple):
    """The result of making a file; see `Derivative`."""

    method: Literal["remux", "encode"]
    video_encoder: str | None
    sound: Method
    tried: list[str]
    width_px: int
    height_px: int
    frames: int
    duration_s: float


class Unfit(FrametallyError):
    """The pictures cannot be copied: they must be encoded again."""


def copy_pictures(video: Video, path: Path, limits: MakingLimits) -> Made:
    """Make a file with the same pictures, bit for bit.

    Raises:
        Unfit: The pictures are damaged, have unusable times, or do not begin with a key frame.
        Poison: There is no frame, or the file becomes larger than allowed.
        Misconfigured: The file cannot be written.
        GivenUp: The command was stopped.
    """
    with open_mp4(path, most_bytes=limits.most_bytes) as file:
        track = file.container.add_stream_from_template(video.stream, opaque=True)
        sound = SoundTrack(video, file)
        sound.begin()
        base = video.stream.time_base or TIME_BASE
        usual_ticks = round(1 / ((video.average_fps or _USUAL_FPS) * base))
        origin = last = 0
        frames, end = 0, 0
        origin_s = Fraction(0)
        for packet in _timed_pieces(video, usual_ticks):
            pts, dts = packet.pts, packet.dts
            if pts is None or dts is None or packet.is_corrupt or packet.is_discard:
                raise Unfit("one of its packets has no time, or is damaged")
            if not frames:
                origin, origin_s = pts, pts * base
                if not packet.is_keyframe:
                    raise Unfit("it does not begin with a key frame")
            elif pts < origin or dts <= last:
                raise Unfit("its times do not increase")
            last = dts
            packet.pts, packet.dts = pts - origin, dts - origin
            end = max(end, packet.pts + (packet.duration or usual_ticks))
            packet.stream = track
            file.put([packet])
            sound.put(origin_s)
            frames += 1
            if not frames % _LOOK_EVERY_PIECES:
                limits.look((pts - origin) * base, video)
        if not frames:
            raise Poison(NO_FRAME)
        sound.put(origin_s)
        sound.end()
    if video.damage:
        raise Unfit(video.damage[0])
    return Made("remux", None, sound.method, [], *video.size_px, frames, float(end * base))


def encode_pictures(video: Video, path: Path, look: Look, limits: MakingLimits) -> Made:
    """Make a file with upright pictures in BT.709, 8 bits, 4:2:0, at their original times.

    Raises:
        Poison: No frame can be decoded, or the file becomes larger than allowed.
        Misconfigured: No encoder works here, or the file cannot be written.
        GivenUp: The command was stopped.
    """
    with open_mp4(path, most_bytes=limits.most_bytes) as file:
        frames = video.frames() if look.screen is None else _screened(video, look.screen)
        encoding = _Encoding(video, file, look)
        earlier: TimedFrame | None = None
        for timed in frames:
            if earlier is not None:
                encoding.put(earlier, timed.position_s)
                limits.look(timed.position_s, video)
            earlier = timed
        if earlier is None:
            raise Poison(NO_FRAME)
        encoding.put(earlier, max(video.end_s or earlier.position_s, earlier.position_s))
        return encoding.end()


def _screened(video: Video, screen: Screen) -> Iterator[TimedFrame]:
    waiting: deque[TimedFrame] = deque()

    def film() -> Iterator[Pixels]:
        for timed in video.frames():
            waiting.append(timed)
            yield video.pixels(timed.frame)

    for pixels in screen.pictures(film()):
        timed = waiting.popleft()
        frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
        frame.pts, frame.time_base = timed.frame.pts, timed.frame.time_base
        yield timed._replace(frame=frame)


class _Encoding:
    """Filters and encodes pictures; the first one sets up the filters and the encoder."""

    def __init__(self, video: Video, file: Mp4File, look: Look) -> None:
        self._video, self._file, self._look = video, file, look
        # Before any packet is read, since sound may precede the first frame.
        self._sound = SoundTrack(video, file)
        self._origin_s: Fraction | None = None
        self._end_ticks = 0
        self._held: av.VideoFrame | None = None
        self._durations: dict[int, int] = {}
        self._frames = 0
        self._first_dts: int | None = None

    def put(self, timed: TimedFrame, until_s: Fraction) -> None:
        """Encode a frame that is shown until `until_s`."""
        if self._origin_s is None:
            self._begin(timed)
        assert self._origin_s is not None  # noqa: S101 - for the type checker
        ticks, self._end_ticks = (round(at_s / TIME_BASE) for at_s in (timed.position_s, until_s))
        self._encode(
            self._filter.feed(timed.frame, ticks=ticks, duration_ticks=max(self._end_ticks - ticks, 0))
        )
        self._sound.put(self._origin_s)

    def end(self) -> Made:
        """Encode the last frame, and return the result."""
        assert self._origin_s is not None  # noqa: S101 - for the type checker
        self._encode(self._filter.finish())
        if self._held is not None:
            asked_fps = self._look.enhancement.fps
            held_ticks = self._held.pts or 0
            ticks_left = (
                round(1 / (Fraction(asked_fps) * TIME_BASE)) if asked_fps else self._end_ticks - held_ticks
            )
            self._encode_one(self._held, max(ticks_left, 1))
        self._file.put(self._lengthened(list(self._timed(self._track.encode(None)))))
        self._sound.put(self._origin_s)
        self._sound.end()
        coding = self._coding
        return Made(
            "encode",
            self._chosen.name,
            self._sound.method,
            self._chosen.tried,
            coding.width_px,
            coding.height_px,
            self._frames,
            float(self._last_end_ticks * TIME_BASE),
        )

    def _begin(self, first: TimedFrame) -> None:
        look, video = self._look, self._video
        stream = video.stream
        width_px, height_px = derivative_size_px(first.frame, look.most_side_px)
        aspect = stream.sample_aspect_ratio if look.screen is None else None  # its pixels are square
        if aspect and (width_px > height_px) != (first.frame.width > first.frame.height):
            aspect = 1 / aspect
        fps = Fraction(look.enhancement.fps).limit_denominator(1001) if look.enhancement.fps else None
        fps = fps or video.average_fps or _USUAL_FPS
        self._coding = Coding(
            width_px,
            height_px,
            fps if 0 < fps <= _MOST_FPS else _USUAL_FPS,
            aspect,
            look.crf,
            look.preset,
        )
        self._chosen: Chosen = choose_encoder(look.encoders, self._coding)
        self._track = cast(
            "av.VideoStream", self._file.container.add_stream(self._chosen.name, rate=self._coding.fps)
        )
        self._coding.set_up(self._track.codec_context)
        self._sound.begin()
        self._filter = PictureFilter(Wanted(width_px, height_px, look.enhancement, look.parity))
        base = stream.time_base or TIME_BASE
        pts = first.frame.pts if first.frame.pts is not None else stream.start_time
        self._origin_s = (pts or 0) * base
        self._last_end_ticks = 0

    def _encode(self, frames: Iterator[av.VideoFrame]) -> None:
        for frame in frames:
            pending = self._held
            if frame.pts is None or (pending is not None and frame.pts <= (pending.pts or 0)):
                continue  # a second frame within a tick
            if pending is not None:
                self._encode_one(pending, frame.pts - (pending.pts or 0))
            self._held = frame

    def _encode_one(self, frame: av.VideoFrame, duration_ticks: int) -> None:
        frame.pict_type = av.video.frame.PictureType.NONE  # the original's does not apply
        self._durations[frame.pts or 0] = duration_ticks
        self._last_end_ticks = (frame.pts or 0) + duration_ticks
        self._frames += 1
        self._file.put(self._timed(self._track.encode(frame)))

    def _timed(self, packets: list[av.Packet[av.VideoStream]]) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield packets with their durations, which encoders drop."""
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts or 0, 0)
            if self._first_dts is None:
                self._first_dts = packet.dts or 0
            yield packet

    def _lengthened(self, packets: list[av.Packet[av.VideoStream]]) -> list[av.Packet[av.VideoStream]]:
        """Extend the track to the end of its last frame, since durations in an MP4 follow decoding times."""
        if packets:
            last = packets[-1]
            last.duration = max(
                last.duration or 0, self._last_end_ticks + (self._first_dts or 0) - (last.dts or 0)
            )
        return packets


def _timed_pieces(video: Video, step: int) -> Iterator[av.Packet[av.VideoStream]]:
    """Yield the encoded pictures, with the first decoding times, which Matroska lacks, `step` ticks apart."""
    untimed: list[av.Packet[av.VideoStream]] = []
    for packet in video.pieces():
        if packet.dts is None and len(untimed) < _MOST_UNTIMED:
            untimed.append(packet)
            continue
        for before, earlier in enumerate(untimed):
            if packet.dts is not None:
                earlier.dts = packet.dts - step * (len(untimed) - before)
            yield earlier
        untimed.clear()
        yield packet
    yield from untimed
