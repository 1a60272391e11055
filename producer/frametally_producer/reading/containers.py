"""Recognizes a video's container by its first bytes, and names the reason if it cannot be opened."""

from __future__ import annotations

import re
from io import BufferedReader

import av

from frametally.errors import Poison

_MOST_SKIPPED_BYTES = 1024
"""Bytes before the first packet that FFmpeg skips: a recorder's header, or a part of a packet."""
_PACKET_BYTES = 188, 192  # .m2ts has 4 bytes before each packet
_PACKETS = 5
HEAD_BYTES = _MOST_SKIPPED_BYTES + _PACKETS * max(_PACKET_BYTES)
"""How many of a file's first bytes show its container."""
_TRANSPORT_STREAM = re.compile(
    b"|".join(rb"G(?:.{%d}G){%d}" % (size - 1, _PACKETS - 1) for size in _PACKET_BYTES), re.DOTALL
)
_PACK_HEADER, _START_CODES = b"\0\0\1\xba", (b"\0\0\1", b"\0\0\0\1")
_MAKERS = {b"DHAV": "Dahua", b"DAHUA": "Dahua", b"IMKH": "Hikvision", b"IMKN": "Hikvision"}
_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"avif")  # ISO/IEC 23008-12; AVIF 1.1
_MOST_BOXES = 1000
_OVERHEAD_BYTES = 1000
"""Matroska has fewer bytes than these between two packets, for the head of a cluster or a block."""
_REPAIR = "repair it with a whole recording of the same camera, for example by untrunc"
_NO_INDEX = "has no index (moov): the recording was never ended, for example because the power was cut"


def container_format(head: bytes) -> str:
    """Return FFmpeg's name of the container that begins with `head`, the first `HEAD_BYTES`.

    FFmpeg gets this name so that it does not guess: guessing would also accept playlists, which read other
    files. Raises `Poison` if frametally does not read such a container.
    """
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        raise Poison("is a HEIC or AVIF picture, which frametally does not read", "convert it to JPEG")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return "avi"
    if head[0:1] == head[188:189] == head[376:377] == b"\x47":
        return "mpegts"
    if head[4:5] == head[196:197] == head[388:389] == b"\x47":
        return "mpegts"
    if head.startswith(b"FLV\x01"):
        return "flv"
    if head.startswith(bytes.fromhex("3026b2758e66cf11")):
        return "asf"
    if head.startswith(b"OggS"):
        return "ogg"
    if _PACK_HEADER in head[: _MOST_SKIPPED_BYTES + len(_PACK_HEADER)]:
        return "mpeg"
    if _TRANSPORT_STREAM.search(head):
        return "mpegts"
    for mark, maker in _MAKERS.items():
        if head.startswith(mark):
            raise Poison(
                f"is a recording in {maker}'s own format ({mark.decode()})",
                "export it as MP4 or AVI with the recorder's program",
            )
    if head.startswith(_START_CODES):
        raise Poison(
            "is raw H.264, H.265 or MPEG video without a container, so it has no times",
            "put it into one: ffmpeg -framerate 25 -i IN -c copy OUT.mp4, with its rate",
        )
    if head.startswith(b"\xff\xd8\xff"):
        raise Poison(
            "is a stream of JPEG pictures without a container, so it has no times",
            "put it into one: ffmpeg -f mjpeg -framerate 25 -i IN -c copy OUT.mp4, with its rate",
        )
    raise Poison(
        "does not begin like a video (MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WMV and Ogg are read, playlists "
        "are not)",
        "give the video itself",
    )


def not_opened(file: BufferedReader, head: bytes, reason: str) -> Poison:
    """Return why FFmpeg could not open the video in `file` that begins with `head`."""
    if container_format(head) == "mov" and not _has_index(file):
        return Poison(
            _NO_INDEX, "repair it with a whole recording of the same camera, for example by untrunc"
        )
    return Poison(f"cannot be opened as a video ({reason})", "copy it again from the original, or convert it")


def _has_index(file: BufferedReader) -> bool:
    """Return whether an MP4 or QuickTime file has the box `moov` among its outermost boxes."""
    at = 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return False
        if head[4:8] == b"moov":
            return True
        size = int.from_bytes(head[:4])
        size = int.from_bytes(head[8:16]) if size == 1 else size
        if size < 8:  # 0: the box lasts to the end of the file
            return False
        at += size
    return False


def shows_losses(container: av.container.InputContainer) -> bool:
    """Return whether lost pictures of a file without other damage would show; reads the file to its end.

    In MP4, the index has all pictures. In Matroska, packets follow each other, so others would be between
    them. Other containers, such as MPEG transport streams, may come from a link that loses packets.
    """
    if "matroska" not in container.format.name:
        return "mov" in container.format.name
    read_to = None
    for packet in container.demux():
        if packet.size and packet.pos is not None:
            if read_to is not None and packet.pos - read_to > _OVERHEAD_BYTES:
                return False
            read_to = packet.pos + packet.size
    return True
