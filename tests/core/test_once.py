"""A frame is counted once, however often and in whatever order it is delivered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.kit.processes import run_program

from frametally.rules import once
from frametally.rules.once import one_line_per_frame

lines = st.lists(st.tuples(st.sampled_from(["a.jpg", "b.jpg", "c.jpg"]), st.binary(max_size=3)), max_size=12)


def test_the_smallest_bytes_among_several_lines_win() -> None:
    assert one_line_per_frame([("a.jpg", b"2"), ("b.jpg", b"9"), ("a.jpg", b"10"), ("a.jpg", b"2")]) == {
        "a.jpg": b"10",
        "b.jpg": b"9",
    }


@given(lines=lines, repeats=st.integers(1, 3), data=st.data())
def test_order_and_repeats_change_nothing(lines: Any, repeats: int, data: Any) -> None:
    again = data.draw(st.permutations(lines * repeats))
    assert one_line_per_frame(again) == one_line_per_frame(lines)


@given(lines=lines, cut=st.integers(0, 12))
def test_the_rule_can_be_applied_in_parts(lines: Any, cut: int) -> None:
    first, second = one_line_per_frame(lines[:cut]), one_line_per_frame(lines[cut:])
    assert one_line_per_frame([*first.items(), *second.items()]) == one_line_per_frame(lines)


@given(lines=lines)
def test_every_frame_keeps_a_line_of_its_own(lines: Any) -> None:
    kept = one_line_per_frame(lines)
    assert set(kept) == {image_path for image_path, _ in lines}
    assert set(kept.items()) <= set(lines)


def test_the_rule_needs_the_standard_library_only() -> None:
    finished = run_program(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(once.__file__).parents[2])!r})\n"
            "from frametally.rules.once import one_line_per_frame; print(one_line_per_frame([('a', b'1')]))",
        ]
    )
    assert finished.stdout == "{'a': b'1'}\n"
