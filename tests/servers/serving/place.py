"""The environment of a server's module: its folder, its ports, its secrets, its processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from serving import processes
from serving.processes import NOBODY, Process, ServerFailed, last_lines

_LOOPBACK = "127.0.0.1"
_FIRST_PORT, _LAST_PORT = 20000, 32000
"""Below the range of ports for the system's outgoing connections."""


class Place:
    """One server's folder with what is remembered from start to start.

    Attributes:
        name: The server's name.
        folder: Where everything of it lies.
        cache: Where downloads are kept, outside the checkout.
        values: The lines of the environment file of the servers that were started before.
        options: What the command line set by `--option name=value`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        cache: Path,
        values: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Make the folder if it is missing."""
        self.name = name
        self.folder = folder
        self.cache = cache
        self.values = dict(values or {})
        self.options = dict(options or {})
        self._ports: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    # The remembered values.

    def port(self, label: str = "") -> int:
        """A free port on the loopback address: the one of the last start, if it is still free.

        Two labels never get the same port.
        """
        if label not in self._ports:
            known: dict[str, int] = self._read("ports", {})
            if label not in known or not _becomes_free(known[label]):
                taken = set(known.values())
                known[label] = next(port for port in _candidates() if port not in taken and _is_free(port))
                self._write("ports", known)
            self._ports[label] = known[label]
        return self._ports[label]

    def secret(self, label: str) -> str:
        """A password made for this folder, the same at every start."""
        known: dict[str, str] = self._read("secrets", {})
        if label not in known:
            known[label] = secrets.token_urlsafe(18)
            self._write("secrets", known)
        return known[label]

    @property
    def processes(self) -> list[Process]:
        """The processes that were started here, running or not."""
        return [Process(**row) for row in self._read("processes", [])]

    @property
    def is_up(self) -> bool:
        """Whether all started processes are still running."""
        started = self.processes
        return bool(started) and all(process.alive for process in started)

    @property
    def given(self) -> dict[str, str]:
        """The result of the server's module at its start."""
        found: dict[str, str] = self._read("values", {})
        return found

    def keep(self, values: Mapping[str, str]) -> None:
        """Remember the result of the server's module."""
        self._write("values", dict(values))

    # The running processes.

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        unprivileged: bool = False,
        timeout_s: float = 300.0,
    ) -> str:
        """Run a command to its end; return its output. It also goes to `setup.log`.

        Raises:
            ServerFailed: It failed.
        """
        command = processes.as_nobody(argv) if unprivileged else [str(part) for part in argv]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=cwd or self.folder,
            env={**os.environ, **(env or {})},
            timeout=timeout_s,
            check=False,
        )
        log = self.folder / "setup.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {command[0]} ...\n{done.stdout}")
        if done.returncode != 0:
            tail = "\n".join(done.stdout.splitlines()[-20:])
            raise ServerFailed(f"{self.name}: {command[0]} ended with {done.returncode}; see {log}\n{tail}")
        return done.stdout

    def spawn(
        self,
        argv: Sequence[str | Path],
        *,
        label: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        unprivileged: bool = False,
    ) -> Process:
        """Start a process that outlives this command; its output goes to `<label>.log`.

        It must stay in the foreground, so that its pid is known.
        """
        label = label or self.name
        log = self.folder / f"{label}.log"
        log.write_bytes(b"")
        process = processes.spawn(
            argv, label=label, log=log, cwd=cwd or self.folder, env=env, unprivileged=unprivileged
        )
        kept = [one for one in self.processes if one.alive]
        self._write("processes", [asdict(one) for one in [*kept, process]])
        return process

    def wait_until(self, ready: Callable[[], bool], *, process: Process, timeout_s: float = 60.0) -> None:
        """Wait until `ready()`; an `OSError` of it counts as not yet.

        Raises:
            ServerFailed: The process ended, or it took too long; with the last lines of its log.
        """
        by_s = time.monotonic() + timeout_s
        while True:
            try:
                if ready():
                    return
            except OSError:
                pass
            log = Path(process.log)
            if not process.alive:
                raise ServerFailed(f"{self.name}: {process.label} ended; see {log}\n{last_lines(log)}")
            if time.monotonic() > by_s:
                raise ServerFailed(
                    f"{self.name}: {process.label} was not ready after {timeout_s:.0f} s; see {log}\n"
                    f"{last_lines(log)}"
                )
            time.sleep(0.1)

    def stop(self, *, by: signal.Signals = signal.SIGTERM, within_s: float = 10.0) -> None:
        """End the processes that were started here, and no others."""
        processes.stop(self.processes, by=by, within_s=within_s)
        self._write("processes", [])

    def give_to_nobody(self, *paths: Path) -> None:
        """Make folders, and give them with their content to the user of `unprivileged`."""
        for path in paths:
            path.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                for found in (path, *path.rglob("*")):
                    os.chown(found, NOBODY, NOBODY, follow_symlinks=False)

    # Files.

    def _read(self, what: str, default: Any) -> Any:
        path = self.folder / f"{what}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default

    def _write(self, what: str, value: object) -> None:
        path = self.folder / f"{what}.json"
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(value, indent=1), encoding="utf-8")
        fresh.replace(path)


def answers(port: int) -> bool:
    """Whether a process listens on the port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((_LOOPBACK, port)) == 0


def _candidates() -> range:
    # Start at a random port, so that two folders of servers rarely try the same ones.
    first = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT - 1000)
    return range(first, _LAST_PORT)


def _becomes_free(port: int) -> bool:
    """Whether it is free within a moment: a killed process releases it a little later."""
    by_s = time.monotonic() + 3.0
    while not (free := _is_free(port)) and time.monotonic() < by_s:
        time.sleep(0.05)
    return free


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
