"""Viewers stay connected through faults of the log and of other viewers, and cost no memory for it."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import pytest
from flask import Flask
from tests.fakes.memory import ManualClock
from tests.kit.waiting import until
from tests.live import test_watching
from tests.live.test_watching import Gate, begun, see
from tests.live.watching import JPEG, START_MS, Scene, Watcher, open_socket

from frametally.adapters.sqlite.file_log import SqliteLog
from frametally.errors import Retryable
from frametally.ports.frame_log import FrameLog, LogConsumer
from frametally.records import FrameDetections
from frametally_live.feeds.result_reader import ResultReader

scene, app, sockets = test_watching.scene, test_watching.app, test_watching.sockets
watch, gate = test_watching.watch, test_watching.gate

DEAD, FRAMES = 10, 100


class Switched:
    """A log that is unavailable while a test says so."""

    def __init__(self, log: FrameLog) -> None:
        self.is_away = False
        self._log = log

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._log, name)
        if name == "subscribe":
            return lambda *arguments, **named: self._consumer(found(*arguments, **named))
        self.check()
        return found

    def check(self) -> None:
        if self.is_away:
            raise Retryable("away")

    def _consumer(self, consumer: LogConsumer) -> LogConsumer:
        plain = consumer.poll

        def poll(**named: Any) -> Any:
            self.check()
            return plain(**named)

        consumer.poll = poll
        return consumer


@pytest.mark.thorough
def test_a_viewer_that_reads_nothing_uses_no_more_memory_however_many_frames_come(
    gate: Gate, watch: Callable[..., Watcher]
) -> None:
    """A frame kept for one of them would be 46 kB, for each of them ten times that, a hundred times."""
    dead = [watch(gate.asked) for _ in range(DEAD)]
    lively = watch(gate.asked)
    begun(gate, lively)
    for one in dead:
        one.frame()

    def taken_bytes(first: int) -> int:
        for number in range(first, first + FRAMES):
            gate.show(number)
            see(lively, number)
        lively.frames.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = taken_bytes(1_000)
        assert taken_bytes(2_000) - before < 20 * len(JPEG)
    finally:
        tracemalloc.stop()


@pytest.mark.thorough
def test_viewers_stay_through_an_outage_of_the_log_and_then_see_only_new_frames(
    scene: Scene, gate: Gate, serving: Callable[[Flask], str]
) -> None:
    real = scene.place.log
    log = Switched(real)
    scene.place.log = cast("FrameLog", log)
    app = scene.place.app()
    scene.place.log = real
    url = serving(app).replace("http", "ws", 1)
    with open_socket(f"{url}/ws/stream?{gate.asked}") as connection:
        viewer = Watcher(connection)
        for again in range(3):
            begun(gate, viewer)
            viewer.state(lambda one: one["state"] == "running")
            log.is_away = True
            assert "log" in viewer.state(lambda one: one["state"] == "waiting")["reason"]
            missed = 10_000 * (again + 1)
            gate.show(*range(missed, missed + 5))
            log.is_away = False
            viewer.state(lambda one: one["state"] == "running")
        begun(gate, viewer)
    assert not any(one.header["captured_at_ms"] >= START_MS + 1_000_000 for one in viewer.frames)
    # Those of asyncio stay, and their number depends on the load.
    until(lambda: not any(one.name.startswith("live-") for one in threading.enumerate()))


def test_results_removed_from_the_log_before_they_are_read_are_skipped(scene: Scene, gate: Gate) -> None:
    """As if the dashboard's machine slept for longer than results are kept."""
    clock = ManualClock()
    awake, asleep = threading.Event(), threading.Event()
    taken: list[FrameDetections] = []
    told: list[str] = []

    class Slept(Switched):
        def check(self) -> None:
            if not awake.is_set():
                asleep.set()
            assert awake.wait(60)

    url = f"sqlite:///{scene.place.settings.data_dir / 'log.sqlite'}"
    with closing(SqliteLog(url, clock=clock)) as keeping:
        keeping.create_topic(scene.topic, 3, keep_s=10)
        awake.set()
        reader = ResultReader(
            cast("FrameLog", Slept(scene.place.log)), scene.topic, taken.append, told.append
        )
        reader.start()
        number = 0
        while not taken:
            number += 1
            gate.show(number)
            until(lambda: bool(told))
        awake.clear()
        assert asleep.wait(60)
        del taken[:]
        scene.place.log, real = keeping, scene.place.log
        gate.show(*range(5_000, 5_050))
        for _ in range(8):
            clock.advance(5)
            gate.show(6_000)
        gate.show(7_000)
        awake.set()
        until(lambda: any(one.frame_index == 7_000 for one in taken))
        scene.place.log = real
        reader.stop()
        reader.join()
    assert not any(5_000 <= one.frame_index < 5_050 for one in taken)
    assert told[-1] == ""


def test_waiting_viewers_get_all_results_that_arrive_with_a_new_topic(scene: Scene) -> None:
    taken: list[FrameDetections] = []
    told: list[str] = []
    topic, media = "first-results", "ab" * 32
    reader = ResultReader(scene.place.log, topic, taken.append, told.append)
    reader.start()
    try:
        until(lambda: bool(told))
        scene.place.log.create_topic(topic, 3)
        scene.topic = topic
        scene.publish(*(scene.result(number, media=media, source="gate") for number in range(7)))
        until(lambda: "" in told)
        scene.publish(scene.result(7, media=media, source="gate"))
        until(lambda: any(result.frame_index == 7 for result in taken))
    finally:
        reader.stop()
        reader.join()
    assert [result.frame_index for result in taken] == [*range(8)]
