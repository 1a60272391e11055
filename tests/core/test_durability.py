"""`frametally doctor` names what the system shows of disks that lose confirmed writes in a power cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from frametally.settings.loading import load_settings
from frametally_cli.checkup import durability

ROOT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro"
LIBRARY = "7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/libeatmydata.so"


def mounted(point: str, kind: str, options: str) -> str:
    return f"40 21 8:2 / {point} rw,relatime shared:9 - {kind} /dev/sdb1 {options}"


@pytest.mark.parametrize(
    ("mounts", "library", "told", "is_good"),
    [
        ([mounted("/films", "ext4", "rw,data=ordered")], "", "", True),
        ([mounted("/films", "ext4", "rw,nobarrier")], "", "/films is mounted with nobarrier", False),
        ([mounted("/films/of\\040us", "ext4", "rw,barrier=0")], "", "/films/of us is mounted", False),
        ([mounted("/films", "overlay", "rw,volatile")], "", "/films is mounted with volatile", False),
        ([mounted("/films", "xfs", "rw"), mounted("/films", "tmpfs", "rw")], "", "is in memory", True),
        ([mounted("/film", "tmpfs", "rw"), mounted("/other", "ext4", "rw,nobarrier")], "", "", True),
        ([], LIBRARY, "libeatmydata", False),
    ],
)
def test_a_disk_that_loses_confirmed_writes_is_named_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounts: list[str], library: str, told: str, is_good: bool
) -> None:
    for name, text in {"_MOUNTS": "\n".join([ROOT, *mounts]), "_LIBRARIES": library}.items():
        path = tmp_path / name
        path.write_text(text)
        monkeypatch.setattr(durability, name, path)
    rows = [*durability.durability_rows(load_settings(data_dir=Path("/films/of us/data")))]
    assert len(rows) == bool(told)
    assert all(told in row.value and row.good == is_good for row in rows)


def test_on_a_system_that_shows_no_mounts_no_disk_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(durability, "_MOUNTS", tmp_path / "missing")
    assert [*durability.durability_rows(load_settings(data_dir=tmp_path))] == []
