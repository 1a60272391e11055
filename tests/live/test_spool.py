"""A camera's spool: despite losses, overflow and kills, each frame is either sent or named as lost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace
from tests.examples import examples
from tests.fakes.records import make_manifest
from tests.live.capturing import here, live_of

from frametally.files.replacing import replace_file
from frametally.live_records import LiveMinute, NamedLoss, Outage, PictureDoubt
from frametally.media.manifests import minute_identity
from frametally.records import MediaManifest
from frametally_live.cameras.frame_upload import losses_since
from frametally_live.cameras.minutes import Minutes
from frametally_live.cameras.spool import Spool, SpooledFrame
from frametally_live.cameras.stream_clock import CaptureTime

BOUND = 1_000_000
FIRST_MS = 1_767_225_600_000
KILLS = st.sampled_from(["never", "never", "before", "after"])


class Killed(BaseException):
    """Simulates the end of the process."""


def minute_of(number: int) -> MediaManifest:
    minute_ms = FIRST_MS + number * 60_000
    return make_manifest(
        0,
        media=minute_identity("gate-1", FIRST_MS, minute_ms),
        source="gate-1",
        name="live/gate-1",
        source_name="Gate 1",
        time_source="arrival",
        sampling="all",
        state="producing",
        live=LiveMinute(session_ms=FIRST_MS, minute_ms=minute_ms),
    )


class SpoolMachine(RuleBasedStateMachine):
    """A camera that adds, a sender that takes, announces and notes, and kills before and after a removal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.minutes = 0
        self.at_ms = FIRST_MS
        self.decoded: list[int] = []
        self.announced: set[int] = set()
        self.noted: list[SpooledFrame] = []
        self.sending: list[SpooledFrame] = []
        self.open()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def open(self) -> None:
        self.spool = Spool(self.folder, most_mb=BOUND // 1_000_000, why_full=lambda: "the store is away")
        self.noted, self.sending = [], []
        self.minutes += 1
        self.at_ms = FIRST_MS + self.minutes * 60_000
        self.spool.begin(minute_of(self.minutes))

    def losses(self) -> list[NamedLoss]:
        return [loss for one in self.spool.minutes() for loss in live_of(one).losses]

    @contextmanager
    def killed(self, when: str) -> Iterator[None]:
        """Kill it before or after its first removal inside the block, if any; then open another."""
        unlink = Path.unlink

        def kill(path: Path, missing_ok: bool = False) -> None:
            is_written = path.name.startswith(".")  # by now its name belongs to another
            if is_written or when == "after":
                unlink(path, missing_ok)
            if not is_written:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            if when != "never":
                patch.setattr(Path, "unlink", kill)
            try:
                yield
                return
            except Killed:
                pass
        self.open()

    @rule(sizes_bytes=st.lists(st.integers(60_000, 240_000), min_size=1, max_size=8), when=KILLS)
    def capture(self, sizes_bytes: list[int], when: str) -> None:
        with self.killed(when):
            for size_bytes in sizes_bytes:
                self.at_ms += 100
                self.decoded.append(self.at_ms)
                jpeg = bytes(size_bytes - 2) + b"\xff\xd9"
                index = self.at_ms // 100 % 600
                self.spool.add(minute_of(self.minutes).sha256, index, self.at_ms, "arrival", jpeg)
                assert list(self.folder.glob(f"*/{index}.{self.at_ms}.*")), "the newest is kept"

    @precondition(lambda self: not self.sending)
    @rule(most=st.integers(1, 20))
    def take(self, most: int) -> None:
        self.sending = self.spool.take(most)

    @rule(is_refused=st.booleans(), when=KILLS)
    def send(self, is_refused: bool, when: str) -> None:
        frames, self.sending = self.sending, []
        with self.killed(when):
            for number, frame in enumerate(frames):
                if is_refused and number == 1 and frame.captured_at_ms not in self.announced:
                    self.spool.lose(frame, "it cannot be read")
                else:
                    self.announced.add(frame.captured_at_ms)
                    self.noted.append(frame)
            if self.spool.is_tight:
                self.done()

    @rule(when=KILLS)
    def note(self, when: str) -> None:
        with self.killed(when):
            self.done()

    def done(self) -> None:
        self.spool.done(self.noted)
        self.noted = []

    @rule()
    def stop(self) -> None:
        self.open()

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


@pytest.mark.thorough
class TestSpool(SpoolMachine.TestCase):  # type: ignore[misc,valid-type]
    """Any order of captures, sendings, notes, refusals, stops and kills."""

    settings = settings(
        max_examples=examples(60),
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refused_frame_is_named_once_even_if_its_removal_is_killed(when: str) -> None:
    machine = SpoolMachine()
    machine.capture([60_000, 60_000], "never")
    machine.take(2)
    machine.send(True, when)
    machine.each_is_sent_or_on_disk_or_named_and_no_more_is_on_disk_than_may_be()
    assert [loss.frames for loss in machine.losses()] == [1]
    machine.teardown()


def opened(folder: Path) -> tuple[Spool, Minutes]:
    spool = Spool(folder, most_mb=1, why_full=lambda: "the store is away")
    minutes = Minutes(
        source="gate-1",
        source_name="Gate 1",
        settings=here(folder),
        spool=spool,
        session_ms=FIRST_MS,
        told_until_ms=None,
    )
    return spool, minutes


def show(minutes: Minutes, number: int) -> int:
    """Add a frame; return its time."""
    at_ms = FIRST_MS + 100 * number
    minutes.add(CaptureTime(at_ms, "arrival"), Fraction(number, 10), lambda: np.zeros((8, 8, 3), np.uint8))
    return at_ms


def test_after_a_kill_an_outage_begins_with_the_last_frame_sent(tmp_path: Path) -> None:
    spool, minutes = opened(tmp_path)
    show(minutes, 0)
    sent_ms = show(minutes, 5)  # within the second in which nothing else is recorded
    spool.done(spool.take(9))
    assert opened(tmp_path)[1].away_since_ms == sent_ms


def test_an_outage_open_at_a_kill_continues_and_is_closed_by_the_next_frame(tmp_path: Path) -> None:
    _, minutes = opened(tmp_path)
    went_ms = show(minutes, 5)
    minutes.away("is redirected to nowhere", went_ms)
    spool, minutes = opened(tmp_path)
    came_ms = show(minutes, 640)
    spool.close_outages(came_ms)
    whole = Outage(went_ms, came_ms, "is redirected to nowhere")
    assert [live_of(minute).outages for minute in spool.minutes()] == [[whole], [whole]]


def test_a_minutes_manifest_says_when_the_picture_was_black_or_frozen(tmp_path: Path) -> None:
    spool, minutes = opened(tmp_path)
    show(minutes, 0)
    black = PictureDoubt("black", FIRST_MS - 10_000, FIRST_MS)
    minutes.doubt(black)
    minutes.doubt(None)
    minutes.doubt(longer := PictureDoubt("black", black.from_ms, FIRST_MS + 100))
    minutes.doubt(frozen := PictureDoubt("frozen", FIRST_MS, FIRST_MS + 11_000))
    minutes.end()
    [minute] = spool.minutes()
    assert minute.live.doubts == [longer, frozen]


@pytest.mark.parametrize("is_last", [False, True])
def test_a_frame_captured_while_its_minute_is_removed_is_named_in_the_next_minute_or_its_own(
    tmp_path: Path, is_last: bool
) -> None:
    spool, minutes = opened(tmp_path)
    show(minutes, 0)
    [removed] = spool.minutes()
    assert len(spool.remove(removed.sha256)) == 1
    at_ms = show(minutes, 1)
    if is_last:
        assert minutes.tell_losses()
    else:
        minutes.renew_session()
        show(minutes, 2)
    [told] = spool.minutes()
    assert [(loss.from_ms, loss.to_ms, loss.frames) for loss in live_of(told).losses] == [(at_ms, at_ms, 1)]
    assert spool.frames_lost == 2
    assert not minutes.tell_losses()


def test_an_earlier_sessions_loss_is_recorded_in_a_minute_without_frames(tmp_path: Path) -> None:
    spool, minutes = opened(tmp_path)
    loss = NamedLoss(FIRST_MS, FIRST_MS, 1, "its minute was put right")
    minutes.renew_session([loss])
    assert minutes.tell_losses()
    [told] = spool.minutes()
    show(minutes, 1)
    assert [live_of(one).losses for one in spool.minutes()] == [[loss], []]
    assert [frame.minute == told.sha256 for frame in spool.take(9)] == [False]


@pytest.mark.parametrize("is_written", [False, True])
def test_a_frame_written_while_its_minute_is_removed_is_named_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    spool, minutes = opened(tmp_path)
    show(minutes, 0)
    [removed] = spool.minutes()

    def write(path: Path, data: bytes) -> None:
        if path.suffix == ".jpg" and spool.minute(removed.sha256) is not None:
            if is_written:
                replace_file(path, data)
            spool.remove(removed.sha256)
        if not is_written:
            replace_file(path, data)

    monkeypatch.setattr("frametally_live.cameras.spool.replace_file", write)
    at_ms = show(minutes, 1)
    assert minutes.tell_losses()
    [told] = spool.minutes()
    assert [(loss.from_ms, loss.to_ms, loss.frames) for loss in live_of(told).losses] == [(at_ms, at_ms, 1)]
    assert (spool.frames_lost, spool.take(9)) == (2, [])


def test_sent_frames_make_room_so_that_nothing_is_lost_however_much_arrives() -> None:
    machine = SpoolMachine()
    for _ in range(8):
        machine.capture([100_000] * 2, "never")
        machine.take(2)
        machine.send(False, "never")
        machine.note("never")
    assert machine.losses() == []
    machine.teardown()


def test_losses_of_two_sessions_are_not_merged_across_sent_frames() -> None:
    machine = SpoolMachine()
    machine.capture([100_000] * 11, "never")
    machine.take(2)
    machine.send(False, "never")
    machine.note("never")
    machine.stop()
    machine.capture([100_000] * 3, "never")
    machine.each_is_sent_or_on_disk_or_named_and_no_more_is_on_disk_than_may_be()
    assert [loss.frames for loss in machine.losses()] == [1, 1]
    machine.teardown()


@pytest.mark.parametrize(
    ("noted", "new"),
    [
        ([], [(1, 3, 2), (5, 6, 2)]),
        ([(1, 2, 1)], [(3, 3, 1), (5, 6, 2)]),
        ([(1, 3, 2)], [(5, 6, 2)]),
        ([(1, 3, 2), (5, 6, 2)], []),
        ([(1, 3, 2), (5, 6, 2), (8, 8, 1)], []),
    ],
)
def test_only_losses_added_since_the_last_record_are_returned(
    noted: list[tuple[int, int, int]], new: list[tuple[int, int, int]]
) -> None:
    def with_losses(found: list[tuple[int, int, int]]) -> MediaManifest:
        losses = [NamedLoss(from_ms, to_ms, frames, "away") for from_ms, to_ms, frames in found]
        one = minute_of(1)
        return replace(one, live=replace(live_of(one), losses=losses))

    found = losses_since(with_losses(noted), with_losses([(1, 3, 2), (5, 6, 2)]))
    assert [(loss.from_ms, loss.to_ms, loss.frames) for loss in found] == new
    assert losses_since(None, None) == []


def test_an_outage_across_the_turn_of_a_minute_is_complete_in_both(tmp_path: Path) -> None:
    spool, minutes = opened(tmp_path)
    went_ms = show(minutes, 598)
    minutes.away("the camera has closed the connection", went_ms)
    assert [one.to_ms for minute in spool.minutes() for one in live_of(minute).outages] == [None]
    came_ms = show(minutes, 642)
    whole = Outage(went_ms, came_ms, "the camera has closed the connection")
    assert [live_of(minute).outages for minute in spool.minutes()] == [[whole], [whole]]
    minutes.away("the camera says nothing", show(minutes, 650))
    within = Outage(FIRST_MS + 65_000, show(minutes, 660), "the camera says nothing")
    assert [live_of(minute).outages for minute in spool.minutes()] == [[whole], [whole, within]]
