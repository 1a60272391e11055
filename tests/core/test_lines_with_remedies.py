"""An unreadable file of any kind is reported in one line with its name and a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.memory import MemoryStore

from frametally.adapters.s3.bucket_store import read_ca_file
from frametally.errors import Misconfigured
from frametally.media.lookup import find_media
from frametally.settings.access import StoreAccess
from frametally.settings.loading import load_settings
from frametally_models.darknet_cfg import read_network_facts, read_weights
from frametally_models.files import read_class_names


@pytest.mark.parametrize(
    "read",
    [
        read_network_facts,
        lambda path: read_weights(path, None, path),  # type: ignore[arg-type]
        read_class_names,
        lambda path: read_ca_file(StoreAccess(ca_file=path)),
        lambda path: find_media(MemoryStore(), str(path)),
    ],
    ids=["cfg", "weights", "names", "certificates", "medium"],
)
def test_an_unreadable_file_is_one_line_with_a_remedy(
    tmp_path: Path, read: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "given"
    path.touch()

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    for name in ("open", "read_bytes", "read_text"):
        monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(Misconfigured, match=r"given cannot be read \(Permission denied\): .* a file that"):
        read(path)


def test_an_invalid_pattern_is_refused_with_a_valid_example() -> None:
    with pytest.raises(Misconfigured, match=r"FRAMETALLY_TIME_PATTERN=cam_%H: .*; use one like cam_%Y%m%d"):
        load_settings(time_pattern="cam_%H")
