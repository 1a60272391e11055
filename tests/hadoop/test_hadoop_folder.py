"""The READMEs of the counting job and of the indexer are correct."""

from __future__ import annotations

import re
from pathlib import Path

from tests.hadoop.conftest import Footage

ROOT = Path(__file__).resolve().parents[2]


def test_the_readmes_example_line_is_one_of_a_runs_part_file(footage: Footage) -> None:
    noon_ms = 1_767_268_800_000
    footage.segment([footage.frame(noon_ms, "car")])
    footage.aggregate()
    [part] = footage.parts().values()
    shown = re.findall(r"^(\[.*?\])<TAB>(.*?)\.\.\.", (ROOT / "hadoop/README.md").read_text(), re.MULTILINE)
    assert [key for key, _ in shown] == [line.split("\t")[0] for line in part.decode().splitlines()]
    for (_, begin), line in zip(shown, part.decode().splitlines(), strict=True):
        assert line.split("\t")[1].startswith(begin)
