"""After a SIGKILL anywhere, the next run publishes the same bytes, and no reader ever sees a partial run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.examples import THOROUGH
from tests.hadoop.conftest import Footage

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_run
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.process.failpoints import FAILPOINTS
from frametally.process.reports import NoProgress
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate

pytestmark = pytest.mark.thorough

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000
POINTS = [name for name in FAILPOINTS if name.startswith("aggregate.")]


@pytest.fixture
def ready(file_footage: Footage) -> Footage:
    """One day is counted; then late footage of it and another day arrive."""
    footage = file_footage
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(3)])
    footage.aggregate()
    footage.segment([footage.frame(NOON_MS + n, "car", "bus", index=n) for n in range(2, 6)])
    footage.segment([footage.frame(NOON_MS + DAY_MS, "car")])
    return footage


def start(folder: Path, **env: str) -> subprocess.Popen[bytes]:
    """An aggregation in a separate process."""
    return subprocess.Popen(
        [sys.executable, "-m", "frametally", "aggregate"],
        env=os.environ
        | {"FRAMETALLY_DATA_DIR": str(folder / "data"), "FRAMETALLY_STORE_URL": (folder / "store").as_uri()}
        | env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def count(folder: Path) -> None:
    aggregate(
        settings=Settings(data_dir=folder / "data").resolved(),
        store=open_object_store((folder / "store").as_uri()),
        progress=NoProgress(),
    )


def published(folder: Path) -> dict[str, bytes]:
    store = open_object_store((folder / "store").as_uri())
    return {
        info.key: store.get(info.key)
        for top in ("mapreduce-output", "tracks", "hours")
        for info in store.list(top)
    }


def sums_seen(store: ObjectStore) -> dict[str, int]:
    """The result for a reader, with every run read and checked completely."""
    return {run.day: sum(one.frames for one in read_run(store, run)[1]) for run in current_runs(store)}


def published_whatever_is_killed(
    folder: Path, points: Sequence[str], sums: Sequence[dict[str, int]] = ()
) -> dict[str, bytes]:
    """Kill an aggregation of a copy at each failpoint, and assert that its rerun publishes what one does that
    nobody disturbs, and that readers see one of `sums`; return what it publishes."""

    def copied(name: str) -> Path:
        shutil.copytree(folder / "store with space", folder / name / "store")
        return folder / name

    quiet = copied("quiet")
    count(quiet)
    expected = published(quiet)
    for point in points:
        killed = copied(point)
        assert start(killed, FRAMETALLY_FAILPOINT=point).wait() == -signal.SIGKILL
        assert not sums or sums_seen(open_object_store((killed / "store").as_uri())) in sums, point
        assert start(killed).wait() == os.EX_OK
        assert published(killed) == expected, point
        assert list((killed / "data" / "tmp").iterdir()) == [], point
    return expected


def test_killed_at_any_failpoint_a_rerun_gives_the_bytes_of_an_undisturbed_run(
    ready: Footage, tmp_path: Path
) -> None:
    sums = [{"2026-01-01": 3}, {"2026-01-01": 6}]
    published_whatever_is_killed(tmp_path, POINTS if THOROUGH else POINTS[:2], sums)


def test_the_leftovers_of_a_killed_aggregation_are_removed_before_the_next_one_needs_space(
    ready: Footage, tmp_path: Path
) -> None:
    left = tmp_path / "data" / "tmp" / "frametally-temporary-left"
    left.mkdir(parents=True)
    (left / "lines").write_bytes(bytes(1000))
    (tmp_path / "data" / "tmp" / "of-somebody-else").touch()
    shutil.copytree(tmp_path / "store with space", tmp_path / "store")
    killed = start(tmp_path, FRAMETALLY_FAILPOINT="aggregate.counted")
    assert killed.wait() == -signal.SIGKILL
    names = sorted(path.name for path in left.parent.iterdir())
    assert len(names) == 2
    assert names[0].startswith("frametally-temporary-")
    assert names[1] == "of-somebody-else"


def test_sigterm_ends_an_aggregation_without_leftovers_and_the_next_one_counts(
    ready: Footage, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "store with space", tmp_path / "store")
    begun = tmp_path / "begun"
    sort = tmp_path / "bin" / "sort"  # like a sort that takes hours
    sort.parent.mkdir()
    sort.write_text(f"#!/bin/sh\n: > {begun}\nexec sleep 1000\n")
    sort.chmod(0o755)
    path = f"{sort.parent}{os.pathsep}{os.environ['PATH']}"
    running = start(tmp_path, FRAMETALLY_RUNNER="local", PATH=path)
    while not begun.exists():
        assert running.poll() is None
        time.sleep(0.05)
    running.terminate()
    assert running.wait() == 128 + signal.SIGTERM
    assert list((tmp_path / "data" / "tmp").iterdir()) == []
    count(tmp_path)
    assert sums_seen(open_object_store((tmp_path / "store").as_uri())) == {"2026-01-01": 6, "2026-01-02": 1}


def test_a_reader_in_a_loop_sees_only_the_old_sum_or_the_new_one(file_footage: Footage) -> None:
    footage = file_footage
    seen: set[int] = set()
    done = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        store = open_object_store(footage.store.url)
        while not done.is_set():
            try:
                seen.add(sums_seen(store).get("2026-01-01", 0))
            except Poison as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    whole = {0}
    try:
        for turn in range(6):
            footage.film(9, "car", start_ms=NOON_MS + turn * 9, first=turn * 9)
            footage.aggregate()
            whole.add(9 * (turn + 1))
    finally:
        done.set()
        reader.join()
    assert failures == []
    assert seen <= whole
    assert len(seen) > 1
