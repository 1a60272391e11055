"""Which bytes a request is for: RFC 9110's conditions and ranges, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from frametally_videos.playback.byte_ranges import BytePart, NoBytes, WantedBytes, WholeObject, wanted

TAG = '"0a1b"'
SIZE = 1000


def ask(*headers: tuple[str, str], method: str = "GET", size: int = SIZE) -> WantedBytes:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return wanted(method, Headers(raw=raw), etag=TAG, size_bytes=size)


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
def test_a_range_is_answered_by_that_part_and_cut_at_the_end(asked: str, part: tuple[int, int]) -> None:
    assert ask(("Range", asked)) == BytePart(*part)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_behind_the_end_cannot_be(asked: str) -> None:
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
def test_what_is_no_range_and_several_ranges_are_as_if_nothing_were_asked(asked: str) -> None:
    assert ask(("Range", asked)) == WholeObject()


def test_of_two_range_lines_and_of_a_head_no_part_is_answered() -> None:
    assert ask(("Range", "bytes=0-9"), ("Range", "bytes=5-6")) == WholeObject()
    assert ask(("Range", "bytes=0-9"), method="HEAD") == WholeObject()
    assert ask(("Range", "bytes=5000-"), method="HEAD") == WholeObject()


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_of_nothing_there_is_no_part(asked: str) -> None:
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
def test_a_part_is_answered_only_if_it_is_of_the_bytes_that_the_client_has(
    condition: str, is_part: bool
) -> None:
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
def test_who_has_the_bytes_already_is_told_so_whatever_else_it_asks(condition: str, has_it: bool) -> None:
    for method in ("GET", "HEAD"):
        assert ask(("If-None-Match", condition), method=method) == (NoBytes(304) if has_it else WholeObject())
    asked = ask(("If-None-Match", condition), ("Range", "bytes=0-9"))
    assert asked == (NoBytes(304) if has_it else BytePart(0, 10))


def test_conditions_in_several_lines_are_one_list() -> None:
    assert ask(("If-None-Match", '"x"'), ("If-None-Match", TAG)) == NoBytes(304)
    assert ask(("If-None-Match", '"x"'), ("If-None-Match", '"y"')) == WholeObject()


@pytest.mark.parametrize(
    ("condition", "is_meant"),
    [(TAG, True), (f'"x", {TAG}', True), ("*", True), (f"W/{TAG}", False), ('"x"', False)],
)
def test_a_request_for_other_bytes_is_refused_before_all_else(condition: str, is_meant: bool) -> None:
    assert ask(("If-Match", condition)) == (WholeObject() if is_meant else NoBytes(412))
    assert ask(("If-Match", condition), ("If-None-Match", TAG)) == NoBytes(304 if is_meant else 412)


@given(asked=st.text("bytes=-, 0123456789x", max_size=20), size=st.integers(0, 30))
def test_whatever_is_asked_the_part_lies_in_the_object(asked: str, size: int) -> None:
    found = ask(("Range", asked), size=size)
    if isinstance(found, BytePart):
        assert 0 <= found.first_byte < found.next_byte <= size
    else:
        assert found in (WholeObject(), NoBytes(416))
