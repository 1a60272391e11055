"""A server for one test, which may stop, kill and restart it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pytest
from serving.place import Place
from serving.processes import ServerFailed
from serving.state import State


class OwnServer:
    """A server that is up inside the `with` block.

    Without it the test is skipped; or it fails, if FRAMETALLY_REQUIRE_SERVICES=1.
    """

    def __init__(self, name: str, folder: Path, **options: str) -> None:
        """Starts nothing yet.

        Args:
            name: The server's name.
            folder: Where its state goes.
            options: For the server's module.
        """
        self.name = name
        self._state = State(folder, options=options)
        self._folder = folder / name

    def __enter__(self) -> OwnServer:
        """Start it."""
        try:
            self.up()
        except ServerFailed as error:
            if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") == "1":
                raise
            pytest.skip(f"needs the server {self.name!r}, which cannot be started here: {error}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.down()

    def up(self) -> None:
        """Start it, or start it again: with the same ports and the same data.

        Raises:
            ServerFailed: It did not become ready.
        """
        for row in self._state.up([self.name]):
            if row.trouble:
                raise ServerFailed(row.trouble)

    def down(self) -> None:
        """Stop it with all servers that it needed."""
        self._state.down()

    @property
    def values(self) -> Mapping[str, str]:
        """The result of `server(name)`: `URL`, `USER` and so on."""
        prefix = f"FRAMETALLY_TEST_{self.name.upper()}_"
        given = Place(self.name, self._folder, cache=Path()).given
        return {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}

    def signal(self, number: signal.Signals, label: str | None = None) -> None:
        """Send a signal to its processes, or to the one with this label; a killed one is gone afterwards."""
        for process in Place(self.name, self._folder, cache=Path()).processes:
            if label in (None, process.label) and process.alive:
                os.killpg(process.pid, number)  # a launcher and its program are one
                while number == signal.SIGKILL and process.alive:
                    time.sleep(0.02)


@contextmanager
def folder_for_anyone() -> Iterator[Path]:
    """A temporary folder that every user can enter."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
