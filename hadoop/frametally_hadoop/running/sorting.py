"""Sorts what lies between map and reduce, within a bound of memory: by the `sort` command, in files."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from frametally.errors import Retryable
from frametally_hadoop.running.workspace import no_room

IN_MEMORY_BYTES = 256_000_000
_SORT = ("sort", "-S", "256M", "-t", "\t", "-k", "1,1", "-s")


def sort_in_files(engine: Any, temporary: Path, *, in_memory_bytes: int) -> None:
    """Have mrjob's inline or local runner sort by the `sort` command beyond that size, in memory below.

    Both sort by the bytes of the key, and leave lines of one key as they come. Without a `sort` command it is
    done in memory. mrjob's own way to call `sort` has no bound, and sorts in memory wherever it fails.
    """
    # The local runner takes it to other processes: no closure could go there.
    engine._sort_input_func = lambda: partial(_sort, temporary=temporary, in_memory_bytes=in_memory_bytes)


def _sort(input_paths: list[str], output_path: str, *, temporary: Path, in_memory_bytes: int) -> None:
    """Sort the lines of some files. Raises `Retryable` if `sort` fails, `OSError` if it has no room."""
    if sum(Path(path).stat().st_size for path in input_paths) > in_memory_bytes:
        environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(temporary)}
        try:
            with Path(output_path).open("wb") as output:
                command = [*_SORT, *input_paths]
                subprocess.run(  # noqa: S603
                    command, stdout=output, stderr=subprocess.PIPE, env=environment, check=True
                )
            return
        except FileNotFoundError:
            pass
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            raise no_room(said, temporary) or Retryable(
                f"the counting job's `sort` failed ({said or error}); run it again"
            ) from error
    from mrjob.sim import _sort_lines_in_memory

    _sort_lines_in_memory(input_paths, output_path)
