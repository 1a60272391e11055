"""Poison pictures and videos: each has one defined outcome, in little memory, and reads nothing but itself.

Run as a script, this is the process that produces the corpus under a memory limit: `python
test_poison_corpus.py FOLDER PORT STEP`, a line of JSON for each STEPth file.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
try:
    from make_corpus import make_corpus
finally:
    sys.path.pop(0)

MOST_MB = 200
_MB = 1 << 20


def outcome_of(code: int, out: str, err: str) -> str:
    """The outcome of a file, according to the output of `frametally produce`."""
    announced = int(re.search(r"frames: (\d+) announced", out)[1])
    skipped = [line for line in err.splitlines() if line.startswith("skipped ")]
    if code == 0 and announced and not skipped:
        return "whole"
    if code == 6 and announced and len(skipped) == 1 and ": in part: " in skipped[0] and ";" in skipped[0]:
        return "part"
    if code == 2 and not announced and len(skipped) == 1 and ";" in skipped[0]:
        return "skipped"
    return f"undefined: exit code {code}, {out!r}, {err!r}"


def _memory_kb(field: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", text)[1])


def produce_one(path: Path, data_dir: Path) -> dict[str, object]:
    """Produce one file in this process; return its outcome, and the peak of memory."""
    from frametally.console import output as console
    from frametally_cli.main import main

    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured again
    before_kb = _memory_kb("VmRSS")
    err = io.StringIO()
    console.err().file = err
    with contextlib.redirect_stdout(io.StringIO()) as out:
        # Each is a separate source: footage of one source would overlap.
        arguments = ["--source", path.name, "--sample-fps", "all", "--data-dir", str(data_dir)]
        code = main(["produce", str(path), *arguments])
    return {
        "outcome": outcome_of(code, out.getvalue(), err.getvalue()),
        "why": err.getvalue(),
        "peak_mb": (_memory_kb("VmHWM") - before_kb) / 1024,
        "most_mb_of_readers": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def decode_one(path: Path) -> dict[str, object]:
    """Decode one file as the consumer decodes a stored frame."""
    from frametally.errors import Poison as Bad
    from frametally.files.opencv import decode_image

    Path("/proc/self/clear_refs").write_text("5")
    before_kb = _memory_kb("VmRSS")
    try:
        decoded = f"{decode_image(path.read_bytes(), 50_000_000).dtype}"
    except Bad as error:
        decoded = f"bad: {error}"
    return {"decoded": decoded, "peak_mb": (_memory_kb("VmHWM") - before_kb) / 1024}


def run(folder: Path, port: int, step: int) -> None:
    """Make the corpus, limit this process's memory to the needs of good footage, produce all."""
    corpus = make_corpus(folder, port, step)
    for good in (folder / "canary").iterdir():  # producing good footage loads all necessary code
        shutil.copy(good, folder / f"good{good.suffix}")
        assert produce_one(folder / f"good{good.suffix}", folder / "data")["outcome"] == "whole"
    (folder / "begun").touch()
    limit = (_memory_kb("VmSize") << 10) + (MOST_MB + 100) * _MB  # address space, not all of which is used
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for poison in corpus:
        result = produce_one(poison.path, folder / "data")
        if poison.path.parent.name == "pictures" and poison.path.is_file():
            result["decode"] = decode_one(poison.path)
        told = {"name": poison.path.name, "kind": poison.path.parent.name, "expected": poison.outcome}
        print(json.dumps(told | result), flush=True)


class Listener:
    """Counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                connection.close()

    def close(self) -> None:
        # A last file of ours, so that the thread is past all earlier ones.
        with socket.create_connection(("127.0.0.1", self.port)):
            while not self.connections:
                time.sleep(0.01)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


# Each file is watched from outside, which takes minutes where others take the CPU.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def produced(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every file's outcome, the system calls that opened something if they could be watched, connections."""
    from tests.examples import THOROUGH  # this file has no access to it as a script

    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory is measured by /proc, and there is none")
    folder = tmp_path_factory.mktemp("poison") / "corpus"
    folder.mkdir()
    trace = folder / "trace"
    listener = Listener()
    watched = [
        shutil.which("strace"),
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=open,openat,openat2,connect",
    ]
    command = [sys.executable, __file__, str(folder), str(listener.port), "1" if THOROUGH else "15"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")}
    # Each thread's own heap would take 64 MB of address space, used or not.
    environment |= {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
    if watched[0] and THOROUGH:  # only thorough tests ask for the measurements
        probed = subprocess.run([*watched, "true"], capture_output=True)
        if probed.returncode == 0:
            command = [*watched, "-o", str(trace), *command]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    listener.close()
    results = [json.loads(line) for line in finished.stdout.splitlines()]
    return finished, results, trace, folder, listener.connections - 1


def test_nothing_crashes_and_every_file_has_its_expected_outcome(produced: Any) -> None:
    finished, results, _, _, _ = produced
    last = results[-1]["name"] if results else None
    assert finished.returncode == 0, f"after {last}: {finished.stderr[-3000:]}"
    wrong = [
        (r["name"], r["expected"], r["outcome"], r["why"]) for r in results if r["outcome"] != r["expected"]
    ]
    assert wrong == []


@pytest.mark.thorough
def test_the_corpus_is_as_large_as_promised(produced: Any) -> None:
    kinds = [result["kind"] for result in produced[1] if result["expected"] != "whole"]
    assert kinds.count("pictures") >= 40
    assert kinds.count("videos") >= 12


@pytest.mark.thorough
def test_no_file_takes_much_memory(produced: Any) -> None:
    _, results, _, _, _ = produced
    large = {
        r["name"]: (r["peak_mb"], r.get("decode", {}).get("peak_mb", 0))
        for r in results
        if max(r["peak_mb"], r.get("decode", {}).get("peak_mb", 0)) > MOST_MB
    }
    assert large == {}
    # Pictures are read in separate processes, 60 MB of which are Python and OpenCV.
    assert max(r["most_mb_of_readers"] for r in results) < MOST_MB + 60


@pytest.mark.thorough
def test_the_consumers_decoder_accepts_only_jpegs_and_names_what_is_wrong_with_other_files(
    produced: Any,
) -> None:
    _, results, _, _, _ = produced
    decoded = {r["name"]: r["decode"]["decoded"] for r in results if "decode" in r}
    assert len(decoded) >= 40
    for result in results:
        name = result["name"]
        if name not in decoded:
            continue
        # Only the producer looks for parts that a decoder made up: a stored frame has its checksum.
        if name == "noise-in-scan.jpg" or (result["expected"] == "whole" and name.endswith(".jpg")):
            assert decoded[name] == "uint8", name
        else:
            assert decoded[name].startswith("bad: "), name
            assert "\n" not in decoded[name]


@pytest.mark.thorough
def test_only_the_given_file_is_read(produced: Any) -> None:
    _, results, trace, folder, _ = produced
    assert len(results) > 52
    if not trace.exists():
        pytest.skip("needs strace (Debian: apt install strace): only outcomes were watched")
    calls = trace.read_text(errors="replace").splitlines()
    begun = next(at for at, call in enumerate(calls) if f'"{folder}/begun"' in call)
    opened = [call for call in calls[begun + 1 :] if re.search(r"open(at2?)?\(", call) and "= -1" not in call]
    assert opened
    paths = {re.search(r'"((?:[^"\\]|\\.)*)"', call)[1] for call in opened if '"' in call}
    strangers = {
        path
        for path in paths
        if path.startswith(("/etc/passwd", "/dev/zero", "/dev/tty", "/proc/self/environ"))
        or "/canary" in path
        or "no-such-file" in path
    }
    assert strangers == set()


@pytest.mark.thorough
def test_no_connection_is_opened(produced: Any) -> None:
    _, results, trace, _, connections = produced
    assert len(results) > 52
    assert connections == 0
    if trace.exists():
        calls = [line for line in trace.read_text(errors="replace").splitlines() if "connect(" in line]
        assert [call for call in calls if "AF_INET" in call] == []


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
