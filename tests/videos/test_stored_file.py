"""An object read as a file: the exact bytes at any position, in few and small reads of the store."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers
from tests.examples import examples
from tests.fakes.memory import MemoryStore
from tests.kit.clips import write_clip

from frametally.errors import Retryable
from frametally.ports.object_store import ObjectMissing
from frametally_videos.library.stored_file import BLOCK_BYTES, MOST_BLOCKS, StoredFile
from frametally_videos.playback.stored_bytes import BytePart, NoBytes, WantedBytes, WholeObject, select_bytes

KEY = "videos/a/original"
DATA = random.Random(0).randbytes(3 * BLOCK_BYTES + 1000)  # noqa: S311 - no secret


def a_store(data: bytes = DATA) -> MemoryStore:
    store = MemoryStore()
    store.put(KEY, data)
    return store


places = st.one_of(
    st.integers(0, len(DATA) + 10),
    st.sampled_from([0, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, len(DATA)]),
)


@settings(max_examples=examples(100))
@given(
    acts=st.lists(st.tuples(st.sampled_from(["read", "into", "seek", "here", "end"]), places), max_size=20)
)
def test_a_stored_file_reads_like_the_same_bytes_in_memory(acts: list[tuple[str, int]]) -> None:
    stored, same = StoredFile(a_store(), KEY), io.BytesIO(DATA)
    for act, number in acts:
        if act == "read":
            assert stored.read(number) == same.read(number)
        elif act == "into":
            buffer = bytearray(number)
            count = stored.readinto(buffer)
            assert buffer[:count] == same.read(count)
            assert count > 0 or not number or stored.tell() >= len(DATA)
        elif act == "seek":
            assert stored.seek(number) == same.seek(number)
        elif act == "here":
            assert stored.seek(number - stored.tell(), os.SEEK_CUR) == same.seek(number)
        else:
            before_end = -min(number, len(DATA))
            assert stored.seek(before_end, os.SEEK_END) == same.seek(before_end, os.SEEK_END)
        assert stored.tell() == same.tell()
    assert stored.read() == same.read()


def test_a_file_is_read_once_and_in_blocks_however_small_the_reads_are() -> None:
    stored = StoredFile(a_store(), KEY)
    for _ in range(1000):
        stored.read(1000)
    assert stored.read_bytes == BLOCK_BYTES
    stored.seek(2 * BLOCK_BYTES)
    stored.read(10)
    stored.seek(0)
    stored.read(10)
    assert stored.read_bytes == 2 * BLOCK_BYTES


def test_only_a_limited_number_of_blocks_is_kept() -> None:
    store = a_store(bytes((MOST_BLOCKS + 4) * BLOCK_BYTES))
    stored = StoredFile(store, KEY)
    while stored.read(BLOCK_BYTES):
        pass
    before = stored.read_bytes
    stored.seek(-1, os.SEEK_END)
    stored.read(1)
    assert stored.read_bytes == before
    stored.seek(0)
    stored.read(1)
    assert stored.read_bytes == before + BLOCK_BYTES
    assert len(stored._blocks) == MOST_BLOCKS


def test_a_missing_or_changed_file_and_an_invalid_position_give_clear_errors() -> None:
    store = a_store()
    with pytest.raises(ObjectMissing, match=KEY):
        StoredFile(MemoryStore(), KEY)
    stored = StoredFile(store, KEY, retry=lambda read: read())
    for offset, whence in ((-1, os.SEEK_SET), (-1, os.SEEK_CUR), (0, 7)):
        with pytest.raises(ValueError, match="not a position in a file"):
            stored.seek(offset, whence)
    store.put(KEY, b"other, and shorter")
    with pytest.raises(Retryable, match=r"length of .* has changed"):
        stored.read(10)
    store.delete(KEY)
    with pytest.raises(ObjectMissing, match=KEY):
        stored.read(10)


def test_a_video_in_a_store_decodes_and_seeks_like_a_file(tmp_path: Path) -> None:
    shades = (np.full((48, 64, 3), number * 5, np.uint8) for number in range(50))
    clip = write_clip(tmp_path / "a.mp4", shades, fps=10, codec="mpeg4")

    def pictures(file: object) -> list[tuple[int | None, bytes]]:
        with av.open(file, format="mp4") as container:
            found = [(f.pts, f.to_ndarray().tobytes()) for f in container.decode(video=0)]
            container.seek(3_000_000)
            return [*found, *((f.pts, f.to_ndarray().tobytes()) for f in container.decode(video=0))]

    expected = pictures(str(clip))
    assert len(expected) > 50
    assert pictures(StoredFile(a_store(clip.read_bytes()), KEY)) == expected


TAG = '"0a1b"'
SIZE = 1000


def ask(*headers: tuple[str, str], method: str = "GET", size: int = SIZE) -> WantedBytes:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return select_bytes(method, Headers(raw=raw), etag=TAG, size_bytes=size)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=999-", (999, 1000)),
        ("bytes=990-5000", (990, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("Bytes=0-9", (0, 10)),
        ("bytes= 0-9 ", (0, 10)),
        ("bytes=,0-9,", (0, 10)),
        ("bytes=0000000000000000000000000-9", (0, 10)),
        (f"bytes=0-{'9' * 5000}", (0, 1000)),
        (f"bytes=-{'9' * 5000}", (0, 1000)),
    ],
)
def test_a_range_gives_that_part_truncated_at_the_end(asked: str, part: tuple[int, int]) -> None:
    assert ask(("Range", asked)) == BytePart(*part)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_beyond_the_end_cannot_be_satisfied(asked: str) -> None:
    assert ask(("Range", asked)) == NoBytes(416)


@pytest.mark.parametrize(
    "asked",
    [
        *(
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=0-9x",
            "bytes=0 -9",
            "bytes=--1",
            "bytes=9-3",
        ),
        *(
            "bytes=0-1,5-9",
            "bytes=0-1, 5-9",
            "bytes=0-0,-1",
            "seconds=0-9",
            "0-9",
            "bytes:0-9",
            "bytes=1.0-2",
        ),
        *("bytes=\u00b2-\u00b3", "bytes==0-9", "=0-9"),
    ],
)
def test_an_invalid_range_and_several_ranges_are_ignored(asked: str) -> None:
    assert ask(("Range", asked)) == WholeObject()


def test_two_range_headers_and_a_range_of_head_are_ignored() -> None:
    assert ask(("Range", "bytes=0-9"), ("Range", "bytes=5-6")) == WholeObject()
    assert ask(("Range", "bytes=0-9"), method="HEAD") == WholeObject()
    assert ask(("Range", "bytes=5000-"), method="HEAD") == WholeObject()


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_a_range_of_an_empty_object_cannot_be_satisfied(asked: str) -> None:
    assert ask(("Range", asked), size=0) == NoBytes(416)


@pytest.mark.parametrize(
    ("condition", "is_part"),
    [
        (TAG, True),
        (f" {TAG}\t", True),
        (f"W/{TAG}", False),
        ('"other"', False),
        ("0a1b", False),
        ("Sun, 22 Nov 2026 01:00:00 GMT", False),
        (f'{TAG}, "other"', False),
        ("", False),
    ],
)
def test_if_range_gives_a_part_only_if_the_client_has_the_same_bytes(condition: str, is_part: bool) -> None:
    assert ask(("Range", "bytes=0-9"), ("If-Range", condition)) == (
        BytePart(0, 10) if is_part else WholeObject()
    )
    assert ask(("Range", "bytes=5000-"), ("If-Range", condition)) == (
        NoBytes(416) if is_part else WholeObject()
    )


@pytest.mark.parametrize(
    ("condition", "has_it"),
    [
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"x", {TAG}', True),
        (f'W/"x" ,\t{TAG} , ', True),
        ("*", True),
        ('"x"', False),
        ("0a1b", False),
        (f"{TAG} and more", False),
        ('"0a', False),
        ("", False),
    ],
)
def test_a_client_that_has_the_bytes_gets_not_modified_whatever_else_it_requests(
    condition: str, has_it: bool
) -> None:
    for method in ("GET", "HEAD"):
        assert ask(("If-None-Match", condition), method=method) == (NoBytes(304) if has_it else WholeObject())
    asked = ask(("If-None-Match", condition), ("Range", "bytes=0-9"))
    assert asked == (NoBytes(304) if has_it else BytePart(0, 10))


def test_conditions_in_several_lines_form_one_list() -> None:
    assert ask(("If-None-Match", '"x"'), ("If-None-Match", TAG)) == NoBytes(304)
    assert ask(("If-None-Match", '"x"'), ("If-None-Match", '"y"')) == WholeObject()


@pytest.mark.parametrize(
    ("condition", "is_meant"),
    [(TAG, True), (f'"x", {TAG}', True), ("*", True), (f"W/{TAG}", False), ('"x"', False)],
)
def test_if_match_with_other_bytes_is_refused_before_anything_else(condition: str, is_meant: bool) -> None:
    assert ask(("If-Match", condition)) == (WholeObject() if is_meant else NoBytes(412))
    assert ask(("If-Match", condition), ("If-None-Match", TAG)) == NoBytes(304 if is_meant else 412)


@given(asked=st.text("bytes=-, 0123456789x", max_size=20), size=st.integers(0, 30))
def test_any_part_that_is_answered_is_inside_the_object(asked: str, size: int) -> None:
    found = ask(("Range", asked), size=size)
    if isinstance(found, BytePart):
        assert 0 <= found.first_byte < found.next_byte <= size
    else:
        assert found in (WholeObject(), NoBytes(416))
