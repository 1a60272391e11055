"""The contract of interrupted and resumed writes in every store; for S3 alone see `test_s3_resumable.py`."""

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.test_object_store_contract import ADAPTERS, ESCAPES, PARAMS, every_adapter
from tests.examples import examples
from tests.fakes.at_once import at_once

from frametally.adapters.files import growing
from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Misconfigured, Poison
from frametally.files import work_lock
from frametally.ports.object_store import PIECE_BYTES, NoRoom, ObjectStore

KEY, PART = "videos/a/original", "uploads/a.part"
HALF = PIECE_BYTES // 2


def some_bytes(size_bytes: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size_bytes)  # noqa: S311 - no secret


@pytest.fixture(params=PARAMS)
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    with ExitStack() as stack:
        opened = ADAPTERS[request.param](stack)
        stack.callback(opened.close)
        yield opened


@pytest.mark.thorough
@pytest.mark.parametrize("size_bytes", [1, 60_000, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 21_000_000])
def test_a_write_in_many_pieces_becomes_the_object_when_finished(store: ObjectStore, size_bytes: int) -> None:
    data = some_bytes(size_bytes)
    write = store.resumable(KEY, PART)
    step = 1_234_567
    for at in range(0, size_bytes, step):
        write.append(data[at : at + step], at_byte=at)
        assert store.head(KEY) is None
    assert write.finish()
    assert store.get(KEY) == data
    assert [info.key for info in store.list("")] == [KEY]


@pytest.mark.thorough
def test_an_interrupted_upload_resumes_where_it_was(store: ObjectStore) -> None:
    data = some_bytes(3 * PIECE_BYTES + HALF)
    sent = at = 0
    for cut in (HALF, PIECE_BYTES + HALF, 2 * PIECE_BYTES + 7, len(data)):
        write = store.resumable(KEY, PART)
        kept = write.durable_bytes
        assert at - kept <= PIECE_BYTES
        write.append(data[kept:cut], at_byte=kept)
        sent += cut - kept
        at = cut
    assert store.resumable(KEY, PART).durable_bytes >= 3 * PIECE_BYTES
    assert write.finish()
    assert hashlib.sha256(store.get(KEY)).digest() == hashlib.sha256(data).digest()
    assert sent <= len(data) + 3 * PIECE_BYTES


@pytest.mark.thorough
def test_each_whole_piece_is_saved_automatically_and_a_flush_saves_the_rest(store: ObjectStore) -> None:
    data = some_bytes(2 * PIECE_BYTES + 5)
    write = store.resumable(KEY, PART)
    assert write.durable_bytes == 0
    write.append(data, at_byte=0)
    assert store.resumable(KEY, PART).durable_bytes >= 2 * PIECE_BYTES
    assert write.flush() == write.durable_bytes == len(data)
    other = store.resumable(KEY, PART)
    assert other.durable_bytes == len(data)
    other.append(b"more", at_byte=len(data))
    assert other.flush() == len(data) + 4
    assert other.finish()
    assert store.get(KEY) == data + b"more"


def test_a_saved_partial_piece_continues_to_a_whole_piece_and_beyond(store: ObjectStore) -> None:
    data = some_bytes(PIECE_BYTES + HALF)
    for first, end in ((0, 5), (5, HALF), (HALF, PIECE_BYTES - 1), (PIECE_BYTES - 1, len(data))):
        write = store.resumable(KEY, PART)
        assert write.durable_bytes == first
        write.append(data[first:end], at_byte=first)
        assert write.flush() == end
    assert store.resumable(KEY, PART).finish()
    assert store.get(KEY) == data


@pytest.mark.parametrize("at_byte", [0, 4, 6, 5 * PIECE_BYTES])
def test_bytes_out_of_sequence_are_refused_and_earlier_ones_stay(store: ObjectStore, at_byte: int) -> None:
    write = store.resumable(KEY, PART)
    write.append(b"01234", at_byte=0)
    write.flush()
    with pytest.raises(Poison, match=r"do not follow the 5"):
        write.append(b"xx", at_byte=at_byte)
    assert write.durable_bytes == 5
    write.append(b"56789", at_byte=write.durable_bytes)
    assert write.finish()
    assert store.get(KEY) == b"0123456789"


def test_two_writers_continuing_one_write_are_told_apart(store: ObjectStore) -> None:
    first = store.resumable(KEY, PART)
    first.append(b"01234", at_byte=0)
    first.flush()
    second = store.resumable(KEY, PART)
    first.append(b"56", at_byte=5)
    assert first.flush() == 7
    with pytest.raises(Poison, match=r"do not follow|another process"):
        second.append(b"5678", at_byte=5)
        second.flush()
    assert store.resumable(KEY, PART).durable_bytes == 7


def test_an_existing_object_stays_and_the_write_is_removed(store: ObjectStore) -> None:
    for size_bytes in (10, PIECE_BYTES + 10):
        store.put(KEY, b"first")
        write = store.resumable(KEY, PART)
        write.append(some_bytes(size_bytes), at_byte=0)
        assert not write.finish()
        assert store.get(KEY) == b"first"
        assert [info.key for info in store.list("")] == [KEY]


def test_finishing_again_in_this_or_another_process_makes_no_second_object(store: ObjectStore) -> None:
    for size_bytes in (10, PIECE_BYTES + 10):
        data = some_bytes(size_bytes)
        write = store.resumable(KEY, PART)
        write.append(data, at_byte=0)
        assert write.finish()
        assert not write.finish()
        assert not store.resumable(KEY, PART).finish()
        assert store.get(KEY) == data
        assert [info.key for info in store.list("")] == [KEY]
        store.delete(KEY)


def test_bytes_that_nobody_sent_never_become_an_object(store: ObjectStore) -> None:
    write = store.resumable(KEY, PART)
    write.append(b"", at_byte=0)
    assert write.flush() == 0
    with pytest.raises(Poison, match="start again"):
        write.finish()
    assert list(store.list("")) == []


@pytest.mark.parametrize("size_bytes", [10, PIECE_BYTES + 10])
def test_an_aborted_write_leaves_nothing_and_accepts_nothing_more(
    store: ObjectStore, size_bytes: int
) -> None:
    write = store.resumable(KEY, PART)
    write.append(some_bytes(size_bytes), at_byte=0)
    write.flush()
    other = store.resumable(KEY, PART)
    write.abort()
    write.abort()
    assert list(store.list("")) == []
    assert write.durable_bytes == 0
    for late in (write, other):
        with pytest.raises(Poison):
            late.append(b"more", at_byte=size_bytes)
            late.flush()
        with pytest.raises(Poison):
            late.finish()
    assert list(store.list("")) == []
    anew = store.resumable(KEY, PART)
    assert anew.durable_bytes == 0
    anew.append(b"anew", at_byte=0)
    assert anew.finish()
    assert store.get(KEY) == b"anew"


@pytest.mark.parametrize("size_bytes", [10, PIECE_BYTES + 10])
def test_a_writer_unaware_of_the_finish_adds_nothing_to_the_object(
    store: ObjectStore, size_bytes: int
) -> None:
    data = some_bytes(size_bytes)
    write = store.resumable(KEY, PART)
    write.append(data, at_byte=0)
    write.flush()
    late = store.resumable(KEY, PART)
    assert write.finish()
    with pytest.raises(Poison):
        late.append(some_bytes(PIECE_BYTES), at_byte=size_bytes)
        late.flush()
    assert store.get(KEY) == data


def test_one_of_8_that_finish_a_write_at_once_makes_the_object(
    store: ObjectStore, request: pytest.FixtureRequest
) -> None:
    # A server that is asked 8 times at once loses answers: then more than one may have made it.
    most = 8 if "s3" in request.node.callspec.id else 1
    for size_bytes in (10, PIECE_BYTES + 10):
        data = some_bytes(size_bytes)
        write = store.resumable(KEY, PART)
        write.append(data, at_byte=0)
        write.flush()
        made = at_once(*(store.resumable(KEY, PART).finish for _ in range(8)))
        assert 1 <= made.count(True) <= most
        assert store.get(KEY) == data
        assert [info.key for info in store.list("")] == [KEY]
        store.delete(KEY)


@pytest.mark.parametrize("key", ESCAPES, ids=ascii)
def test_a_key_that_escapes_the_store_takes_no_write(store: ObjectStore, key: str) -> None:
    with pytest.raises(Poison, match="relative path"):
        store.resumable(key, PART)
    with pytest.raises(Poison, match="relative path"):
        store.resumable(KEY, key)


@pytest.mark.thorough
@every_adapter
@settings(max_examples=examples(25))
@given(
    sizes=st.lists(st.sampled_from([1, 1000, HALF, PIECE_BYTES - 1, PIECE_BYTES]), min_size=1, max_size=5),
    acts=st.lists(
        st.sampled_from(["go on", "flush", "killed", "flushed and killed"]), min_size=5, max_size=5
    ),
)
def test_after_any_flushes_and_kills_the_object_holds_exactly_what_was_sent(
    adapter: str, sizes: list[int], acts: list[str]
) -> None:
    data = some_bytes(sum(sizes))
    with ExitStack() as stack:
        store = ADAPTERS[adapter](stack)
        write, at = store.resumable(KEY, PART), 0
        for size, act in zip(sizes, acts, strict=False):
            write.append(data[at : at + size], at_byte=at)
            at += size
            if "flush" in act:
                assert write.flush() == at
            if "killed" in act:
                write = store.resumable(KEY, PART)
                kept = write.durable_bytes
                assert at - kept < PIECE_BYTES
                at = kept
        write.append(data[at:], at_byte=at)
        assert write.finish()
        assert store.get(KEY) == data


# Guarantees of files alone.

WRITER = """
import sys
from frametally.adapters_by_url import open_object_store
write = open_object_store(sys.argv[1]).resumable("videos/a/original", "uploads/a.part")
at = write.durable_bytes
print(at, flush=True)
piece = bytes(range(256)) * 4096
for _ in range(200):
    write.append(piece, at_byte=at)
    at += len(piece)
    print(at, flush=True)
"""


def file_store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path.as_uri())


@pytest.mark.thorough
def test_a_killed_process_loses_nothing_that_it_had_accepted(tmp_path: Path) -> None:
    told = 0
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path.as_uri()], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        with writer, writer.stdout as lines:
            begun = int(next(lines))
            assert begun >= told
            for line in lines:
                told = int(line)
                if told >= begun + 20 * 2**20:
                    writer.kill()
        assert writer.returncode == -signal.SIGKILL
    store = file_store(tmp_path)
    write = store.resumable(KEY, PART)
    size_bytes = write.durable_bytes
    assert size_bytes >= told
    assert write.finish()
    assert store.get(KEY) == bytes(range(256)) * (size_bytes // 256)


def test_a_full_disk_keeps_what_it_accepted_and_reports_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = file_store(tmp_path).resumable(KEY, PART)
    write.append(b"01234", at_byte=0)
    whole = os.pwrite

    def full(handle: int, data: bytes, at_byte: int) -> int:
        if len(data) > 2:
            return whole(handle, data[:2], at_byte)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(NoRoom, match=r"no space left for videos/a/original: free some space"):
            write.append(b"5678", at_byte=5)
    assert write.durable_bytes == 7
    write.append(b"789", at_byte=7)
    assert write.finish()
    assert file_store(tmp_path).get(KEY) == b"0123456789"


def test_each_piece_and_each_new_name_is_on_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()).removeprefix(str(tmp_path)))
        fsync(handle)

    store = file_store(tmp_path)
    monkeypatch.setattr(os, "fsync", note)
    write = store.resumable(KEY, PART)
    write.append(some_bytes(10), at_byte=0)
    assert synced == ["/uploads", ""]
    synced.clear()
    write.append(some_bytes(PIECE_BYTES), at_byte=10)
    assert synced == ["/uploads/a.part"]
    synced.clear()
    write.append(some_bytes(3 * PIECE_BYTES), at_byte=PIECE_BYTES + 10)
    assert synced == ["/uploads/a.part"] * 3
    synced.clear()
    assert write.finish()
    assert synced[0] == "/uploads/a.part"
    assert "/videos/a" in synced
    assert "/videos" in synced


def test_an_append_that_waits_while_the_write_finishes_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = file_store(tmp_path)
    late = store.resumable(KEY, PART)
    late.append(b"0123", at_byte=0)
    locked = work_lock.locked

    def finished_meanwhile(handle: int, *, look_every_s: float, on_held: Callable[[], None]) -> object:
        monkeypatch.setattr(growing, "locked", locked)
        assert store.resumable(KEY, PART).finish()
        return locked(handle, look_every_s=look_every_s, on_held=on_held)

    monkeypatch.setattr(growing, "locked", finished_meanwhile)
    with pytest.raises(Poison, match="finished or aborted"):
        late.append(b"4567", at_byte=4)
    assert store.get(KEY) == b"0123"


def test_folders_on_two_file_systems_are_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = file_store(tmp_path).resumable(KEY, PART)
    write.append(b"0123", at_byte=0)

    def other_disk(*names: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", other_disk)
        with pytest.raises(Misconfigured, match=r"on different file systems.*whole folder on one"):
            write.finish()
    assert write.finish()


def test_an_unwritable_folder_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(handle: int, data: bytes, at_byte: int) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "pwrite", refused)
    with pytest.raises(Misconfigured, match="give this user permission"):
        file_store(tmp_path).resumable(KEY, PART).append(b"x", at_byte=0)
