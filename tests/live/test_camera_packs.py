"""With packs, a camera's frames are stored in groups of two seconds, with no other difference; kills lose
none."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.commands import FORKS
from tests.examples import first_quick
from tests.kit.clips import jpeg_of
from tests.kit.waiting import until
from tests.live.capturing import (
    PATIENCE_S,
    Capturing,
    all_in_the_books,
    announcements_in,
    here,
    manifests_of,
    run_frametally,
)
from tests.live.showing import RtspCamera
from tests.live.test_spool import FIRST_MS, minute_of

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.books.runs import current_runs
from frametally.errors import Misconfigured
from frametally.packs.pack_keys import CAMERA_PACK_MS, is_part_key
from frametally.packs.packed_store import plain_of
from frametally.process import failpoints
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, decode
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions
from frametally_live.cameras.frame_upload import Sender
from frametally_live.cameras.spool import Spool
from frametally_live.hooks import members

STEP_MS = 200
FRAMES = 7_000 // STEP_MS  # three packs and a half, the first with the minute's name
SLOTS = 4
KILLS = ["producer.put:3", "producer.published:2", "producer.put", "producer.noted:3", "producer.manifest:2"]


def jpeg(number: int) -> bytes:
    image = np.zeros((48, 64, 3), np.uint8)
    image[8:20, 4 : 6 + number] = 255
    return jpeg_of(image)


def spool_of(settings: Settings) -> Spool:
    return Spool(settings.data_dir / "live/gate-1", most_mb=16, why_full=lambda: "the store is away")


def capture(settings: Settings) -> list[bytes]:
    """Leave the frames of a minute on disk, as a camera does."""
    spool = spool_of(settings)
    spool.begin(minute_of(0))
    pictures = [jpeg(number) for number in range(FRAMES)]
    for number, data in enumerate(pictures):
        spool.add(minute_of(0).sha256, number, FIRST_MS + number * STEP_MS, "arrival", data)
    return pictures


def send(settings: Settings, *, packs: bool, log: Any = None) -> Sender:
    """Send the spooled minutes, as a session that is stopped at once does."""
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(log or open_frame_log(settings.log_url)) as opened,
    ):
        patience = Patience(lambda line: None, lambda: False)
        sender = Sender(
            spool_of(settings),
            source="gate-1",
            settings=settings,
            store=store,
            log=opened,
            patience=patience,
            on_resumed=lambda minutes: None,
            on_sent=lambda announcement, is_new: None,
            packs=packs,
        )
        sender.start()
        sender.finish()
    return sender


def send_until_killed(data_dir: Path, failpoint: str) -> None:
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("FRAMETALLY_FAILPOINT", failpoint)
        failpoints.arm()
        send(here(data_dir.parent), packs=True)


def objects_of(settings: Settings) -> dict[str, bytes]:
    """All stored pictures, by key: packs unopened."""
    with closing(open_object_store(settings.store_url)) as store:
        plain = plain_of(store)
        return {info.key: plain.get(info.key) for info in plain.list(keys.IMAGES)}


def pictures_of(settings: Settings) -> dict[str, bytes]:
    with closing(open_object_store(settings.store_url)) as store:
        return {info.key: store.get(info.key) for info in store.list(keys.IMAGES)}


def counts_of(settings: Settings) -> dict[str, bytes]:
    """Detect and count; return the part files."""
    run_frametally("consume", "--live", "--until-caught-up", settings=settings)
    run_frametally("aggregate", settings=settings)
    with closing(open_object_store(settings.store_url)) as store:
        return {
            f"{run.day}/{name}": store.get(f"{run.prefix}/{name}")
            for run in current_runs(store)
            for name in run.parts
        }


def test_a_camera_stores_one_pack_per_two_seconds_and_announces_frames_after_their_pack(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    captured = capture(settings)
    log: Any = open_frame_log(settings.log_url)
    publish, batches = log.publish, []

    def look_and_publish(topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        messages = list(messages)
        frames = [decode(value, FrameAnnouncement) for _, value in messages]
        stored = pictures_of(settings)
        assert all(len(stored[frame.image_path]) == frame.bytes for frame in frames)
        batches.append(len({frame.captured_at_ms // CAMERA_PACK_MS for frame in frames}))
        publish(topic, messages)

    log.publish = look_and_publish
    assert send(settings, packs=True, log=log).failure is None
    assert batches == [1] * SLOTS  # the stop truncates the last, which is announced all the same
    assert len(objects_of(settings)) == SLOTS
    assert all(map(is_part_key, objects_of(settings)))
    assert list(pictures_of(settings).values()) == captured
    assert len(all_in_the_books(settings)) == FRAMES
    assert not list((settings.data_dir / "live/gate-1").iterdir())


def test_frames_wait_on_disk_only_until_their_pack_is_complete(tmp_path: Path) -> None:
    settings = here(tmp_path)
    capture(settings)
    spool = spool_of(settings)
    sizes = []
    while spool.ends() is not None:
        sizes.append(len(spool.take(1000, span_ms=CAMERA_PACK_MS)))
    assert sizes == [10, 10, 10, 5]
    assert len(list((settings.data_dir / "live").rglob("*.out.jpg"))) == FRAMES


@pytest.mark.parametrize("failpoint", first_quick(KILLS))
def test_a_killed_camera_loses_no_announced_frame_of_a_pack(tmp_path: Path, failpoint: str) -> None:
    settings = here(tmp_path)
    captured = capture(settings)
    killed = FORKS.Process(target=send_until_killed, args=(settings.data_dir, failpoint))
    killed.start()
    killed.join(PATIENCE_S)
    assert killed.exitcode == -signal.SIGKILL
    stored = pictures_of(settings)
    before = announcements_in(settings) if failpoint != "producer.put" else []
    assert len(before) < FRAMES
    assert {frame.image_path for frame in before} <= stored.keys()
    assert send(settings, packs=True).failure is None
    assert [frame.frame_index for frame in all_in_the_books(settings)] == list(range(FRAMES))
    assert list(pictures_of(settings).values()) == captured
    assert len(objects_of(settings)) == SLOTS


@pytest.mark.thorough
@pytest.mark.parametrize("first", [False, True])
def test_a_session_that_stores_in_another_form_keeps_each_frame_once(tmp_path: Path, first: bool) -> None:
    settings = here(tmp_path)
    captured = capture(settings)
    log: Any = open_frame_log(settings.log_url)

    def refuse(topic: str, messages: object) -> None:
        raise Misconfigured("no")

    log.publish = refuse
    assert isinstance(send(settings, packs=first, log=log).failure, Misconfigured)
    assert send(settings, packs=not first).failure is None
    assert [frame.frame_index for frame in all_in_the_books(settings)] == list(range(FRAMES))
    assert list(pictures_of(settings).values()) == captured


@pytest.mark.thorough
def test_counts_of_a_camera_are_the_same_bytes_in_short_packs_minute_packs_and_single_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DETECTOR": "pixels", "INTERVAL_S": "10", "COUNT_OBJECTS": "false"}.items():
        monkeypatch.setenv(f"FRAMETALLY_{name}", value)
    counts, announced = {}, {}
    for form in ("single", "packs", "merged"):
        settings = here(tmp_path / form)
        capture(settings)
        send(settings, packs=form != "single")
        if form == "merged":
            monkeypatch.setattr("frametally.packs.packing.SETTLED_MS", -1000)
            run_frametally("pack", settings=settings)
            assert len(objects_of(settings)) == 1
        announced[form] = all_in_the_books(settings)
        counts[form] = counts_of(settings)
    assert counts["single"]
    assert counts["packs"] == counts["merged"] == counts["single"]
    assert announced["packs"] == announced["merged"] == announced["single"]
    run_frametally(
        *("forget", "--source", "gate-1", "--delete-images", "--yes"), settings=here(tmp_path / "packs")
    )
    assert objects_of(here(tmp_path / "packs")) == {}


def test_a_truncated_camera_pack_stops_the_camera_with_one_message_and_frames_wait_on_disk(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    captured = capture(settings)
    key = f"images/gate-1/2026-01-01/{FIRST_MS + CAMERA_PACK_MS}-0.pack"
    with closing(open_object_store(settings.store_url)) as store:
        plain_of(store).put(key, b"frametally-pack 1 00")
    failure = send(settings, packs=True).failure
    damaged = f"pack {key} is damaged: it does not begin with the header of a pack; restore it from a copy"
    assert damaged in str(failure)
    waiting = list((settings.data_dir / "live/gate-1").rglob("*.jpg"))
    assert len(waiting) >= FRAMES - CAMERA_PACK_MS // STEP_MS
    with closing(open_object_store(settings.store_url)) as store:
        plain_of(store).delete(key)
    assert send(settings, packs=True).failure is None
    assert len(all_in_the_books(settings)) == FRAMES
    assert list(pictures_of(settings).values()) == captured


@pytest.mark.thorough
def test_a_real_camera_announces_packs_of_two_seconds_and_a_stop_leaves_nothing_on_disk(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    with RtspCamera() as camera, Capturing(settings, camera.address, packs=True) as capturing:
        capturing.until_frames(50)
        until(lambda: list((tmp_path / "data/live/gate-1").rglob("*.jpg")))  # some wait for their pack
    assert capturing.failure is None
    announced = all_in_the_books(settings)
    spans = {frame.captured_at_ms // CAMERA_PACK_MS for frame in announced}
    assert len(objects_of(settings)) == len(spans) > 1
    assert all(map(is_part_key, objects_of(settings)))
    assert not list((tmp_path / "data/live/gate-1").iterdir())
    assert sum(manifest.frames_announced for manifest in manifests_of(capturing.store)) == len(announced)


@pytest.mark.parametrize("packs", [False, True])
def test_up_passes_the_packs_option_to_the_camera_worker(tmp_path: Path, packs: bool) -> None:
    parts = members(here(tmp_path), MemberOptions(packs=packs))
    [live] = [member for part in parts for member in part.members if member.name == "live"]
    assert ("--packs" in live.arguments) == packs
