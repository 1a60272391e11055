"""Several producers of one medium: the notes of each are kept, and the books are never broken."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.at_once import at_once
from tests.fakes.memory import MemoryStore
from tests.producer.conftest import Bench

from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Retryable
from frametally.media.forgetting import put_tombstone
from frametally.media.manifests import change_manifest, find_manifest, list_manifests, media_of
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, MediaManifest, encode
from frametally.rules.frame_bitmap import FrameBitmap
from frametally_producer.reading.sampling import denser
from frametally_producer.writing.manifest import Forgotten, ManifestKeeper

SHA256 = "ab" * 32


def new_manifest(**fields: object) -> MediaManifest:
    usual: dict[str, object] = {
        "sha256": SHA256,
        "name": "a.mp4",
        "source": "gate",
        "source_name": "Gate",
        "kind": "video",
        "time_source": "container",
        "sampling": "5",
        "start_ms": 0,
        "frames_expected": 0,
        "frames_put": 0,
        "frames_announced": 0,
        "state": "producing",
    }
    return MediaManifest(**(usual | fields))


def announcement(index: int, media: str = SHA256) -> FrameAnnouncement:
    return FrameAnnouncement(
        image_path=f"images/gate/1970-01-01/{index * 100}-{'ab' * 6}-0.jpg",
        source="gate",
        frame_index=index,
        captured_at_ms=index * 100,
        time_source="container",
        width_px=1,
        height_px=1,
        bytes=1,
        sha256=SHA256,
        media=media,
    )


def keeper(store: MemoryStore, *samplings: str, known: MediaManifest | None = None, **fields: object) -> Any:
    patience = Patience(lambda line: None, lambda: False)
    manifest = known or new_manifest(**fields)
    return ManifestKeeper(
        store, manifest, patience, samplings=samplings or ("5",), is_stored=known is not None
    )


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["video", "pictures"])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 40), max_size=5), st.booleans()), max_size=20
    )
)
def test_every_writers_notes_stay_in_whatever_order_they_write(kind: str, steps: list) -> None:
    store = MemoryStore()
    keepers = [keeper(store, kind=kind, sampling="all") for _ in range(3)]
    written: set[int] = set()
    pending: list[set[int]] = [set(), set(), set()]
    for who, indices, writing in steps:
        keepers[who].note([announcement(index) for index in indices])
        pending[who] |= set(indices)
        if writing:
            keepers[who].write(expected=3)
            written |= pending[who]
    found = find_manifest(store, SHA256)
    if found is None:
        assert not written
        return
    assert found.frames_announced == found.frames_put == len(written)
    assert found.frames_expected >= found.frames_announced
    if kind == "video":
        assert {i for i in range(50) if i in FrameBitmap(found.announced_frames)} == written
    else:
        assert len(found.announced_pictures) == len(written)
    if written:
        assert (found.first_captured_at_ms, found.last_captured_at_ms) == (
            min(written) * 100,
            max(written) * 100,
        )


@given(st.lists(st.integers(0, 100)), st.lists(st.integers(0, 100)))
def test_a_bitmap_merges_another_and_counts_its_indices(one: list, other: list) -> None:
    bitmaps = [FrameBitmap(b""), FrameBitmap(b"")]
    for bitmap, indices in zip(bitmaps, (one, other), strict=True):
        for index in indices:
            bitmap.add(index)
    bitmaps[0].update(bytes(bitmaps[1]))
    both = set(one) | set(other)
    assert {index for index in range(120) if index in bitmaps[0]} == both
    assert len(bitmaps[0]) == len(both)


def test_the_first_writer_gives_a_medium_its_source_and_time() -> None:
    store = MemoryStore()
    first = keeper(store, start_ms=1000)
    second = keeper(store, start_ms=2000, source="yard")
    first.write(expected=1)
    second.write(expected=1)
    assert (second.manifest.start_ms, second.manifest.source) == (1000, "gate")


def test_a_medium_is_complete_once_all_requested_frames_are_announced() -> None:
    store = MemoryStore()
    coarse, fine = keeper(store, "5", sampling="5"), keeper(store, "7", sampling="7")
    coarse.write(expected=5)
    fine.write(expected=7)
    assert fine.samplings == {"5", "7"}, "it does what the other may not live to do"
    coarse.note([announcement(0)])
    coarse.write()
    assert find_manifest(store, SHA256).state == "producing"
    assert find_manifest(store, SHA256).sampling == denser("5", "7")
    fine.note([announcement(0), announcement(1)])
    fine.write()
    done = find_manifest(store, SHA256)
    assert (done.state, done.frames_expected, done.frames_announced) == ("complete", 2, 2)
    coarse.write(expected=5)  # late, and with nothing new
    assert find_manifest(store, SHA256) == done


def test_a_medium_that_is_forgotten_or_corrected_meanwhile_is_left_alone() -> None:
    store = MemoryStore()
    forgotten = keeper(store)
    forgotten.write(expected=1)
    store.delete(f"media/{SHA256}.json")
    with pytest.raises(Forgotten, match="was forgotten"):
        forgotten.write(expected=1)
    assert find_manifest(store, SHA256) is None
    store.put(f"media/{SHA256}.json", encode(new_manifest(revision=1)))
    with pytest.raises(Forgotten, match="was corrected"):
        forgotten.write(expected=1)
    assert find_manifest(store, SHA256).revision == 1


@pytest.mark.thorough
def test_a_forgotten_video_or_picture_is_produced_again_as_a_new_revision(bench: Bench) -> None:
    paths = [bench.video("a.mp4", 10), bench.picture("b.jpg")]
    report = bench.produce(*paths)
    for medium in report.media:
        put_tombstone(bench.store, medium, why="forget")
        bench.store.delete(f"media/{medium.sha256}.json")
    bench.log.announcements.clear()
    again = bench.produce(*paths)
    assert again.frames_announced == report.frames_announced == 6
    assert [m.revision for m in again.media] == [1, 1]
    assert {a.media for a in bench.log.announcements} == {media_of(m) for m in again.media}


def test_a_process_that_keeps_the_manifests_locked_is_named_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally.adapters.files.folder_store._LOCK_PATIENCE_S", 0.05)
    store = FileStore((tmp_path / "store").as_uri())
    code = (
        "import fcntl, os, sys, time; f = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('locked', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "store"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(Retryable, match="another process"):
            change_manifest(store, SHA256, lambda found: new_manifest())
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    change_manifest(store, SHA256, lambda found: new_manifest())  # a lock ends with its holder
    assert find_manifest(store, SHA256) is not None


@pytest.mark.thorough
def test_two_producers_of_one_source_note_everything_that_either_announced(
    tmp_path: Path, make_picture: Callable[..., Path], make_video: Callable[..., Path]
) -> None:
    for side in ("left", "right"):
        for index in range(60):
            at = index * 2 + (side == "right")
            taken = f"2026:05:01 08:{at // 60:02}:{at % 60:02}"
            make_picture(f"{side}/{index:03}.jpg", index=index, taken=taken, offset="+00:00")
    video = make_video("gate.mp4", 300, metadata={"creation_time": "2026-05-01T06:00:00Z"})
    data = tmp_path / "data"
    command = [sys.executable, "-m", "frametally", "produce", "--source", "Gate", "--data-dir", data]
    command += ["--sample-fps", "all"]
    calls = [[*command, video, tmp_path / side] for side in ("left", "right")]
    running = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for call in calls]
    states: set[tuple[str, ...]] = set()
    store = FileStore((data / "store").as_uri())
    while any(one.poll() is None for one in running):
        for manifest in list_manifests(store):
            assert manifest.frames_announced <= manifest.frames_expected
            states.add((manifest.kind, manifest.state))
        time.sleep(0.01)
    assert [one.communicate() and one.returncode for one in running] == [0, 0]
    pictures, whole = sorted(list_manifests(store), key=lambda m: m.kind)
    assert (pictures.frames_announced, pictures.frames_expected, pictures.state) == (120, 120, "complete")
    assert (whole.frames_announced, whole.frames_expected, whole.state) == (300, 300, "complete")
    assert len(list(store.list("images"))) == 420


def test_threads_share_the_lock_of_an_in_memory_store() -> None:
    store = MemoryStore()
    change_manifest(store, SHA256, lambda found: new_manifest())

    def more(found: MediaManifest | None) -> MediaManifest:
        time.sleep(0.0001)
        return new_manifest(frames_expected=found.frames_expected + 1)

    at_once(*4 * [lambda: [change_manifest(store, SHA256, more) for _ in range(20)]])
    assert find_manifest(store, SHA256).frames_expected == 80
