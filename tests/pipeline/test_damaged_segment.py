"""Commands that read a store with a damaged segment name the segment; none calls its footage uncounted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import Finished, run_frametally
from tests.faults.conftest import write_pictures

NAMED = ("--source", "gate", "--time-pattern", "cam_%Y%m%d_%H%M%S", "--timezone", "UTC")
BAR = ("--source", "gate", "--label", "red", "--interval-start", "2026-05-01T00:00:00Z")

Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Counts footage, and returns a function that runs commands on the data."""
    pictures, data = tmp_path / "pictures", tmp_path / "data"
    write_pictures(pictures, range(12))

    def command(*arguments: object) -> Finished:
        given = [*arguments, "--data-dir", data]
        return run_frametally(*given, cwd=tmp_path, FRAMETALLY_DETECTOR="pixels")

    assert command("run", pictures, "--no-serve", *NAMED).code == 0
    return command


def damage(tmp_path: Path) -> list[str]:
    """Turn a bit within the lines of frames of every segment; return their keys."""
    paths = sorted((tmp_path / "data/store/metadata").rglob("*.jsonl"))
    for path in paths:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    return [str(path.relative_to(tmp_path / "data/store")) for path in paths]


def test_commands_name_a_damaged_segment_but_not_the_counted_footage_in_it(run: Run, tmp_path: Path) -> None:
    whole = run("export")
    assert (whole.code, whole.err) == (0, "")
    keys = damage(tmp_path)
    export = run("export")
    assert (export.code, export.out) == (0, whole.out)
    assert "not in the counts" not in export.err
    assert [f"segment {key} is damaged" in export.err for key in keys] == [True] * len(keys)
    assert "run `frametally doctor --deep`" in export.err
    explained = run("explain", *BAR)
    assert explained.code == 4
    assert "a segment of this model is damaged" in explained.out
    status = run("status")
    assert status.code == 3
    assert [f"segment {key}" in status.out for key in keys] == [True] * len(keys)
    assert "are in no readable segment; restore the damaged ones first" in status.out
    assert "although the log is drained" not in status.out


def test_footage_that_nobody_counted_is_named_next_to_a_damaged_segment(run: Run, tmp_path: Path) -> None:
    damage(tmp_path)
    more = tmp_path / "more"
    write_pictures(more, range(12_400, 12_404))
    assert run("produce", more, *NAMED).code == 0
    assert "gate: footage from 2026-05-02 00:06:40Z to 2026-05-02 00:07:01Z is not" in run("export").err
