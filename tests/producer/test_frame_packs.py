"""With packs, the producer stores an object per source and minute, with the usual announcements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.examples import first_quick
from tests.producer.conftest import Bench

from frametally.errors import Misconfigured
from frametally.packs.pack_keys import is_part_key
from frametally.packs.packed_store import PackedStore
from frametally_producer.writing import frames, manifest

START = "2026-05-01T06:00:10Z"
FRAMES, FPS = 90, 1  # of three minutes
SLOW = {"fps": FPS, "options": {"g": "9"}}


@pytest.fixture(autouse=True)
def notes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "NOTE_EVERY_S", 0)
    monkeypatch.setattr(frames, "_PACKED_AT_ONCE_BYTES", 1)


def images(bench: Bench) -> dict[str, bytes]:
    store = PackedStore(bench.store)
    return {info.key: store.get(info.key) for info in store.list("images")}


def objects(bench: Bench) -> dict[str, bytes]:
    return {info.key: bench.store.get(info.key) for info in bench.store.list("images")}


def produce(bench: Bench, path: Path, **overrides: Any) -> None:
    plain, bench.store = bench.store, PackedStore(bench.store)  # type: ignore[assignment]
    try:
        bench.produce(path, source="gate", start_time=START, sample_fps="all", **overrides)
    finally:
        bench.store = plain


def other_bench(bench: Bench, name: str) -> Bench:
    return type(bench)(bench.folder / name)


def test_packed_footage_has_one_object_a_minute_and_is_announced_and_read_like_single_frames(
    bench: Bench,
) -> None:
    path = bench.video("a.mp4", FRAMES, **SLOW)
    single = other_bench(bench, "single")
    produce(single, path)
    produce(bench, path, packs=True)
    assert (len(objects(single)), len(objects(bench))) == (FRAMES, 2)
    assert all(map(is_part_key, objects(bench)))
    assert images(bench) == images(single)
    assert bench.log.announcements == single.log.announcements
    assert bench.manifests() == single.manifests()
    # Announced frames are stored: each pack is put before the first of its frames is announced.
    places = {path: number for number, (_, path) in reversed([*enumerate(bench.store.effects)])}
    for announcement in bench.log.announcements:
        pack = announcement.image_path.rpartition("/")[0]
        assert any(places[key] < places[announcement.image_path] for key in places if key.startswith(pack))


@pytest.mark.parametrize("fatal", first_quick([1, 2]))
@pytest.mark.parametrize("where", ["put", "batch"])
def test_after_a_kill_at_a_pack_or_an_announcement_the_same_call_ends_as_if_it_had_never_stopped(
    bench: Bench, where: str, fatal: int
) -> None:
    path = bench.video("a.mp4", FRAMES, **SLOW)
    (bench.store if where == "put" else bench.log).fail_at = fatal
    with pytest.raises(BaseException, match="at a"):
        produce(bench, path, packs=True)
    bench.store.fail_at = bench.log.fail_at = 0
    # Other settings would encode other bytes: stored frames are announced unchanged.
    produce(bench, path, packs=True, jpeg_quality=50)
    stored = images(bench)
    assert {a.frame_index for a in bench.log.announcements} == set(range(FRAMES))
    for announcement in bench.log.announcements:
        assert len(stored[announcement.image_path]) == announcement.bytes
    assert bench.manifests()[0].frames_announced == FRAMES


def test_a_frame_that_is_stored_singly_is_not_packed_too(bench: Bench) -> None:
    path = bench.video("a.mp4", FRAMES, **SLOW)
    bench.log.fail_at = 1
    with pytest.raises(BaseException, match="at a batch"):
        produce(bench, path)
    single = objects(bench)
    bench.log.fail_at = 0
    produce(bench, path, packs=True, jpeg_quality=50)
    assert len(images(bench)) == FRAMES
    assert images(bench).items() >= single.items()
    assert {a.frame_index for a in bench.log.announcements} == set(range(FRAMES))


def test_many_bytes_of_one_minute_do_not_wait_for_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "PACK_BYTES", 5000)
    produce(bench, bench.video("a.mp4", 40, **SLOW), packs=True)
    assert bench.log.batches > 2
    assert len(images(bench)) == 40


def test_a_damaged_pack_stops_the_producer_with_one_message(bench: Bench) -> None:
    path = bench.video("a.mp4", FRAMES, **SLOW)
    produce(bench, path, packs=True)
    bench.store.delete(f"media/{bench.manifests()[0].sha256}.json")
    key = next(iter(objects(bench)))
    bench.store.put(key, bench.store.get(key)[:-1])
    with pytest.raises(
        Misconfigured, match=f"pack {key} is damaged: it was cut short; restore it from a copy"
    ):
        produce(bench, path, packs=True)
