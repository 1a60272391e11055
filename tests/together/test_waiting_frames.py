"""Frames of a camera that wait on the disk: what is erased or forgotten goes, and never comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.capabilities import needs

pytestmark = needs("live", "privacy", "retention")

MINUTE_MS = 60_000
FROM, TO = "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"


def folder(tmp_path: Path, *, minutes: int = 2, frames: int = 6, sent: int = 3) -> Any:
    """Leave the minutes of a camera that was killed when it had announced `sent` frames and noted none."""
    from tests.live.capturing import here
    from tests.live.test_camera_packs import jpeg, spool_of
    from tests.live.test_spool import FIRST_MS, minute_of

    from frametally.adapters_by_url import open_frame_log, open_object_store
    from frametally.process.retrying import Patience
    from frametally_live.cameras.frame_upload import Sender

    settings = here(tmp_path, detector="pixels")
    spool = spool_of(settings)
    for number in range(minutes):
        spool.begin(minute_of(number))
        for index in range(frames):
            at_ms = FIRST_MS + number * MINUTE_MS + index * 1000
            spool.add(minute_of(number).sha256, index, at_ms, "arrival", jpeg(index))
    for path in (settings.data_dir / "live").rglob("*.jpg"):
        (path.parent / f".{path.name}.0a1b2c3d").write_bytes(path.read_bytes()[:700])  # killed while written
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        sender = Sender(
            spool,
            source="gate-1",
            settings=settings,
            store=store,
            log=log,
            patience=Patience(lambda line: None, lambda: False),
            on_sent=lambda announcement, is_new: None,
            on_resumed=lambda minutes: None,
        )
        _send_some(sender, sent)
    return settings


def _send_some(sender: Any, most: int) -> None:
    """Announce the first frames and note none of them, as a process that is killed right after it."""
    from frametally_producer.writing.frames import FrameWriter

    sender.log.create_topic(sender.settings.live_topic, 1)
    writer = FrameWriter(
        settings=sender.settings,
        store=sender.store,
        log=sender.log,
        patience=sender.patience,
        topic=sender.settings.live_topic,
        on_announced=lambda announcements: None,
        is_new=True,
    )
    with writer:
        for frame in sender.spool.take(most):
            sender._send(frame, writer)


def left_on_disk(settings: Any) -> list[str]:
    """The files of the data folder that hold a JPEG, or its beginning; the reserve has random bytes."""
    return sorted(
        str(path.relative_to(settings.data_dir))
        for path in settings.data_dir.rglob("*")
        if path.is_file() and path.name != "reserve" and b"\xff\xd8\xff" in path.read_bytes()
    )


def stored_times(settings: Any) -> set[int]:
    from frametally import keys
    from frametally.adapters_by_url import open_object_store

    with closing(open_object_store(settings.store_url)) as store:
        names = [keys.parse_image_name(info.key.rpartition("/")[2]) for info in store.list(keys.IMAGES)]
    return {name.captured_at_ms for name in names if name is not None}


def books_are_settled(settings: Any) -> None:
    """Detect and count all that is announced; pictures that are gone are dead letters, and forgotten."""
    from tests.live.capturing import run_frametally

    from frametally_cli.main import main

    assert main(["consume", "--live", "--until-caught-up", "--data-dir", str(settings.data_dir)]) in (0, 2, 6)
    run_frametally("aggregate", settings=settings)
    run_frametally("index", settings=settings)
    assert "settled" in run_frametally("status", settings=settings)


def next_session(settings: Any) -> None:
    """Send what waits, as the camera's next process does when it is stopped at once."""
    from tests.live.test_camera_packs import send

    assert send(settings, packs=False).failure is None


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"DETECTOR": "pixels", "COUNT_OBJECTS": "false", "LIVE_ALLOW": "127.0.0.1"}.items():
        monkeypatch.setenv(f"FRAMETALLY_{name}", value)
    yield


def test_an_erasure_deletes_waiting_frames_and_its_receipt_names_them(tmp_path: Path) -> None:
    from tests.live.capturing import run_frametally

    settings = folder(tmp_path)
    arguments = ("privacy", "erase", "--source", "gate-1", "--from", FROM, "--to", TO)
    before = json.loads(run_frametally(*arguments, "--dry-run", "--json", settings=settings))
    assert {kind["kind"]: kind["items"] for kind in before["kinds"]}["waiting-frames"] == 24
    said = run_frametally(*arguments, "--yes", settings=settings)
    assert "waiting-frames: 24" in said
    assert left_on_disk(settings) == []
    next_session(settings)
    assert left_on_disk(settings) == [] and stored_times(settings) == set()
    books_are_settled(settings)


def test_frames_of_an_erased_range_on_another_machine_are_never_stored(tmp_path: Path) -> None:
    from tests.live.capturing import run_frametally

    settings = folder(tmp_path)
    shutil.copytree(settings.data_dir / "live", tmp_path / "elsewhere")
    to = "2026-01-01T00:01:03Z"  # three frames of the second minute stay
    run_frametally(
        *("privacy", "erase", "--source", "gate-1", "--from", FROM, "--to", to, "--yes"), settings=settings
    )
    shutil.rmtree(settings.data_dir / "live")
    shutil.copytree(tmp_path / "elsewhere", settings.data_dir / "live")
    next_session(settings)
    from tests.live.test_spool import FIRST_MS

    assert stored_times(settings) == {FIRST_MS + MINUTE_MS + second * 1000 for second in (3, 4, 5)}
    assert not any(path.startswith("live/") for path in left_on_disk(settings))
    books_are_settled(settings)


@pytest.mark.parametrize("of", ["source", "medium"])
def test_forgotten_footage_that_waits_is_deleted_and_never_comes_back(tmp_path: Path, of: str) -> None:
    from tests.live.capturing import manifests_of, run_frametally

    from frametally.adapters_by_url import open_object_store

    settings = folder(tmp_path)
    with closing(open_object_store(settings.store_url)) as store:
        [minute] = manifests_of(store)  # the second was never sent
    footage = ("--source", "gate-1") if of == "source" else (minute.sha256,)
    run_frametally("forget", *footage, "--to", TO, "--delete-images", "--yes", settings=settings)
    waiting = [path for path in left_on_disk(settings) if path.startswith("live/")]
    assert len(waiting) == (0 if of == "source" else 12)
    next_session(settings)
    assert len(stored_times(settings)) == (0 if of == "source" else 6)
    assert not any(path.startswith("live/") for path in left_on_disk(settings))
    books_are_settled(settings)


def test_a_rule_for_frames_removes_waiting_ones_unless_a_hold_keeps_them(tmp_path: Path) -> None:
    from tests.live.capturing import run_frametally

    settings = folder(tmp_path, minutes=1, sent=0)
    run_frametally("retention", "set", "frames", "--after", "7d", settings=settings)
    hold = ("--source", "gate-1", "--from", FROM, "--to", TO)
    run_frametally("retention", "hold", "case-7", *hold, settings=settings)
    dry = run_frametally("retention", "apply", "--dry-run", settings=settings)
    assert len(left_on_disk(settings)) == 12, dry
    run_frametally("retention", "apply", settings=settings)
    assert len(left_on_disk(settings)) == 12
    run_frametally("retention", "release", "case-7", settings=settings)
    later(settings)
    run_frametally("retention", "apply", settings=settings)
    assert left_on_disk(settings) == []


def later(settings: Any) -> None:
    """Analyse footage of another source, of ten days later: ages count from it."""
    from tests.fakes.records import make_frame, make_segment
    from tests.live.test_spool import FIRST_MS

    from frametally import keys
    from frametally.adapters_by_url import open_object_store

    at_ms = FIRST_MS + 10 * 24 * 60 * MINUTE_MS
    lines = [make_frame(source="dock", captured_at_ms=at_ms)]
    with closing(open_object_store(settings.store_url)) as store:
        data = make_segment(lines, [], 0, model="pixels-1", log_id="log")
        store.put(keys.segment_key("pixels-1", "log", "frames", 0, 0), data)


def test_the_report_says_where_frames_wait(tmp_path: Path) -> None:
    from tests.live.capturing import run_frametally

    settings = folder(tmp_path, minutes=1)
    said = run_frametally("privacy", "report", settings=settings)
    assert f"{(settings.data_dir / 'live').as_uri()} | Until frametally has stored them" in said


@pytest.mark.thorough
@pytest.mark.parametrize("is_held_back", [False, True])
def test_removing_a_camera_stores_its_waiting_frames_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_held_back: bool
) -> None:
    from tests.live.capturing import run_frametally

    from frametally_live.cameras import camera_frames

    monkeypatch.setattr(camera_frames, "TRIAL_S", 0.0)
    settings = folder(tmp_path)
    run_frametally("live", "add", "http://127.0.0.1:1/", "--source", "gate-1", settings=settings, code=6)
    if is_held_back:
        (settings.data_dir / "store/privacy").mkdir(parents=True)
        (settings.data_dir / "store/privacy/policy.json").write_text("damaged")
        said = run_frametally("live", "remove", "gate-1", settings=settings, code=6)
        assert "gate-1: deleted" in said and "12 frames are still waiting on this machine's disk: " in said
        assert "policy.json" in said and "`frametally privacy erase` deletes them" in said
        assert len(stored_times(settings)) == 3
        return
    said = run_frametally("live", "remove", "gate-1", settings=settings)
    assert "gate-1: deleted; its footage stays" in said
    assert "stored: 12 frames that were waiting on this machine's disk" in said
    assert not any(path.startswith("live/") for path in left_on_disk(settings))
    assert len(stored_times(settings)) == 12
    books_are_settled(settings)


def test_renaming_a_source_names_its_camera_and_the_frames_that_will_not_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.live.capturing import run_frametally

    from frametally_live.cameras import camera_frames

    monkeypatch.setattr(camera_frames, "TRIAL_S", 0.0)
    settings = folder(tmp_path)
    run_frametally("live", "add", "http://127.0.0.1:1/", "--source", "gate-1", settings=settings, code=6)
    said = run_frametally("rename-source", "gate-1", "dock", settings=settings)
    assert "these still name gate-1, which no longer has footage: camera gate-1;" in said
    assert "live/gate-1: 12 frames on this machine's disk came too late for this change" in said


@pytest.mark.thorough
def test_erasing_a_killed_cameras_footage_leaves_no_picture_and_the_next_session_restores_none(
    tmp_path: Path,
) -> None:
    import datetime
    import os
    import subprocess
    import sys

    from tests.kit.waiting import until
    from tests.live.capturing import Capturing, here, run_frametally
    from tests.live.showing import RtspCamera
    from tests.live.test_capture import _CAPTURE

    settings = here(tmp_path, detector="pixels")
    with RtspCamera() as camera:
        child = subprocess.Popen(
            [sys.executable, "-c", _CAPTURE, str(tmp_path), camera.address],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert child.stdout is not None
        for _ in range(15):
            assert child.stdout.readline()
        child.kill()
        child.communicate()
        assert any(path.startswith("live/") for path in left_on_disk(settings))
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
        bounds = ("--from", "2020-01-01", "--to", end.isoformat())
        run_frametally("privacy", "erase", "--source", "gate-1", *bounds, "--yes", settings=settings)
        assert left_on_disk(settings) == []
        with Capturing(settings, camera.address) as capturing:
            until(lambda: capturing.failure or len(stored_times(settings)) > 10)
    assert capturing.failure is None
    times = stored_times(settings)
    assert min(times) >= end.timestamp() * 1000 - 1000
    books_are_settled(settings)
