"""Writes the sound of a derivative: the first track, copied if browsers play it, else encoded as AAC."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.filter import Graph

from frametally_producer.reading.video_file import Video
from frametally_videos.derivatives.mp4_encoding import Mp4File

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
