"""A manifest lists the announced frames, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from frametally.media.manifests import weaker
from frametally.records import TimeSource
from frametally.rules.frame_bitmap import FrameBitmap
from frametally_producer.writing.manifest import picture_name


@given(st.lists(st.integers(0, 300)), st.binary(max_size=8))
def test_a_bitmap_is_a_set_of_indices(indices: list[int], before: bytes) -> None:
    bitmap = FrameBitmap(before)
    expected = {at * 8 + bit for at, byte in enumerate(before) for bit in range(8) if byte >> bit & 1}
    for index in indices:
        bitmap.add(index)
        expected.add(index)
    assert len(bitmap) == len(expected)
    for again in (bitmap, FrameBitmap(bytes(bitmap))):
        assert {index for index in range(400) if index in again} == expected


def test_an_hour_of_frames_takes_little_space() -> None:
    bitmap = FrameBitmap(b"")
    bitmap.add(30 * 3600 - 1)
    assert len(bytes(bitmap)) == 13_500


def test_a_pictures_name_consists_of_its_time_and_its_bytes() -> None:
    assert picture_name("images/cam/1969-12-31/-5-0123456789ab-0.jpg") == "-5-0123456789ab"


def test_a_file_date_is_the_weakest_source_of_time() -> None:
    order: list[TimeSource] = ["start_time", "file_name", "exif", "container", "file_time"]
    for at, one in enumerate(order):
        for other in order[at:]:
            assert weaker(one, other) == weaker(other, one) == other
