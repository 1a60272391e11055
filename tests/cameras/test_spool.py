"""A camera's spool: whatever is lost, too much or killed, each frame is sent or named, and none is both."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.cameras.capturing import live_of

from frametally.live_records import LiveMinute, NamedLoss
from frametally.media.manifests import minute_identity
from frametally.records import MediaManifest
from frametally_producer.cameras.spool import Spool, SpooledFrame

BOUND = 1_000_000
FIRST_MS = 1_767_225_600_000


class Killed(BaseException):
    """The process ends here."""


def minute_of(number: int) -> MediaManifest:
    minute_ms = FIRST_MS + number * 60_000
    return MediaManifest(
        sha256=minute_identity("gate-1", FIRST_MS, minute_ms),
        name="live/gate-1",
        source="gate-1",
        source_name="Gate 1",
        kind="video",
        time_source="arrival",
        sampling="all",
        frames_expected=0,
        frames_put=0,
        frames_announced=0,
        state="producing",
        live=LiveMinute(session_ms=FIRST_MS, minute_ms=minute_ms),
    )


class SpoolMachine(RuleBasedStateMachine):
    """A camera that adds, a sender that takes, announces and notes, and kills in the middle of a removal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.minutes = 0
        self.at_ms = FIRST_MS
        self.decoded: list[int] = []
        self.announced: set[int] = set()
        self.noted: list[SpooledFrame] = []
        self.sending: list[SpooledFrame] = []
        self.open()

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.folder)

    def open(self) -> None:
        self.patch.undo()
        self.is_killed_next = False
        self.spool = Spool(self.folder, most_mb=BOUND // 1_000_000, why_full=lambda: "the store is away")
        self.noted, self.sending = [], []
        self.minutes += 1
        self.at_ms = FIRST_MS + self.minutes * 60_000
        self.spool.note(minute_of(self.minutes))

    def losses(self) -> list[NamedLoss]:
        return [loss for one in self.spool.minutes() for loss in live_of(one).losses]

    @rule(sizes_bytes=st.lists(st.integers(60_000, 240_000), min_size=1, max_size=8))
    def capture(self, sizes_bytes: list[int]) -> None:
        for size_bytes in sizes_bytes:
            self.at_ms += 100
            self.decoded.append(self.at_ms)
            jpeg = bytes(size_bytes - 2) + b"\xff\xd9"
            index = self.at_ms // 100 % 600
            try:
                self.spool.add(minute_of(self.minutes).sha256, index, self.at_ms, "arrival", jpeg)
            except Killed:
                self.open()
                return
            assert list(self.folder.glob(f"*/{index}.{self.at_ms}.*")), "the newest is kept"

    @precondition(lambda self: not self.sending)
    @rule(most=st.integers(1, 20))
    def take(self, most: int) -> None:
        self.sending = self.spool.take(most)

    @rule(is_refused=st.booleans())
    def send(self, is_refused: bool) -> None:
        frames, self.sending = self.sending, []
        try:
            for number, frame in enumerate(frames):
                if is_refused and number == 1 and frame.captured_at_ms not in self.announced:
                    self.spool.lose(frame, "it cannot be read")
                else:
                    self.announced.add(frame.captured_at_ms)
                    self.noted.append(frame)
            if self.spool.is_tight:
                self.note()
        except Killed:
            self.open()

    @rule()
    def note(self) -> None:
        try:
            self.spool.done(self.noted)
            self.noted = []
        except Killed:
            self.open()

    @rule()
    def stop(self) -> None:
        self.open()

    @precondition(lambda self: not self.is_killed_next)
    @rule()
    def kill_in_the_next_removal(self) -> None:
        def killed(path: Path, missing_ok: bool = False) -> None:
            if path.name.startswith("."):
                return unlink(path, missing_ok)  # of a file that was being written
            raise Killed

        self.is_killed_next = True
        unlink = Path.unlink
        self.patch.setattr(Path, "unlink", killed)

    @invariant()
    def each_is_sent_or_on_disk_or_named_and_no_more_is_on_disk_than_may_be(self) -> None:
        waiting = {int(path.name.split(".")[1]) for path in self.folder.glob("*/*.jpg")}
        named = 0
        for loss in self.losses():
            inside = {at_ms for at_ms in self.decoded if loss.from_ms <= at_ms <= loss.to_ms}
            assert len(inside) == loss.frames
            assert not inside & self.announced
            assert not inside & waiting
            named += loss.frames
        assert named == len(set(self.decoded) - self.announced - waiting)
        assert sum(path.stat().st_size for path in self.folder.glob("*/*.jpg")) <= BOUND


class TestSpool(SpoolMachine.TestCase):  # type: ignore[misc,valid-type]
    """Any order of captures, sendings, notes, refusals, stops and kills."""

    settings = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
