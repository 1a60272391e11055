"""Uploaded videos are in the gold tables once they are ready, with the same counts, and are deleted with the
video."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.commands import run_frametally
from tests.family.footage import make_video
from tests.videos.test_acceptance import House

from frametally import keys
from frametally.records import encode
from frametally_gold import tables
from frametally_gold.book import Gold
from frametally_gold.settings import GoldSettings
from frametally_videos.library.edits import remove_video
from frametally_videos.media_records import VideoCheck, VideoQuality
from frametally_videos.records import VideoRecord


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[VideoRecord]]:
    """A folder with gold tables and two counted videos of one camera.

    The second is half a minute after the first, and after midnight.
    """
    folder = tmp_path_factory.mktemp("gold")
    with closing(House(run_frametally, folder / "house")) as house:
        assert "gold: 0 days loaded" in house("gold")
        videos = [
            house.upload(
                make_video(folder / f"{frames}.mp4", frames=frames),
                source="Gate 1",
                start_time=f"2026-03-01T23:59:{second}Z",
            )
            for frames, second in ((60, 10), (90, 50))
        ]
        house.make_frames()
        house.count()
        house("index")
        make_gold(house, jobs=4)  # both are ready now: previews and gold of each
    return folder / "house", videos


def make_gold(house: House, *, jobs: int) -> None:
    """Do the jobs that gold tables and removals wait for."""
    assert f"jobs: {jobs} done" in house("work", "--until-done", "--queue", "media")


def check(house: House, video: VideoRecord, *, passed: bool) -> None:
    """Store the result of a video's checks, as their job does."""
    found = VideoCheck(
        name="black",
        passed=passed,
        sentence="1.0 of 2.0 s are black.",
        measured=0.0 if passed else 0.5,
        limit=0.1,
        unit="1",
        spans_s=[] if passed else [(0, 1)],
    )
    quality = VideoQuality(video_id=video.id, sha256=video.sha256, made_by="1", passed=passed, checks=[found])
    house.store.put(keys.quality_of_video_key(video.id), encode(quality))


@pytest.fixture
def house(counted: tuple[Path, list[VideoRecord]], tmp_path: Path) -> Iterator[House]:
    """A copy of that folder."""
    shutil.copytree(counted[0], tmp_path / "house")
    with closing(House(run_frametally, tmp_path / "house")) as opened:
        yield opened


@pytest.fixture
def videos(counted: tuple[Path, list[VideoRecord]]) -> list[VideoRecord]:
    return counted[1]


def rows(house: House, *columns: Any) -> list[tuple[Any, ...]]:
    with (
        closing(Gold(house.settings.part(GoldSettings).gold_url)) as gold,
        gold._database.reading() as connection,
    ):
        return sorted(tuple(row) for row in connection.execute(select(*columns)))


def summed(house: House, table: Any) -> dict[str, tuple[int, int]]:
    """Detections and tracked objects, by label."""
    query = select(table.c.label, func.sum(table.c.detections), func.sum(table.c.followed_objects))
    with (
        closing(Gold(house.settings.part(GoldSettings).gold_url)) as gold,
        gold._database.reading() as connection,
    ):
        return {row[0]: (row[1], row[2]) for row in connection.execute(query.group_by(table.c.label))}


@pytest.mark.thorough
def test_a_video_of_which_a_day_was_not_tracked_has_the_objects_of_the_other_day(
    house: House, videos: list[VideoRecord]
) -> None:
    (house.folder / ".env").write_text("FRAMETALLY_COUNT_OBJECTS=false\n")
    house("aggregate", "--from", "2026-03-02")
    house("index")
    house("gold")
    c = tables.counts.c
    [first] = rows(house, func.sum(c.objects), func.sum(c.followed_objects))
    assert first[0] == first[1] > 0
    c = tables.video_counts.c
    numbers = rows(house, c.video_id, c.objects, c.objects_missing, c.objects_at_least)
    of_each = {video_id: number for video_id, *number in numbers}
    [whole, why, none], [objects, missing, at_least] = (of_each[video.id] for video in videos)
    assert (why, none, objects, missing) == (None, None, None, "not_tracked")
    assert at_least > 0
    assert whole + at_least == first[0]


@pytest.mark.thorough
def test_counts_of_videos_add_up_to_those_of_their_sources(house: House, videos: list[VideoRecord]) -> None:
    c = tables.videos.c
    loaded = {row[0]: row[1:] for row in rows(house, c.video_id, c.source, c.frames_announced)}
    assert loaded == {videos[0].id: ("gate-1", 60), videos[1].id: ("gate-1", 90)}
    house("gold")
    found = summed(house, tables.video_counts)
    assert found == summed(house, tables.counts)
    [(boxes, objects)] = found.values()
    assert boxes > 150
    assert objects > 1
    c = tables.video_counts.c
    assert dict(rows(house, c.video_id, c.frames)) == {videos[0].id: 60, videos[1].id: 90}
    assert rows(house, func.sum(tables.coverage.c.frames)) == [(150,)]
    assert "2 days have the same sums as the index" in house("gold", "--check")
    with (
        closing(Gold(house.settings.part(GoldSettings).gold_url)) as gold,
        gold._database.writing() as connection,
    ):
        connection.execute(tables.video_counts.delete())
    difference = house("gold", "--check", code=3)
    assert (
        f"video {min(video.id for video in videos)}: the rows of gold_video_counts were changed" in difference
    )
    assert "2 videos loaded" in house("gold")
    assert "2 days have the same sums as the index" in house("gold", "--check")


@pytest.mark.thorough
def test_a_lost_gold_database_gets_the_same_rows_again(house: House) -> None:
    house("gold")
    every = [*tables.MOMENTS, *tables.OF_VIDEO]
    before = {table.name: rows(house, *table.c) for table in every}
    Path(house.settings.part(GoldSettings).gold_url.removeprefix("sqlite:///")).unlink()
    house("gold")
    assert {table.name: rows(house, *table.c) for table in every} == before
    assert before["gold_tracks"]


def test_a_later_check_appears_in_a_videos_rows_and_a_removed_video_has_none(
    house: House, videos: list[VideoRecord]
) -> None:
    first, second = videos
    assert rows(house, tables.quality.c.video_id) == []
    check(house, first, passed=False)
    check(house, second, passed=True)
    for video in videos:
        house.catalogue.queue(video.id, "gold")
    make_gold(house, jobs=2)
    c = tables.quality.c
    found = {row[0]: row[1:] for row in rows(house, c.video_id, c.check_name, c.passed, c.spans)}
    assert found == {first.id: ("black", False, 1), second.id: ("black", True, 0)}
    passed = dict(rows(house, tables.videos.c.video_id, tables.videos.c.quality_passed))
    assert passed == {first.id: False, second.id: True}
    assert remove_video(house.store, house.catalogue, first.id)
    make_gold(house, jobs=1)
    for table in tables.OF_VIDEO:
        assert first.id not in {row[0] for row in rows(house, table.c.video_id)}
    assert rows(house, tables.videos.c.video_id) == [(second.id,)]
