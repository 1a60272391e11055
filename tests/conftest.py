"""Fixtures for all tests: the real model and footage, or a skip with the reason why they are missing."""

from __future__ import annotations

import fcntl
import gc
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings as hypothesis_settings
from tests.capabilities import is_left_out
from tests.examples import DAY, EVERY_TURN, THOROUGH, TURNS_OF_TESTS, examples, in_turn
from tests.fakes.databases import DATABASES, Place
from tests.fakes.memory import MemoryStore

from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings

if TYPE_CHECKING:
    from frametally_models.files import ModelFiles

# No test asserts how long something takes: the machine may be busy. The quick profile tries the same examples
# each time: a newcomer's first run fails by a defect alone. The thorough one tries others each time.
hypothesis_settings.register_profile("quick", deadline=None, max_examples=examples(100), derandomize=True)
hypothesis_settings.register_profile("thorough", deadline=None, max_examples=50)
hypothesis_settings.load_profile("thorough" if THOROUGH else "quick")

# Tests allocate much and leave little garbage: Python's own thresholds cost a tenth of their CPU.
gc.set_threshold(20_000, 20, 20)

# In memory, where it has room: on a disk, tests wait for stores and databases that sync each of their files.
_MEMORY = Path("/dev/shm")  # noqa: S108
if (
    _MEMORY.is_dir()
    and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    and shutil.disk_usage(_MEMORY).free >= 4 * 2**30
):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

pytest_plugins = ["tests.web.fixtures"]
_LEFT_OUT = pytest.StashKey[int]()
_RUNNING: set[str] = set()
_DEAREST_FILES = 30
_SERVER_TURNS = 2
REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Make `timeout`, which sends SIGTERM, end a run as Ctrl-C does: with its failures and durations."""
    if getattr(config.option, "numprocesses", None):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_report_header() -> str | None:
    """Name the day whose tests run, and how to run them again."""
    if DAY == EVERY_TURN:
        return None
    again = f"FRAMETALLY_TESTS_DAY={DAY} runs them again, ={EVERY_TURN} runs all"
    return f"costly tests and their cases: those whose turn is {DAY} ({again})"


@pytest.hookimpl(trylast=True)  # after `-m`
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the costly tests that have their turn on another day, if all tests are asked for."""
    if DAY == EVERY_TURN or {config.rootpath / argument for argument in config.args} != {
        REPOSITORY / "tests"
    }:
        return
    thorough: list[pytest.Item] = []
    on_servers: dict[Path, list[pytest.Item]] = {}
    for item in items:
        mark = item.get_closest_marker("thorough")
        if item.path.parent.name == "services":
            on_servers.setdefault(item.path, []).append(item)
        elif mark is not None and mark.kwargs.get("turns", True):
            thorough.append(item)
    # Each file of servers starts its own ones, so it has all of its tests on one day.
    served = itertools.chain(*in_turn(on_servers.values(), _SERVER_TURNS))
    kept = {*in_turn(thorough, TURNS_OF_TESTS), *served}
    others = {*thorough, *itertools.chain(*on_servers.values())} - kept
    items[:] = [item for item in items if item not in others]
    config.stash[_LEFT_OUT] = len(others)
    config.hook.pytest_deselected(items=[*others])


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note which tests run, in any process."""
    _RUNNING.add(nodeid)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Note that a test has ended."""
    _RUNNING.discard(nodeid)


def pytest_collection_finish() -> None:
    """Collect garbage only among objects of tests: a full collection takes a second."""
    gc.collect()
    gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not load tests of a capability that is gone, nor, for seconds in each process, those that `-m`
    excludes."""
    if is_left_out(collection_path):
        return True
    asked = config.option.markexpr
    if collection_path.suffix != ".py" or re.search(r"\bor\b|\(", asked):
        return None
    text = collection_path.read_text(encoding="utf-8")
    marks = re.search(r"^pytestmark = (.*(?:\n .*)*)", text, re.MULTILINE)
    if not marks or not {f"mark.{name}" for name in re.findall(r"not (\w+)", asked)} & set(
        re.findall(r"mark\.\w+", marks[1])
    ):
        return None
    if "mark.thorough" in marks[1] and not THOROUGH:
        config.stash[_LEFT_OUT] = config.stash.get(_LEFT_OUT, 0) + text.count("\ndef test_")
    return True


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the tests that are left to `make test-all`."""
    if items and DAY == EVERY_TURN and not THOROUGH:
        config = items[0].config
        config.stash[_LEFT_OUT] = config.stash.get(_LEFT_OUT, 0) + sum(
            item.get_closest_marker("thorough") is not None for item in items
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the count to the main process, if tests run in several."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left_out"] = session.config.stash.get(_LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Use the count of one of several processes: each has collected all tests."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report which files took longest, and the tests that were not run: why, and the one command that brings
    what they need."""
    for nodeid in sorted(_RUNNING):
        terminalreporter.write_line(f"It ended while this test was running: {nodeid}")
    if config.option.durations:
        write_dearest_files(terminalreporter)
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason}")
    if packages := sorted(set(re.findall(r"\(Debian: apt install ([\w-]+)", " ".join(reasons)))):
        terminalreporter.write_line(f"On Debian: apt install {' '.join(packages)}")
    count = config.stash.get(_LEFT_OUT, 0)
    if count and DAY != EVERY_TURN:
        terminalreporter.write_line(
            f"{count:,} more have their turn on other days than {DAY}: "
            f"FRAMETALLY_TESTS_DAY={EVERY_TURN} runs all."
        )
    elif count:
        terminalreporter.write_line(
            f"`make test-all` has at least {count:,} more: kill campaigns, hostile files, flipped bits, each "
            "state of every page in a browser, and more random examples."
        )


def write_dearest_files(terminalreporter: pytest.TerminalReporter) -> None:
    """Write how long each of the dearest files took, with its fixtures."""
    took_s: defaultdict[str, float] = defaultdict(float)
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            took_s[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section(f"slowest {_DEAREST_FILES} files")
    for name, seconds in sorted(took_s.items(), key=itemgetter(1), reverse=True)[:_DEAREST_FILES]:
        terminalreporter.write_line(f"{seconds:.0f}s {name}")


def _unavailable(what: str, reason: object) -> None:
    """Skips; fails with FRAMETALLY_REQUIRE_MODEL=1."""
    line = f"{what} cannot be had: {reason}"
    if os.environ.get("FRAMETALLY_REQUIRE_MODEL") == "1":
        pytest.fail(line)
    pytest.skip(line)


@contextmanager
def _one_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """If tests run in several processes, one fetches the files and the others use them."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """YOLOv4-tiny's files, from the model cache or fetched into it."""
    from frametally_models.files import chosen_model_files

    try:
        with _one_at_a_time(tmp_path_factory):
            return chosen_model_files(load_settings("consumer"))
    except Misconfigured as error:
        _unavailable("the model", error)
        raise


@pytest.fixture(scope="session")
def traffic_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's traffic clip, from the checkout's `demo-data` or fetched into it."""
    try:
        with _one_at_a_time(tmp_path_factory):
            return ensure_demo_clip(REPOSITORY / "demo-data")
    except Misconfigured as error:
        _unavailable("the traffic clip", error)
        raise


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty database: a SQLite file, and a schema of PostgreSQL if its server is up."""
    with request.param() as place:
        yield place


@pytest.fixture
def store() -> MemoryStore:
    """An empty store, in memory."""
    return MemoryStore()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, if this user may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16; some do not."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Development data next to the checkout; not part of the project."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the development data, and there is no {folder.parent}")
    return folder
