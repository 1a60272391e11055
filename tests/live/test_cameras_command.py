"""A camera is added by the command line and captured by `frametally live work`: its minutes are counted."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from tests.kit.waiting import until
from tests.live.capturing import Worker, camera_of, here, manifests_of, run_frametally, settled
from tests.live.showing import LAUNCHES, RtspCamera, Speaker
from tests.live.test_camera_opening import answering, garbage, motion_jpeg

from frametally.adapters_by_url import open_object_store
from frametally.settings.loading import Settings
from frametally_live.book import LiveBook
from frametally_live.cameras import camera_frames
from frametally_live.feed_records import FeedTold

PASSWORD = "ge:he/im@"  # noqa: S105 - of a test
SETTINGS = {
    "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
    "FRAMETALLY_LIVE_LOGINS": '{"gate-1": "viewer:ge:he/im@"}',
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_COUNT_OBJECTS": "false",
}


@pytest.fixture(autouse=True)
def set_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.thorough
def test_a_camera_is_added_captured_stopped_counted_and_removed_and_its_password_is_stored_nowhere(
    tmp_path: Path,
) -> None:
    settings, said = here(tmp_path), tmp_path / "said.txt"
    with RtspCamera(LAUNCHES["mjpeg"], user="viewer", password=PASSWORD) as camera:
        added = run_frametally("live", "add", camera.address, "--source", "Gate 1", settings=settings)
        assert (
            "Gate 1: added, it shows 160 x 120 pixels, Motion JPEG, 10.0 frames/s; run `frametally up`"
            in added
        )
        with Worker(settings, said):
            until(lambda: camera_of(settings).told.frames_announced > 10, str(camera_of(settings)))
            assert camera_of(settings).told.state == "running"
            run_frametally("live", "stop", "gate-1", settings=settings)
            assert camera_of(settings).told.state == "ended"
            announced = camera_of(settings).told.frames_announced
            run_frametally("live", "start", "gate-1", settings=settings)
            until(lambda: camera_of(settings).told.frames_announced > announced)
        listed = run_frametally("live", "list", settings=settings)
    with closing(open_object_store(settings.store_url)) as store:
        frames = sum(one.frames_announced for one in manifests_of(store))
    assert f"{frames} frames announced" in listed
    assert "Gate 1" in settled(settings)
    run_frametally("live", "remove", "gate-1", settings=settings)
    assert "no cameras yet" in run_frametally("live", "list", settings=settings)
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for written in (PASSWORD.encode(), b"ge%3Ahe%2Fim%40"):
        assert not any(written in data for data in everything)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("rtsp://viewer:ge:he@127.0.0.1/gate", '. Leave it out, and set FRAMETALLY_LIVE_LOGINS={"<'),
        ("rtsp://169.254.169.254/gate", ". Enter another address."),
        (
            "rtsp://10.0.0.1/gate",
            ". If this address is right, set FRAMETALLY_LIVE_ALLOW=127.0.0.1,10.0.0.1\n",
        ),
        (
            "file:///etc/passwd",
            ". Write it as rtsp://192.168.1.20:554/stream; the possible kinds are rtsp://",
        ),
    ],
)
def test_an_invalid_camera_address_gives_one_line_with_its_own_remedy_and_adds_nothing(
    tmp_path: Path, address: str, line: str
) -> None:
    settings = here(tmp_path)
    said = run_frametally("live", "add", address, "--source", "gate-1", settings=settings, code=2)
    assert line in said
    assert "ge:he" not in said
    assert (said.count("\n"), said.count("rtsp://192.168.1.20")) == (1, "Write it as" in said)
    assert "no cameras yet" in run_frametally("live", "list", settings=settings)


def test_the_list_shows_left_out_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_frames, "TRIAL_S", 0.0)
    settings = here(tmp_path)
    run_frametally("live", "add", "http://127.0.0.1:1/", "--source", "gate-1", settings=settings, code=6)
    with closing(LiveBook(settings.catalogue_url)) as feeds:
        feed = feeds.claim_feed("worker", ["camera"], lease_s=60)
        assert feed is not None
        told = FeedTold("running", frames_per_s=4.2, taken_per_s=4.2, offered_per_s=5.0, drift_ms=40_040)
        assert feeds.renew_feed(feed, told, lease_s=60)
    listed = run_frametally("live", "list", settings=settings)
    assert "4.2 frames/s (4.2 of 5.0 frames/s used), its clock is 40.0 s ahead" in listed


def is_waiting(settings: Settings, source: str) -> bool:
    return camera_of(settings, source).told.state == "waiting"


def test_an_unreadable_camera_gives_one_line_with_the_reason_and_the_others_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, said = here(tmp_path), tmp_path / "said.txt"
    refuses = answering(b"HTTP/1.0 403 No\r\nContent-Length: 0\r\n\r\n")
    lines = {
        "refusing": "refuses the user name or password (403): check the entry for refusing in "
        "FRAMETALLY_LIVE_LOGINS",
        "nonsense": "does not answer with RTSP: check the port and the scheme",
        "gone": "is not responding at 127.0.0.1",
    }
    tried = {source: f"{source}: added, but the camera {line}" for source, line in lines.items()} | {
        "silent": "silent: added, but the camera showed no picture within 0.2 s. frametally keeps trying",
        "good": "good: added, it shows 64 x 48 pixels, Motion JPEG, ",
    }
    with (
        Speaker(refuses) as refusing,
        Speaker(garbage) as nonsense,
        Speaker(answering()) as silent,
        Speaker(motion_jpeg((64, 48) for _ in count())) as good,
    ):
        addresses = {
            "refusing": f"http://127.0.0.1:{refusing.port}/",
            "nonsense": f"rtsp://127.0.0.1:{nonsense.port}/",
            "gone": "rtsp://127.0.0.1:1/",
            "silent": f"rtsp://127.0.0.1:{silent.port}/",
            "good": f"http://127.0.0.1:{good.port}/",
        }
        monkeypatch.setattr(camera_frames, "_SPAN_S", 0.2)
        for source, address in addresses.items():
            monkeypatch.setattr(camera_frames, "TRIAL_S", 0.2 if source == "silent" else 10.0)
            added = run_frametally(
                "live",
                "add",
                address,
                "--source",
                source,
                settings=settings,
                code=0 if source == "good" else 6,
            )
            assert tried[source] in added
        taken = run_frametally(
            "live", "add", addresses["good"], "--source", "Good", settings=settings, code=2
        )
        assert (taken.count("error:"), "Good already has a camera" in taken) == (1, True)
        with Worker(settings, said):
            until(lambda: silent.visits > 1)
            run_frametally("live", "stop", "silent", settings=settings)
            assert camera_of(settings, "silent").told.state == "ended", "stopped while it was opened"
            for source, line in lines.items():
                until(partial(is_waiting, settings, source))
                assert line in camera_of(settings, source).told.reason
            announced = camera_of(settings, "good").told.frames_announced
            until(lambda: camera_of(settings, "good").told.frames_announced > announced)
    told = said.read_text()
    for source, line in lines.items():
        assert told.count(f"{source}: the camera {line}") == 1
