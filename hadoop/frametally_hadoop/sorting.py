"""Sorts in files what lies between map and reduce, where it is much: `inline` would hold it all in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

IN_MEMORY_BYTES = 256_000_000
_SORT = ("sort", "-S", "256M", "-t", "\t", "-k", "1,1", "-s")


def sort_in_files(engine: Any, temporary: Path, *, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
    """Have mrjob's inline runner sort as its local runner does, by the `sort` command, beyond that size.

    Both sort by the bytes of the key, and leave lines of one key as they come. Without a `sort` command it is
    done in memory.
    """
    sort_in_memory = engine._sort_input_func()

    def sort(input_paths: list[str], output_path: str) -> None:
        if sum(Path(path).stat().st_size for path in input_paths) <= in_memory_bytes:
            sort_in_memory(input_paths, output_path)
            return
        from mrjob.local import _sort_lines_with_sort_bin

        _sort_lines_with_sort_bin(input_paths, output_path, sort_bin=list(_SORT), tmp_dir=str(temporary))

    engine._sort_input_func = lambda: sort
