"""Arrivals of videos on the log: each is told until it is taken, and begun once however often it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.videos.fake_uploads import fake_video, open_parts, send
from tests.videos.video_records import make_video

from frametally.errors import Misconfigured
from frametally.opening import open_frame_log
from frametally.ports.frame_log import FrameLog
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.uploads.acceptance import Acceptance
from frametally_videos.uploads.arrivals import take_arrivals, tell_arrivals, waiting_arrivals

TOPIC = "videos"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FrameLog]:
    with closing(open_frame_log(f"sqlite:///{tmp_path / 'log.sqlite'}")) as opened:
        yield opened


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[VideoCatalogue]:
    with closing(open_video_catalogue(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")) as opened:
        yield opened


def ids(log: FrameLog) -> list[str]:
    return [video.video_id for video in waiting_arrivals(log, TOPIC).videos]


def test_where_nothing_was_told_nothing_waits(log: FrameLog, catalogue: VideoCatalogue) -> None:
    assert tell_arrivals(log, TOPIC, catalogue) == 0
    assert waiting_arrivals(log, TOPIC) == ([], {}, [])


@pytest.mark.thorough
def test_what_was_told_waits_until_it_is_taken(log: FrameLog, catalogue: VideoCatalogue) -> None:
    first, second = make_video(1), make_video(2)
    catalogue.put_video(first, "1")
    assert tell_arrivals(log, TOPIC, catalogue) == 1
    seen = waiting_arrivals(log, TOPIC)
    catalogue.put_video(second, "1")
    assert tell_arrivals(log, TOPIC, catalogue) == 1
    assert ids(log) == ids(log) == [first.id, second.id]
    take_arrivals(log, TOPIC, seen.up_to)  # the second came after that
    take_arrivals(log, TOPIC, seen.up_to)
    assert ids(log) == [second.id]
    take_arrivals(log, TOPIC, waiting_arrivals(log, TOPIC).up_to)
    assert ids(log) == []


def test_what_is_told_twice_is_one_video(log: FrameLog, catalogue: VideoCatalogue, tmp_path: Path) -> None:
    video = make_video(1)
    catalogue.put_video(video, "1")
    tell_arrivals(log, TOPIC, catalogue)
    # A catalogue that was made anew, or one whose worker was killed before it noted what it had told.
    with closing(open_video_catalogue(f"sqlite:///{tmp_path / 'anew.sqlite'}")) as anew:
        anew.put_video(video, "1")
        assert tell_arrivals(log, TOPIC, anew) == 1
    seen = waiting_arrivals(log, TOPIC)
    assert [one.video_id for one in seen.videos] == [video.id]
    take_arrivals(log, TOPIC, seen.up_to)
    assert ids(log) == []


@pytest.mark.thorough
def test_more_than_a_hundred_come_a_hundred_at_a_time(log: FrameLog, catalogue: VideoCatalogue) -> None:
    videos = [make_video(number) for number in range(1, 251)]
    for video in videos:
        catalogue.put_video(video, "1")
    assert tell_arrivals(log, TOPIC, catalogue) == 250
    found: list[list[str]] = []
    while (seen := waiting_arrivals(log, TOPIC)).videos:
        found.append([video.video_id for video in seen.videos])
        take_arrivals(log, TOPIC, seen.up_to)
    assert [len(ids) for ids in found] == [100, 100, 50]
    assert [one for ids in found for one in ids] == [video.id for video in videos]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "message",
    [b"", b"no JSON", b'{"v": 1}', b'{"v":1,"video_id":"../x","sha256":"","source":"","uploaded_at_ms":0}'],
)
def test_a_message_that_tells_of_no_video_is_named_and_holds_nothing_up(
    log: FrameLog, catalogue: VideoCatalogue, message: bytes
) -> None:
    video = make_video(1)
    catalogue.put_video(video, "1")
    log.create_topic(TOPIC, 1)
    log.publish(TOPIC, [(b"", message)])
    tell_arrivals(log, TOPIC, catalogue)
    seen = waiting_arrivals(log, TOPIC)
    assert [one.video_id for one in seen.videos] == [video.id]
    assert [one.name for one in seen.skipped] == ["videos 0:0"]
    take_arrivals(log, TOPIC, seen.up_to)
    assert waiting_arrivals(log, TOPIC) == ([], {}, [])


@pytest.mark.parametrize("place", [{0: 2}, {0: -1}, {7: 0}])
def test_a_place_that_is_none_takes_nothing(
    log: FrameLog, catalogue: VideoCatalogue, place: dict[int, int]
) -> None:
    catalogue.put_video(make_video(1), "1")
    tell_arrivals(log, TOPIC, catalogue)
    with pytest.raises(Misconfigured, match="ask again what waits"):
        take_arrivals(log, TOPIC, place)
    assert len(ids(log)) == 1


@pytest.mark.parametrize(
    ("orchestrator", "kinds"),
    [("queue", {"frames", "previews", "metadata", "checks"}), ("airflow", {"frames"})],
)
def test_what_the_layers_make_of_a_new_video_is_left_to_airflow_where_that_is_set(
    tmp_path: Path, orchestrator: str, kinds: set[str]
) -> None:
    ports = open_parts(tmp_path)
    ports = ports._replace(settings=ports.settings.model_copy(update={"video_orchestrator": orchestrator}))
    with closing(ports.catalogue) as catalogue:
        video = Acceptance(ports).accept(send(ports, fake_video())).video
        assert {job.kind for job in catalogue.jobs(video.id)} == kinds
