"""Room on the disk: below a bound the producer waits, so that the store and the log never run full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from frametally.process.retrying import GivenUp, Patience
from frametally.settings.data_folder import store_folder
from frametally.settings.loading import Settings

_LOOK_EVERY_S = 2.0
_MB = 1_000_000


def embedded_folders(settings: Settings) -> list[Path]:
    """Return the folders of this machine that the store and the log are in; none if they are elsewhere."""
    store = store_folder(settings)
    folders = [] if store is None else [store]
    if settings.log_url.startswith("sqlite:///"):
        folders.append(Path(settings.log_url.removeprefix("sqlite:///")).parent)
    return folders


class Room:
    """Waits for room on the disks of the embedded store and log."""

    def __init__(
        self,
        settings: Settings,
        patience: Patience,
        *,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        """Look for `min_free_disk_mb` of room; `free_bytes` tells what is free on a folder's disk."""
        self._folders = embedded_folders(settings)
        self._least_bytes = settings.min_free_disk_mb * _MB
        self._patience = patience
        self._free_bytes = free_bytes

    def short(self) -> str:
        """Return what is short of room, with the remedy; empty if there is room."""
        for folder in self._folders:
            try:
                free = self._free_bytes(folder)
            except OSError:  # not made yet, or gone: whoever writes there will say so
                continue
            if free < self._least_bytes:
                return (
                    f"only {free // _MB} MB are free on the disk of {folder}, at least "
                    f"{self._least_bytes // _MB} MB have to stay so (FRAMETALLY_MIN_FREE_DISK_MB): "
                    "make room there; producing goes on by itself then"
                )
        return ""

    def wait(self) -> None:
        """Return once there is room.

        Raises:
            GivenUp: There is none, and a stop was asked for.
        """
        while line := self.short():
            self._patience.say_once_a_minute("room", f"waiting: {line}")
            self._patience.pause(_LOOK_EVERY_S)
            if self._patience.stopping:
                raise GivenUp(f"stopped while waiting: {line}")
