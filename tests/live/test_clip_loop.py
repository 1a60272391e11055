"""A simulated camera shows a stored video in a loop, and frametally stores and counts nothing of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.memory import MemoryStore
from tests.live.test_video_streams import Place, messages_of

# Keeps a clip of three seconds for the fixture.
from tests.live.test_video_streams import clip as clip

from frametally.checkup.findings import Glance
from frametally.errors import Poison
from frametally.process.retrying import GivenUp, Patience
from frametally.records import FrameDetections, decode
from frametally.settings.loading import load_settings
from frametally.work.family_members import MemberOptions
from frametally_live.book import LiveBook
from frametally_live.feed_records import LOOP, Feed, FeedTold
from frametally_live.feeds.clip_loop import ClipLoop
from frametally_live.feeds.feed_messages import FeedRun, Teller, Wishes
from frametally_live.findings import findings
from frametally_live.hooks import members

NOW_S = 1_800_000_000.0


@pytest.fixture
def place(tmp_path: Path, clip: bytes) -> Iterator[Place]:
    with closing(Place(tmp_path, clip)) as opened:
        yield opened


class CountedWishes(Wishes):
    """A person who stops the camera at a given time of the test's clock; each wait advances that clock."""

    def __init__(self, feed: Feed, until_s: float, asleep_s: float) -> None:
        super().__init__(feed, lease_s=1e9)
        self.now_s = NOW_S
        self._until_s = NOW_S + until_s
        self._asleep_s = asleep_s

    @property
    def is_end_wanted(self) -> bool:
        return self.now_s > self._until_s

    def wait(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.001) + self._asleep_s
        self._asleep_s = 0.0


def show(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, for_s: float, asleep_s: float = 0.0
) -> list[FeedTold]:
    feed = Feed("f", "camera", "simulated", "Simulated", address=f"{LOOP}{place.video.sha256}")
    wishes = CountedWishes(feed, for_s, asleep_s)
    monkeypatch.setattr("frametally_live.feeds.clip_loop.time.time", lambda: wishes.now_s)
    told: list[FeedTold] = []
    run = FeedRun(
        place.settings,
        place.store,
        place.log,
        Patience(print, lambda: False),
        Teller(feed.told, told.append, clock=lambda: wishes.now_s),
    )
    with pytest.raises(GivenUp):
        ClipLoop(feed, run, wishes).run()
    return told


def test_the_loop_repeats_the_video_at_its_pace_under_its_own_name_and_stores_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.batch()
    stored = [decode(line, FrameDetections) for line in place.detect("frames")]
    objects = sorted(info.key for info in place.store.list(""))
    told = show(place, monkeypatch, for_s=7)
    shown = [
        decode(message, FrameDetections) for message in messages_of(place.log, place.settings.results_topic)
    ]
    shown.sort(key=lambda line: line.captured_at_ms)
    assert len(shown) > 2 * len(stored)
    repeated = itertools.islice(itertools.cycle(line.image_path for line in stored), len(shown))
    assert [line.image_path for line in shown] == [*repeated]
    assert {(line.source, line.media) for line in shown} == {("simulated", "f")}
    steps = {after.captured_at_ms - before.captured_at_ms for before, after in itertools.pairwise(shown)}
    assert (shown[0].captured_at_ms, steps) == (NOW_S * 1000, {200})
    assert {report.frames_announced for report in told} == {0}
    assert len(place.announced("frames")) == len(stored)
    assert sorted(info.key for info in place.store.list("")) == objects


def test_the_loop_does_not_catch_up_after_the_machine_has_slept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.batch()
    frames = len(place.detect("frames"))
    show(place, monkeypatch, for_s=3600 + 7, asleep_s=3600)
    assert len(messages_of(place.log, place.settings.results_topic)) < 5 * frames


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_loop_without_a_video_or_its_detections_fails_with_the_remedy(
    place: Place, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    if is_stored:
        place.batch()
    with pytest.raises(Poison, match="frametally consume" if is_stored else "deleted"):
        show(place, monkeypatch, for_s=1)


def test_the_loop_starts_no_detector_and_needs_no_attention(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    feed = Feed("f", "camera", "simulated", "Simulated", address=f"{LOOP}{'0' * 64}")

    def waiting() -> list[str]:
        names = []
        for part in members(settings, MemberOptions()):
            assert part.waiting is not None
            with part.waiting() as is_waiting:
                names += [member.name for member in part.members] if is_waiting() else []
        return names

    with closing(LiveBook(settings.catalogue_url, settings.catalogue_access)) as book:
        book.put_camera(feed)
        assert waiting() == ["live"]
        assert [*findings(Glance(settings, MemoryStore()))] == []
        book.put_camera(Feed("g", "camera", "gate", "Gate", address="rtsp://10.1.2.3/"))
        assert waiting() == ["live", "consume --live", "aggregate"]
