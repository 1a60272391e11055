"""Simulated footage and its counts never mix with real footage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from frametally.adapters_by_url import open_count_index
from frametally.media.manifests import footage_of
from frametally.records import Coverage, IntervalCount, MediaManifest, Run, decode, encode
from frametally.rules.places import SIMULATED_MODEL

DAY_MS = 1_764_547_200_000


def manifest(source: str, simulated_by: str | msgspec.UnsetType = msgspec.UNSET) -> MediaManifest:
    return MediaManifest(
        sha256=source.encode().hex().ljust(64, "0"),
        name=f"{source}.mp4",
        source=source,
        source_name=source,
        kind="video",
        time_source="start_time",
        sampling="all",
        frames_expected=1,
        frames_put=1,
        frames_announced=1,
        state="complete",
        simulated_by=simulated_by,
    )


def test_a_real_model_detects_filmed_footage_and_the_simulated_one_only_its_own() -> None:
    filmed, simulated = manifest("gate"), manifest("town", simulated_by=SIMULATED_MODEL)
    assert footage_of([filmed, simulated], "tiny") == [filmed]
    assert footage_of([filmed, simulated], None) == [filmed]
    assert footage_of([filmed, simulated], SIMULATED_MODEL) == [simulated]
    assert decode(encode(simulated), MediaManifest) == simulated
    assert b"simulated" not in encode(filmed)


def publish(folder: Path, model: str, sequence: int) -> None:
    run = Run(
        run_id=f"{sequence:06d}-0123456789abcdef",
        sequence=sequence,
        model=model,
        params="0a1b2c3d",
        interval_s=60,
        day="2025-12-01",
        prefix=f"counts/{model}",
        parts=["part-00000"],
        inputs_sha256="0" * 64,
        frames=1,
        duplicates_dropped=0,
        hours={},
    )
    of_minute: dict[str, Any] = {
        "model": model,
        "source": model,
        "interval_start_ms": DAY_MS,
        "interval_s": 60,
        "frames": 1,
    }
    count = IntervalCount(label="car", detections=1, peak=1, evidence=[], **of_minute)
    index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
    index.publish(run, [count], [Coverage(detections=1, **of_minute)])
    index.close()


def test_the_simulated_model_is_never_the_default_even_if_it_was_published_last(tmp_path: Path) -> None:
    publish(tmp_path, "tiny", 1)
    publish(tmp_path, SIMULATED_MODEL, 2)
    index = open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")
    assert [series.model for series in index.series()] == ["tiny", SIMULATED_MODEL]
    index.close()
