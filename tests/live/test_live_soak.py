"""Four cameras for minutes, while everything is killed in turns: the books name every loss.

`make soak-live` runs it for an hour. A shorter one has fewer of the same faults.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from serving.own import OwnServer
from tests.kit.waiting import until
from tests.live.cut_network import CutNetwork
from tests.live.live_place import Books, LivePlace
from tests.live.showing import RtspCamera
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from frametally_live.book import LiveBook
from frametally_live.cameras.camera_form import add_camera, read_camera

MINUTES = float(os.environ.get("SOAK_LIVE_MINUTES", "1"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ROUNDS = max(1, min(10, round(MINUTES)))
"""The number of faults: an hour's ten kill each camera five times, and everything else ten times."""
SOURCES = ["gate-1", "gate-2", "gate-3", "gate-4"]
LONGEST_AWAY_S = 4.0
MOST_GROWTH, SLACK_MB = 1.2, 20.0

pytestmark = [pytest.mark.services, pytest.mark.timeout(60 * MINUTES + 600)]


class Fault(NamedTuple):
    """The action, and its target among those that exist."""

    what: str
    number: int = 0


def programme(rng: random.Random) -> list[Fault]:
    """Each round has every kind of fault, in a different order."""
    faults = []
    for round_number in range(ROUNDS):
        cameras = [2 * round_number % 4, (2 * round_number + 1) % 4]
        some = [Fault(what) for what in ("consumer", "producer", "web", "log")]
        some += [Fault("camera", number) for number in cameras]
        some.append(Fault("network", rng.randrange(4)))
        rng.shuffle(some)
        faults += some
    return faults


class Scene:
    """The deployment with its log, its cameras, and the networks between."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Start all, and add the cameras."""
        self.broker = stack.enter_context(OwnServer("kafka", folder / "servers", session_ms="2000"))
        self.cameras = [stack.enter_context(RtspCamera()) for _ in SOURCES]
        self.networks = [stack.enter_context(CutNetwork(camera.port)) for camera in self.cameras]
        self.place = stack.enter_context(closing(LivePlace(folder, self.broker.values["URL"])))
        self.feeds = stack.enter_context(closing(LiveBook(self.place.settings.catalogue_url)))
        for source, network in zip(SOURCES, self.networks, strict=True):
            address = f"rtsp://127.0.0.1:{network.port}/gate"
            add_camera(
                self.feeds, read_camera(self.feeds, self.place.settings, source=source, address=address)
            )
        for name in ("consumer", "producer", "web"):
            self.place.start(name)

    def announced(self) -> dict[str, int]:
        """Frames announced so far, by source."""
        return {feed.source: feed.told.frames_announced for feed in self.feeds.feeds("camera")}

    def until_all_go_on(self) -> None:
        """Wait until each camera runs and has more frames than now."""
        before = self.announced()

        def go_on() -> bool:
            feeds = self.feeds.feeds("camera")
            return all(
                feed.told.state == "running" and feed.told.frames_announced > before[feed.source]
                for feed in feeds
            )

        until(go_on, "a camera does not go on")

    def do(self, fault: Fault, away_s: float, *, silently: bool) -> None:
        """Make something fail, and recover after a while."""
        if fault.what == "camera":
            self.cameras[fault.number].kill()
            time.sleep(away_s)
            self.cameras[fault.number].start()
        elif fault.what == "network":
            self.networks[fault.number].cut(silently=silently)
            time.sleep(away_s)
            self.networks[fault.number].mend()
        elif fault.what == "log":
            self.broker.signal(signal.SIGKILL)
            time.sleep(away_s)
            self.broker.up()
        else:
            self.place.kill(fault.what)
            time.sleep(away_s)
            self.place.start(fault.what)


class Viewer:
    """A viewer of the first camera, who reconnects when disconnected."""

    def __init__(self, port: int) -> None:
        """Watch, in a thread, until the block ends."""
        self.frames = self.visits = 0
        self._url = f"ws://127.0.0.1:{port}/ws/stream?source={SOURCES[0]}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.2):
            try:
                self._watch()
            except (OSError, WebSocketException):
                continue

    def _watch(self) -> None:
        with connect(self._url, proxy=None, open_timeout=5, close_timeout=1) as socket:
            self.visits += 1
            while not self._over.is_set():
                try:
                    message = socket.recv(1.0)
                except TimeoutError:
                    continue
                if isinstance(message, bytes):
                    header = json.loads(message[4 : 4 + int.from_bytes(message[:4])])
                    self.frames += 1
                    socket.send(json.dumps({"type": "ack", "n": header["n"]}))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


def test_whatever_is_killed_or_cut_off_every_frame_of_four_cameras_is_in_the_books(scene: Scene) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    faults = programme(rng)
    until(lambda: len(scene.announced()) == len(SOURCES))
    scene.until_all_go_on()
    ends_s = time.monotonic() + 60 * MINUTES
    done: Counter[str] = Counter()
    with Viewer(scene.place.web_port) as viewer:
        for left, fault in zip(range(len(faults), 0, -1), faults, strict=True):
            due_s = time.monotonic() + max(0.0, ends_s - time.monotonic()) / left
            scene.do(fault, rng.uniform(0, LONGEST_AWAY_S), silently=rng.random() < 0.5)
            done[fault.what] += 1
            while time.monotonic() < due_s:
                scene.place.look()
                time.sleep(0.5)
        scene.until_all_go_on()
        seen = viewer.frames
        until(lambda: viewer.frames > seen, "who watches sees nothing any more")
    books = at_rest(scene)
    show(books, done, viewer, scene.place.memory_mb)
    for one in books:
        assert one.announced == one.on_log == one.detected + one.dead_letters, one
        assert one.detected == one.counted, one
        assert one.silent == [], one
    for name, values in scene.place.memory_mb.items():
        assert flat(values), (name, values)


def at_rest(scene: Scene) -> list[Books]:
    """Stop all; count; return the numbers."""
    for feed in scene.feeds.feeds("camera"):
        scene.feeds.ask_feed(feed.id, "stop")
    until(lambda: all(feed.is_over for feed in scene.feeds.feeds("camera")), "a camera does not stop")
    for name in ("producer", "consumer", "web"):
        scene.place.end(name)
    scene.place.run("consume", "--live", "--until-caught-up")
    scene.place.run("aggregate")
    scene.place.run("index")
    return scene.place.books()


def flat(values: list[float]) -> bool:
    """Whether the second half uses no more memory than the first."""
    half = len(values) // 2
    if half < 20:
        return True
    return max(values[half:]) <= MOST_GROWTH * max(values[:half]) + SLACK_MB


def show(books: list[Books], done: Counter[str], viewer: Viewer, memory_mb: dict[str, list[float]]) -> None:
    """Print the results."""
    print(f"\n{MINUTES:g} minutes; {', '.join(f'{what} {times}' for what, times in sorted(done.items()))}")
    columns = ("announced", "on_log", "detected", "dead_letters", "lost", "counted", "gaps")
    print(f"{'source':8}", *(f"{name:>12}" for name in columns), f"{'silent':>8}")
    for one in books:
        print(f"{one.source:8}", *(f"{getattr(one, name):12}" for name in columns), f"{len(one.silent):8}")
    for name, values in sorted(memory_mb.items()):
        half = len(values) // 2
        first, second = max(values[:half], default=0.0), max(values[half:], default=0.0)
        print(f"{name}: {first:.0f} MB at most in the first half, {second:.0f} MB in the second")
    print(f"the viewer saw {viewer.frames} frames in {viewer.visits} visits")
