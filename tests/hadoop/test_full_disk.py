"""A disk that is full while the job runs: one line with the remedy, and nothing is left or searched."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frametally.errors import Retryable
from frametally.ports.object_store import ObjectStore
from frametally_hadoop.running.counting_job import CountObjects

if TYPE_CHECKING:
    from tests.hadoop.conftest import Footage

NOON_MS = 1_767_268_800_000


@pytest.fixture
def much_footage(file_footage: Footage) -> Footage:
    """Some 3 MB of segments."""
    for minute in range(8):
        file_footage.segment(
            [
                file_footage.frame(NOON_MS + minute * 60_000 + n * 200, *["car"] * 20, index=minute * 300 + n)
                for n in range(300)
            ]
        )
    return file_footage


@pytest.mark.thorough
@pytest.mark.parametrize("runner", ["inline", "local"])
def test_a_disk_that_fills_up_while_the_job_runs_is_one_line(
    much_footage: Footage, tiny_disk: Path, watched: Callable[..., ObjectStore], runner: str
) -> None:
    bodies = []
    store = watched(
        much_footage.store,
        lambda call, key: bodies.append(key) if call == "before get" and "metadata/" in key else None,
    )
    roomy, much_footage.settings = (
        much_footage.settings,
        much_footage.settings.model_copy(update={"data_dir": tiny_disk}),
    )
    with pytest.raises(Retryable, match=r"no room left in .*tiny/tmp .*free some space there") as raised:
        much_footage.aggregate(store=store, runner=runner)
    assert "\n" not in str(raised.value)
    assert much_footage.temporary_files() == []
    assert bodies == []
    assert much_footage.parts() == {}
    much_footage.settings = roomy
    assert much_footage.aggregate(runner=runner).frames == 2400


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_whatever_says_that_there_is_no_room_is_told_as_that(
    footage: Footage, monkeypatch: pytest.MonkeyPatch, code: Any
) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])

    def full(self: CountObjects) -> None:
        raise OSError(code, os.strerror(code))

    make_runner = CountObjects.make_runner

    def make(job: CountObjects) -> Any:
        engine = make_runner(job)
        engine._run = full.__get__(engine)
        return engine

    monkeypatch.setattr(CountObjects, "make_runner", make)
    with pytest.raises(Retryable, match="no room left in"):
        footage.aggregate()
    monkeypatch.undo()
    assert footage.aggregate().frames == 1
