"""Sources are told by their written names: two cameras are never one without a word, nor one camera two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.producer.conftest import Bench

from frametally import keys
from frametally.records import MediaManifest, encode

Video = Callable[..., Path]
START = "2026-05-01T08:00:00Z"


def sources(bench: Bench) -> dict[str, str]:
    return {manifest.source_name: manifest.source for manifest in bench.manifests()}


def produced_by_an_earlier_version(bench: Bench, video: Path, name: str, source: str) -> MediaManifest:
    """Footage of the source `name` as it lay under a slug that had lost letters."""
    [made] = bench.produce(video, source=name, start_time=START).media
    earlier = msgspec.structs.replace(made, source=source)
    bench.store.put(keys.media_key(made.sha256), encode(earlier))
    return earlier


@pytest.mark.parametrize("names", [("北門1", "南門1"), ("Камера вход 7", "Гараж 7")])
def test_two_cameras_that_share_their_latin_letters_are_two(
    bench: Bench, make_video: Video, names: tuple[str, str]
) -> None:
    for length, name in enumerate(names, 3):
        bench.produce(make_video(f"{length}.mp4", length), source=name, start_time=START)
    assert len(set(sources(bench).values())) == 2


def test_folders_that_share_their_latin_letters_are_two_sources(bench: Bench, make_video: Video) -> None:
    folders = [make_video(f"{name}/a.mp4", len(name)).parent for name in ("カメラ 1", "玄関 1")]
    bench.produce(*folders)
    assert len(set(sources(bench).values())) == 2


def test_footage_goes_on_under_the_slug_that_an_earlier_version_gave_its_source(
    bench: Bench, make_video: Video
) -> None:
    produced_by_an_earlier_version(bench, make_video("a.mp4", 3), "北門1", "1")
    bench.produce(make_video("b.mp4", 4), source="北門1", start_time=START)
    bench.produce(make_video("c.mp4", 5), source="南門1", start_time=START)
    assert sources(bench) == {"北門1": "1", "南門1": keys.slug("南門1")}


def test_sources_that_an_earlier_version_merged_are_named(bench: Bench, make_video: Video) -> None:
    for length, name in enumerate(("北門1", "南門1"), 3):
        produced_by_an_earlier_version(bench, make_video(f"{name}.mp4", length), name, "1")
    report = bench.produce(make_video("new.mp4", 6), source="南門1", start_time=START)
    assert any("source 南門1: counted as one with 北門1" in line for line in report.notices)


@pytest.mark.parametrize("second", ["gate 1", "GATE-1", "gate-1"])
def test_another_way_to_write_a_source_is_refused_with_the_way_it_has(
    bench: Bench, make_video: Video, second: str
) -> None:
    bench.produce(make_video("a.mp4", 3), source="Gate 1", start_time=START)
    report = bench.produce(make_video("b.mp4", 4), source=second, start_time=START)
    [skipped] = report.skipped
    assert f"{second!r} would be one with 'Gate 1'" in skipped.reason
    assert sources(bench) == {"Gate 1": "gate-1"}


def test_two_ways_to_write_a_source_in_one_call_are_not_one(bench: Bench, make_video: Video) -> None:
    first, second = (make_video(f"{name}/a.mp4", n).parent for n, name in enumerate(("gate", "GATE"), 3))
    report = bench.produce(first, second)
    assert sources(bench) == {"gate": "gate"}
    assert ["would be one with 'gate'" in item.reason for item in report.skipped] == [True]


def test_a_name_that_is_the_slug_of_another_source_is_refused(bench: Bench, make_video: Video) -> None:
    produced_by_an_earlier_version(bench, make_video("a.mp4", 3), "北門1", "1")
    report = bench.produce(make_video("b.mp4", 4), source="1", start_time=START)
    assert ["would be one with '北門1'" in item.reason for item in report.skipped] == [True]


def test_a_damaged_manifest_of_another_medium_stops_nobody(bench: Bench, make_video: Video) -> None:
    bench.store.put(keys.media_key("0" * 64), b"{")
    assert bench.produce(make_video("a.mp4", 3), source="Gate", start_time=START).skipped == []


def test_accents_encoded_otherwise_are_the_same_name(bench: Bench, make_video: Video) -> None:
    for length, name in enumerate(("Zürich", "Zu\u0308rich"), 3):
        report = bench.produce(
            make_video(f"{length}.mp4", length), source=name, start_time=f"2026-03-0{length}T10:00:00Z"
        )
        assert (report.skipped, report.notices) == ([], [])
    assert len(set(sources(bench).values())) == 1
