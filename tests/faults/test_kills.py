"""Kill producer and consumers at random moments and at every failpoint: the counts are those of a quiet run.

The figures can be set by the environment: FAULTS_FRAMES, FAULTS_KILLS, FAULTS_REAL_KILLS, FAULTS_SEED (see
`make soak`). The seed is printed; the same seed makes the same choices, though not the same interleaving.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.examples import THOROUGH, first_quick
from tests.faults.conftest import Deployment, assert_chains, detected, part_files, write_pictures
from tests.kit.waiting import until

from frametally.process import failpoints
from frametally_consumer.backends.network import Backend
from frametally_consumer.load import is_installed
from frametally_models.files import ModelFiles

FRAMES = int(os.environ.get("FAULTS_FRAMES", "300" if THOROUGH else "120"))
KILLS = int(os.environ.get("FAULTS_KILLS", "14" if THOROUGH else "5"))
REAL_KILLS = int(os.environ.get("FAULTS_REAL_KILLS", "3"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
# Those of the counting job are in tests/hadoop.
FAILPOINTS = [name for name in failpoints.FAILPOINTS if not name.startswith("aggregate.")]
STAGE_FAILPOINTS = (
    [name for name in FAILPOINTS if name.startswith(("producer.", "consumer.", "chain."))]
    if THOROUGH
    else ["producer.published", "chain.put", "consumer.written"]  # some work is done, and not noted anywhere
)
RACE_FAILPOINTS = ("chain.race-lost", "chain.adopted")
PICTURES = ("--time-pattern", "cam_%Y%m%d_%H%M%S")
LEASE_S = 1.0
# If other processes use the cores, a stage takes seconds to start.
PATIENCE_S = 30.0
SETTINGS = {"FRAMETALLY_BATCH_FRAMES": "6", "FRAMETALLY_BATCH_S": "0.2", "FRAMETALLY_LEASE_S": str(LEASE_S)}


class KillLoop:
    """A producer and two consumers, restarted whenever they end, and killed repeatedly."""

    def __init__(self, deployment: Deployment, footage: tuple[object, ...], rng: random.Random) -> None:
        self.deployment, self.footage, self.rng = deployment, footage, rng
        self.running: dict[str, Any] = {}
        self.kills: Counter[str] = Counter()

    def start(self, role: str, **environment: str) -> Any:
        arguments = ("consume",) if role != "producer" else ("produce", *self.footage)
        self.running[role] = self.deployment.start(*arguments, **environment)
        return self.running[role]

    def keep_running(self) -> None:
        for role in ("producer", "consumer-1", "consumer-2"):
            stage = self.running.get(role)
            if stage is None or not stage.running:
                if stage is not None and stage.exit_code not in (0, -signal.SIGKILL):
                    raise AssertionError(
                        f"{role} ended with {stage.exit_code}: {stage.output.read_text()[-3000:]}"
                    )
                self.start(role)

    def kill_two_at_a_random_moment(self) -> None:
        time.sleep(self.rng.uniform(0.02, 0.4))
        self.keep_running()
        time.sleep(self.rng.uniform(0.0, 0.2))
        victims = self.rng.sample(sorted(self.running), 2)
        for role in victims:
            self.running[role].send(signal.SIGKILL)
        for role in victims:
            self.running[role].process.join()
            self.kills["at a random moment"] += self.running[role].exit_code == -signal.SIGKILL

    def die_at(self, failpoint: str) -> None:
        """A stage dies by itself at the failpoint, while the others continue."""
        if failpoint in RACE_FAILPOINTS:
            self.die_in_a_lost_race(failpoint)
            return
        role = (
            "producer" if failpoint.startswith("producer.") else self.rng.choice(["consumer-1", "consumer-2"])
        )
        self.running[role].kill()
        passing = self.rng.randint(1, 3) if failpoint.startswith("producer.") else self.rng.randint(1, 2)
        stage = self.start(role, FRAMETALLY_FAILPOINT=f"{failpoint}:{passing}")
        self.wait_while_there_is_work(lambda: not stage.running, at_least_s=4)
        if stage.exit_code == -signal.SIGKILL:
            self.kills[failpoint] += 1
        stage.kill()

    def wait_while_there_is_work(self, is_done: Callable[[], bool], at_least_s: float) -> None:
        """Wait for results that can only come from a frame that is not detected yet."""
        began_s = time.monotonic()
        while not is_done() and (waited_s := time.monotonic() - began_s) < PATIENCE_S:
            if waited_s > at_least_s and self.deployment.drained():
                return
            time.sleep(0.05)

    def die_in_a_lost_race(self, failpoint: str) -> None:
        """A consumer is stopped just before its put, past its lease; another one overtakes it; it
        wakes up."""
        for role in ("consumer-1", "consumer-2"):
            self.running[role].kill()
        go = self.deployment.folder / f"go-{sum(self.kills.values())}"
        zombie = self.start("consumer-1", FRAMETALLY_FAILPOINT=failpoint, FAULTS_HOLD_PUT_UNTIL=str(go))
        holding = go.with_name(go.name + ".holding")
        self.wait_while_there_is_work(holding.exists, at_least_s=6)
        zombie.send(signal.SIGSTOP)
        self.start("consumer-2")
        self.wait_while_there_is_work(lambda: False, at_least_s=LEASE_S + 1.5)
        go.touch()
        zombie.send(signal.SIGCONT)
        self.wait_while_there_is_work(lambda: not zombie.running, at_least_s=3)
        self.kills[failpoint] += zombie.exit_code == -signal.SIGKILL
        zombie.kill()

    def finish(self) -> None:
        self.running["producer"].wait(60)
        last = self.start("producer")
        assert last.wait(120) == 0, last.output.read_text()[-3000:]
        self.keep_consumers()
        until(self.deployment.drained, "the log is drained")
        for role in ("consumer-1", "consumer-2"):
            self.running[role].send(signal.SIGTERM)
        for role in ("consumer-1", "consumer-2"):
            last = self.running[role]
            code = last.wait(60)
            # While it loads its model, the signal ends it, and it has printed at most its first line.
            said = last.output.read_text() if last.output.exists() else ""
            is_starting = len(said.splitlines()) <= 1
            assert code in ((0, -signal.SIGTERM) if is_starting else (0,)), said[-3000:]

    def keep_consumers(self) -> None:
        for role in ("consumer-1", "consumer-2"):
            if not self.running[role].running:
                self.start(role)


def assert_the_same(quiet: Deployment, shaken: Deployment, frames: int) -> None:
    """The shaken run counted the same as the quiet one: the expected set does not come from the log."""
    shaken.run("aggregate")
    with closing(quiet.store()) as expected, closing(shaken.store()) as found, closing(shaken.log()) as log:
        assert len(detected(expected)) == frames
        assert detected(found) == detected(expected)
        assert_chains(found, log.end_offsets("frames"))
        assert part_files(expected)
        assert part_files(found) == part_files(expected)
    shaken.run("index")
    assert shaken.start("status").wait(60) == 0, shaken.stages[-1].output.read_text()


# Ample: on busy cores it takes several times as long as alone.
@pytest.mark.timeout(600 + 25 * KILLS + FRAMES // 10)
@pytest.mark.parametrize("form", first_quick(["single", "packs"]))
def test_a_count_killed_again_and_again_equals_an_undisturbed_one(
    deploy: Callable[..., Deployment], tmp_path: Path, form: str
) -> None:
    print(f"FAULTS_SEED={SEED}")
    rng = random.Random(SEED)  # noqa: S311
    growing = tmp_path / "growing" / "gate"
    shaken = deploy("shaken", **SETTINGS)
    options = ("--packs", *PICTURES) if form == "packs" else PICTURES
    loop = KillLoop(shaken, (*options, growing), rng)
    written = 0
    for turn in itertools.count():
        killed = sum(loop.kills.values())
        missing = [name for name in STAGE_FAILPOINTS if not loop.kills[name]]
        if killed >= KILLS and not missing:
            break
        assert turn < 4 * KILLS + 20, f"nothing dies at {missing}: {loop.kills}"
        # New pictures arrive continuously, so that there is always work to be killed at.
        there = max(written + 10, int(FRAMES * (killed + 2) / (KILLS + 4)))
        write_pictures(growing, range(written, there))
        written = there
        loop.keep_running()
        # Every failpoint has its turn, rare ones twice; the other kills are at random moments.
        if turn % 2 and killed < KILLS - 2 * len(missing):
            loop.kill_two_at_a_random_moment()
        else:
            loop.die_at(missing[0] if missing else rng.choice(STAGE_FAILPOINTS))
    loop.finish()
    print(dict(loop.kills), f"{shaken.messages() - written} announced twice")
    assert shaken.messages() > written, "no producer died between announcing and noting: that proves nothing"
    quiet = deploy("quiet", FAULTS_JITTER_S="0")
    quiet.run("produce", *PICTURES, growing)
    quiet.run("consume", "--until-caught-up")
    quiet.run("aggregate")
    assert_the_same(quiet, shaken, written)


@pytest.mark.thorough
@pytest.mark.timeout(180 + 15 * REAL_KILLS)
@pytest.mark.parametrize("backend", ["opencv", "openvino", "onnxruntime"])
def test_a_count_with_the_real_detector_killed_again_and_again_equals_an_undisturbed_one(
    deploy: Callable[..., Deployment], traffic_clip: Path, model_files: ModelFiles, backend: Backend
) -> None:
    if not is_installed(backend):
        pytest.skip(f"{backend} is not installed")
    print(f"FAULTS_SEED={SEED}")
    rng = random.Random(SEED)  # noqa: S311
    real = {"FRAMETALLY_DETECTOR": backend, "FRAMETALLY_INPUT_SIZE_PX": "224x224"}
    clip = ("--start-time", "2026-01-01T08:00:00Z", traffic_clip)
    quiet = deploy("quiet", FAULTS_JITTER_S="0", **real)
    quiet.run("produce", *clip)
    quiet.run("consume", "--until-caught-up")
    quiet.run("aggregate")

    shaken = deploy("shaken", **(SETTINGS | real))
    loop = KillLoop(shaken, clip, rng)
    while loop.kills["at a random moment"] < REAL_KILLS:
        loop.kill_two_at_a_random_moment()
    loop.finish()
    assert_the_same(quiet, shaken, 60)
