"""A family's members are started, monitored, restarted and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from tests.kit.processes import is_running
from tests.kit.waiting import until

from frametally.process.bound import bound
from frametally.process.exit_codes import PART_DONE
from frametally.work import children
from frametally.work.children import Family, Member


def python(name: str, program: str, *arguments: object) -> Member:
    return Member(name, [sys.executable, "-c", program, *map(str, arguments)])


class Running:
    """A family in a separate thread."""

    def __init__(self, *members: Member) -> None:
        self.lines: list[str] = []
        self.code: int | None = None
        self._stop = threading.Event()
        self._family = Family(members, say=self.lines.append)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.code = self._family.run(self._stop.is_set)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def says(self, part: str, times: int = 1) -> list[str]:
        until(lambda: sum(part in line for line in self.lines) >= times)
        return [line for line in self.lines if part in line]

    def end(self) -> int | None:
        self._stop.set()
        self._thread.join()
        return self.code


SLEEPS = "import os, time; print('here', os.getpid()); time.sleep(600)"
DEAF = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', os.getpid()); "
    "time.sleep(600)"
)


def process_of(line: str) -> int:
    return int(line.split()[-1])


def test_each_line_begins_with_its_member_and_includes_standard_error() -> None:
    loud = python("loud", "import sys, time; print('one'); print('two', file=sys.stderr); time.sleep(600)")
    with Running(loud, python("slowest", SLEEPS)) as family:
        assert family.says("one") == ["loud    | one"]
        assert family.says("two") == ["loud    | two"]
        assert family.says("here")[0].startswith("slowest | here ")
    assert family.code == 0


def test_the_time_and_level_of_a_line_come_first_and_do_not_make_it_a_different_line() -> None:
    log = "for at in '123': print(f'2026-01-01T00:00:0{at}+00:00 WARNING waiting' + ' on' * (at > '2'))"
    with Running(python("loud", f"{log}\nimport time; time.sleep(600)")) as family:
        assert family.says("waiting on") == ["2026-01-01T00:00:03+00:00 WARNING loud | waiting on"]
        assert family.says("waiting")[0] == "2026-01-01T00:00:01+00:00 WARNING loud | waiting"
        assert len(family.lines) == 2


@pytest.mark.thorough
def test_a_killed_member_is_restarted_and_the_others_keep_running() -> None:
    with Running(python("one", SLEEPS), python("other", SLEEPS)) as family:
        first, other = (process_of(family.says(f"{name} | here")[0]) for name in ("one  ", "other"))
        os.kill(first, signal.SIGKILL)
        assert family.says("was killed by SIGKILL: frametally starts it again in ")[0].startswith("one   | ")
        second = process_of(family.says("one   | here", times=2)[1])
        assert second != first
        assert is_running(other)
    assert family.code == 0, family.lines
    assert not is_running(second)


@pytest.mark.thorough
def test_a_member_that_ends_by_itself_is_restarted_at_growing_intervals() -> None:
    with Running(python("short", "import time; print('at', time.time())")) as family:
        said = family.says("ended with code 0: frametally starts it again in ", times=3)
    pauses_s = [float(line.split()[-2]) for line in said[:3]]
    assert pauses_s[0] <= 0.5 < pauses_s[2] <= 2.0


def test_the_exit_code_is_that_of_the_worst_member() -> None:
    ends = {"cut": 1, "bad": 2, "part": PART_DONE}
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit({code})); "
        "print('here'); time.sleep(600)"
    )
    members = [python(name, program.format(code=code)) for name, code in ends.items()]
    with Running(python("fine", SLEEPS), *members) as family:
        family.says("here", times=1 + len(members))
    assert family.code == 2  # 6 is the larger number, but not a failure


@pytest.mark.thorough
@pytest.mark.parametrize("code", [0, 130, 143])
def test_a_member_that_ends_on_request_is_not_a_failure(code: int) -> None:
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[1]))); "
        "print('here'); time.sleep(600)"
    )
    with Running(python("good", program, code)) as family:
        family.says("here")
    assert family.code == 0


def test_a_failure_during_the_end_of_a_member_gives_its_exit_code() -> None:
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); "
        "print('here'); time.sleep(600)"
    )
    with Running(python("bad", program), python("good", SLEEPS)) as family:
        family.says("here", times=2)
    assert family.code == 3


def test_a_member_that_ignores_signals_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_KILL_AFTER_S", 0.5)
    with Running(python("deaf", DEAF), python("good", SLEEPS)) as family:
        process = process_of(family.says("deaf | here")[0])
        family.says("good | here")
    assert family.code == 1
    assert not is_running(process)
    assert any("was killed; run the same command to continue" in line for line in family.lines)


def test_a_missing_program_is_reported_and_tried_again() -> None:
    with Running(Member("gone", ["/nowhere/at/all"])) as family:
        family.says("gone | ended with code 1: frametally starts it again in ", times=2)
        assert family.says("nowhere") == ["gone | /nowhere/at/all: No such file or directory"]
    assert family.code == 1


def test_a_repeated_line_is_not_printed_again() -> None:
    program = (
        "import time\nfor n in range(40): print('nothing new'); print('still'); time.sleep(0.01)\n"
        "print('news'); time.sleep(600)"
    )
    with Running(python("idle", program)) as family:
        family.says("news")
    assert family.lines[:3] == ["idle | nothing new", "idle | still", "idle | news"]


def test_a_line_printed_long_ago_is_printed_again() -> None:
    now_s, lines = [0.0], []
    child = children._Child(Member("one", []), lambda _, line: lines.append(line), lambda: now_s[0])
    for now_s[0] in (0.0, 599.0, 601.0):
        child._pass_on("waiting")
    assert lines == ["waiting", "waiting"]


def test_endless_lines_and_bytes_that_are_not_text_are_passed_on_in_pieces() -> None:
    program = (
        "import sys, time; sys.stdout.buffer.write(b'x' * 15_000 + b'\\n\\xff\\n'); print('news'); "
        "time.sleep(600)"
    )
    with Running(python("odd", program)) as family:
        family.says("news")
    assert [len(line) for line in family.lines[:2]] == [len("odd | ") + 10_000, len("odd | ") + 5_000]
    assert "odd | \ufffd" in family.lines


def test_a_member_keeps_running_if_its_output_cannot_be_written() -> None:
    def broken(line: str) -> None:
        raise BrokenPipeError

    stop = threading.Event()
    family = Family([python("loud", SLEEPS)], say=broken)
    thread = threading.Thread(target=lambda: codes.append(family.run(stop.is_set)))
    codes: list[int] = []
    thread.start()
    until(lambda: family._children[0]._process is not None)
    stop.set()
    thread.join()
    assert codes == [0]


FAMILY = """
import sys
from frametally.work.children import Family, Member
program = sys.argv[1]
members = [Member(name, [sys.executable, "-c", program]) for name in ("one", "other")]
Family(members, say=lambda line: print(line, flush=True)).run(lambda: False)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's end")
def test_no_member_outlives_a_killed_family() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY, SLEEPS], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        here = [process_of(parent.stdout.readline()) for _ in range(2)]
        assert all(map(is_running, here))
        parent.kill()
        parent.wait()
        until(lambda: not any(map(is_running, here)))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's end")
def test_a_member_whose_family_is_gone_does_not_start() -> None:
    started = subprocess.run(
        [*bound([])[:-1], "1", sys.executable, "-c", "print('here')"], capture_output=True, check=False
    )
    assert (started.returncode, started.stdout) == (143, b"")
