"""Two models over the same footage: their differences, and the frames that show them."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.hadoop.conftest import Footage
from tests.kit.processes import run_program

from frametally.books.compare import compare_models
from frametally.books.runs import current_runs
from frametally.errors import Misconfigured
from frametally.records import encode
from frametally_cli.commands.bar_commands import _figures, _remarks

NOON_MS = 1_767_268_800_000


@pytest.fixture
def two_models(file_footage: Footage) -> Footage:
    """In the first minute they agree; in the second B detects one more bus; the third only A has analysed."""
    footage = file_footage
    for model, minutes in (("tiny-a", 3), ("tiny-b", 2)):
        for minute in range(minutes):
            labels = ["car", "bus"] if (model, minute) == ("tiny-b", 1) else ["car"]
            footage.film(2, *labels, start_ms=NOON_MS + minute * 60_000, model=model)
    footage.aggregate()
    return footage


def test_only_differences_are_listed_with_the_frames_of_both(two_models: Footage) -> None:
    found = compare_models(two_models.store, "tiny-a", "tiny-b")
    [one] = found.differences
    assert (one.source, one.label, one.interval_start_ms) == ("gate", "bus", NOON_MS + 60_000)
    assert (one.a.detections, one.b.detections, one.a.frames, one.b.frames) == (0, 2, 2, 2)
    assert one.a.evidence == []
    assert [frame.count for frame in one.b.evidence] == [1, 1]
    assert all(
        two_models.store.url and frame.image_path.startswith("images/gate/") for frame in one.b.evidence
    )
    assert (found.compared, found.gaps_a, found.gaps_b) == (3, 0, 1)
    assert found.by_label == {"bus": (0, 2, 2, 2), "car": (4, 4, 0, 0)}
    assert found.total == (4, 6, 2, 2)


def test_both_sides_show_the_settings_of_their_counts(two_models: Footage) -> None:
    before = compare_models(two_models.store, "tiny-a", "tiny-b")
    assert before.settings_a == before.settings_b
    [one] = before.settings_a
    assert one.settings is not None
    assert one.settings["min_confidence"] == 0.25
    assert "min_confidence 0.25; min_box_side_px 0; labels all; overlaps first; tracking (" in one.words
    for run in current_runs(two_models.store):
        if run.model == "tiny-b":  # as an earlier version left it
            two_models.store.put(run.key, encode(msgspec.structs.replace(run, settings={})))
    after = compare_models(two_models.store, "tiny-a", "tiny-b")
    assert after.settings_a == before.settings_a
    assert [other.words for other in after.settings_b] == [f"not recorded (hash {one.params})"]


def compared(footage: Footage, *cars_of_models: tuple[int, ...]) -> Any:
    """Compare two models that find so many cars in each minute."""
    for model, cars in zip(("tiny-a", "tiny-b"), cars_of_models, strict=True):
        lines = [
            footage.frame(NOON_MS + minute * 60_000, *["car"] * number, index=minute, model=model)
            for minute, number in enumerate(cars)
        ]
        footage.segment(lines, model=model)
    footage.aggregate()
    return compare_models(footage.store, "tiny-a", "tiny-b")


def test_too_many_in_one_bar_and_too_few_in_another_do_not_cancel_out(file_footage: Footage) -> None:
    found = compared(file_footage, (1, 3), (3, 1))
    assert (found.total.net, found.total.apart) == (0, 4)


def test_the_largest_differences_come_first(file_footage: Footage) -> None:
    found = compared(file_footage, (1, 1, 4), (2, 4, 2)).differences
    assert [one.b.detections - one.a.detections for one in found] == [3, -2, 1]


def test_swapping_the_sides_swaps_the_result(two_models: Footage) -> None:
    one = compare_models(two_models.store, "tiny-a", "tiny-b")
    other = compare_models(two_models.store, "tiny-b", "tiny-a")
    assert [(d.a, d.b) for d in one.differences] == [(d.b, d.a) for d in other.differences]
    assert (one.gaps_a, one.gaps_b) == (other.gaps_b, other.gaps_a)


@pytest.mark.parametrize(
    ("asked", "differences"),
    [
        ({"label": "car"}, 0),
        ({"source": "yard"}, 0),
        ({"to_ms": NOON_MS + 60_000}, 0),
        ({"from_ms": NOON_MS + 60_000}, 1),
        ({"interval_s": 3600}, 2),  # the hour also contains the third minute, which only A has analysed
    ],
)
def test_a_comparison_can_be_narrowed(two_models: Footage, asked: dict[str, Any], differences: int) -> None:
    assert len(compare_models(two_models.store, "tiny-a", "tiny-b", **asked).differences) == differences


@pytest.mark.parametrize(
    ("models", "asked", "reason"),
    [
        (("tiny-a", "tiny-a"), {}, "the same model"),
        (("tiny-", "tiny-b"), {}, "several models match"),
        (("tiny-a", "large"), {}, "choose from: tiny-a, tiny-b"),
        (("tiny-a", "tiny-b"), {"interval_s": 7}, "does not divide a day"),
        (("tiny-a", "tiny-b"), {"interval_s": 30}, "no stored interval fits both models"),
    ],
)
def test_an_impossible_comparison_is_one_line(
    two_models: Footage, models: Any, asked: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason):
        compare_models(two_models.store, *models, **asked)


@pytest.mark.thorough
def test_the_command_prints_the_frames_and_json(two_models: Footage) -> None:
    def run(*arguments: str) -> str:
        finished = run_program(
            [sys.executable, "-m", "frametally", "compare", *arguments],
            env=os.environ | {"FRAMETALLY_STORE_URL": two_models.store.url},
            cwd=two_models.settings.data_dir,
        )
        return finished.stdout

    said = run("tiny-a", "tiny-b", "--from", "2026-01-01T12:01:00Z")
    assert "gate  bus: A 0 detections" in said
    assert "    B 1 in images/gate/2026-01-01/" in said
    assert "1 of 2 bars of 60 s differ" in said
    assert "bus: A 0 detections, B 2 (net +2; bar by bar 2 apart)" in said
    assert "all labels: A 2 detections, B 4 (net +2; bar by bar 2 apart)" in said
    body = json.loads(run("tiny-a", "tiny-b", "--json"))
    assert [(d["label"], d["b"]["detections"]) for d in body["differences"]] == [("bus", 2)]
    assert body["total"] == {"a": 4, "b": 6, "net": 2, "apart": 2}
    assert (body["by_label"]["bus"]["net"], body["totals"]["bus"]) == (2, [0, 2])


@pytest.mark.parametrize(
    ("settings", "step_ms", "why"),
    [
        ({"count_objects": False}, 200, "tracking was off"),
        ({}, 1000, "only 1 frames per second were analysed"),
    ],
)
def test_unmeasured_objects_are_reported_with_the_reason(
    file_footage: Footage, settings: dict[str, Any], step_ms: int, why: str
) -> None:
    for model, labels in (("tiny-a", ["car"]), ("tiny-b", ["car", "car"])):
        file_footage.film(5, *labels, step_ms=step_ms, model=model)
    file_footage.aggregate(**settings)
    [difference] = compare_models(file_footage.store, "tiny-a", "tiny-b").differences
    assert (difference.a.objects, difference.b.objects) == (None, None)
    assert _figures(difference.a) == f"5 detections, peak 1, objects not measured ({why}) in 5 frames"


def test_a_model_that_sees_nothing_in_too_slow_footage_does_not_show_0_objects(file_footage: Footage) -> None:
    for model, labels in (("tiny-a", []), ("tiny-b", ["car"])):
        file_footage.film(2, *labels, step_ms=60_000, model=model)
    file_footage.aggregate(interval_s=3600)
    [one] = compare_models(file_footage.store, "tiny-a", "tiny-b").differences
    assert (one.a.detections, one.a.objects, one.a.objects_missing) == (0, None, "too_slow")
    assert (one.b.detections, one.b.objects, one.b.objects_missing) == (2, None, "too_slow")


def test_boxes_too_weak_to_follow_are_reported_as_such(file_footage: Footage) -> None:
    footage = file_footage
    for model, confidence in (("tiny-a", 0.5), ("tiny-b", 0.9)):
        footage.film(5, "person", step_ms=200, model=model, confidence=confidence)
    footage.film(1, "person", start_ms=NOON_MS + 5_000, first=9, model="tiny-b")
    footage.aggregate()
    [one] = compare_models(footage.store, "tiny-a", "tiny-b").differences
    assert (one.b.objects, one.b.objects_missing, one.b.tracked_detections) == (1, None, 5)
    assert _figures(one.a) == (
        "5 detections, peak 1, objects not measured "
        "(too few for tracking: 0 detections are in tracks) in 5 frames"
    )


def test_blank_footage_and_differing_frames_and_sources_are_reported(file_footage: Footage) -> None:
    footage = file_footage
    times_ms = [NOON_MS + number * 200 for number in range(900)]
    black = {*range(300, 700)}  # a minute and part of the next
    for model, sources in (("tiny-a", ("gate", "yard")), ("tiny-b", ("gate",))):
        for source in sources:
            frames = [
                footage.frame(at_ms, "car", index=number, model=model, source=source)
                for number, at_ms in enumerate(times_ms)
            ]
            if model == "tiny-a":  # an earlier release did not check the other's pictures
                frames = [
                    replace(
                        frame,
                        picture_digest=f"{number:04d}",
                        **({"shows": "black", "detections": []} if number in black else {}),
                    )
                    for number, frame in enumerate(frames)
                ]
            footage.segment(frames, model=model)
    footage.aggregate()
    found = compare_models(footage.store, "tiny-a", "tiny-b")
    assert (found.show_nothing, found.gaps_a, found.gaps_b, found.other_frames) == (1, 0, 2, 1)
    assert (found.sources_a, found.sources_b) == (["yard"], [])
    assert [*_remarks(found)] == [
        "not compared, because the footage shows nothing (black, of one colour or frozen): 1 interval",
        "in 1 interval, the models counted different numbers of frames: differences there may come from the "
        "frames",
        "only A has counted yard",
    ]
    none = compare_models(footage.store, "tiny-a", "tiny-b", source="yard")
    assert [*_remarks(none)][-1].startswith("nothing to compare: ")


def test_partly_known_objects_are_reported_as_at_least(file_footage: Footage) -> None:
    footage = file_footage
    for model, labels in (("tiny-a", ["car"]), ("tiny-b", ["car", "car"])):
        footage.film(50, *labels, step_ms=200, model=model)
        weak: dict[str, Any] = {"start_ms": NOON_MS + 60_000, "first": 99, "confidence": 0.3}
        footage.film(80, *labels, step_ms=200, model=model, **weak)
    footage.aggregate()
    [difference] = compare_models(footage.store, "tiny-a", "tiny-b", interval_s=3600).differences
    assert (difference.a.objects, difference.a.objects_missing) == (None, "too_weak")
    assert difference.a.objects_at_least == 1
    assert "are in tracks, at least 1)" in _figures(difference.a)
