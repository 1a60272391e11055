"""Packets that are lost or out of order never become footage that was not filmed."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.examples import first_quick
from tests.fakes.damaged import FILMS, KEY_FRAME_EVERY, make_film, with_bytes_turned
from tests.fakes.damaged import FRAMES as FILM_FRAMES
from tests.fakes.footage import make_file
from tests.fakes.numbered_pictures import FRAMES, number_of, numbered
from tests.kit.waiting import until
from tests.live.capturing import Capturing, all_in_the_books, here, live_of, manifests_of
from tests.live.showing import RtspCamera, Speaker
from tests.live.test_camera_opening import hls, to_open

from frametally.files.opencv import decode_image
from frametally_live.cameras.camera_access import CameraAway
from frametally_live.cameras.camera_frames import CameraFrame, CameraReader
from frametally_live.cameras.camera_opening import open_camera
from frametally_live.cameras.stream_clock import CaptureClock

FPS = 100  # the server sends a film as fast as it plays
CODES = {"h264": ("libx264", "h264"), "hevc": ("libx265", "h265")}


def launch(
    tmp_path: Path, code: str, *, on_the_way: str = "", repeated: str = "", **codec_options: str
) -> str:
    encoder, name = CODES[code]
    film = make_file(
        tmp_path / f"{name}.mkv",
        numbered(),
        codec=encoder,
        fps=FPS,
        codec_options={"g": "20", "preset": "fast", "crf": "14", "bf": "0", **codec_options},
    )
    return (
        f"filesrc location={film} ! matroskademux ! {name}parse {repeated} ! "
        f"rtp{name}pay mtu=500 {repeated} ! {on_the_way} "
        "capsfilter name=pay0"
    )


def all_of(address: str, transport: str = "tcp") -> tuple[list[CameraFrame], CameraReader, int]:
    found: list[CameraFrame] = []
    with open_camera(to_open(address, transport=transport), lambda: False) as opened:
        reader = CameraReader(opened, CaptureClock())
        with suppress(CameraAway):
            found.extend(reader.frames())
        return found, reader, opened.packets_lost


def numbers_of(frames: list[CameraFrame]) -> list[int | None]:
    return [number_of(np.asarray(one.frame.to_ndarray(format="bgr24"), np.uint8)) for one in frames]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("code", "transport", "options"),
    [
        ("h264", "tcp", {}),
        ("h264", "tcp", {"bf": "3"}),
        ("h264", "udp", {}),
        ("hevc", "tcp", {"x265-params": "bframes=0"}),
    ],
)
def test_a_camera_without_losses_shows_all_its_pictures(
    tmp_path: Path, code: str, transport: str, options: dict[str, str]
) -> None:
    with RtspCamera(launch(tmp_path, code, **options)) as camera:
        found, reader, lost = all_of(camera.address, transport)
    # By UDP, the end may arrive before the last packets, and truncate the last picture.
    assert (reader.pieces_damaged <= (transport == "udp"), lost) == (True, 0)
    numbers = numbers_of(found)
    assert None not in numbers
    assert len(numbers) >= FRAMES - 5
    assert numbers == sorted({number for number in numbers if number is not None})
    assert sum(one.left_out for one in found) == 0


@pytest.mark.parametrize(
    ("code", "transport", "options"),
    [
        ("h264", "tcp", {}),
        *(
            pytest.param(*given, marks=pytest.mark.thorough)
            for given in (
                ("h264", "tcp", {"bf": "3", "slices": "4"}),
                ("h264", "tcp", {"intra-refresh": "1"}),
                ("h264", "udp", {}),
                ("hevc", "tcp", {"x265-params": "bframes=0"}),
                ("hevc", "tcp", {"x265-params": "bframes=3:open-gop=1"}),
            )
        ),
    ],
)
def test_no_picture_is_invented_where_packets_are_lost(
    tmp_path: Path, code: str, transport: str, options: dict[str, str]
) -> None:
    lossy = launch(tmp_path, code, on_the_way="identity drop-probability=0.02 !", **options)
    with RtspCamera(lossy) as camera:
        found, reader, lost = all_of(camera.address, transport)
    assert lost > 3
    assert reader.pieces_damaged > 0
    numbers = numbers_of(found)
    if transport == "udp":
        numbers.pop()
    assert None not in numbers
    left_out = sum(one.left_out for one in found)
    assert left_out > 0
    assert len(numbers) > 5
    assert FRAMES - 40 <= len(numbers) + left_out <= FRAMES  # the last ones are not followed by a whole frame


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("h264", {"slices": "2"}),
        *(
            pytest.param(*given, marks=pytest.mark.thorough)
            for given in (
                ("h264", {"slices": "4", "bf": "2"}),
                ("hevc", {"x265-params": "slices=2:bframes=0"}),
            )
        ),
    ],
)
def test_a_picture_of_several_slices_stays_one_even_if_its_parameters_repeat_between_them(
    tmp_path: Path, code: str, options: dict[str, str]
) -> None:
    """GStreamer's payloaders repeat them before each slice of a key frame."""
    with RtspCamera(launch(tmp_path, code, repeated="config-interval=-1", **options)) as camera:
        found, reader, _ = all_of(camera.address)
    assert reader.pieces_damaged == 0
    numbers = numbers_of(found)
    assert None not in numbers
    assert numbers == list(range(FRAMES))
    steps_ms = {round(float(b.position_s - a.position_s) * 1000) for a, b in pairwise(found)}
    assert steps_ms == {1000 // FPS}


@pytest.mark.parametrize("seed", first_quick(range(6)))
def test_a_camera_never_shows_a_picture_with_altered_bytes(tmp_path: Path, seed: int) -> None:
    piece = with_bytes_turned(make_film(tmp_path, FILMS["H.264, TS"]), seed)
    with Speaker(hls("piece.ts", piece)) as server:
        shown, reader, _ = all_of(f"http://127.0.0.1:{server.port}/live.m3u8")
    numbers = numbers_of(shown)
    assert reader.pieces_damaged > 0
    assert None not in numbers
    assert FILM_FRAMES - KEY_FRAME_EVERY <= len(numbers) < FILM_FRAMES


@pytest.mark.thorough
def test_pictures_damaged_in_transit_are_named_losses_and_never_stored(tmp_path: Path) -> None:
    settings = here(tmp_path)
    lossy = launch(tmp_path, "h264", on_the_way="identity drop-probability=0.02 !")
    with RtspCamera(lossy) as camera, Capturing(settings, camera.address) as capturing:
        until(lambda: capturing.heard.told.away_since_ms is not None)
        capturing.stop()
    announced = all_in_the_books(settings)
    pictures = [decode_image(capturing.store.get(one.image_path), 1_000_000) for one in announced]
    assert None not in [number_of(picture) for picture in pictures]
    minutes = [live_of(one) for one in manifests_of(capturing.store)]
    losses = [loss for minute in minutes for loss in minute.losses]
    assert losses
    assert capturing.heard.told.frames_lost == sum(loss.frames for loss in losses) > 0
    assert sum(minute.pieces_damaged for minute in minutes) > 0
    for loss in losses:
        assert loss.reason == "the camera's stream was damaged on its way"
        assert not any(loss.from_ms <= one.captured_at_ms <= loss.to_ms for one in announced)
    assert "Some of its pictures are damaged and left out." in capturing.heard.reasons
