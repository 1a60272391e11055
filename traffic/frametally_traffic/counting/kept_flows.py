"""Flows that were counted on demand, kept on this machine under the name of what they were counted from."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path

from frametally.errors import Poison
from frametally.files.replacing import replace_file
from frametally.rules.seals import check_crc32
from frametally_traffic.flows.day_columns import FlowColumns, decode_flows, encode_flows
from frametally_traffic.flows.flow_inputs import FlowInputs

MOST_KEPT_BYTES = 1 << 30
"""Some years of a busy camera. What is over it is counted again."""
_CRC32_BYTES = 9


class KeptFlows:
    """Flows that were counted on demand, in a folder of this machine; what cannot be read is not there."""

    def __init__(self, folder: Path | None, most_bytes: int = MOST_KEPT_BYTES) -> None:
        """Take the folder; None: nothing is kept."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._is_cleared = False

    @property
    def is_kept(self) -> bool:
        """Whether anything is."""
        return self._folder is not None

    def read(self, inputs: FlowInputs) -> FlowColumns | None:
        """Return the flows of these inputs, None if they are not kept."""
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, Poison):
            path = self._folder / inputs.name
            crc32, data = _split(path.read_bytes())
            check_crc32(zlib.crc32(data), crc32)
            return decode_flows(data)
        return None

    def write(self, inputs: FlowInputs, flows: FlowColumns) -> None:
        """Keep flows, unless the disk is full or the folder is not to be written to."""
        if self._folder is None:
            return
        data = encode_flows(flows)
        with suppress(OSError):
            if not self._is_cleared:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._clear()
                self._is_cleared = True
            replace_file(self._folder / inputs.name, b"%08x\n%s" % (zlib.crc32(data), data))

    def _clear(self) -> None:
        """Remove the oldest files, as far as all are larger than they may be."""
        assert self._folder is not None  # noqa: S101 - for the type checker
        files = [(path.stat(), path) for path in self._folder.glob("flows-*")]
        kept_bytes = 0
        for stat, path in sorted(files, key=lambda file: -file[0].st_mtime_ns):
            kept_bytes += stat.st_size
            if kept_bytes > self._most_bytes:
                path.unlink(missing_ok=True)


def _split(data: bytes) -> tuple[int, bytes]:
    return int(data[: _CRC32_BYTES - 1], 16), data[_CRC32_BYTES:]
