"""Videos with bytes turned inside their pictures, as a worn memory card or a lossy link leaves them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from tests.fakes.footage import make_file
from tests.fakes.numbered_pictures import number_of, numbered

FRAMES, KEY_FRAME_EVERY = 60, 12
_LEAST_BYTES = 500
_TS_PACKET_BYTES, _TS_HEAD_BYTES = 188, 20


class Film(NamedTuple):
    """How a film of numbered pictures is encoded."""

    file_name: str
    encoder: str
    options: dict[str, str]


def _x265(options: str) -> dict[str, str]:
    return {"x265-params": f"log-level=none:keyint={KEY_FRAME_EVERY}:crf=12:{options}"}


_RATE = {"g": f"{KEY_FRAME_EVERY}", "b": "3M"}
FILMS = {
    "H.264, 1 slice": Film("one.mp4", "libx264", {"g": "12", "crf": "8", "bf": "0"}),
    "H.264, B-frames": Film("b.mp4", "libx264", {"g": "12", "crf": "8", "bf": "3"}),
    "H.264, 4 slices": Film("four.mp4", "libx264", {"g": "12", "crf": "8", "bf": "2", "slices": "4"}),
    "H.264, TS": Film("one.ts", "libx264", {"g": "12", "crf": "8", "bf": "0"}),
    "Motion JPEG": Film("m.avi", "mjpeg", {"qmin": "2", "qmax": "2"}),
    "MPEG-4": Film("four.avi", "mpeg4", _RATE),
    "MPEG-2": Film("two.ts", "mpeg2video", _RATE),
    "FLV1": Film("one.flv", "flv1", _RATE),
    "WMV2": Film("two.wmv", "wmv2", _RATE),
    "H.265": Film("five.mp4", "libx265", _x265("wpp=1")),
    "H.265, 4 slices": Film("slices.mp4", "libx265", _x265("slices=4")),
    "VP8": Film("eight.webm", "libvpx", {**_RATE, "deadline": "realtime", "cpu-used": "8"}),
    "VP9": Film("nine.webm", "libvpx-vp9", {**_RATE, "deadline": "realtime", "cpu-used": "8"}),
    "AV1": Film("one.mkv", "libsvtav1", {"g": f"{KEY_FRAME_EVERY}", "preset": "12", "crf": "20"}),
}


def make_film(folder: Path, film: Film) -> Path:
    """Make a film of `FRAMES` numbered pictures, whose picture at a time is the time's number."""
    pix_fmt = "yuvj420p" if film.encoder == "mjpeg" else "yuv420p"
    return make_file(
        folder / film.file_name,
        numbered(FRAMES),
        codec=film.encoder,
        codec_options=film.options,
        pix_fmt=pix_fmt,
    )


def with_bytes_turned(path: Path, seed: int, *, most_bytes: int = 40) -> bytes:
    """Return a film with some bytes of one picture overwritten, in the middle third of it."""
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        pieces = [(piece.pos, piece.size) for piece in container.demux(video=0) if piece.size > _LEAST_BYTES]
    at, size = pieces[int(rng.integers(1, len(pieces)))]
    assert at is not None
    count = min(most_bytes, size // 6)
    place = at + size // 3 + int(rng.integers(size // 6))
    if path.suffix == ".ts":  # stay inside one of its packets
        place += _TS_HEAD_BYTES - place % _TS_PACKET_BYTES
    data[place : place + count] = rng.integers(0, 256, count, np.uint8).tobytes()
    return bytes(data)


def with_sector_zeroed(path: Path, seed: int) -> bytes:
    """Return a film with 4 KiB of zeros inside its pictures, as by a bad sector."""
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [piece.pos for piece in container.demux(video=0) if piece.size]
    at = int(rng.integers(places[6] or 0, (places[-1] or 0) - 4096))
    data[at : at + 4096] = bytes(4096)
    return bytes(data)


def without_packets(data: bytes, lost: Collection[int]) -> bytes:
    """Return a transport stream without some of its packets, by their number from 0."""
    packets = range(len(data) // _TS_PACKET_BYTES)
    return b"".join(
        data[number * _TS_PACKET_BYTES : (number + 1) * _TS_PACKET_BYTES]
        for number in packets
        if number not in lost
    )


def is_smeared(pixels: NDArray[np.uint8], number: int) -> bool:
    """Return whether a picture does not show its number and everything that belongs to that."""
    return number_of(pixels) != number
