"""Ten thousand WebSockets: those beyond the limit are refused, viewers keep watching, all resources are
freed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
from tests.family.running import Running
from tests.kit.waiting import until
from tests.live.test_watching import Gate, begun, see
from tests.live.watching import Scene, Watcher, open_socket
from tests.web.conftest import Place

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to tell what is taken"),
    pytest.mark.thorough,
]

ROOT = Path(__file__).resolve().parents[2]
SOCKETS, AGAIN = 10_000, 2_500
MOST_FILES, MOST_MORE_MB = 2_300, 150
FEW_FILES = 1_024
"""The default limit of open files on most systems."""


class Taken:
    """The resources of a process."""

    def __init__(self, process: int) -> None:
        self._folder = Path("/proc") / str(process)
        self.most_files = 0

    @property
    def memory_mb(self) -> float:
        pages = int((self._folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def files(self) -> int:
        files = len([*(self._folder / "fd").iterdir()])
        self.most_files = max(files, self.most_files)
        return files


class Storm:
    """Many clients, in a separate process."""

    def __init__(self, url: str, asked: str, sockets: int) -> None:
        port = str(urlsplit(url).port)
        command = [sys.executable, "-m", "tests.live.socket_storm", port, asked, str(sockets)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._said = ""
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    @property
    def is_there(self) -> bool:
        """Whether all have connected, and have an answer."""
        return not self._listening.is_alive()

    @property
    def told(self) -> dict[str, int]:
        """The number of clients with each status."""
        told: dict[str, int] = json.loads(self._said)
        return told

    def __enter__(self) -> Storm:
        return self

    def __exit__(self, *_: object) -> None:
        """They go."""
        self._process.communicate()
        self._listening.join()

    def _listen(self) -> None:
        self._said = self._process.stdout.readline()


def test_sockets_beyond_the_limit_are_refused_and_the_others_are_not_disturbed(
    place: Place, tmp_path: Path
) -> None:
    gate = Gate(Scene(place))
    folder = str(place.settings.data_dir)
    few = ["bash", "-c", f'ulimit -Sn {FEW_FILES}; exec "$@"', "serve"]
    program = [*few, sys.executable, "-m", "frametally", "serve", "--alone", "--data-dir", folder]
    with Running(tmp_path / "run", "serve", settings={}, program=program) as running, ExitStack() as stack:
        url = running.url

        def watcher(number: int) -> Watcher:
            address = {"X-Forwarded-For": f"198.51.100.{number}"}
            socket = f"{url.replace('http', 'ws', 1)}/ws/stream?{gate.asked}"
            return Watcher(stack.enter_context(open_socket(socket, additional_headers=address)))

        lively = [watcher(number) for number in range(5)]
        begun(gate, lively[0])
        taken = Taken(running.process.pid)
        shown = 1000

        def all_is_well() -> None:
            nonlocal shown
            shown += 1
            gate.show(shown)
            for one in lively:
                see(one, shown)
            for path in ("/", "/api/v1/streams"):
                assert urllib3.request("GET", url + path, timeout=60, retries=False).status == 200
            assert taken.files < MOST_FILES

        all_is_well()
        files, memory_mb = taken.files, [taken.memory_mb]
        left_out = [one.frames[-1].header["left_out"] for one in lively]
        for sockets in (SOCKETS, AGAIN):
            with Storm(url, gate.asked, sockets) as storm:
                while not storm.is_there:
                    all_is_well()
                    time.sleep(0.2)
                all_is_well()
                memory_mb.append(taken.memory_mb)
            assert storm.told.keys() == {"101", "503"}, "each has an answer"
            until(lambda: taken.files <= files + 20)
        all_is_well()
        memory_mb.append(taken.memory_mb)
        assert [one.frames[-1].header["left_out"] for one in lively] == left_out
        assert max(memory_mb) - memory_mb[0] < MOST_MORE_MB
        assert 1e6 * (memory_mb[-1] - memory_mb[1]) / AGAIN < 5_000, "nothing is kept of who has gone"
        assert "Traceback" not in running.said
