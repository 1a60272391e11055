"""Simulated footage and its counts never mix with real footage."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.fakes.records import make_count, make_coverage, make_manifest, make_run

from frametally.adapters_by_url import open_count_index
from frametally.media.manifests import footage_of
from frametally.records import MediaManifest, decode, encode
from frametally.rules.places import SIMULATED_MODEL

DAY_MS = 1_764_547_200_000


def manifest(source: str, simulated_by: str | msgspec.UnsetType = msgspec.UNSET) -> MediaManifest:
    return make_manifest(
        1,
        media=source.encode().hex().ljust(64, "0"),
        source=source,
        source_name=source,
        sampling="all",
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
    run = make_run(sequence, model=model, day="2025-12-01")
    count = make_count(DAY_MS, model=model, source=model, evidence=[])
    coverage = make_coverage(DAY_MS, model=model, source=model, detections=1)
    index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
    index.publish(run, [count], [coverage])
    index.close()


def test_the_simulated_model_is_never_the_default_even_if_it_was_published_last(tmp_path: Path) -> None:
    publish(tmp_path, "tiny", 1)
    publish(tmp_path, SIMULATED_MODEL, 2)
    index = open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")
    assert [series.model for series in index.series()] == ["tiny", SIMULATED_MODEL]
    index.close()
