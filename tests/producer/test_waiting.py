"""The producer waits for unavailable or full servers; it omits no frame, and can be stopped meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.fakes.memory import ManualClock, MemoryLog
from tests.fakes.said import Said
from tests.kit.messages import records_on
from tests.producer.conftest import Bench

from frametally.adapters.files.folder_store import FileStore
from frametally.adapters_by_url import open_frame_log
from frametally.errors import Misconfigured, Retryable
from frametally.files.opencv import decode_image
from frametally.process import retrying
from frametally.process.period import repeat
from frametally.process.retrying import GivenUp, OnceAMinute, Patience
from frametally.records import FrameAnnouncement, decode
from frametally.settings.loading import load_settings
from frametally_producer.produce import produce
from frametally_producer.writing import production
from frametally_producer.writing.production import ProduceCall, Room, embedded_folders

MB = 1_000_000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(retrying, "_LONGEST_PAUSE_S", 0.002)
    monkeypatch.setattr(production, "_LOOK_EVERY_S", 0.001)


class Fails:
    """An action that fails `times` times, each with one of `errors`, before it succeeds."""

    def __init__(self, action: Callable[..., Any], errors: list[Exception], times: int) -> None:
        self.action, self.errors, self.left = action, errors, times
        self.failed = 0

    def __call__(self, *arguments: object, **options: object) -> object:
        if self.left > 0:
            self.left -= 1
            self.failed += 1
            raise self.errors[self.failed % len(self.errors)]
        return self.action(*arguments, **options)


@pytest.mark.parametrize(
    ("port", "method"), [("store", "put"), ("store", "get"), ("log", "publish"), ("log", "create_topic")]
)
def test_an_unavailable_store_or_log_is_waited_for_and_no_frame_is_left_out(
    bench: Bench, port: str, method: str
) -> None:
    away = Retryable("it is away; it will come back")
    part = getattr(bench, port)
    fails = Fails(getattr(part, method), [away], 40)
    setattr(part, method, fails)
    report = bench.produce(bench.video("gate.mp4", 30), sample_fps="all")
    assert (report.frames_announced, report.skipped, fails.left) == (30, [], 0)
    assert set(bench.announced()) == set(range(30))
    waiting = [line for line in bench.progress.lines if line.startswith("waiting")]
    assert waiting == ["waiting, then trying again: it is away; it will come back"]


@pytest.mark.parametrize(("busy_s", "waits_s"), [(0.0, 10.0), (3.0, 10.0), (60.0, 60.0)])
def test_a_limited_wait_lasts_as_long_as_requested_or_as_the_work_before_it(
    monkeypatch: pytest.MonkeyPatch, busy_s: float, waits_s: float
) -> None:
    now_s, away = 1000.0, Retryable("it is away")

    def pause(self: Patience, seconds: float, give_up: object = None) -> None:
        nonlocal now_s
        now_s += 1.0

    def fail() -> None:
        raise away

    monkeypatch.setattr(retrying.time, "monotonic", lambda: now_s)
    monkeypatch.setattr(Patience, "pause", pause)
    patience = Patience(lambda line: None, lambda: False, 10.0)
    now_s += busy_s
    with pytest.raises(GivenUp):
        patience.until_done("the log", fail)
    assert (now_s - 1000.0 - busy_s, patience.gave_up_on, patience.stopping) == (waits_s, away, True)


def test_a_job_without_disk_space_does_not_wait_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Patience(lambda line: None, lambda: False, 0.01)
    room = Room(load_settings("producer"), patience)
    monkeypatch.setattr(room, "short", lambda: "only 3 MB are free")
    with pytest.raises(GivenUp):
        room.wait()
    assert str(patience.gave_up_on) == "only 3 MB are free"


def test_each_unavailable_part_gets_one_line_a_minute() -> None:
    clock = ManualClock()
    lines: list[str] = []
    say = OnceAMinute(lines.append, clock=clock)
    for _ in range(130):
        say("store", f"store {clock.now_s:g}")
        say("log", f"log {clock.now_s:g}")
        clock.advance(1)
    assert lines == ["store 0", "log 0", "store 60", "log 60", "store 120", "log 120"]


def test_a_returning_part_is_named_once_and_only_if_its_absence_was_reported() -> None:
    lines: list[str] = []
    patience = Patience(lines.append, lambda: False)
    away = Retryable("Kafka at gate:9092 is not responding: start it", part="frame log (Kafka)")
    for _ in range(3):
        patience.answered("log")
        patience.tell("log", away)
        patience.answered("log")
        patience.answered("log")
    patience.tell("room", Retryable("no space"))
    patience.answered("log")
    patience.answered("room")
    assert lines == [
        "waiting, then trying again: Kafka at gate:9092 is not responding: start it",
        "no longer waiting: the frame log (Kafka) is responding again",
        "waiting, then trying again: no space",
        "no longer waiting",
    ]


def test_rounds_that_work_again_say_so_once() -> None:
    clock = ManualClock()
    progress = Said()
    outcomes = iter([None, "store", "index", None, None])

    def work() -> None:
        if (part := next(outcomes)) is not None:
            raise Retryable(f"the {part} is away", part=part)

    repeat(
        work,
        period_s=1,
        should_stop=lambda: clock.now_s > 4,
        progress=progress,
        clock=clock,
        sleep=clock.advance,
    )
    assert progress.lines == [
        "waiting: the store is away; trying again in 1 s",
        "waiting: the index is away; trying again in 1 s",
        "no longer waiting: the index is responding again",
    ]


def test_a_line_can_show_how_often_it_was_suppressed() -> None:
    clock = ManualClock()
    lines: list[str] = []
    say = OnceAMinute(lines.append, clock=clock)
    for pause_s in (0, 10, 20, 40, 20, 100):
        clock.advance(pause_s)
        say("away", "it is away", counts=True)
    assert lines == [
        "it is away",
        "it is away (2 more times since the last report)",
        "it is away (1 more time since the last report)",
    ]


def test_pauses_grow_to_a_limit_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 1.0)
    monkeypatch.setattr(retrying, "_LONGEST_PAUSE_S", 8.0)
    pauses: list[float] = []
    monkeypatch.setattr(Patience, "pause", lambda self, seconds, give_up: pauses.append(seconds))
    action = Fails(lambda: "done", [Retryable("away")], 7)
    assert Patience(lambda line: None, lambda: False).until_done("store", action) == "done"
    for pause_s, most_s in zip(pauses, [1, 2, 4, 8, 8, 8, 8], strict=True):
        assert most_s / 2 <= pause_s <= most_s
    assert len(set(pauses)) == 7


def test_a_permanent_error_is_not_retried() -> None:
    action = Fails(lambda: "done", [Misconfigured("no right")], 1)
    with pytest.raises(Misconfigured):
        Patience(lambda line: None, lambda: False).until_done("store", action)


def test_after_a_stop_request_one_more_attempt_is_made_and_nothing_is_waited_for() -> None:
    patience = Patience(lambda line: None, lambda: True)
    assert patience.until_done("store", lambda: "done") == "done"
    with pytest.raises(GivenUp):
        patience.until_done("store", Fails(lambda: "done", [Retryable("away")], 1))


def test_an_unwanted_action_is_neither_tried_nor_waited_for() -> None:
    wanted, attempts = [True, True, False], []

    def action() -> None:
        attempts.append(1)
        raise Retryable("away")

    patience = Patience(lambda line: None, lambda: False)
    with pytest.raises(GivenUp):
        patience.until_done("store", action, lambda: not (wanted.pop(0) if wanted else False))
    assert len(attempts) == 1, "asked before the attempt and while it waits"
    for stopped in (Patience(lambda line: None, lambda: True), patience):
        stopped.end()
        with pytest.raises(GivenUp):
            stopped.until_done("store", action, lambda: False)
    assert len(attempts) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("away", ["put", "publish"])
def test_a_stop_while_store_or_log_is_unavailable_ends_the_call_and_the_next_finishes_it(
    bench: Bench, away: str
) -> None:
    part = bench.store if away == "put" else bench.log
    whole = getattr(part, away)
    stopped = threading.Event()

    def refuse(*arguments: object, **options: object) -> object:
        if len(bench.log.announcements) or away == "publish":
            stopped.set()
            raise Retryable("away")
        return whole(*arguments, **options)

    setattr(part, away, refuse)
    path = bench.video("gate.mp4", 250)
    report = bench.produce(path, sample_fps="all", should_stop=stopped.is_set)
    assert report.stopped
    assert report.frames_announced < 250
    setattr(part, away, whole)
    bench.produce(path, sample_fps="all")
    assert set(bench.announced()) == set(range(250))
    assert bench.manifests()[0].state == "complete"


def test_a_stop_finishes_current_work_and_the_next_call_repeats_nothing(bench: Bench) -> None:
    path = bench.video("gate.mp4", 100)
    seen: list[int] = []
    stopped = lambda: len(bench.progress.updates) >= 37  # noqa: E731
    report = bench.produce(path, sample_fps="all", should_stop=stopped)
    assert report.stopped
    assert bench.announced() == list(range(37))
    [left] = bench.manifests()
    assert (left.state, left.frames_announced) == ("producing", 37)
    seen += bench.announced()
    assert bench.produce(path, sample_fps="all").frames_announced == 63
    assert sorted(bench.announced()) == list(range(100))


@pytest.mark.thorough
def test_a_stop_between_pictures_leaves_the_rest_to_the_next_call(bench: Bench) -> None:
    for index in range(8):
        bench.picture(f"yard/{index}.jpg", index=index)
    report = bench.produce(bench.folder / "yard", should_stop=lambda: len(bench.progress.updates) >= 3)
    assert (report.stopped, report.frames_announced) == (True, 3)
    assert bench.manifests()[0].state == "producing"
    assert bench.produce(bench.folder / "yard").frames_announced == 5
    assert bench.manifests()[0].state == "complete"


def test_the_producer_waits_while_the_required_free_space_is_missing_and_then_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced_while_full: list[int] = []

    def usage(folder: Path) -> SimpleNamespace:
        if bench.store.image_puts and len(announced_while_full) < 20:
            announced_while_full.append(len(bench.log.announcements))
            return SimpleNamespace(free=499 * MB)
        return SimpleNamespace(free=500 * MB)

    monkeypatch.setattr(production.shutil, "disk_usage", usage)
    path = bench.video("gate.mp4", 60)
    store = bench.folder / "store"
    report = bench.produce(path, sample_fps="all", min_free_disk_mb=500, store_url=store.as_uri())
    assert report.frames_announced == 60
    assert len(set(announced_while_full[1:])) == 1, "frames were announced while there was no room"
    [line] = [line for line in bench.progress.lines if line.startswith("waiting")]
    assert "499 MB are free" in line
    assert "FRAMETALLY_MIN_FREE_DISK_MB" in line


def test_a_stop_during_a_lack_of_space_takes_effect(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []

    def usage(folder: Path) -> SimpleNamespace:
        looks.append(folder)
        return SimpleNamespace(free=0)

    monkeypatch.setattr(production.shutil, "disk_usage", usage)
    report = bench.produce(
        bench.video("gate.mp4", 60), min_free_disk_mb=1, should_stop=lambda: len(looks) > 10
    )
    assert report.stopped
    assert report.frames_announced == 0


def test_only_this_machines_disks_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert embedded_folders(settings) == [tmp_path / "store", tmp_path]
    away = settings.model_copy(update={"store_url": "s3://bucket", "log_url": "kafka://broker"})
    assert embedded_folders(away) == []
    patience = Patience(lambda line: None, lambda: False)
    with monkeypatch.context() as full:
        full.setattr(production.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        assert Room(away, patience).short() == ""
        assert Room(settings, patience).short()
    gone = settings.model_copy(update={"store_url": (tmp_path / "gone").as_uri()})
    assert Room(gone, patience).short() == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.thorough
def test_a_full_disk_leaves_no_partial_frame_and_producing_goes_on_once_there_is_space(
    bench: Bench, small_disk: Path
) -> None:
    path = bench.video("gate.mp4", 120, size_px=(640, 480), noise=True)
    in_the_way = small_disk / "in-the-way"
    in_the_way.write_bytes(bytes(2_700_000))
    store = FileStore((small_disk / "store").as_uri())
    log = MemoryLog()
    counts: list[int] = []

    def make_room(line: str) -> None:
        bench.progress.say(line)
        if "no space left" in line and in_the_way.exists():
            counts.append(len(list(store.list("images"))))
            for info in list(store.list("images")):  # never part of a frame, also on a full disk
                assert decode_image(store.get(info.key), MB).shape == (480, 640, 3)
            subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
            in_the_way.unlink()

    class Progress(type(bench.progress)):
        def say(self, line: str) -> None:
            make_room(line)

    report = produce(
        ProduceCall(
            paths=[path],
            settings=bench.settings(sample_fps="all", jpeg_quality=100),
            start_time="2026-05-01T06:00:00Z",
        ),
        store=store,
        log=log,
        progress=Progress(),
    )
    assert counts, "the disk did not run full"
    assert counts[0] < 120
    assert (report.frames_announced, report.skipped) == (120, [])
    assert len(list(store.list("images"))) == 120
    left_over = [p for p in (small_disk / "store").rglob("*") if p.is_file() and "#" in p.name]
    assert left_over == []


@pytest.mark.thorough
def test_sigterm_finishes_the_batch_and_a_second_start_continues_from_there(
    tmp_path: Path, make_video: Callable[..., Path]
) -> None:
    path = make_video("gate.mp4", 500, size_px=(320, 240), noise=True)
    command = [sys.executable, "-m", "frametally", "produce", path, "--sample-fps", "all"]
    command += ["--data-dir", tmp_path / "data"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "data" / "store").rglob("*-5.jpg")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    running.terminate()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert "run the same command to continue" in err
    stopped_at = int(out.split()[1])
    assert 0 < stopped_at < 500
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"frames: {500 - stopped_at} announced, {stopped_at} already known" in again.stdout
    with closing(open_frame_log(f"sqlite:///{tmp_path / 'data' / 'log.sqlite'}")) as log:
        assert sum(log.end_offsets("frames").values()) == 500
        found = records_on(log, "frames")
    assert {decode(record.value, FrameAnnouncement).frame_index for record in found} == set(range(500))


def test_a_lack_of_space_is_retryable_for_every_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore((tmp_path / "store").as_uri())

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "_put_fast", full)
    with pytest.raises(Retryable, match=r"no space left in store folder .* for images/a\.jpg"):
        store.put("images/a.jpg", b"", durable=False)


def test_nothing_after_a_frame_that_could_not_be_stored_is_announced(bench: Bench) -> None:
    whole = bench.store.put
    refused: list[str] = []

    def put(key: str, data: bytes, **options: bool) -> bool:
        if key.endswith("-7.jpg"):
            refused.append(key)
            raise Retryable("away")
        return whole(key, data, **options)

    bench.store.put = put
    path = bench.video("gate.mp4", 30)
    report = bench.produce(path, sample_fps="all", should_stop=lambda: len(refused) > 2)
    assert report.stopped
    assert max(bench.announced(), default=0) < 7
    bench.store.put = whole
    bench.produce(path, sample_fps="all")
    assert sorted(bench.announced()) == list(range(30))
