"""Files that are combined from others without encoding them again, as by FFmpeg's `-c copy`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition


def trimmed(path: Path, source: Path, from_s: Fraction, **container_options: str) -> Path:
    """Drop everything before `from_s`; in MP4 and MOV an edit list hides the frames that the first
    one needs."""
    with av.open(str(source)) as original, av.open(str(path), "w", options=container_options) as container:
        stream = original.streams.video[0]
        copy: Any = container.add_stream_from_template(stream)
        original.seek(int(from_s / (stream.time_base or 1)), stream=stream)
        for packet in original.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts -= int(from_s / (stream.time_base or 1))
                packet.dts -= int(from_s / (stream.time_base or 1))
                packet.stream = copy
                container.mux(packet)
    return path


def with_tracks(
    path: Path, *sources: Path, dispositions: Sequence[Disposition] = (), **container_options: str
) -> Path:
    """Put the pictures and sounds of several files into one, each as a track with its disposition."""
    originals = [av.open(str(source)) for source in sources]
    with av.open(str(path), "w", options=container_options) as container:
        copies: dict[tuple[int, int], Any] = {}
        for number, original in enumerate(originals):
            for stream in original.streams:
                copy: Any = container.add_stream_from_template(stream)
                copies[number, stream.index] = copy
                if number < len(dispositions):
                    copy.disposition = dispositions[number]
        packets = [
            (packet.dts * packet.time_base, number, packet)
            for number, original in enumerate(originals)
            for packet in original.demux()
            if packet.dts is not None
        ]
        for _, number, packet in sorted(packets, key=lambda one: one[:2]):
            packet.stream = copies[number, packet.stream.index]
            container.mux(packet)
    for original in originals:
        original.close()
    return path


def only_sound(source: Path, path: Path) -> Path:
    """Keep a file's first track of sound."""
    with av.open(str(source)) as original, av.open(str(path), "w") as container:
        copy: Any = container.add_stream_from_template(original.streams.audio[0])
        for packet in original.demux(original.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = copy
                container.mux(packet)
    return path
