"""Runs a command and its children in the background: how tests of families start, query and end them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import urllib3
from tests.kit.waiting import until

PATIENCE_S = 240.0


def of_group(group: int) -> dict[int, list[str]]:
    """The processes of a group: by process, its arguments."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if stat[0] != "Z" and int(stat[2]) == group:
                found[int(folder.name)] = (folder / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Running:
    """`frametally <command>`, or a program like it, with a dashboard on any port, in a separate group."""

    def __init__(
        self,
        folder: Path,
        command: str,
        *arguments: object,
        settings: Mapping[str, str],
        program: Sequence[str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "frametally-data"
        self._output = folder / f"{command}-said.txt"
        options = ["--port", "0", *map(str, arguments)]
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [*program, *options] if program else [sys.executable, "-m", "frametally", command, *options],
                env={**os.environ, **settings},
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in of_group(self.process.pid):
            os.kill(process, signal.SIGKILL)
        self.process.wait()
        if error is not None:
            error.add_note(f"said:\n{self.said[-5000:]}")

    @property
    def said(self) -> str:
        return self._output.read_text()

    @property
    def url(self) -> str:
        pattern = re.compile(r"(?:^| )Dashboard at (http\S+)", re.MULTILINE)
        until(lambda: pattern.search(self.said) is not None or self.process.poll() is not None)
        found = pattern.search(self.said)
        assert found, self.said
        return found[1]

    def process_of(self, member: str) -> int | None:
        """The process of a member of the family, such as `consume --live`; None if there is none."""
        name, *options = member.split()
        for process, arguments in of_group(self.process.pid).items():
            is_it = arguments[1:4] == ["-m", "frametally", name] and ("--live" in arguments) == bool(options)
            if process != self.process.pid and is_it:
                return process
        return None

    def ends_by(self, number: signal.Signals) -> int:
        """The exit code, after a signal only to it."""
        os.kill(self.process.pid, number)
        return self.process.wait(60)  # a limit to detect hangs: it ends all within 15 s

    def upload(self, video: Path, **fields: str) -> dict[str, Any]:
        """The server's answer to a form with this file."""
        form: dict[str, Any] = {**fields, "file": (video.name, video.read_bytes())}
        answer = urllib3.request("POST", f"{self.url}/api/v1/videos/upload", fields=form, timeout=PATIENCE_S)
        assert answer.status in (200, 201), answer.data
        said: dict[str, Any] = answer.json()
        return said

    def ask(self, path: str) -> Any:
        """The server's answer as JSON."""
        answer = urllib3.request("GET", f"{self.url}{path}", timeout=PATIENCE_S)
        assert answer.status == 200, answer.data
        return answer.json()

    def post(self, path: str, **said: Any) -> Any:
        """The server's JSON answer to this JSON."""
        answer = urllib3.request("POST", f"{self.url}{path}", json=said, timeout=PATIENCE_S)
        assert answer.status in (200, 202), answer.data
        return answer.json()

    def comes_to(self, video_id: str, state: str) -> dict[str, Any]:
        """The video, once it is in this state."""
        found: list[dict[str, Any]] = []

        def has_come() -> bool:
            found.append(self.ask(f"/api/v1/videos/{video_id}"))
            assert found[-1]["state"] in (state, "received", "producing", "detecting", "counting"), found[-1]
            return found[-1]["state"] == state

        until(has_come)
        return found[-1]
