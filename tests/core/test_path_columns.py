"""The file of a day's paths: the same numbers give the same bytes, and other files are refused."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.errors import Poison
from frametally.rules.path_columns import (
    LONE_COLUMNS,
    LONE_SIZE_COLUMN,
    NO_PATHS,
    POINT_COLUMNS,
    TRACK_COLUMNS,
    PathColumns,
    day_paths,
    decode_paths,
    encode_paths,
    of_each_shape,
)

DAY_MS = 1_767_225_600_000
ONE = PathColumns(
    "tiny-1",
    "gate",
    DAY_MS,
    ("car",),
    {
        "hour": [12],
        "number": [0],
        "label": [0],
        "is_counted": [1],
        "began": [0],
        "ended": [1],
        "first_seen": [200],
        "points": [2],
        "time": [200, 70_000],
        "x": [1300, 1685],
        "y": [2400, 2400],
        "height": [400, 90],
        "boxes": [1, 19],
    },
)


def same(one: PathColumns, other: PathColumns) -> bool:
    return one[:4] == other[:4] and all(
        list(one.columns[name]) == list(other.columns[name]) for name in (*TRACK_COLUMNS, *POINT_COLUMNS)
    )


def test_the_bytes_match_the_page_on_formats() -> None:
    head, _, body = encode_paths(ONE).partition(b"\n")
    assert head == (
        b'{"v":1,"model":"tiny-1","source":"gate","day_start_ms":1767225600000,"labels":["car"],"columns":['
        b'["hour","B",1],["number","B",1],["label","B",1],["is_counted","B",1],["began","B",1],["ended","B",1],'
        b'["first_seen","B",1],["points","B",1],["time","I",2],["x","H",2],["y","H",2],["height","H",2],'
        b'["boxes","B",2]]}'
    )
    assert body == bytes([12, 0, 0, 1, 0, 1, 200, 2]) + b"".join(
        number.to_bytes(size, "little")
        for size, numbers in ((4, (200, 70_000)), (2, (1300, 1685, 2400, 2400, 400, 90)), (1, (1, 19)))
        for number in numbers
    )


def test_paths_are_read_in_event_time_and_pixels() -> None:
    noon_ms = DAY_MS + 12 * 3_600_000
    assert decode_paths(encode_paths(ONE)).paths() == [
        [(noon_ms + 200, 130.0, 240.0, 40.0), (noon_ms + 70_000, 168.5, 240.0, 9.0)]
    ]


def test_numpy_takes_a_column_without_copying_it() -> None:
    column: Any = decode_paths(encode_paths(ONE)).columns["x"]
    taken = np.asarray(column)
    column[0] = 7
    assert (taken.dtype, taken.tolist()) == (np.dtype("uint16"), [7, 1685])


@pytest.mark.thorough
@given(
    st.lists(
        st.lists(
            st.tuples(*[st.integers(-(2**40), 2**40) | st.integers(-300, 70_000)] * len(POINT_COLUMNS)),
            max_size=3,
        ),
        max_size=4,
    )
)
def test_any_written_paths_are_read_back(tracks: list[list[tuple[int, ...]]]) -> None:
    points = [point for track in tracks for point in track]
    columns = {name: [point[at] for point in points] for at, name in enumerate(POINT_COLUMNS)}
    columns |= {name: list(range(len(tracks))) for name in TRACK_COLUMNS}
    columns["points"] = [len(track) for track in tracks]
    paths = PathColumns("größer", "gate-1", -DAY_MS, ("a b", "größer"), columns)
    assert same(decode_paths(encode_paths(paths)), paths)
    as_arrays = paths._replace(columns={name: array("q", column) for name, column in columns.items()})
    assert encode_paths(as_arrays) == encode_paths(paths)


@pytest.mark.parametrize(
    ("least", "most", "typecode"),
    [
        (0, 255, "B"),
        (0, 256, "H"),
        (-128, 127, "b"),
        (-128, 128, "h"),
        (-129, 0, "h"),
        (0, 65_536, "I"),
        (-32_769, 0, "i"),
        (0, 2**32, "q"),
    ],
)
def test_a_column_has_the_smallest_type_that_holds_all_its_values(
    least: int, most: int, typecode: str
) -> None:
    columns = {**ONE.columns, "x": [least, most]}
    read = decode_paths(encode_paths(ONE._replace(columns=columns))).columns["x"]
    assert isinstance(read, array)
    assert (read.typecode, list(read)) == (typecode, [least, most])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data.replace(b'["boxes","B",2]', b'["boxes","B",1]'),
        lambda data: data.replace(b'["boxes","B",2]', b'["boxes","Z",2]'),
        lambda data: data.replace(b'["boxes","B",2]', b'["boxes","B",-2]'),
        lambda data: data.replace(b'["boxes","B",2]', b'["boxes","B"]'),
        lambda data: data.replace(b'"v":1', b'"v":2'),
        lambda data: data.replace(b'"source":', b'"sauce":'),
        lambda data: data.replace(b'["points","B",1]', b'["pointy","B",1]'),
        lambda data: b"",
        lambda data: b"[]\n",
        lambda data: b"\xff\n",
    ],
)
def test_a_file_of_another_kind_is_refused(spoil: Any) -> None:
    with pytest.raises(Poison):
        decode_paths(spoil(encode_paths(ONE)))


def test_lone_boxes_of_several_hours_are_joined_and_scaled_like_paths() -> None:
    def hour(number: int, label: str, x: int, size: tuple[int, int]) -> PathColumns:
        lone = dict(zip(LONE_COLUMNS, ([number], [0], [0], [5], [x], [100], [40]), strict=True))
        return PathColumns("m", "gate", DAY_MS, (label,), {**NO_PATHS, **lone}, (size,))

    noon = ONE._replace(sizes=((320, 240),))
    of_day = day_paths([hour(9, "car", 600, (640, 480)), noon, hour(8, "bus", 60, (64, 48))])
    assert decode_paths(encode_paths(of_day)).columns == of_day.columns
    assert list(of_day.columns[LONE_SIZE_COLUMN]) == [0, 2]
    [(size, [scaled])] = of_each_shape([of_day])
    lone = {name: list(scaled.columns[name]) for name in LONE_COLUMNS}
    assert (size, lone["lone_hour"], lone["lone_label"]) == ((640, 480), [8, 9], [0, 1])
    assert (lone["lone_x"], lone["lone_y"], lone["lone_height"]) == ([600, 600], [1000, 100], [400, 40])
    assert list(scaled.columns["x"]) == [2600, 3370]
