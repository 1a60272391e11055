"""A full disk, and one that loses unsynced data: a committed offset always has its segment."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest
from tests.examples import first_quick
from tests.fakes.memory import ManualClock, MemoryLog
from tests.fakes.said import Said
from tests.faults.conftest import write_pictures
from tests.kit.consuming import consume_all

from frametally.adapters.files import folder_store as file_store
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.files import synced
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import NoProgress
from frametally.segments.chain import SegmentChain
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.load import load_detector
from frametally_producer.produce import produce
from frametally_producer.writing.production import ProduceCall

TOPIC = "frames"


class PowerCut(BaseException):
    """Simulates that the machine is off."""


class SyncedDisk:
    """What would remain of a folder after a power cut: names that a folder's sync wrote, bytes that a file's
    did.

    Stands in for `os` in the file store, and cuts the power before or after the n-th sync.
    """

    def __init__(self, cut_at: int, *, before: bool) -> None:
        self._cut_at, self._before = cut_at, before
        self._syncs = 0
        self._bytes: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def fsync(self, handle: int) -> None:
        self._syncs += 1
        if self._syncs >= self._cut_at and self._before:
            raise PowerCut
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            self._names[path] = {entry.name: entry.stat().st_ino for entry in path.iterdir()}
        else:
            self._bytes[os.fstat(handle).st_ino] = path.read_bytes()
        if self._syncs >= self._cut_at:
            raise PowerCut

    def after_the_cut(self, root: Path, survivors: Path) -> None:
        """Copy what would remain of `root` to `survivors`; a file with unsynced bytes is truncated
        to half."""
        for name, inode in self._names.get(root, {}).items():
            path = root / name
            if path.is_dir():
                (survivors / name).mkdir(parents=True, exist_ok=True)
                self.after_the_cut(path, survivors / name)
            elif path.exists() or inode in self._bytes:
                half = path.read_bytes()[: path.stat().st_size // 2] if path.exists() else b""
                (survivors / name).write_bytes(self._bytes.get(inode, half))


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "gate", range(24))
    return tmp_path / "gate"


def settings_in(folder: Path) -> Settings:
    return load_settings(
        data_dir=folder,
        detector="pixels",
        batch_frames=3,
        log_partitions=2,
        min_free_disk_mb=0,
        time_pattern="cam_%Y%m%d_%H%M%S",
    )


def run_consumer(settings: Settings, store: object, log: object, progress: NoProgress) -> int:
    return consume_all(settings, store, log, progress=progress).frames


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name an open file")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", first_quick([5, 1, 2, 3, 4, 6, 7, 8, 9, 12, 17]))
def test_after_a_power_cut_committed_work_is_there_and_the_rest_is_done_again(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int, before: bool
) -> None:
    settings = settings_in(tmp_path / "data")
    root = tmp_path / "data/store"
    clock = ManualClock()
    log = MemoryLog(clock=clock)
    with closing(open_object_store(settings.store_url)) as store:
        produce(ProduceCall(paths=[footage], settings=settings), store=store, log=log, progress=NoProgress())
    os.sync()
    model = load_detector(settings).model_id

    disk = SyncedDisk(cut_at, before=before)
    for module in (file_store, synced):
        monkeypatch.setattr(module, "os", disk)
    with closing(open_object_store(settings.store_url)) as store, pytest.raises(PowerCut):
        run_consumer(settings, store, log, NoProgress())
    monkeypatch.undo()
    committed = log.committed(TOPIC, consumer_group(model))

    survivors = tmp_path / "after/store"
    survivors.mkdir(parents=True)
    disk.after_the_cut(root, survivors)
    (survivors / "metadata").mkdir(exist_ok=True)
    (root / "images").rename(survivors / "images")
    clock.advance(1000)
    after = settings_in(tmp_path / "after")
    with closing(open_object_store(after.store_url)) as store:
        for partition, offset in committed.items():
            chain = SegmentChain(
                store, model=model, log_id=log.log_id(TOPIC), topic=TOPIC, partition=partition
            )
            assert chain.resume(0).next_offset >= offset, "committed, and not there"
        said = Said()
        run_consumer(after, store, log, said)
        assert said.lines == []
        reached = dict.fromkeys(log.end_offsets(TOPIC), 0)
        frames = []
        for key in list_segments(store):
            segment = read_segment(store, key)
            assert segment.header.first_offset == reached[segment.header.partition]
            reached[segment.header.partition] = segment.header.next_offset
            frames += [frame.image_path for frame in segment.frames()]
        assert reached == log.end_offsets(TOPIC)
        assert len(frames) == len(set(frames)) == 24


@pytest.mark.thorough
def test_on_a_full_disk_the_consumer_waits_with_a_message_and_continues_once_there_is_space(
    footage: Path, tmp_path: Path, tiny_disk: Path
) -> None:
    settings = settings_in(tmp_path / "data").model_copy(update={"store_url": f"file://{tiny_disk}/store"})
    filler = tiny_disk / "filler"

    class MakesRoom(Said):
        def say(self, line: str) -> None:
            super().say(line)
            filler.unlink(missing_ok=True)

    progress = MakesRoom()
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        produce(ProduceCall(paths=[footage], settings=settings), store=store, log=log, progress=NoProgress())
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(512))
        assert run_consumer(settings, store, log, progress) == 24
        [line, over] = progress.lines
        assert "no space left" in line
        assert "free some space" in line
        assert over.startswith("no longer waiting")
        leftovers = list((tiny_disk / "store").rglob("put#*"))
        assert leftovers == []
