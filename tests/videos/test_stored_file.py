"""An object read as a file: the very bytes, wherever one seeks, in few and small reads of the store."""

import io
import os
import random
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.memory import MemoryStore

from frametally.errors import Retryable
from frametally.ports.object_store import ObjectMissing
from frametally_videos.library.stored_file import BLOCK_BYTES, MOST_BLOCKS, StoredFile

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
deeds = st.sampled_from(["read", "into", "seek", "here", "end"])


@settings(max_examples=examples(100))
@given(
    acts=st.lists(st.tuples(st.sampled_from(["read", "into", "seek", "here", "end"]), places), max_size=20)
)
def test_it_reads_as_the_same_bytes_in_memory_do(acts: list[tuple[str, int]]) -> None:
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
            assert stored.seek(-min(number, len(DATA)), os.SEEK_END) == same.seek(
                -min(number, len(DATA)), os.SEEK_END
            )
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


def test_no_more_is_kept_than_some_blocks() -> None:
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


def test_what_is_missing_cut_or_nowhere_is_said() -> None:
    store = a_store()
    with pytest.raises(ObjectMissing, match=KEY):
        StoredFile(MemoryStore(), KEY)
    stored = StoredFile(store, KEY)
    for offset, whence in ((-1, os.SEEK_SET), (-1, os.SEEK_CUR), (0, 7)):
        with pytest.raises(ValueError, match="no place"):
            stored.seek(offset, whence)
    store.put(KEY, b"other, and shorter")
    with pytest.raises(Retryable, match="not as long any more"):
        stored.read(10)
    store.delete(KEY)
    with pytest.raises(ObjectMissing, match=KEY):
        stored.read(10)


def test_a_video_in_a_store_decodes_and_seeks_as_from_a_file() -> None:
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(50):
            picture = np.full((48, 64, 3), number * 5, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))

    def pictures(file: object) -> list[tuple[int | None, bytes]]:
        with av.open(file, format="mp4") as container:
            found = [(f.pts, f.to_ndarray().tobytes()) for f in container.decode(video=0)]
            container.seek(3_000_000)
            return [*found, *((f.pts, f.to_ndarray().tobytes()) for f in container.decode(video=0))]

    made.seek(0)
    expected = pictures(made)
    assert len(expected) > 50
    assert pictures(StoredFile(a_store(made.getvalue()), KEY)) == expected
