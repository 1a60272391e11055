"""Sums the figures of a family of processes, each with a file in one folder that outlives it.

The first process that shows figures creates the folder; its children get the path in the environment.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from frametally.files.work_lock import locked
from frametally.process.meters import FOLDER_VARIABLE, METERS, Figures, figures_of

_ENDED = "ended.json"
_MOST_BYTES = 100_000
"""Most bytes of a file: a process that decodes strangers' footage writes one and may be compromised."""
_MOST_FILES = 2000
_LOOK_EVERY_S = 0.01


@contextmanager
def family() -> Iterator[bool]:
    """Collect the figures of processes started in the meantime; yield whether this process is the first.

    If a parent already collects this process's figures, nothing changes.
    """
    if os.environ.get(FOLDER_VARIABLE):
        yield False
        return
    with tempfile.TemporaryDirectory(prefix="frametally-meters-", ignore_cleanup_errors=True) as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield True
        finally:
            del os.environ[FOLDER_VARIABLE]


def family_figures() -> Figures:
    """Return the sums of this process and its whole family, alive or ended; they only grow."""
    figures = METERS.figures()
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        with suppress(OSError):  # the family is ending, and its folder with it
            figures.add(_figures_of_others(Path(folder)))
    return figures


def _figures_of_others(folder: Path) -> Figures:
    """Add up the figures of other processes; those of ended processes are kept in one file."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    with locked(handle, look_every_s=_LOOK_EVERY_S, on_held=lambda: None):
        ended_figures, ended_files = _read_ended(folder / _ENDED)
        total = Figures()
        died: list[tuple[Path, Figures]] = []
        for file in sorted(folder.glob("[0-9]*-*.json"))[:_MOST_FILES]:
            if file.name == METERS.file_name:
                continue
            if file.name in ended_files:  # added, but a process died before removing it
                file.unlink(missing_ok=True)
                continue
            is_alive = _is_alive(file)  # before reading, so that its last write is included
            figures = _read(file)
            if is_alive:
                total.add(figures)
            else:
                figures.away = dict.fromkeys(figures.away, 0)  # it no longer waits for anything
                died.append((file, figures))
        for _, figures in died:
            ended_figures.add(figures)
        if died:
            _write_ended(folder / _ENDED, ended_figures, [file.name for file, _ in died])
            for file, _ in died:
                file.unlink(missing_ok=True)
        total.add(ended_figures)
        return total


def _is_alive(file: Path) -> bool:
    try:
        os.kill(int(file.name.partition("-")[0]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError):
        return True
    return True


def _read(file: Path) -> Figures:
    """Return the figures in a file, empty if it is unreadable."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
        return figures_of(data) if len(data) <= _MOST_BYTES else Figures()
    except (OSError, ValueError, RecursionError):
        return Figures()


def _read_ended(file: Path) -> tuple[Figures, frozenset[str]]:
    """Return the figures of ended processes, and the files that were last added to them."""
    try:
        content = json.loads(file.read_bytes())
        return figures_of(json.dumps(content["figures"]).encode()), frozenset(content["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return Figures(), frozenset()


def _write_ended(file: Path, figures: Figures, files: list[str]) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"figures": vars(figures), "files": files}))
    fresh.replace(file)
