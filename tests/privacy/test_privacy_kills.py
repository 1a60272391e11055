"""A producer that is killed repeatedly at any moment stores the same as one without kills."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.commands import start_frametally
from tests.examples import THOROUGH
from tests.privacy.screened import images, opened, produce_there, ruled, traffic_frames, write_pictures

from frametally.media.manifests import list_manifests
from frametally.process import failpoints
from frametally.records import encode

KILLS = int(os.environ.get("FAULTS_PRIVACY_KILLS", 6 if THOROUGH else 2))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_killed_at_any_moment_only_blurred_frames_are_stored_and_none_is_lost(
    traffic_clip: Path, model_files: Any, tmp_path: Path
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    pictures = write_pictures(tmp_path / "pictures", traffic_frames(traffic_clip, 4))
    with opened(ruled(tmp_path / "calm")) as ports:
        produce_there(ports, pictures)
        expected = images(ports.store)
        (manifest,) = list_manifests(ports.store)
    killed = ruled(tmp_path / "killed")
    kills, code = 0, None
    for number in range(KILLS + 1):
        names = ["producer.put", "producer.published", "producer.noted", "producer.manifest"]
        passing = rng.randrange(1, 3) if number else 1  # a small run may pass each place only once
        failpoint = f"{rng.choice(names)}:{passing}" if number < KILLS else ""
        process = start_frametally(
            *("produce", str(pictures), "--source", "gate", "--sample-fps", "all"),
            cwd=tmp_path,
            output=tmp_path,
            constants={},
            **{"FRAMETALLY_DATA_DIR": str(killed), failpoints.VARIABLE: failpoint},
        )
        process.join(120)
        code = process.exitcode
        kills += code == -signal.SIGKILL
        with opened(killed) as ports:
            assert images(ports.store).items() <= expected.items()
    assert (code, kills > 0) == (0, True)
    with opened(killed) as ports:
        assert images(ports.store) == expected
        assert [encode(stored) for stored in list_manifests(ports.store)] == [encode(manifest)]
