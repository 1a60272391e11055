"""Recorders' files are read behind their own headers, or refused with the name of the format and a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from tests.fakes.footage import make_file, moving

from frametally.errors import Poison
from frametally_producer.reading.video_file import open_video

HIKVISION_HEADER = b"IMKH" + bytes([1, 1, 0, 0]) + bytes(32)


def frames_in(path: Path) -> int:
    with path.open("rb") as file, open_video(file, max_pixels=1_000_000) as video:
        frames = len(list(video.frames()))
        assert video.damage == []
        return frames


@pytest.mark.parametrize(
    ("ending", "before"),
    [
        (".mpg", lambda data: HIKVISION_HEADER + data),
        (".ts", lambda data: bytes(512) + data),
        (".ts", lambda data: data[100:]),
        (".m2ts", lambda data: data[100:]),
    ],
    ids=["Hikvision", "zeros", "within a packet", "within a packet of m2ts"],
)
def test_a_file_that_starts_with_other_bytes_is_read_from_its_first_packet(
    tmp_path: Path, ending: str, before: Callable[[bytes], bytes]
) -> None:
    data = make_file(tmp_path / f"whole{ending}", moving(25), codec="mpeg2video").read_bytes()
    path = tmp_path / "named.mp4"
    path.write_bytes(before(data))
    assert frames_in(path) == 25


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b"DHAV\xfd\0" + bytes(2000), "Dahua's own format", "export it as MP4"),
        (b"IMKH" + bytes(2000), "Hikvision's own format", "export it as MP4"),
        (b"\0\0\0\x01\x67\x42" + bytes(2000), "raw H.264", "put it into one: ffmpeg"),
        (b"\0\0\x01\x40\x01" + bytes(2000), "raw H.264, H.265", "put it into one: ffmpeg"),
        (b"\xff\xd8\xff\xe0" + bytes(2000), "stream of JPEG pictures", "put it into one: ffmpeg -f mjpeg"),
        (b"\0\0\0\x18ftypheic" + bytes(2000), "HEIC or AVIF picture", "convert it to JPEG"),
    ],
)
def test_a_recording_without_a_known_container_is_named_with_its_remedy(
    tmp_path: Path, content: bytes, what: str, remedy: str
) -> None:
    path = tmp_path / "named.mp4"
    path.write_bytes(content)
    with pytest.raises(Poison) as refused:
        frames_in(path)
    assert what in refused.value.detail
    assert remedy in refused.value.remedy


def test_an_mp4_whose_recording_never_ended_is_reported_as_such(tmp_path: Path) -> None:
    path = make_file(tmp_path / "cut.mp4", moving(25))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(Poison) as refused:
        frames_in(path)
    assert "has no index (moov): the recording was never ended" in refused.value.detail
    assert "a whole recording of the same camera" in refused.value.remedy


def test_zeros_within_a_transport_stream_cost_no_picture_around_them(tmp_path: Path) -> None:
    data = make_file(tmp_path / "zeros.ts", moving(25), codec="mpeg2video").read_bytes()
    path = tmp_path / "hole.ts"
    path.write_bytes(data + bytes(300_000) + data + bytes(300_000))
    with path.open("rb") as file, open_video(file, max_pixels=1_000_000) as video:
        assert len(list(video.frames())) == 50
        assert video.damage == ["a part of it is not video, such as zeros"]


def test_a_file_whose_frames_all_state_the_same_time_is_reported(tmp_path: Path) -> None:
    whole = make_file(tmp_path / "whole.mkv", moving(30), codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "zero.mkv"
    with av.open(str(whole)) as given, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for piece in given.demux(video=0):
            if piece.size:
                piece.stream, piece.pts, piece.dts = stream, 0, 0
                container.mux(piece)
    with path.open("rb") as file, open_video(file, max_pixels=1_000_000) as video:
        assert len(list(video.frames())) == 30
        assert any("all of its 30 frames state the same time" in line for line in video.damage)
