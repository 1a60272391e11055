"""A round that is killed repeatedly at any moment ends like one without kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from tests.commands import start_frametally
from tests.examples import THOROUGH
from tests.retention.filmed import FRAMES, START_MS, Filmed, filmed_days, opened

from frametally.process import failpoints
from frametally.rules.times import DAY_MS
from frametally_retention.policy import LegalHold, RetentionRule, put_hold, set_rule

KILLS = int(os.environ.get("FAULTS_RETENTION_KILLS", 12 if THOROUGH else 4))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
CONSTANTS = {"frametally_retention.rounds._BATCH": 20}


def set_policy(filmed: Filmed) -> None:
    set_rule(filmed.store, RetentionRule(kind="frames", after_ms=20 * DAY_MS))
    set_rule(filmed.store, RetentionRule(kind="thinning", after_ms=5 * DAY_MS, interval_s=60, frames=2))
    from_ms = START_MS - 30 * DAY_MS + 5000
    put_hold(filmed.store, LegalHold(name="case", from_ms=from_ms, to_ms=from_ms + 9000, set_at_ms=0))


@pytest.mark.thorough
@pytest.mark.timeout(900)
@pytest.mark.parametrize("packed", [False, True])
def test_a_round_killed_at_any_moment_loses_nothing_else_and_leaves_nothing_behind(
    tmp_path: Path, packed: bool
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    with filmed_days(calm) as filmed:
        set_policy(filmed)
        if packed:
            filmed.pack("images/gate", START_MS + 10**12)
    shutil.copytree(calm, killed)
    with opened(calm) as filmed:
        before = filmed.objects()
        filmed.round()
        expected = filmed.objects()
        lost = before.keys() - expected.keys()
        assert len(lost) > FRAMES

    def remove(failpoint: str, within_s: float) -> int | None:
        env = {"FRAMETALLY_DATA_DIR": str(killed), failpoints.VARIABLE: failpoint}
        process = start_frametally(
            "retention", "apply", cwd=tmp_path, output=tmp_path, constants=CONSTANTS, **env
        )
        process.join(within_s)
        process.kill()
        process.join()
        return process.exitcode

    kills = 0
    while kills < KILLS:
        if not kills:  # a later moment may be after the end
            code = remove(f"retention.{rng.choice(['begun', 'picture'])}:1", 120)
        elif rng.random() < 0.7:
            name = rng.choice(["retention.begun", "retention.picture"])
            code = remove(f"{name}:{rng.randrange(1, 12)}", 120)
        else:
            code = remove("", rng.uniform(0.2, 2))
        kills += code == -signal.SIGKILL
        if code == 0:
            break
    assert remove("", 300) == 0
    with opened(killed) as filmed:
        assert filmed.objects() == expected
        stored = b"".join(filmed.plain.get(info.key) for info in filmed.plain.list("images"))
        assert [key for key in lost if key.encode() in stored] == []
    print(f"{kills} kills")
    assert kills
