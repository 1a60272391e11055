"""On a full disk, or one without hard links, commands print one line with the file and a remedy
that works."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.capabilities import HERE
from tests.fakes.records import make_manifest, make_run

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.errors import DiskFull, Misconfigured, Retryable
from frametally.files.work_lock import work_lock
from frametally.packs.packed_store import plain_of
from frametally.ports.frame_log import FrameLog
from frametally.process.reports import NoProgress
from frametally.records import encode

RUN = make_run()


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


def publish(log: FrameLog) -> None:
    log.publish("frames", [(b"a", b"b")])


READ: dict[str, tuple[Callable[[str], Any], Callable[[Any], object], Callable[[Any], object]]] = {
    "index": (open_count_index, lambda index: index.current_runs(), lambda index: index.publish(RUN, [], [])),
    "log": (open_frame_log, lambda log: log.end_offsets("frames"), publish),
    "ledger": (open_ledger, lambda ledger: ledger.manifests(), lambda ledger: ledger.clear()),
}
if "videos" in HERE:
    READ["catalogue"] = (
        import_module("frametally_videos.catalogue_by_url").open_video_catalogue,
        lambda catalogue: catalogue.job_states(),
        lambda catalogue: catalogue.put_notice("a", "s", "b"),
    )


@pytest.mark.parametrize("name", READ)
def test_a_database_can_be_read_on_a_full_disk_and_written_once_there_is_space(
    tiny_disk: Path, name: str
) -> None:
    opening, read, write = READ[name]
    url = f"sqlite:///{tiny_disk / 'base.sqlite'}"
    with closing(opening(url)) as opened:
        if name == "log":
            opened.create_topic("frames", 1)
        before = read(opened)
    fill(tiny_disk)
    with closing(opening(url)) as opened, closing(opening(url)) as other:
        for _ in range(2):
            assert read(opened) == read(other) == before
            with pytest.raises(
                Retryable, match=r"no space left for .*base\.sqlite: free some space"
            ) as raised:
                write(opened)
            assert "\n" not in str(raised.value)
        (tiny_disk / "filler").unlink()
        write(opened)
        assert read(opened) == read(other)


@pytest.mark.parametrize("name", sorted(READ.keys() - {"log"}))
def test_on_a_full_disk_a_missing_database_reads_as_empty_and_refuses_writers(
    tiny_disk: Path, name: str
) -> None:
    opening, read, write = READ[name]
    fill(tiny_disk)
    with closing(opening(f"sqlite:///{tiny_disk / 'base.sqlite'}")) as opened:
        for _ in range(2):
            assert not read(opened)
            with pytest.raises(DiskFull, match=r"no space left for .*base\.sqlite: free some space"):
                write(opened)
        (tiny_disk / "filler").unlink()
        write(opened)
        assert (tiny_disk / "base.sqlite").stat().st_size > 0
        assert read(opened) if name == "index" else not read(opened)


def test_a_log_cannot_be_created_on_a_full_disk(tiny_disk: Path) -> None:
    fill(tiny_disk)
    with pytest.raises(DiskFull, match=r"no space left for .*base\.sqlite: free some space"):
        open_frame_log(f"sqlite:///{tiny_disk / 'base.sqlite'}")


def test_a_ledger_on_a_full_disk_sees_new_objects_and_moves_back_to_its_file(
    tiny_disk: Path, tmp_path: Path
) -> None:
    file, medium, another = tiny_disk / "base.sqlite", make_manifest(3), make_manifest(3, media="b" * 64)
    with (
        closing(open_object_store((tmp_path / "store").as_uri())) as store,
        closing(open_ledger(f"sqlite:///{file}")) as ledger,
    ):
        fill(tiny_disk)
        store.put(medium.key, encode(medium))
        ledger.refresh(store, NoProgress())
        assert [manifest.sha256 for manifest in ledger.manifests()] == [medium.sha256]
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&readonly_shm=1", uri=True)) as plain:
            assert plain.execute("SELECT count(*) FROM frametally_ledger_objects").fetchone() == (0,)
        (tiny_disk / "filler").unlink()
        store.put(another.key, encode(another))
        ledger.refresh(store, NoProgress())
        assert len(ledger.manifests()) == 2
        with closing(sqlite3.connect(file)) as plain:
            assert plain.execute("SELECT count(*) FROM frametally_ledger_objects").fetchone() == (2,)


def test_a_lock_on_a_full_disk_is_named(tiny_disk: Path) -> None:
    lock = tiny_disk / "aggregate.lock"
    lock.touch()
    fill(tiny_disk)
    with pytest.raises(OSError, match="No space left") as raised, work_lock(tiny_disk, "aggregate"):
        pass
    assert raised.value.filename == str(lock)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
@pytest.mark.parametrize("durable", [True, False])
def test_a_file_system_without_hard_links_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, durable: bool
) -> None:
    def link(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with closing(open_object_store(tmp_path.as_uri())) as store:
        monkeypatch.setattr(os, "link", link)
        if not durable:  # through the library's own link call, which fails the same way
            monkeypatch.setattr(plain_of(store), "_put_fast", lambda *_, **__: link())
        with pytest.raises(Misconfigured, match=r"without hard links \(\w.*STORE_URL or ") as raised:
            store.put("media/a.json", b"{}", if_absent=True, durable=durable)
        assert str(tmp_path) in str(raised.value)
        assert list(tmp_path.rglob("*#*")) == []


def test_a_refused_link_in_one_folder_is_reported_as_a_missing_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = os.link

    def link(source: Path, target: Path) -> None:
        if target.name == "a.json":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        linked(source, target)

    with closing(open_object_store(tmp_path.as_uri())) as store:
        monkeypatch.setattr(os, "link", link)
        with pytest.raises(Misconfigured, match="give this user permission"):
            store.put("media/a.json", b"{}", if_absent=True)
