"""Processes that can be killed, footage for them, and the expected results."""

from __future__ import annotations

import os
import runpy
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from tests.commands import FORKS
from tests.kit.clips import jpeg_of

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.books.runs import current_runs
from frametally.ports.frame_log import FrameLog, consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.segments.contents import list_segments, read_segment

STAGE = Path(__file__).with_name("stage.py")


class Stage:
    """One process of one stage."""

    def __init__(self, arguments: list[str], environment: dict[str, str], output: Path) -> None:
        self.process: BaseProcess = FORKS.Process(
            target=runpy.run_path,
            args=(str(STAGE),),
            kwargs={
                "init_globals": {"ARGUMENTS": arguments, "ENVIRONMENT": environment, "OUTPUT": str(output)},
                "run_name": "__main__",
            },
        )
        self.output = output
        self.process.start()

    @property
    def running(self) -> bool:
        return self.process.is_alive()

    @property
    def exit_code(self) -> int | None:
        return self.process.exitcode

    def send(self, number: signal.Signals) -> None:
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.join()

    def wait(self, timeout_s: float) -> int | None:
        self.process.join(timeout_s)
        return self.process.exitcode


class Deployment:
    """A data folder, and the stages that work on it."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "data"
        self.environment = {"FRAMETALLY_DETECTOR": "pixels", "COLUMNS": "300"} | settings
        self.stages: list[Stage] = []

    def start(self, *arguments: object, **environment: str) -> Stage:
        number = len(self.stages)
        stage = Stage(
            [*map(str, arguments), "--data-dir", str(self.data_dir)],
            self.environment | environment,
            self.folder / f"{number:04d}-{arguments[0]}.txt",
        )
        self.stages.append(stage)
        return stage

    def run(self, *arguments: object, **environment: str) -> Stage:
        stage = self.start(*arguments, **environment)
        assert stage.wait(240) in (0, 1), stage.output.read_text()[-3000:]
        return stage

    def store(self) -> ObjectStore:
        return open_object_store(f"file://{self.data_dir}/store")

    def log(self) -> FrameLog:
        return open_frame_log(f"sqlite:///{self.data_dir}/log.sqlite")

    def drained(self) -> bool:
        with closing(self.store()) as store, closing(self.log()) as log:
            models = {key.split("/")[1].removeprefix("model=") for key in list_segments(store)}
            ends = {p: end for p, end in log.end_offsets("frames").items() if end}
            return bool(models) and all(
                ends.items() <= log.committed("frames", consumer_group(model)).items() for model in models
            )

    def messages(self) -> int:
        with closing(self.log()) as log:
            return sum(log.end_offsets("frames").values())

    def close(self) -> None:
        for stage in self.stages:
            stage.send(signal.SIGCONT)
            stage.kill()


Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments, and leaves no process behind."""
    made: list[Deployment] = []

    def make(name: str, **settings: str) -> Deployment:
        made.append(Deployment(tmp_path / name, settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def write_pictures(folder: Path, numbers: range) -> None:
    """Small pictures, one every 7 s from 08:00 on, each with a different patch."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        rng = np.random.default_rng(number)
        picture = np.zeros((48, 64, 3), np.uint8)
        left, top = rng.integers(0, 40, 2)
        picture[top : top + 8, left : left + 8, rng.integers(0, 3)] = 255
        second = number * 7 % 86_400
        day = 1 + number * 7 // 86_400
        name = f"cam_202605{day:02d}_{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}.jpg"
        staging = folder / f"{name}.part"
        staging.write_bytes(jpeg_of(picture))
        staging.rename(folder / name)


def detected(store: ObjectStore) -> set[str]:
    return {frame.image_path for key in list_segments(store) for frame in read_segment(store, key).frames()}


def assert_chains(store: ObjectStore, ends: dict[int, int]) -> None:
    """Every partition's segments form one chain, from 0 to the end of the log, with a line for
    every offset."""
    reached = dict.fromkeys(ends, 0)
    for key in list_segments(store):
        header = read_segment(store, key).header
        assert header.first_offset == reached[header.partition], f"gap or overlap at {key}"
        assert header.frames + header.dead_letters == header.next_offset - header.first_offset, key
        reached[header.partition] = header.next_offset
    assert reached == ends


def part_files(store: ObjectStore) -> dict[str, bytes]:
    return {
        f"{run.day}/{name}": store.get(f"{run.prefix}/{name}")
        for run in current_runs(store)
        for name in run.parts
    }
