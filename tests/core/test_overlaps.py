"""Each moment of a source counts once, whichever media exist and in whatever order they arrived."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.media.overlapping import (
    hand_overs,
    not_counted,
    overlap_reports,
    overlaps_of,
    overlaps_to_mend,
    runs_of,
    superseded_versions,
    told_hand_overs,
)
from frametally.records import MediaManifest
from frametally.rules.overlaps import (
    HOLE_MS,
    MediumTime,
    Overlap,
    find_overlaps,
    is_hand_over,
    joined_runs,
    lost_ranges,
)
from frametally.rules.tombstones import is_forgotten
from frametally.undo_records import Tombstone

CENTURY_MS = 100 * 365 * 86_400_000
LONG, SHORT = "aa" * 32, "bb" * 32

spans = st.tuples(st.integers(0, 400_000), st.integers(0, 200_000)).map(lambda one: (one[0], sum(one)))
videos = st.lists(st.lists(spans, min_size=1, max_size=4).map(joined_runs), min_size=1, max_size=7)
ranges = st.lists(
    st.tuples(st.none() | st.integers(0, 400_000), st.none() | st.integers(0, 600_000)), max_size=3
)


def media(runs: list[list[tuple[int, int]]]) -> list[MediumTime]:
    return [MediumTime(f"{number:064x}", "gate", of_one) for number, of_one in enumerate(runs)]


def covers(medium: MediumTime, time_ms: int) -> bool:
    return any(first <= time_ms <= last for first, last in medium.runs)


@pytest.mark.thorough
@given(videos, st.sampled_from(["first", "last"]), st.lists(ranges, min_size=7, max_size=7))
def test_each_covered_moment_has_exactly_one_winner(
    runs: list[list[tuple[int, int]]], wins: str, gone: list[list[tuple[int | None, int | None]]]
) -> None:
    found = media(runs)
    forgotten = {one.media: of_one for one, of_one in zip(found, gone, strict=False)}
    lost = lost_ranges(find_overlaps(found, forgotten, wins=wins))  # type: ignore[arg-type]
    moments = {ms for one in found for run in one.runs for ms in (*run, sum(run) // 2)}
    for moment in moments:
        there = [
            one.media
            for one in found
            if covers(one, moment) and not is_forgotten(one.media, moment, forgotten)
        ]
        counting = [one for one in there if not is_forgotten(one, moment, lost)]
        # A copy's frame may be late by a container's rounding: then the moment may belong to the other.
        assert len(counting) <= 1
        if there and not counting:
            near = [ms for one in found for _, last in one.runs for ms in (last + 1, last + 2)]
            assert moment in near


@pytest.mark.thorough
@given(videos, st.randoms(use_true_random=False), st.sampled_from(["first", "last"]))
def test_order_and_repetition_change_nothing(
    runs: list[list[tuple[int, int]]], random: object, wins: str
) -> None:
    found = media(runs)
    shuffled = [*found]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert find_overlaps(found, {}, wins=wins) == find_overlaps(shuffled, {}, wins=wins)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=60), st.data())
def test_runs_are_the_same_however_frames_are_split_repeated_and_shuffled(
    times: list[int], data: st.DataObject
) -> None:
    whole = joined_runs((ms, ms) for ms in times)
    made: list[tuple[int, int]] = []
    for ms in data.draw(st.permutations([*times, *times[:5]])):
        made = joined_runs([*made, (ms, ms)])
    assert made == whole
    assert (whole[0][0], whole[-1][1]) == (min(times), max(times))
    assert all(later[0] - run[1] > HOLE_MS for run, later in pairwise(whole))


def test_a_list_of_runs_stays_short_and_keeps_the_longest_gaps() -> None:
    times = [number * 2 * HOLE_MS for number in range(500)] + [CENTURY_MS]
    runs = joined_runs((ms, ms + 10) for ms in times)
    assert len(runs) == 100
    assert runs[0] == (0, 10)
    assert runs[-1] == (CENTURY_MS, CENTURY_MS + 10)
    assert runs[-2][1] == times[-2] + 10


def test_of_a_truncated_and_a_whole_copy_of_a_file_the_whole_one_counts() -> None:
    cut, whole = MediumTime("aa", "gate", [(0, 5_000)]), MediumTime("bb", "gate", [(0, 10_000)])
    [overlap] = find_overlaps([cut, whole], {}, wins="first")
    assert (overlap.loser, overlap.winner) == ("aa", "bb")
    assert (overlap.from_ms, overlap.to_ms) == (0, 5_003)


def test_consecutive_files_lose_nothing() -> None:
    following = [MediumTime(f"{n}", "gate", [(n * 1000, n * 1000 + 960)]) for n in range(5)]
    assert find_overlaps(following, {}, wins="first") == []


def test_a_copy_of_the_last_frame_may_be_late_only_by_container_rounding() -> None:
    early = MediumTime("aa", "gate", [(0, 20_000)])
    late = [MediumTime("bb", "gate", [(20_000 + late_ms, 40_000)]) for late_ms in (2, 3)]
    assert find_overlaps([early, late[0]], {}, wins="first") == [Overlap("gate", 20_002, 20_003, "bb", "aa")]
    assert find_overlaps([early, late[1]], {}, wins="first") == []


@pytest.mark.parametrize(("wins", "loser"), [("first", "bb"), ("last", "aa"), ("all", None)])
def test_recorder_files_hand_over_where_the_setting_says(wins: str, loser: str | None) -> None:
    early, late = MediumTime("aa", "gate", [(0, 20_000)]), MediumTime("bb", "gate", [(18_000, 39_500)])
    found = find_overlaps([late, early], {}, wins=wins)  # type: ignore[arg-type]
    assert [(one.loser, one.from_ms) for one in found] == ([(loser, 18_000)] if loser else [])


@pytest.mark.parametrize(
    ("late", "is_one"),
    [
        ((20_000, 40_400), True),  # named 08:00:20, though it began at 08:00:20.5
        ((19_400, 39_800), True),
        ((18_400, 40_000), False),  # 2 s: a recorder's footage from before the event
        ((20_000, 20_400), False),  # it ends with the other: a piece of it
        ((0, 30_000), False),
        ((19_900, 23_000), False),  # more than a tenth of the later one
    ],
)
def test_consecutive_videos_hand_over_but_longer_overlaps_do_not(late: tuple[int, int], is_one: bool) -> None:
    early = [(0, 20_400)]
    assert is_hand_over(early, [late]) is is_hand_over([late], early) is is_one


def test_consecutive_clips_are_not_reported_but_add_one_line(clips: list[MediaManifest]) -> None:
    overlaps = overlaps_of(clips, [], "first")
    assert [(one.loser, one.from_ms, one.to_ms) for one in overlaps] == [
        (SHORT, 20_000, 20_403),
        ("dd" * 32, 61_000, 61_403),
    ]
    assert overlap_reports(overlaps, clips) == {}
    assert overlaps_to_mend(overlaps, clips) == []
    assert hand_overs(overlaps, clips) == {"gate": [(403, 5), (403, 5)]}
    assert told_hand_overs("gate", hand_overs(overlaps, clips)["gate"]) == (
        "in source gate, 2 videos begin up to 0.4 s before the previous one ends, as happens if names "
        "contain whole seconds; each moment counts once, so about 10 frames there do not count"
    )


@pytest.fixture
def clips() -> list[MediaManifest]:
    starts_ms = {LONG: 0, SHORT: 20_000, "cc" * 32: 41_000, "dd" * 32: 61_000}
    return [
        manifest(sha256, start_ms, start_ms + 20_400, frames_announced=205)
        for sha256, start_ms in starts_ms.items()
    ]


@pytest.mark.parametrize(("loser_frames", "winner_frames", "wins"), [(100, 1000, None), (1000, 100, 500)])
def test_a_remedy_is_offered_only_if_it_wins_frames(
    loser_frames: int, winner_frames: int, wins: int | None
) -> None:
    media = [
        manifest(LONG, 0, 100_000, frames_announced=winner_frames),
        manifest(SHORT, 50_000, 150_000, frames_announced=loser_frames),
    ]
    [[report]] = overlap_reports(overlaps_of(media, [], "first"), media).values()
    said = (
        f"to count about {wins} frames of this one instead of 100 of the other, run `frametally forget aaaa"
    )
    assert ("forget" in report.reason) is (said in report.reason) is (wins is not None)


def test_a_short_overlap_is_not_shown_as_an_empty_range() -> None:
    media = [manifest(LONG, 0, 5_200), manifest(SHORT, 5_000, 5_900)]
    [[report]] = overlap_reports(overlaps_of(media, [], "first"), media).values()
    assert "from 1970-01-01 00:00:05.000Z to 1970-01-01 00:00:05.203Z" in report.reason


def test_media_of_other_sources_do_not_matter() -> None:
    assert (
        find_overlaps([MediumTime("a", "one", [(0, 9)]), MediumTime("b", "two", [(0, 9)])], {}, wins="first")
        == []
    )


def test_pictures_lose_to_a_video_and_take_nothing_from_it() -> None:
    video = MediumTime("aa", "gate", [(1_000, 2_000)])
    pictures = [MediumTime(f"p{n}", "gate", [(0, 5_000)], covers=False) for n in range(2)]
    found = find_overlaps([*pictures, video], {}, wins="first")
    assert found == [Overlap("gate", 1_000, 2_003, loser, "aa") for loser in ("p0", "p1")]


def manifest(sha256: str, first_ms: int | None, last_ms: int | None, **changes: object) -> MediaManifest:
    fields: dict[str, object] = {
        "sha256": sha256,
        "name": f"{sha256[:4]}.mp4",
        "source": "gate",
        "source_name": "Gate",
        "kind": "video",
        "time_source": "start_time",
        "sampling": "5",
        "first_captured_at_ms": first_ms,
        "last_captured_at_ms": last_ms,
        "frames_expected": 10,
        "frames_put": 10,
        "frames_announced": 10,
        "state": "complete",
    }
    return MediaManifest(**fields | changes)  # type: ignore[arg-type]


@given(st.permutations(range(4)))
def test_earlier_versions_of_a_growing_file_need_no_person_in_any_order(order: list[int]) -> None:
    ends_ms = (4_000, 9_000, 9_500, 20_000)
    grown = [manifest(f"{n}{n}" * 32, n, ends_ms[n], name="cam.ts") for n in range(4)]  # dates vary a little
    media = [grown[n] for n in order]
    overlaps = overlaps_of(media, [], "first")
    assert overlap_reports(overlaps, media) == {}
    pairs = {(one.forerunner.sha256[0], one.longer.sha256[0]) for one in superseded_versions(overlaps, media)}
    assert {forerunner for forerunner, _ in pairs} == {"0", "1", "2"}
    assert all(forerunner < longer for forerunner, longer in pairs)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other.ts"},
        {"track": 2},
        {"last_captured_at_ms": 20_000},  # as long: it was replaced, and did not grow
        {"first_captured_at_ms": 6_000, "last_captured_at_ms": 26_000},
        {"first_captured_at_ms": 6_000},  # within the other's time: another card in the same reader
    ],
)
def test_other_footage_that_overlaps_is_still_reported(change: dict[str, object]) -> None:
    media = [
        manifest(LONG, 0, 20_000, name="cam.ts"),
        msgspec.structs.replace(manifest(SHORT, 0, 9_000, name="cam.ts"), **change),
    ]
    [[_]] = overlap_reports(overlaps_of(media, [], "first"), media).values()
    assert superseded_versions(overlaps_of(media, [], "first"), media) == []


def test_a_clip_whose_clock_jumps_a_century_is_still_reported_whole() -> None:
    clip = manifest(LONG, 0, CENTURY_MS, runs=[(0, 1_000), (CENTURY_MS, CENTURY_MS)])
    assert overlaps_of([clip, manifest(SHORT, 5_000_000, 5_600_000)], [], "first") == []
    assert runs_of(manifest(LONG, None, None)) == []


def test_where_the_winner_is_forgotten_the_loser_counts_again() -> None:
    media = [manifest(LONG, 0, 100_000), manifest(SHORT, 50_000, 150_000)]
    assert not_counted(media, [], "first") == {SHORT: [(50_000, 100_003)]}
    stone = Tombstone(media=LONG, source="gate", name="n", from_ms=60_000, to_ms=70_000, why="forget")
    assert not_counted(media, [stone], "first") == {
        LONG: [(60_000, 70_000)],
        SHORT: [(50_000, 60_000), (70_000, 100_003)],
    }
    assert not_counted(media[1:], [], "first") == {}
