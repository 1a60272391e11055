"""Commands that write keep a reserve in the data folder; commands that read make none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.conftest import write_pictures

from frametally.files.reserve import RESERVE_BYTES, keep_reserve, reserve_released
from frametally_cli.main import main


def test_a_reserve_is_made_once_completed_if_short_and_otherwise_left_alone(tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    with reserve_released(tmp_path):
        assert not reserve.exists()
    keep_reserve(tmp_path)
    first = reserve.read_bytes()
    assert len(first) == RESERVE_BYTES
    with reserve_released(tmp_path):
        assert reserve.exists()
    reserve.write_bytes(first[:100])
    keep_reserve(tmp_path)
    assert reserve.stat().st_size == RESERVE_BYTES
    keep_reserve(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


@pytest.mark.thorough
def test_commands_that_only_read_make_no_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "pictures", range(3))
    where = ["--data-dir", str(tmp_path / "data")]
    assert main(["produce", "pictures", "--source", "gate", *where]) == 0
    reserve = tmp_path / "data" / "reserve"
    reserve.unlink(missing_ok=True)
    for command in (["status"], ["export"], ["retention", "apply", "--dry-run"], ["dead-letters", "list"]):
        main([*command, *where])
        assert not reserve.exists(), command
    assert main(["produce", "pictures", "--source", "gate", *where]) == 0
    assert reserve.stat().st_size == RESERVE_BYTES
