"""An erasure that is killed repeatedly at any moment ends like one without kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from tests.commands import start_frametally
from tests.examples import THOROUGH
from tests.privacy.erased_footage import ERASED, FROM_MS, RANGE, Footage, filmed, opened

from frametally import keys
from frametally.books.runs import current_runs, read_run
from frametally.process import failpoints
from frametally_cli.main import main
from frametally_privacy.erasure_records import erasures
from frametally_privacy.plugin import PLUGIN

KILLS = int(os.environ.get("FAULTS_ERASURE_KILLS", 10 if THOROUGH else 2))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PLACES = [
    *(name for name in PLUGIN.failpoints if name not in ("erasure.item",)),
    "forget.tombstone",
    "forget.picture",
    "aggregate.counted",
    "aggregate.published",
]


def left_in(footage: Footage) -> dict[str, bytes]:
    """Footage, boxes and tombstones; runs have numbers that depend on how often a day was counted."""
    folders = (keys.IMAGES, keys.METADATA, keys.MEDIA, keys.TOMBSTONES)
    return {
        info.key: footage.store.get(info.key) for folder in folders for info in footage.store.list(folder)
    }


def counts_of(footage: Footage) -> list[object]:
    return [read_run(footage.store, run) for run in current_runs(footage.store)]


@pytest.mark.timeout(900)
def test_an_erasure_killed_at_any_moment_loses_nothing_else_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    calm, before, killed = (tmp_path / name for name in ("calm", "before", "killed"))
    with filmed(calm) as footage:
        left_behind = keys.image_key("gate", FROM_MS, "f" * 64, 7)
        footage.store.put(left_behind, ERASED.encode())
        shutil.copytree(calm, before)
        monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(calm))
        monkeypatch.setenv("FRAMETALLY_INTERVAL_S", "60")
        assert main(["privacy", "erase", "--source", "gate", *RANGE, "--yes"]) == 0
        expected, counts = left_in(footage), counts_of(footage)

    def erase(failpoint: str) -> int | None:
        env = {
            "FRAMETALLY_DATA_DIR": str(killed),
            "FRAMETALLY_INTERVAL_S": "60",
            failpoints.VARIABLE: failpoint,
        }
        arguments = ("privacy", "erase", "--source", "gate", *RANGE, "--yes")
        process = start_frametally(*arguments, cwd=tmp_path, output=tmp_path, constants={}, **env)
        process.join(300)
        process.kill()
        process.join()
        return process.exitcode

    kills, waiting = 0, rng.sample(PLACES, len(PLACES))
    while kills < KILLS:  # one erasure after another, each killed at some places
        shutil.rmtree(killed, ignore_errors=True)
        shutil.copytree(before, killed)
        code = erase(waiting.pop() if waiting else rng.choice(PLACES))
        kills += code == -signal.SIGKILL
        while code == -signal.SIGKILL and kills < KILLS:
            place = f"{rng.choice(PLACES)}:{rng.randrange(1, 4)}"
            code = erase(place)
            kills += code == -signal.SIGKILL
        assert code == 0 or erase("") == 0
        with opened(killed) as footage:
            assert left_in(footage) == expected
            assert counts_of(footage) == counts
            assert footage.holding(ERASED) == []
            assert footage.lost() == 0
            assert [erasure.ended_at_ms is None for erasure in erasures(footage.store)] == [False]
