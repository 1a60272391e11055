"""The power is cut at any moment: nothing that was acknowledged is lost, and nothing deleted comes back.

A recorder notes every change of every file while commands run. Each cut takes the changes before it, leaves
out some that nobody has synced, and starts again from what is left, as people do: the interrupted command
runs again, and what `frametally up` does by itself. Then everything must be as if the power had stayed on.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from tests.capabilities import CAPABILITIES, HERE
from tests.commands import FORKS
from tests.examples import in_turn
from tests.kit.clips import write_clip
from tests.power.disk import MODES, Change, Disk, Mode, changes_in, log_of
from tests.power.session import run_forked

FOLDER = Path(__file__).resolve().parent
NEEDS = "recording needs Linux and a C compiler"
pytestmark = [
    pytest.mark.skipif(not shutil.which("cc") or sys.platform != "linux", reason=NEEDS),
    pytest.mark.skipif({*CAPABILITIES} != HERE, reason="its commands are those of all capabilities"),
]

CATCH_UP = [["work", "--until-done"], ["consume", "--until-caught-up"], ["aggregate"], ["index"]]
LOOK = [
    ["users", "list"],
    ["tokens", "list"],
    ["alerts", "list"],
    ["live", "list"],
    ["lines", "list"],
    ["retention", "show"],
    ["privacy", "show"],
    ["accuracy", "list"],
    ["audit", "verify"],
    ["export", "--format", "csv"],
    ["status"],
]
"""What people see; each line of it is a fact."""

_CHANGES_BY_ITSELF = re.compile(
    r"newest segment .*|used \d{4}\S* \S* UTC|expires \S+ \S+ UTC|sessions: \d+|since \d{4}-\S+ \S+"
    r"|audit verify: \d+|last round: [^,]*|retention: applied \S+ \S+"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|\d+ records?\b.*|[0-9a-f]{12,}|ledger.*|quality.*"
)

LANE = ["lane.mp4", "--start-time", "2026-01-01T10:00:00Z"]
MAKING = [
    ["produce", "gate"],
    ["users", "add", "anna", "--role", "run"],
    ["tokens", "add", "anna", "ci"],
    ["users", "add", "ben"],
    ["alerts", "add", "busy", "--what", "count", "--at-least", "5", "--channel", "ops"],
    ["live", "add", "http://127.0.0.1:9/dead", "--source", "Door"],
    ["lines", "import", "gate", "drawing.json"],
    ["retention", "hold", "case-7", "--source", "gate"],
    ["privacy", "set", "--source", "yard", "--new-source", "--mask", "0,0 0.3,0 0.3,0.2"],
    ["upload", *LANE],
    ["produce", "yard"],
    ["accuracy", "start", "eyes", "--source", "gate"],
    ["accuracy", "answer", "eyes", "answers.json"],
    ["backup"],
    ["pack"],
    ["rename-source", "yard", "court"],
    ["retime", "--source", "court", "--start-time", "2026-01-01T09:00:00Z"],
]
REMOVING = [
    ["produce", "gate"],
    ["produce", "yard"],
    ["produce", "hall"],
    ["users", "add", "anna", "--role", "run"],
    ["users", "add", "ben"],
    ["tokens", "add", "anna", "ci"],
    ["alerts", "add", "busy", "--what", "count", "--at-least", "5", "--channel", "ops"],
    ["retention", "hold", "case-7", "--source", "gate"],
    ["backup"],
    ["half a minute"],
    ["tokens", "remove", "anna", "ci"],
    ["users", "remove", "ben"],
    ["alerts", "remove", "busy"],
    ["retention", "release", "case-7"],
    ["forget", "--source", "yard", "--delete-images", "--yes"],
    [
        "privacy",
        "erase",
        "--source",
        "gate",
        "--from",
        "2026-01-01T08:02Z",
        "--to",
        "2026-01-01T08:05Z",
        "--yes",
    ],
    ["rename-source", "gate", "court", "--delete-images"],
    ["retention", "set", "frames", "--source", "hall", "--after", "1d"],
    ["retention", "apply"],
    ["restore", "--replace"],
]


CLOCKS_AHEAD_S = (-86_400, 3_600)
CUTS_OF_A_START = 7


class Cut(NamedTuple):
    """A power cut at a byte of the log, on a disk of a kind; then the clock is ahead."""

    at: int
    mode: Mode
    clock_ahead_s: int
    seed: int


class Step(NamedTuple):
    """A command of a recording: where it ran in the log, and all facts after it and after catching up."""

    arguments: list[str]
    began: int
    acknowledged: int
    ended: int
    facts: frozenset[str]
    audit_records: int


class Recording(NamedTuple):
    """The steps of a recording, and all changes of files."""

    recorder: Path
    folder: Path
    changes: list[Change]
    steps: list[Step]

    @property
    def root(self) -> Path:
        """The folder that was recorded."""
        return self.folder / "root"


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    build = [
        "cc",
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(FOLDER / "recorder.c"),
        "-ldl",
        "-lpthread",
    ]
    subprocess.run(build, check=True)
    return library


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of three sources, and a drawing."""
    folder = tmp_path_factory.mktemp("power")
    rng = np.random.default_rng(7)
    for source in ("gate", "yard", "hall"):
        (folder / source).mkdir()
        for minute in range(6):
            picture = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / source / f"cam_20260101_08{minute:02d}00.jpg"), picture)
    shape = {"name": "stop", "width_px": 64, "height_px": 48, "points": [[1, 2], [60, 40]]}
    (folder / "drawing.json").write_text(json.dumps({"lines": [shape]}))
    (folder / "answers.json").write_text(json.dumps([{"unit": unit, "counts": {}} for unit in range(2)]))
    write_clip(folder / "lane.mp4", rng.integers(0, 255, (4, 48, 64, 3), dtype=np.uint8), fps=1)
    return folder


def run_session(
    place: Path, root: Path, commands: Sequence[Sequence[str]], **extra: str
) -> list[dict[str, Any]]:
    """Run commands on `root/data` in one new process; return its notes."""
    files = [root.with_name(f"{root.name}.{name}") for name in ("commands", "notes")]
    files[0].write_text(json.dumps(commands))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")},
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_TIME_PATTERN": "cam_%Y%m%d_%H%M%S",
        "FRAMETALLY_MIN_FREE_DISK_MB": "0",
        "FRAMETALLY_LOG_PARTITIONS": "1",
        "FRAMETALLY_ALERT_CHANNELS": '{"ops": "http://127.0.0.1:9/"}',
        "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
        "COLUMNS": "400",
        **extra,
    }
    arguments = [str(root / "data"), *map(str, files)]
    if "LD_PRELOAD" in extra:
        command = [sys.executable, str(FOLDER / "session.py"), *arguments]
        subprocess.run(command, cwd=place, env=environment, check=True)
    else:  # without a recorder no new interpreter is needed, whose start costs more than what it runs
        process = FORKS.Process(target=run_forked, args=(arguments, str(place), environment))
        process.start()
        process.join()
        assert process.exitcode == 0
    notes: list[dict[str, Any]] = json.loads(files[1].read_text())
    traced = [note for note in notes if "Traceback" in note["err"] + note["out"]]
    assert not traced, traced
    return notes


def record(
    recorder: Path, place: Path, folder: Path, commands: Sequence[Sequence[str]], **faults: str
) -> Recording:
    """Run commands under the recorder, each followed by what an installation does by itself."""
    root, log = folder / "root", folder / "log"
    root.mkdir(parents=True)
    log.touch()
    each = len(CATCH_UP) + len(LOOK)
    calls = [call for command in commands for call in (command, *CATCH_UP, *LOOK)]
    notes = run_session(
        place, root, calls, LD_PRELOAD=str(recorder), POWER_ROOT=str(root), POWER_LOG=str(log), **faults
    )
    changes = list(changes_in(log))
    Disk(root, changes, sys.maxsize).write_to(root, folder / "all", mode=None, seed=0)
    assert files_of(folder / "all") == files_of(root), "the recorder has not seen every change"
    steps = []
    for number in range(0, len(notes), each + 1):
        first, last = notes[number], notes[number + each]
        assert first["code"] in (0, 6), first
        seen = notes[number + 1 + len(CATCH_UP) : number + 1 + each]
        folder_then = folder / f"then-{number}"
        Disk(root, changes, last["ended"]).write_to(root, folder_then, mode=None, seed=0)
        facts = facts_of(seen, folder_then)
        ends = first["began"], first["ended"], last["ended"]
        steps.append(Step(first["arguments"], *ends, facts, audit_records_in(seen)))
        shutil.rmtree(folder_then)
    return Recording(recorder, folder, changes, steps)


def files_of(root: Path) -> dict[str, bytes]:
    """Return the files below a folder by their paths in it, without SQLite's shared memory."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def facts_of(seen: Sequence[dict[str, Any]], root: Path) -> frozenset[str]:
    """Return the lines of what was seen without what changes by itself, and the stored pictures."""
    lines = {
        _CHANGES_BY_ITSELF.sub("", f"{' '.join(note['arguments'])}: {line}").rstrip()
        for note in seen
        for line in (f"exit code {note['code']}", *note["out"].splitlines())
    }
    # A crash may leave a staging file, `<name>#<digits>`, which a later listing removes.
    images = (root / "data/store/images").rglob("*.[jp][pa]*")
    pictures = {str(path.relative_to(root)) for path in images if "#" not in path.name}
    return frozenset(lines | pictures)


def audit_records_in(seen: Sequence[dict[str, Any]]) -> int:
    """Return the number of records that `audit verify` printed."""
    [note] = [note for note in seen if note["arguments"] == ["audit", "verify"]]
    number = re.match(r"\d+", note["out"])
    return int(number[0]) if number else 0


def after_cut(place: Path, recording: Recording, cut: Cut) -> list[str]:
    """Cut the power, start again, and return what differs from what it should be; empty if nothing does."""
    return problems_in(place, recording, cut, left_by(recording, cut))


def left_by(recording: Recording, cut: Cut) -> Path:
    """Return a new folder with what a cut leaves of a recording's root."""
    root = recording.folder / f"{cut.mode}-{cut.at}-{cut.seed}"
    Disk(recording.root, recording.changes, cut.at).write_to(
        recording.root, root, mode=cut.mode, seed=cut.seed
    )
    return root


def start_after(place: Path, recording: Recording, cut: Cut) -> tuple[Recording, int]:
    """Record the start of `up` after a cut; return the recording, and where in its log the start begins."""
    folder = recording.folder / "again"
    root, log = folder / "root", folder / "log"
    folder.mkdir()
    left_by(recording, cut).rename(root)
    log.write_bytes(log_of(root))
    began = log.stat().st_size
    calls = [*commands_again(recording, cut.at), ["up"]]
    recorder = recording.recorder
    notes = run_session(
        place, root, calls, LD_PRELOAD=str(recorder), POWER_ROOT=str(root), POWER_LOG=str(log)
    )
    assert notes[-1]["code"] == 0, notes[-1]
    return Recording(recorder, folder, list(changes_in(log)), recording.steps), began


def step_at(recording: Recording, cut_at: int) -> int:
    """Return the number of the step in which a cut is."""
    return next(number for number, step in enumerate(recording.steps) if cut_at <= step.ended)


def commands_again(recording: Recording, cut_at: int) -> list[list[str]]:
    """Return the command that a cut interrupted, which people run again; empty if it was acknowledged."""
    step = recording.steps[step_at(recording, cut_at)]
    is_over = cut_at >= step.acknowledged or step.arguments == ["half a minute"]
    return [] if is_over else [step.arguments]


def problems_in(place: Path, recording: Recording, cut: Cut, root: Path) -> list[str]:
    """Start again from what a cut left, and return what differs from what it should be."""
    number = step_at(recording, cut.at)
    step, again = recording.steps[number], commands_again(recording, cut.at)
    calls = [*again, *CATCH_UP, *LOOK, ["doctor", "--deep", "--json"]]
    notes = run_session(place, root, calls, **clock_after(recording, cut))
    seen = notes[-1 - len(LOOK) : -1]
    facts = facts_of(seen, root)
    words = f"{root.name} in {' '.join(step.arguments)}, clock {cut.clock_ahead_s:+} s"
    problems = [f"{words}: lost: {fact}" for fact in sorted(step.facts - facts)]
    problems += [f"{words}: back: {fact}" for fact in sorted(facts - step.facts)]
    before = recording.steps[number - 1].audit_records if number else 0
    # A restore brings an earlier audit log back, and an interrupted one may have done so.
    if audit_records_in(seen) < (min(before, step.audit_records) if again else step.audit_records):
        problems.append(f"{words}: lost: records of the audit log")
    problems += [f"{words}: doctor: {row}" for row in bad_rows(notes[-1])]
    if not problems:
        shutil.rmtree(root)
    return problems


def clock_after(recording: Recording, cut: Cut) -> dict[str, str]:
    """Return the environment of a session after a cut, whose clock may be wrong."""
    if not cut.clock_ahead_s:
        return {}
    return {"LD_PRELOAD": str(recording.recorder), "POWER_CLOCK_S": str(cut.clock_ahead_s)}


def bad_rows(doctor: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what `doctor --json` found wrong with what is stored."""
    not_stored = ("backup", "model", "versions", "disk", "live", "clock")
    rows = json.loads(doctor["out"])["rows"]
    return [row for row in rows if not row["good"] and row["area"] not in not_stored]


def cuts_of(recording: Recording, seed: int = 1) -> Iterator[Cut]:
    """Yield cuts of each step: right after it was acknowledged, within it, and, of every third step, later.

    Each kind of place meets each mode in turn. After one of its cuts the clock may be wrong.
    """
    rng = random.Random(seed)  # noqa: S311
    ats = [change.at for change in recording.changes]
    for number, step in enumerate(recording.steps):
        within = [at for at in ats if step.began < at < step.acknowledged] or [step.acknowledged]
        later = [at for at in ats if step.acknowledged < at < step.ended] or [step.acknowledged]
        places = (step.acknowledged, rng.choice(within), rng.choice(later))
        for turn, cut_at in enumerate(places[: 3 if number % 3 == 1 else 2]):
            clock_ahead_s = CLOCKS_AHEAD_S[number % 2] if turn == number % len(MODES) else 0
            yield Cut(cut_at, MODES[(number + turn) % len(MODES)], clock_ahead_s, number)


def problems_after(cuts: Iterable[Callable[[], list[str]]]) -> list[str]:
    """Return all problems after some cuts."""
    with ThreadPoolExecutor(2) as pool:
        return [problem for problems in pool.map(lambda cut: cut(), cuts) for problem in problems]


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_the_campaign_fails_without_a_sync_of_each_commit(
    recorder: Path, place: Path, tmp_path: Path
) -> None:
    commands = [["users", "add", "anna", "--role", "run"]]
    recording = record(recorder, place, tmp_path / "recording", commands, POWER_SYNCHRONOUS="NORMAL")
    at = recording.steps[0].acknowledged
    cuts = (Cut(at, "posix", 0, seed) for seed in range(3))
    problems = problems_after(partial(after_cut, place, recording, cut) for cut in cuts)
    assert any("lost: users list: anna" in problem for problem in problems)


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_a_second_power_cut_while_up_starts_loses_nothing(
    recorder: Path, place: Path, tmp_path: Path
) -> None:
    commands = [["produce", "gate"], ["users", "add", "anna", "--role", "run"], ["upload", *LANE]]
    recording = record(recorder, place, tmp_path / "recording", commands)
    first = Cut(recording.steps[-1].acknowledged, "posix", 0, 0)
    start, began = start_after(place, recording, first)
    rng = random.Random(2)  # noqa: S311
    ats = [change.at for change in start.changes if change.at > began]
    cuts = [Cut(rng.choice(ats), MODES[seed % len(MODES)], 0, seed) for seed in range(CUTS_OF_A_START)]
    lefts = (left_by(start, cut) for cut in cuts)
    assert problems_after(partial(problems_in, place, recording, first, left) for left in lefts) == []


@pytest.mark.thorough
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("commands", [MAKING, REMOVING], ids=["making", "removing"])
def test_a_power_cut_loses_nothing_acknowledged_and_restores_nothing_deleted(
    recorder: Path, place: Path, tmp_path: Path, commands: list[list[str]]
) -> None:
    recording = record(recorder, place, tmp_path / "recording", commands)
    assert (
        problems_after(partial(after_cut, place, recording, cut) for cut in in_turn(cuts_of(recording))) == []
    )
