"""Files of every usual codec and container, made by PyAV: moving pictures, sounds, chapters, tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from tests.fakes.av1 import usual_turns

Picture = NDArray[np.uint8]

PLACE = "+48.1372+011.5755/"
"""The place in the metadata of made files, as ISO 6709."""

CHAPTERS: list[Any] = [
    {"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "Morning"}},
    {"id": 2, "start": 1000, "end": 2000, "time_base": Fraction(1, 1000), "metadata": {"title": "Evening"}},
]


def moving(frames: int, size_px: tuple[int, int] = (320, 240)) -> Iterator[Picture]:
    """Yield pictures (height, width, 3), RGB: a still texture with a bright moving block."""
    width_px, height_px = size_px
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    ground = (90 + 50 * np.sin(columns / 7.0) * np.sin(rows / 5.0)).astype(np.uint8)
    for index in range(frames):
        picture = np.repeat(ground[:, :, None], 3, axis=2)
        left_px = (index * 6) % max(1, width_px - 40)
        picture[height_px // 3 : height_px // 3 + 30, left_px : left_px + 40] = (230, 60, 40)
        yield picture


def make_file(
    path: Path,
    pictures: Sequence[Picture] | Iterator[Picture],
    *,
    codec: str = "libx264",
    fps: int = 25,
    times_ms: Sequence[int] | None = None,
    pix_fmt: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int | None = None,
    sounds: Sequence[tuple[str, str | None]] = (),
    sound_s: float = 2.0,
    chapters: Sequence[Any] = (),
    metadata: dict[str, str] | None = None,
    change: Callable[[Any], None] = lambda stream: None,
) -> Path:
    """Make a video of these pictures.

    Args:
        path: Its ending tells the container.
        pictures: Each (height, width, 3), RGB.
        codec: FFmpeg's name of the encoder.
        fps: Frames a second, where no times are given.
        times_ms: When each picture is shown.
        pix_fmt: Form of its pixels.
        codec_options: For the encoder.
        container_options: For the container.
        rotation: Degrees counterclockwise.
        sounds: Encoder and language of each sound; they are a tone.
        sound_s: How long that is.
        chapters: As PyAV has them.
        metadata: Tags of the container.
        change: Is given the stream of pictures before it is encoded.
    """
    drawn = iter(pictures)
    first = next(drawn)
    with usual_turns(), av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream: Any = container.add_stream(codec, rate=fps, options=codec_options or {})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pix_fmt
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        change(stream)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        tones = [(_add_sound(container, name, language)) for name, language in sounds]
        if chapters:
            container.set_chapters(list(chapters))
        container.start_encoding()
        for tone in tones:
            _encode_tone(container, tone, sound_s)
        for index, picture in enumerate(_from(first, drawn)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times_ms is None:
                frame.pts, frame.time_base = index, Fraction(1, fps)
            else:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _from(first: Picture, others: Iterator[Picture]) -> Iterator[Picture]:
    yield first
    yield from others


def _add_sound(container: Any, codec: str, language: str | None) -> Any:
    stream = container.add_stream(codec, rate=48000, layout="stereo")
    if language:
        stream.metadata["language"] = language
    return stream


def _encode_tone(container: Any, stream: Any, length_s: float) -> None:
    samples = int(48000 * length_s)
    tone = np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000).astype(np.float32) * 0.2
    frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48000, 0
    fifo = av.AudioFifo()
    resampler = av.AudioResampler(format=stream.format.name, layout="stereo", rate=48000)
    for resampled in resampler.resample(frame):
        fifo.write(resampled)
    size = stream.codec_context.frame_size or 1024
    for piece in fifo.read_many(size, partial=True):
        container.mux(stream.encode(piece))
    container.mux(stream.encode())


def without_rate(avi: bytes) -> bytes:
    """Return an AVI file whose headers state neither a frame's length nor a rate."""
    data = bytearray(avi)
    for at in (data.find(b"avih") + 8, data.find(b"vids") + 24):
        assert any(data[at : at + 4])
        data[at : at + 4] = bytes(4)
    return bytes(data)
