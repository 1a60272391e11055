"""A camera's frames are blurred before they are stored, and count as the camera saw them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.capabilities import needs
from tests.kit.clips import grey_jpeg
from tests.privacy.screened import distance, legible_spans, ruled, stored_pictures

from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Retryable
from frametally.files.opencv import decode_pixels
from frametally.media.screening import note_in

FRAMES = 8


@needs("live")
@pytest.mark.thorough
@pytest.mark.parametrize("packs", [False, True])
def test_no_byte_of_a_camera_shows_a_plate_and_its_counts_equal_those_of_the_sharp_file(
    tmp_path: Path, traffic_clip: Path, model_files: Any, monkeypatch: pytest.MonkeyPatch, packs: bool
) -> None:
    from tests.live.capturing import Capturing, here, run_frametally
    from tests.live.showing import RtspCamera
    from tests.live.test_same_as_file import boxes_in, in_h264

    monkeypatch.setenv("FRAMETALLY_DETECTOR", "opencv")
    monkeypatch.setenv("FRAMETALLY_INPUT_SIZE_PX", "224x224")
    clip = in_h264(traffic_clip, tmp_path / "clip.mp4", FRAMES)
    sharp, live = here(tmp_path / "sharp"), here(tmp_path / "live")
    run_frametally(
        *("produce", str(clip), "--source", "file", "--sample-fps", "all"),
        *("--start-time", "2026-05-01T08:00:00Z"),
        settings=sharp,
    )
    run_frametally("consume", "--until-caught-up", settings=sharp)
    ruled(live.data_dir)
    show = f"filesrc location={clip} ! qtdemux ! h264parse ! rtph264pay name=pay0 config-interval=1"
    with RtspCamera(show) as camera, Capturing(live, camera.address, packs=packs) as capturing:
        capturing.until_frames(FRAMES)
    run_frametally("consume", "--live", "--until-caught-up", settings=live)
    assert boxes_in(live, "gate-1")[:FRAMES] == boxes_in(sharp, "file")
    with closing(open_object_store(sharp.store_url)) as store:
        plain = [decode_pixels(store.get(info.key)) for info in store.list("images")]
    with closing(open_object_store(live.store_url)) as store:
        notes = [note_in(store.get(info.key)) for info in store.list("images")][:FRAMES]
    assert len(plain) == len(notes) == FRAMES
    seen = 0
    for name, picture in stored_pictures(live.data_dir):
        number = min(range(FRAMES), key=lambda number: distance(plain[number], picture))
        note = notes[number]
        assert note is not None and note.detections
        assert legible_spans(plain[number], picture, note.detections) == [], name
        # The check can fail: the sharp frame shows all of it.
        assert legible_spans(plain[number], plain[number], note.detections), name
        seen += 1
    assert seen >= FRAMES


@needs("live")
def test_without_a_model_a_camera_ends_at_once_and_no_frame_of_it_waits_on_disk(tmp_path: Path) -> None:
    from tests.kit.waiting import until
    from tests.live.capturing import Capturing, here

    settings = here(tmp_path, detector="openvino", model_weights=tmp_path / "gone.weights")
    ruled(settings.data_dir)
    with Capturing(settings, "rtsp://127.0.0.1:9/never-asked") as capturing:
        until(lambda: capturing.failure, "it goes on without its model")
    assert isinstance(capturing.failure, Misconfigured)
    assert "gone.weights: this file does not exist" in str(capturing.failure)
    assert list(settings.data_dir.rglob("*.jpg")) == []


@needs("live")
def test_a_waiting_frame_is_never_sharper_than_the_policy_even_if_a_rule_is_set_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    import msgspec
    from tests.kit.away import Switched
    from tests.kit.waiting import until
    from tests.live.capturing import Capturing, here
    from tests.live.showing import Speaker
    from tests.live.test_camera_opening import MULTIPART, part_of, request_of
    from tests.privacy.screened import BLUR, CORNER

    from frametally.adapters_by_url import open_frame_log
    from frametally_privacy import screens

    monkeypatch.setattr(screens, "READ_EVERY_S", 0.0)
    white = grey_jpeg(64, 48, 255)
    ended = threading.Event()

    def speak(connection: Any) -> None:
        request_of(connection)
        connection.sendall(MULTIPART)
        while not ended.wait(0.1):
            connection.sendall(part_of(white))

    def is_masked(path: Path) -> bool:
        return bool(decode_pixels(path.read_bytes())[:8, :8].max() < 8)

    def waiting() -> list[Path]:
        return sorted((settings.data_dir / "live").rglob("*.jpg"))

    settings = here(tmp_path)
    log: Any = Switched(open_frame_log(settings.log_url, settings.log_access))
    with (
        Speaker(speak) as server,
        Capturing(settings, f"http://127.0.0.1:{server.port}/video", log=log) as capturing,
    ):
        capturing.until_frames(3)
        log.error = Retryable("the log is away")
        until(lambda: len(waiting()) > 10)
        assert not is_masked(waiting()[-1])
        ruled(settings.data_dir, msgspec.structs.replace(BLUR, blur=False, masks=(CORNER,)))
        until(lambda: all(map(is_masked, waiting())))
        before = len(waiting())
        until(lambda: len(waiting()) > before + 5)
        assert all(map(is_masked, waiting()))
        log.error = None
        capturing.until_frames(before)
        ended.set()
    assert capturing.failure is None
    assert list((settings.data_dir / "live").rglob("*.jpg")) == []
