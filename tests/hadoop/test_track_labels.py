"""Labels that are tracked together: an object has one of them, by vote, and counts once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import HOUR_MS, NOON_MS, counted, drive, tracks

from frametally.records import Detection, FrameDetections

MINUTE_MS = 60_000
Seen = tuple[str, float]


def called(frames: list[Any], *seen: Seen | list[Seen]) -> list[FrameDetections]:
    """The frames of `drive`, each box with the next label and confidence, or with several at once."""
    named = []
    for frame, names in zip(frames, seen, strict=True):
        [box] = frame.detections
        several = names if isinstance(names, list) else [names]
        boxes = [Detection(label=label, confidence=sure, box=box.box) for label, sure in several]
        named.append(msgspec.structs.replace(frame, detections=boxes))
    return named


def votes(track: Any) -> list[tuple[str, int, float]]:
    return [(vote.label, vote.boxes, vote.confidence) for vote in track.votes]


def by_label(footage: Footage) -> dict[str, list[tuple[int, int | None]]]:
    """`(detections, objects)` of each interval, by label."""
    found: dict[str, list[tuple[int, int | None]]] = {}
    for one in sorted(counted(footage)[0], key=lambda one: (one.label, one.interval_start_ms)):
        found.setdefault(one.label, []).append((one.detections, one.objects))
    return found


def test_a_car_labelled_car_and_truck_in_turn_counts_once_under_the_stronger_label(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 4_000, speed=2)
    footage.segment(called(frames, *[("truck", 0.55), ("car", 0.9)] * 10))
    footage.aggregate()
    assert by_label(footage) == {"car": [(10, 1)], "truck": [(10, 0)]}
    assert {one.tracked_detections for one in counted(footage)[0]} == {10}
    [track] = tracks(footage)
    assert (track.label, track.boxes, votes(track)) == ("car", 20, [("car", 10, 9.0), ("truck", 10, 5.5)])


def test_few_confident_boxes_outvote_more_weak_ones_and_ties_go_to_more_boxes_then_by_name(
    footage: Footage,
) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 2_000)
    footage.segment(called(frames, *[("bus", 0.95)] * 4, *[("car", 0.6)] * 6))
    frames = drive(footage, NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + 1_000)
    footage.segment(called(frames, *[("bus", 0.9)] * 2, *[("car", 0.6)] * 3))
    frames = drive(footage, NOON_MS + 2 * HOUR_MS, NOON_MS + 2 * HOUR_MS + 400)
    footage.segment(called(frames, ("truck", 0.9), ("car", 0.9)))
    footage.aggregate()
    assert [track.label for track in tracks(footage)] == ["bus", "car", "car"]


def test_an_object_counts_where_its_label_first_appears_so_no_bar_has_more_objects_than_boxes(
    footage: Footage,
) -> None:
    frames = drive(footage, NOON_MS + MINUTE_MS - 1_000, NOON_MS + MINUTE_MS + 3_000)
    footage.segment(called(frames, *[("truck", 0.6)] * 5, *[("car", 0.9)] * 15))
    footage.aggregate()
    assert by_label(footage) == {"car": [(15, 1)], "truck": [(5, 0)]}
    [track] = tracks(footage)
    assert track.first_seen_ms == track.first.captured_at_ms == NOON_MS + MINUTE_MS
    assert track.boxes == 20


def test_boxes_of_two_labels_in_one_place_are_one_object_and_both_are_followed(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 2_000, speed=3)
    footage.segment(called(frames, *[[("truck", 0.7), ("car", 0.8)]] * 10))
    footage.aggregate()
    assert by_label(footage) == {"car": [(10, 1)], "truck": [(10, 0)]}
    assert {one.tracked_detections for one in counted(footage)[0]} == {10}
    [track] = tracks(footage)
    assert (track.boxes, votes(track)) == (10, [("car", 10, 8.0), ("truck", 10, 7.0)])


def test_the_order_of_two_equal_boxes_in_one_place_does_not_matter(footage: Footage) -> None:
    """Each label has its own threshold: the object's tracked label must not be chance."""
    alike = [("truck", 0.6), ("car", 0.6)]
    for hour, boxes in enumerate((alike, alike[::-1])):
        frames = drive(footage, NOON_MS + hour * HOUR_MS, NOON_MS + hour * HOUR_MS + 2_000, speed=3)
        footage.segment(called(frames, *[boxes] * 10))
    footage.aggregate(track_label_confidence="car=0.4,truck=0.9", interval_s=3600)
    assert by_label(footage) == {"car": [(10, 1)] * 2, "truck": [(10, 0)] * 2}
    assert [votes(track) for track in tracks(footage)] == [[("car", 10, 6.0), ("truck", 10, 6.0)]] * 2


def test_two_objects_side_by_side_are_two_whatever_their_labels(footage: Footage) -> None:
    frames = [
        footage.frame(
            NOON_MS + n * 200,
            "car",
            second,
            index=n,
            boxes=[(100.0, 200.0, 60.0, 40.0), (140.0, 200.0, 60.0, 40.0)],
        )
        for n, second in enumerate(["car", "truck"] * 10)
    ]
    footage.segment(frames)
    footage.aggregate()
    assert sum(one.objects or 0 for one in counted(footage)[0]) == 2


def test_labels_in_no_group_or_in_two_are_followed_separately(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 4_000)
    footage.segment(called(frames, *[[("car", 0.9), ("bicycle", 0.9), ("person", 0.9), ("dog", 0.9)]] * 20))
    footage.aggregate()
    assert sorted(track.label for track in tracks(footage)) == ["bicycle", "car", "dog", "person"]


def test_without_groups_each_label_is_followed_separately_as_before(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 4_000)
    footage.segment(called(frames, *[("truck", 0.7), ("truck", 0.7), ("car", 0.9), ("car", 0.9)] * 5))
    [first] = footage.aggregate(track_groups="").runs
    assert by_label(footage) == {"car": [(10, 1)], "truck": [(10, 1)]}
    [second] = footage.aggregate(track_groups="any = dog + car, big=truck+bus").runs
    assert by_label(footage) == {"car": [(10, 1)], "truck": [(10, 1)]}
    [third] = footage.aggregate().runs
    assert by_label(footage) == {"car": [(10, 1)], "truck": [(10, 0)]}
    assert len({first.params, second.params, third.params}) == 3
    assert second.settings["tracking"]["groups"] == {"any": ["car", "dog"], "big": ["bus", "truck"]}


def test_the_number_of_cars_is_the_same_whether_or_not_trucks_are_counted(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 4_000)
    footage.segment(called(frames, *[("truck", 0.9), ("truck", 0.9), ("car", 0.6), ("truck", 0.9)] * 5))
    footage.segment(drive(footage, NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + 4_000))
    footage.aggregate(interval_s=3600)
    all_labels = by_label(footage)
    footage.aggregate(interval_s=3600, count_labels="car")
    assert by_label(footage) == {"car": all_labels["car"]} == {"car": [(5, 0), (20, 1)]}
    assert [track.label for track in tracks(footage)] == ["car"]
    assert [one.tracked_detections for one in counted(footage)[0]] == [5, 20]


def test_an_object_with_another_label_in_each_hour_is_counted_once_in_the_first(footage: Footage) -> None:
    hour_ms = NOON_MS + HOUR_MS
    frames = drive(footage, hour_ms - 1_000, hour_ms + 8_000)
    footage.segment(called(frames, *[("truck", 0.7)] * 5, *[("car", 0.9)] * 40))
    footage.aggregate()
    assert by_label(footage) == {"car": [(40, 0)], "truck": [(5, 1)]}
    assert {track.label: track.is_counted for track in tracks(footage)} == {"truck": True, "car": False}


def test_the_winning_label_decides_whether_an_unmoving_object_counts(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 4_000)
    footage.segment(called(frames, *[("truck", 0.6), ("car", 0.9)] * 10))
    footage.aggregate(track_fixed_labels="truck")
    assert by_label(footage) == {"car": [(10, 1)], "truck": [(10, 0)]}
    footage.aggregate(track_fixed_labels="car")
    assert by_label(footage) == {"car": [(10, 0)], "truck": [(10, 0)]}


def test_each_box_is_strong_or_weak_by_its_own_label(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 2_000)
    footage.segment(called(frames, *[("van", 0.6)] * 10))
    footage.aggregate(track_groups="vehicle=van+car", track_label_confidence="car=0.4")
    assert tracks(footage) == []
    footage.aggregate(track_groups="vehicle=van+car", track_label_confidence="car=0.9,van=0.4")
    assert [track.label for track in tracks(footage)] == ["van"]


names = st.sampled_from([("car", 0.9), ("car", 0.3), ("truck", 0.8), ("bus", 0.5), ("bus", 0.2)])


@pytest.mark.thorough
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seen=st.lists(st.lists(names, max_size=3, unique_by=lambda name: name[0]), min_size=2, max_size=60),
    counts=st.sampled_from(["", "car", "bus,truck"]),
)
def test_with_any_labels_one_car_is_at_most_one_object_and_the_books_balance(
    footage: Footage, tmp_path_factory: pytest.TempPathFactory, seen: list[list[Seen]], counts: str
) -> None:
    """It is parked across a full hour, for less time than a track survives without a box."""
    place = type(footage)(tmp_path_factory.mktemp("calls"))
    frames = drive(footage, NOON_MS - 1_000, NOON_MS - 1_000 + 40 * len(seen), step_ms=40)
    place.segment(called(frames, *seen))
    place.aggregate(count_labels=counts)
    found, coverage = counted(place)
    counted_objects = sum(one.objects or 0 for one in found)
    assert counted_objects == sum(one.objects or 0 for one in coverage) <= 1
    for one in found:
        assert one.objects is not None
        assert one.tracked_detections is not None
        assert max(one.objects, one.tracked_detections) <= one.detections
    of_hour = tracks(place)
    assert sum(track.is_counted for track in of_hour) == counted_objects
    for track in of_hour:
        assert track.votes[0].label == track.label
        assert len({vote.label for vote in track.votes}) == len(track.votes)
        assert track.first.captured_at_ms == track.first_seen_ms
