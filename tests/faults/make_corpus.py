"""Makes a corpus of poison pictures and videos: `python make_corpus.py FOLDER [PORT]`.

Each file has one defined outcome when it is produced:

- `skipped`: nothing of it is stored; one line says why.
- `part`: its good frames are stored; one line says what is missing.
- `whole`: it looks odd and is all right; all of it is stored.

Beside the corpus lies `canary`: good footage that poison refers to. Nothing of it may be read. `PORT` is a
port on this machine that poison refers to. Nothing may connect to it.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from PIL import Image

Outcome = Literal["skipped", "part", "whole"]
# Slow files are made where they are written.
Contents = dict[str, tuple[bytes | Callable[[], bytes], Outcome]]


class Poison(NamedTuple):
    """A file of the corpus, and its expected outcome."""

    path: Path
    outcome: Outcome


def painted(width_px: int = 64, height_px: int = 48) -> Image.Image:
    """A picture with some content."""
    noise = np.random.default_rng(1).integers(0, 255, (height_px, width_px, 3), np.uint8)
    return Image.fromarray(noise)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture's bytes as a file of this kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, idat: bytes, *, depth: int = 8, colour: int = 2, more: bytes = b"") -> bytes:
    """A PNG with these claims and this data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def resized_jpeg(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def without_segment(data: bytes, marker: bytes) -> bytes:
    """A JPEG without its segments of this marker."""
    while marker in data:
        at = data.index(marker)
        data = data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]
    return data


def many_scans(scans: int) -> bytes:
    """A progressive JPEG of 7000x7000 pixels whose last scan is repeated."""
    data = saved(Image.new("L", (7000, 7000), 90), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * scans + data[-2:]


def same_bytes(count: int) -> bytes:
    """A TIFF of 4,000 unknown entries that all use these bytes as their value."""
    far = 1 << 16
    entries = dict.fromkeys(range(40_000, 44_000), (1, count, far))
    return tiff(tiff_entries(16, 16, t273=(4, 1, far)) | entries).ljust(far, b"\0") + bytes(count)


def bmp(width: int, height: int, body: bytes, *, compression: int = 0, bits: int = 24) -> bytes:
    """A BMP with these claims and this data."""
    palette = b"\0\0\0\0" * 256 if bits == 8 else b""
    offset = 54 + len(palette)
    return (
        b"BM"
        + struct.pack("<IHHI", offset + len(body), 0, 0, offset)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
        + palette
        + body
    )


def tiff(entries: dict[int, tuple[int, int, int]], data: bytes = b"", *, next_ifd: int = 0) -> bytes:
    """A TIFF with one directory of `tag: (type, count, value)`, followed by `data`, from byte 512 on."""
    body = struct.pack("<H", len(entries))
    for tag in sorted(entries):
        body += struct.pack("<HHII", tag, *entries[tag])
    whole = b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", next_ifd)
    return whole.ljust(512, b"\0") + data


def tiff_entries(width: int, height: int, **changes: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """Directory of a grey TIFF in one strip, from byte 512 on; `changes` by `t<tag>`."""
    entries = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, 8),
        259: (3, 1, 1),
        262: (3, 1, 1),
        273: (4, 1, 512),
        277: (3, 1, 1),
        278: (4, 1, height),
        279: (4, 1, width * height),
    }
    return entries | {int(name[1:]): value for name, value in changes.items()}


def poison_pictures() -> Contents:
    """Pictures by name."""
    image = painted()
    jpeg, progressive = saved(image, "JPEG"), saved(image, "JPEG", progressive=True)
    good_png, webp = saved(image, "PNG"), saved(image, "WEBP", lossless=True)
    scan = jpeg.index(b"\xff\xda") + 14
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0132] = "9999:99:99 99:99:99"
    exif.get_ifd(0x8769)[0x9003] = "0000:00:00 00:00:00"
    looped = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1)
    looped += struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    rows = zlib.compress(b"\0" * (20_000 * 3 + 1) * 200)
    plain = zlib.compress((b"\0" + bytes(64 * 3)) * 48)
    bomb = zlib.compress(bytes(300_000_000), 1)
    text = zlib.compress(b"a" * 200_000_000, 1)
    texts = chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"a" * 7_900_000, 9))
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000), 9))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(100_000_000))
    frames = [painted(), painted().rotate(180)]
    return {
        "empty.jpg": (b"", "skipped"),
        "one-byte.jpg": (b"\xff", "skipped"),
        "start-only.jpg": (b"\xff\xd8", "skipped"),
        "start-and-end.jpg": (b"\xff\xd8\xff\xd9", "skipped"),
        "text.jpg": (b"buy milk\n" * 100, "skipped"),
        "page.jpg": (b"<html><img src=x onerror=alert(1)></html>", "skipped"),
        "drawing.jpg": (
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
            "skipped",
        ),
        "random.jpg": (np.random.default_rng(2).bytes(20_000), "skipped"),
        "random-behind-start.jpg": (b"\xff\xd8\xff" + np.random.default_rng(3).bytes(20_000), "skipped"),
        "zeros.jpg": (bytes(1_000_000), "skipped"),
        "half.jpg": (jpeg[: len(jpeg) // 2], "skipped"),
        "cut-before-scan.jpg": (jpeg[: scan - 14], "skipped"),
        "cut-in-header.jpg": (jpeg[:30], "skipped"),
        "half-progressive.jpg": (progressive[: len(progressive) // 2], "skipped"),
        "claims-65535.jpg": (resized_jpeg(jpeg, 65_535, 65_535), "skipped"),
        "claims-6000.jpg": (resized_jpeg(jpeg, 6000, 4000), "skipped"),
        "claims-7000.jpg": (resized_jpeg(jpeg, 7000, 7000), "skipped"),
        "500-scans.jpg": (lambda: many_scans(500), "skipped"),
        "markers.jpg": (jpeg[:2] + b"\xff\xfe\0\2" * 1_000_000 + jpeg[2:], "skipped"),
        "no-width.jpg": (resized_jpeg(jpeg, 0, 48), "skipped"),
        "no-height.jpg": (resized_jpeg(jpeg, 64, 0), "skipped"),
        "no-tables.jpg": (without_segment(jpeg, b"\xff\xdb"), "skipped"),
        "no-codes.jpg": (without_segment(jpeg, b"\xff\xc4"), "whole"),
        "segment-past-end.jpg": (jpeg[:2] + b"\xff\xe1\xff\xff" + jpeg[2:], "skipped"),
        "noise-in-scan.jpg": (jpeg[:scan] + np.random.default_rng(4).bytes(3000) + b"\xff\xd9", "skipped"),
        "script-behind.jpg": (jpeg + b"<script>alert(1)</script>" * 100, "whole"),
        "megabytes-behind.jpg": (jpeg + bytes(5_000_000), "whole"),
        "archive-behind.jpg": (jpeg + zipped.getvalue(), "whole"),
        "cmyk.jpg": (saved(image.convert("CMYK"), "JPEG"), "whole"),
        "grey.jpg": (saved(image.convert("L"), "JPEG"), "whole"),
        "one-pixel.jpg": (saved(painted(1, 1), "JPEG"), "whole"),
        "ribbon.jpg": (saved(painted(60_000, 1), "JPEG"), "whole"),
        "odd-exif.jpg": (saved(image, "JPEG", exif=exif), "whole"),
        "looped-exif.jpg": (
            jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(looped) + 2) + looped + jpeg[2:],
            "whole",
        ),
        "bomb-20000.png": (png(20_000, 20_000, rows), "skipped"),
        "claims-2-to-31.png": (png(2**31 - 1, 2**31 - 1, plain), "skipped"),
        "claims-6000.png": (png(6000, 6000, plain), "skipped"),
        "no-size.png": (png(0, 0, plain), "skipped"),
        "too-much-data.png": (png(64, 48, bomb), "whole"),
        "text-bomb.png": (png(64, 48, plain, more=chunk(b"zTXt", b"a\0\0" + text)), "skipped"),
        "profile-bomb.png": (png(64, 48, plain, more=chunk(b"iCCP", b"a\0\0" + text)), "skipped"),
        "texts-behind.png": (
            png(64, 48, plain).removesuffix(chunk(b"IEND", b"")) + texts * 1500 + chunk(b"IEND", b""),
            "skipped",
        ),
        "profiles.png": (png(64, 48, plain, more=profile * 16_000), "skipped"),
        "wrong-sum.png": (good_png[:-20] + b"\0\0\0\0" + good_png[-16:], "skipped"),
        "half.png": (good_png[: len(good_png) // 2], "skipped"),
        "no-palette.png": (png(64, 48, zlib.compress((b"\0" + bytes(64)) * 48), colour=3), "skipped"),
        "deep.png": (saved(Image.fromarray(np.full((48, 64), 999, np.uint16)), "PNG"), "whole"),
        "clear.png": (saved(image.convert("RGBA"), "PNG"), "whole"),
        "moving.png": (saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), "skipped"),
        "half.webp": (webp[: len(webp) // 2], "skipped"),
        "claims-16383.webp": (
            b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\0\0\0\0",
            "skipped",
        ),
        "moving.webp": (saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "skipped"),
        "claims-30000.bmp": (bmp(30_000, 30_000, bytes(1000)), "skipped"),
        "upside-down.bmp": (bmp(16, -16, bytes(16 * 16 * 3)), "whole"),
        "half.bmp": (bmp(64, 64, bytes(64 * 32 * 3)), "skipped"),
        "endless-run.bmp": (bmp(64, 64, b"\xff\x01" * 100_000, compression=1, bits=8), "skipped"),
        "claims-40000.tif": (tiff(tiff_entries(40_000, 40_000), bytes(100)), "skipped"),
        "strip-outside.tif": (tiff(tiff_entries(16, 16, t273=(4, 1, 2**31))), "skipped"),
        "looped.tif": (tiff(tiff_entries(16, 16), bytes(256), next_ifd=8), "whole"),
        "no-strips.tif": (tiff({256: (4, 1, 16), 257: (4, 1, 16)}), "skipped"),
        "bomb.tif": (tiff(tiff_entries(16, 16, t259=(3, 1, 8), t279=(4, 1, len(bomb))), bomb), "whole"),
        "same-bytes.tif": (same_bytes(30_000_000), "skipped"),
        "gif.jpg": (saved(image, "GIF"), "skipped"),
        "archive.jpg": (zipped.getvalue(), "skipped"),
        "document.jpg": (b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n", "skipped"),
    }


def video(
    times_ms: list[int] | int = 20,
    *,
    kind: str,
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    size_px: tuple[int, int] = (64, 48),
    most: int = 255,
) -> bytes:
    """A video with a frame at each time, or that many a tenth of a second apart; of noise up to `most`."""
    times_ms = [100 * index for index in range(times_ms)] if isinstance(times_ms, int) else times_ms
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size_px, pix_fmt
        stream.codec_context.time_base = Fraction(1, 10)
        container.start_encoding()
        for index, time_ms in enumerate(times_ms):
            noise = np.random.default_rng(index).integers(0, most, (size_px[1], size_px[0], 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 10), time_ms // 100
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def sound(kind: str) -> bytes:
    """A second of silence, and no picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def patched(data: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    """An MP4 in which the first box of this name has `value` at `offset` after its name."""
    at = data.index(box) + 4 + offset
    return data[:at] + value + data[at + len(value) :]


def outside(data: bytes, canary: Path) -> bytes:
    """An MP4 that claims that its frames are in another file: a data reference that is not `self`."""
    at = data.index(b"dref") - 4
    length = struct.unpack(">I", data[at : at + 4])[0]
    url = b"file://" + str(canary).encode() + b"\0"
    entry = struct.pack(">I", 12 + len(url)) + b"url \0\0\0\0" + url
    box = struct.pack(">I", 16 + len(entry)) + b"dref\0\0\0\0\0\0\0\1" + entry
    grown = len(box) - length
    data = data[:at] + box + data[at + length :]
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        where = data.index(parent) - 4
        size = struct.unpack(">I", data[where : where + 4])[0]
        data = data[:where] + struct.pack(">I", size + grown) + data[where + 4 :]
    return data


def wide_frames(blocks: int) -> bytes:
    """An MP4 of H.264 whose parameter set (ITU-T H.264, 7.3.2.1.1) claims this many times 16
    pixels a side."""
    data = video(3, kind="mp4", codec="libx264")
    at = data.index(b"avcC") + 12
    length = struct.unpack(">H", data[at - 2 : at])[0]
    bits = "".join(f"{byte:08b}" for byte in data[at : at + length].replace(b"\0\0\3", b"\0\0"))
    # After profile and level: identity, chroma, two depths, 2 flags, frame numbers, two of order, frames, 1.
    place = 32
    for flags in (0, 0, 0, 0, 2, 0, 0, 0, 0, 1):
        place += flags or 2 * (bits.index("1", place) - place) + 1
    claim = f"{blocks:b}"
    side = "0" * (len(claim) - 1) + claim
    whole_frames_without_more = "11001"
    changed = (bits[:place] + side + side + whole_frames_without_more).ljust(8 * length, "0")
    return data[:at] + int(changed, 2).to_bytes(length) + data[at + length :]


def vast_frames() -> bytes:
    """An MP4 of H.264 whose frames are 16,000x16,000 pixels: 750 kB that take 660 MB if they are decoded."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "qp": "51"})
        stream.width, stream.height, stream.pix_fmt = 16_000, 16_000, "yuv420p"
        black = av.VideoFrame(16_000, 16_000, "yuv420p")
        for plane, value in zip(black.planes, (16, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        container.mux(stream.encode(black))
        container.mux(stream.encode())
    return buffer.getvalue()


def slow_frames(scans: int) -> bytes:
    """An AVI of Motion JPEG of 7000x7000 pixels whose frames have this many scans, some 5 ms each."""
    jpeg = many_scans(scans)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 7000, 7000, "yuvj420p"
        for index in range(2):
            packet = av.Packet(jpeg)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1), True
            packet.pts = packet.dts = index
            container.mux(packet)
    return buffer.getvalue()


def huge_frames() -> bytes:
    """An AVI of Motion JPEG of 64x48 whose frames claim 20,000x20,000 pixels."""
    data = video(3, kind="avi", codec="mjpeg", pix_fmt="yuvj420p")
    at = 0
    while (at := data.find(b"\xff\xc0", at)) >= 0:
        data = data[: at + 5] + struct.pack(">HH", 20_000, 20_000) + data[at + 9 :]
        at += 9
    return data


def png_bomb() -> bytes:
    """A MOV of PNGs whose frames are 20,000x20,000 pixels."""
    data = video(1, kind="mov", codec="png", pix_fmt="rgb24")
    at = data.index(b"IHDR")
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + data[at + 12 : at + 17]
    return data[:at] + header + struct.pack(">I", zlib.crc32(header)) + data[at + 21 :]


def poison_videos(canary: Path, port: int) -> Contents:
    """Videos by name."""
    mp4, mkv, avi = (
        video(kind="mp4"),
        video(kind="matroska"),
        video(kind="avi", codec="mjpeg", pix_fmt="yuvj420p"),
    )
    stream = video(kind="mpegts", codec="mpeg2video")
    later = video([1000 * at for at in range(5)], kind="mpegts", codec="mpeg2video")
    other = video(kind="mpegts", codec="mpeg2video", size_px=(128, 96))
    data_at, index_at = mp4.index(b"mdat") + 4, mp4.index(b"moov") - 4
    no_data = mp4[:data_at] + bytes(index_at - data_at) + mp4[index_at:]
    sibling = canary.name
    many = struct.pack(">I", 10**9)
    web = f"http://127.0.0.1:{port}"
    return {
        "empty.mp4": (b"", "skipped"),
        "text.mp4": (b"buy milk\n" * 100, "skipped"),
        "zeros.mkv": (bytes(1_000_000), "skipped"),
        "concat.mp4": (f"ffconcat version 1.0\nfile '../canary/{sibling}'\n".encode(), "skipped"),
        "concat-absolute.mkv": (f"ffconcat version 1.0\nfile '{canary}'\n".encode(), "skipped"),
        "playlist-file.mp4": (
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{canary}\n#EXT-X-ENDLIST\n".encode(),
            "skipped",
        ),
        "playlist-web.ts": (
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{web}/a.ts\n#EXT-X-ENDLIST\n".encode(),
            "skipped",
        ),
        "session.mp4": (
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n".encode(),
            "skipped",
        ),
        "camera.mp4": (f"rtsp://127.0.0.1:{port}/stream\n".encode(), "skipped"),
        "reference.mov": (f"RTSPtextRTSP://127.0.0.1:{port}/a\r".encode(), "skipped"),
        "manifest.mp4": (
            "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>"
            f"<BaseURL>{web}</BaseURL></MPD>".encode(),
            "skipped",
        ),
        "frames-elsewhere.mp4": (outside(no_data, canary), "skipped"),
        "frames-here-not-there.mp4": (outside(video(8, kind="mp4"), canary), "whole"),
        "subfile,,start,0,end,0,,.mp4": (video(7, kind="mp4"), "whole"),
        "no-frames.mp4": (video(0, kind="mp4"), "skipped"),
        "no-frames.mkv": (video(0, kind="matroska"), "skipped"),
        "no-frames.avi": (video(0, kind="avi"), "skipped"),
        "sound-only.mp4": (sound("mp4"), "skipped"),
        "no-index.mp4": (mp4[: mp4.index(b"moov") - 4], "skipped"),
        "cut-in-index.mp4": (mp4[: mp4.index(b"stbl")], "skipped"),
        "no-data.mp4": (no_data, "skipped"),
        "half.mkv": (mkv[: len(mkv) // 2], "part"),
        "half.avi": (avi[: len(avi) // 2], "part"),
        "half.ts": (stream[: len(stream) // 2], "whole"),
        "head-only.avi": (avi[:200], "skipped"),
        "head-only.mkv": (mkv[:100], "skipped"),
        "noise-in-frames.mkv": (mkv[:2000] + np.random.default_rng(5).bytes(3000) + mkv[5000:], "part"),
        "claims-samples.mp4": (patched(mp4, b"stsz", 8, many), "skipped"),
        "claims-times.mp4": (patched(mp4, b"stts", 8, many), "part"),
        "claims-length.mp4": (patched(mp4, b"mdhd", 16, b"\x7f\xff\xff\xff"), "whole"),
        "claims-20000.avi": (patched(avi, b"strf", 8, struct.pack("<ii", 20_000, 20_000)), "whole"),
        "huge-frames.avi": (huge_frames(), "skipped"),
        "huge-pictures.mov": (png_bomb(), "skipped"),
        "raw-20000.avi": (
            patched(video(1, kind="avi", codec="rawvideo"), b"strf", 8, struct.pack("<ii", 20_000, 20_000)),
            "skipped",
        ),
        "no-times.avi": (avi, "whole"),
        "all-at-once.mkv": (video([0, 100, 200, 300], kind="matroska"), "whole"),
        "backwards.ts": (later + stream, "whole"),
        "other-size.ts": (stream + other, "whole"),
        "grows-to-8000.ts": (
            lambda: video(kind="mpegts") + video(2, kind="mpegts", size_px=(8000, 6000), most=1),
            "part",
        ),
        "claims-16000.mp4": (wide_frames(1000), "skipped"),
        "is-16000.mp4": (vast_frames, "skipped"),
        "deep-colours.mkv": (video(kind="matroska", codec="ffv1", pix_fmt="gbrp16le"), "whole"),
        "all-colours.mkv": (video(kind="matroska", codec="ffv1", pix_fmt="yuva444p"), "whole"),
        "grey.mkv": (video(kind="matroska", codec="ffv1", pix_fmt="gray12le"), "whole"),
        "odd-size.mkv": (video(kind="matroska", codec="ffv1", pix_fmt="yuv444p", size_px=(3, 5)), "whole"),
    }


def make_corpus(folder: Path, port: int = 9, step: int = 1) -> list[Poison]:
    """Write each `step`th file of the corpus into `folder`, which is made.

    Returns:
        What was written; devices and pipes only where the system has them.
    """
    canary = folder / "canary" / "good.mp4"
    canary.parent.mkdir(parents=True)
    canary.write_bytes(video(kind="mp4"))
    canary.with_suffix(".jpg").write_bytes(saved(painted(), "JPEG"))
    corpus: list[tuple[Poison, Callable[[Path], object]]] = []
    for kind, contents in (("pictures", poison_pictures()), ("videos", poison_videos(canary, port))):
        (folder / kind).mkdir()
        for name, (data, outcome) in contents.items():
            corpus.append((Poison(folder / kind / name, outcome), partial(_write, data=data)))
        suffix = ".jpg" if kind == "pictures" else ".mp4"
        for name, make in _NO_FILES.items():
            corpus.append((Poison(folder / kind / f"{name}{suffix}", "skipped"), make))
    for poison, write in corpus[::step]:
        write(poison.path)
    return [poison for poison, _ in corpus[::step]]


def _write(path: Path, data: bytes | Callable[[], bytes]) -> None:
    path.write_bytes(data if isinstance(data, bytes) else data())
    os.utime(path, (1_777_615_200, 1_777_615_200))


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_RDONLY)
        try:  # the name of a socket has to be short
            listener.bind(
                f"/proc/self/fd/{here}/{path.name}" if Path("/proc/self/fd").exists() else str(path)
            )
        finally:
            os.close(here)


_NO_FILES: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "loop": lambda path: path.symlink_to(path.name),
    "gone": lambda path: path.symlink_to("no-such-file"),
    "text-elsewhere": lambda path: path.symlink_to("/proc/self/environ"),
    "socket": _bind,
}


if __name__ == "__main__":
    for poison in make_corpus(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 9):
        print(poison.outcome, poison.path)
