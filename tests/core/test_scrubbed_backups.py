"""`frametally doctor --deep` reads backups, also encrypted ones without their key."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from frametally.adapters_by_url import open_object_store
from frametally.backups import ELSEWHERE, encode_backup, store_backup
from frametally.settings.loading import load_settings
from frametally_cli import main as cli


@pytest.mark.thorough
@pytest.mark.parametrize("key", ["", "k" * 32])
def test_a_flipped_bit_in_a_backup_is_found_before_the_backup_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    def bad_rows() -> list[dict[str, str]]:
        code = cli.main(["doctor", "--deep", "--json", "--data-dir", str(tmp_path)])
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert ("backups", "all") in {(row["area"], row["name"]) for row in rows}
        bad = [row for row in rows if row["area"] == "backups" and not row["good"]]
        assert code == 2 or not bad
        return bad

    with closing(open_object_store(load_settings(data_dir=tmp_path).store_url)) as store:
        data = encode_backup([], made_at_ms=1_700_000_000_000, layout=10, key=key)
        name = store_backup(store, data, 1_700_000_000_000)
        store.put(ELSEWHERE, data.partition(b"\n")[0])
        assert bad_rows() == []
        for place in (data.index(b"made_at_ms") + 13, data.index(b"\n") + 5, len(data) - 1):
            flipped = bytearray(data)
            flipped[place] ^= 1
            store.put(name, bytes(flipped))
            [row] = bad_rows()
            assert row["name"] == name
            assert "delete it, and run `frametally backup`" in row["remedy"]
        store.put(name, data)
        store.put(ELSEWHERE, b"{")
        assert [row["name"] for row in bad_rows()] == [ELSEWHERE]
