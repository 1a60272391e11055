"""Each frame is counted once, by event time, in any order of segments and with any borders."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter, defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import make_count, make_coverage, make_frame
from tests.hadoop.conftest import Footage, twin

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.records import Detection, Evidence, FrameDetections, decode, encode
from frametally.rules.counted_boxes import CountedBoxes, least_float
from frametally.rules.evidence import hits_by_label
from frametally.rules.seals import sealed, unsealed
from frametally.segments.contents import list_segments, read_segment
from frametally_hadoop.job.map_reduce import reduce_group
from frametally_hadoop.job.params import CountParams

NOON_MS = 1_767_268_800_000
MIDNIGHT_MS = 1_767_312_000_000  # 2026-01-02T00:00:00Z
HOUR_MS = 3_600_000


def oracle_fps(frames: Any, model: Any, source: Any, start_ms: Any, interval_s: Any) -> float:
    """The slowest of the interval's hours: steps of at most 3 s, including those a minute before and after
    the hour."""
    rates = []
    for hour_ms in range(start_ms // HOUR_MS * HOUR_MS, start_ms + interval_s * 1000, HOUR_MS):
        times = sorted(
            {
                f.captured_at_ms
                for f in frames
                if (f.model, f.source) == (model, source)
                and hour_ms - 60_000 <= f.captured_at_ms < hour_ms + HOUR_MS + 60_000
            }
        )
        first_ms, next_ms = max(hour_ms, start_ms), min(hour_ms + HOUR_MS, start_ms + interval_s * 1000)
        if any(first_ms <= time_ms < next_ms for time_ms in times):
            steps = [b - a for a, b in itertools.pairwise(times) if b - a <= 3000]
            rate = float(f"{len(steps) / sum(steps) * 1000:.2f}") if steps else 0.0
            rates.append(rate if rate <= 120 else 0.0)
    return min(rates)


def oracle_covered_ms(
    frames: list[FrameDetections], model: str, source: str, start_ms: int, interval_s: int
) -> int:
    """Each frame covers the time to the next; before a gap of more than 3 s, one mean step of its hour."""
    times = sorted(
        {frame.captured_at_ms for frame in frames if (frame.model, frame.source) == (model, source)}
    )
    total = 0
    for hour_ms in range(start_ms - start_ms % HOUR_MS, start_ms + interval_s * 1000, HOUR_MS):
        known = [ms for ms in times if hour_ms - 60_000 <= ms < hour_ms + HOUR_MS + 60_000]
        if not any(hour_ms <= ms < hour_ms + HOUR_MS for ms in known):
            continue
        steps = [b - a for a, b in itertools.pairwise(known) if b - a <= 3000]
        if steps and len(steps) * 1000 > 120 * sum(steps):
            continue
        mean_ms = int(sum(steps) / len(steps) + 0.5) if steps else 0
        for ms, following in zip(known, [*known[1:], None], strict=True):
            is_followed = following is not None and following - ms <= 3000
            end_ms = following if is_followed else ms + mean_ms
            first_ms = max(ms, hour_ms, start_ms)
            total += max(0, min(end_ms, hour_ms + HOUR_MS, start_ms + interval_s * 1000) - first_ms)
    return total


def oracle(
    store: ObjectStore,
    *,
    interval_s: int = 60,
    threshold: int = 2500,
    objects: dict[tuple[str, int], int] | None = None,
    tracked: dict[tuple[str, int], int] | None = None,
) -> dict[tuple[str, int, str], bytes]:
    """The part files, counted again in the plainest way.

    `objects`, all there when the footage begins, and `tracked` detections as (label, interval start): number.
    """
    lines: dict[tuple[str, str], bytes] = {}
    for key in list_segments(store):
        segment = read_segment(store, key)
        for line, frame in zip(segment.frame_lines, segment.frames(), strict=True):
            lines[frame.model, frame.image_path] = min(line, lines.get((frame.model, frame.image_path), line))
    frames = [decode(line, FrameDetections) for line in lines.values()]
    covered, counts = Counter(), defaultdict(dict)
    for frame in frames:
        start_ms = frame.captured_at_ms // (interval_s * 1000) * interval_s * 1000
        covered[frame.model, frame.source, start_ms] += 1
        for label, boxes in Counter(
            d.label for d in frame.detections if round(d.confidence * 10_000) >= threshold
        ).items():
            counts[frame.model, frame.source, start_ms, label][frame.image_path] = (boxes, frame)
    days = defaultdict(list)
    rates = {}
    for (model, source, start_ms), seen in covered.items():
        rates[model, source, start_ms] = rate = oracle_fps(frames, model, source, start_ms, interval_s)
        record = make_coverage(
            start_ms,
            seen,
            model=model,
            source=source,
            interval_s=interval_s,
            detections=sum(
                hit[0]
                for (m, s, at, _), hits in counts.items()
                if (m, s, at) == (model, source, start_ms)
                for hit in hits.values()
            ),
            objects=sum(number for (_, at), number in (objects or {}).items() if at == start_ms)
            if rate >= 4.5
            else None,
            analysed_fps=rate,
            covered_ms=oracle_covered_ms(frames, model, source, start_ms, interval_s),
        )
        days[model, start_ms].append((["coverage", source, start_ms], record))
    for (model, source, start_ms, label), hits in counts.items():
        best = sorted(hits.values(), key=lambda hit: (-hit[0], hit[1].captured_at_ms, hit[1].image_path))
        record = make_count(
            start_ms,
            label,
            sum(hit[0] for hit in hits.values()),
            model=model,
            source=source,
            interval_s=interval_s,
            frames=covered[model, source, start_ms],
            peak=best[0][0],
            objects=(objects or {}).get((label, start_ms), 0)
            if rates[model, source, start_ms] >= 4.5
            else None,
            tracked_detections=(tracked or {}).get((label, start_ms), 0)
            if rates[model, source, start_ms] >= 4.5
            else None,
            objects_from_start=(objects or {}).get((label, start_ms), 0)
            if rates[model, source, start_ms] >= 4.5
            else None,
            fast_objects=0 if rates[model, source, start_ms] >= 4.5 else None,
            evidence=[
                Evidence(image_path=f.image_path, captured_at_ms=f.captured_at_ms, count=n)
                for n, f in best[:5]
            ],
        )
        days[model, start_ms].append((["count", source, label, start_ms], record))
    parts = defaultdict(list)
    for (model, start_ms), records in days.items():
        parts[model, interval_s, keys.utc_day(start_ms)] += [
            msgspec.json.encode(key) + b"\t" + encode(record) + b"\n" for key, record in records
        ]
    return {day: b"".join(sorted(lines)) for day, lines in parts.items()}


detections = st.lists(
    st.builds(
        Detection,
        label=st.sampled_from(["car", "person", 'a "quoted" one', "größer", "日本\x7f"]),
        confidence=st.sampled_from([0.1, 0.2499, 0.25, 0.2501, 0.7, 1.0]),
        box=st.just((0.0, 0.1, 20.3, 10.0)),
    ),
    max_size=6,
)


@st.composite
def frame_lines(draw: st.DrawFn) -> Any:
    """Frames around midnight of two sources, some of them twice, the second time with other detections."""
    made = []
    for number in range(draw(st.integers(1, 12))):
        source = draw(st.sampled_from(["gate", "yard"]))
        captured_at_ms = MIDNIGHT_MS + draw(st.integers(-150, 150)) * 1000
        for _ in range(draw(st.integers(1, 2))):
            made.append(
                make_frame(
                    captured_at_ms,
                    number,
                    draw(detections),
                    source=source,
                    size_px=(640, 480),
                    time_source="exif",
                    model="tiny-1",
                )
            )
    return made


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=frame_lines(), seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 5), max_size=8))
def test_order_repeats_and_batch_borders_change_nothing_and_the_counts_match_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, footage: Footage, frames: Any, seed: int, cuts: Any
) -> None:
    plain = type(footage)(tmp_path_factory.mktemp("plain"))
    plain.segment(frames)
    plain.aggregate()
    assert plain.parts() == oracle(plain.store)

    shuffled = type(footage)(tmp_path_factory.mktemp("shuffled"))
    rng = random.Random(seed)  # noqa: S311
    again = frames + rng.choices(frames, k=3)
    rng.shuffle(again)
    while again:
        size = cuts.pop() if cuts else len(again)
        shuffled.segment(again[:size])
        again = again[size:]
    report = shuffled.aggregate()
    assert shuffled.parts() == plain.parts()
    assert report.frames == len({frame.image_path for frame in frames})
    assert report.duplicates_dropped == len(frames) + 3 - report.frames
    assert report.skipped == []


def test_late_footage_gives_the_same_bytes_as_if_it_had_been_there_from_the_start(footage: Footage) -> None:
    days = [
        [footage.frame(NOON_MS + day * 86_400_000 + n * 500, "car", index=n) for n in range(4)]
        for day in range(3)
    ]
    footage.segments(days[:2])
    footage.aggregate()
    footage.segments([days[2], [footage.frame(NOON_MS + 250, "bike", index=99)]])
    at_once = twin(footage)
    for key in at_once.objects("mapreduce-output"):
        at_once.store.delete(key)
    footage.aggregate()
    at_once.aggregate()
    assert footage.parts() == at_once.parts() == oracle(footage.store)


def test_a_run_counts_only_the_days_that_new_segments_touch(footage: Footage) -> None:
    for day in range(3):
        footage.segment([footage.frame(NOON_MS + day * 86_400_000, "car")])
    first = footage.aggregate()
    assert [run.day for run in first.runs] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    before = footage.objects("mapreduce-output")

    assert footage.aggregate().runs == []
    assert footage.objects("mapreduce-output") == before

    footage.segment([footage.frame(NOON_MS + 86_400_000 + 1, "car", index=1)])
    again = footage.aggregate()
    assert [(run.day, run.sequence, run.frames) for run in again.runs] == [("2026-01-02", 2, 2)]
    assert (again.days_up_to_date, again.segments_read) == (2, 2)
    assert {key: data for key, data in footage.objects("mapreduce-output").items() if key in before} == before


def test_a_segment_over_midnight_counts_on_both_days(footage: Footage) -> None:
    footage.segment([footage.frame(MIDNIGHT_MS + n, "car", index=n + 50) for n in (-10, 0)])
    report = footage.aggregate()
    assert [(run.day, run.frames) for run in report.runs] == [("2026-01-01", 1), ("2026-01-02", 1)]
    assert footage.parts() == oracle(
        footage.store,
        objects={("car", MIDNIGHT_MS - 60_000): 1},
        tracked={("car", MIDNIGHT_MS - 60_000): 1, ("car", MIDNIGHT_MS): 1},
    )


def test_pictures_of_many_years_in_one_segment_make_runs_only_of_their_own_days(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + years * 365 * 86_400_000, "car") for years in (-20, -5, 0)])
    assert [run.day for run in footage.aggregate().runs] == ["2006-01-06", "2021-01-02", "2026-01-01"]
    assert footage.parts() == oracle(footage.store)


def test_footage_from_before_1970_is_counted_in_its_own_interval(footage: Footage) -> None:
    footage.segment(
        [footage.frame(ms, "car", index=n) for n, ms in enumerate([-10, -60_010, -86_400_000, 0])]
    )
    report = footage.aggregate()
    assert [(run.day, run.frames) for run in report.runs] == [("1969-12-31", 3), ("1970-01-01", 1)]
    assert footage.parts() == oracle(
        footage.store, objects={("car", -60_000): 1}, tracked={("car", -60_000): 1, ("car", 0): 1}
    )


def test_an_empty_frame_is_covered_and_counted_as_a_frame(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car"), footage.frame(NOON_MS + 10, index=1)])
    footage.aggregate()
    [part] = footage.parts().values()
    assert part.count(b'"frames":2') == 2
    assert footage.parts() == oracle(footage.store)


@pytest.mark.parametrize(
    ("changed", "counted"),
    [
        ({}, 3),
        ({"count_min_confidence": 0.3}, 2),
        ({"count_min_confidence": 0.30001}, 1),
        ({"count_min_side_px": 7.1}, 3),
        ({"count_min_side_px": 7.2}, 2),
        ({"count_labels": " person, bus"}, 1),
        ({"count_min_confidence": 0.0}, 4),
    ],
)
def test_threshold_smallest_side_and_labels_decide_what_counts(
    footage: Footage, changed: dict[str, Any], counted: int
) -> None:
    footage.segment(
        [
            footage.frame(NOON_MS, "car", confidence=0.25, box=(0.0, 0.0, 90.0, 90.0)),
            footage.frame(NOON_MS + 1, "person", index=1, confidence=0.3, box=(0.0, 0.0, 90.0, 7.1)),
            footage.frame(NOON_MS + 2, "car", index=2, confidence=0.9, box=(0.0, 0.0, 90.0, 90.0)),
            footage.frame(NOON_MS + 3, "car", index=3, confidence=0.2499, box=(0.0, 0.0, 90.0, 90.0)),
        ]
    )
    footage.aggregate(**changed)
    [part] = footage.parts().values()
    boxes = [int(piece.split(b",")[0]) for piece in part.split(b'"detections":')[1:]]
    assert (sum(boxes[:-1]), boxes[-1]) == (counted, counted)  # the last line is that of the coverage
    assert part.count(b'"frames":4') == len(boxes)


def test_days_counted_with_other_settings_are_stale_also_after_changing_them_back(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car", confidence=0.4)])
    [first] = footage.aggregate().runs
    [second] = footage.aggregate(count_min_confidence=0.5).runs
    [third] = footage.aggregate().runs
    assert (first.sequence, second.sequence, third.sequence) == (1, 2, 3)
    assert first.params == third.params != second.params
    assert footage.parts() == oracle(footage.store)
    assert footage.aggregate().runs == []


def test_models_and_intervals_are_kept_side_by_side(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    footage.segment([footage.frame(NOON_MS, "bus", model="big-2")], model="big-2")
    footage.aggregate()
    footage.aggregate(interval_s=3600)
    assert sorted(footage.parts()) == [
        ("big-2", 60, "2026-01-01"),
        ("big-2", 3600, "2026-01-01"),
        ("tiny-1", 60, "2026-01-01"),
        ("tiny-1", 3600, "2026-01-01"),
    ]
    assert footage.parts() == oracle(footage.store) | oracle(footage.store, interval_s=3600)


def test_evidence_is_the_five_busiest_frames_then_the_earliest_then_by_path(footage: Footage) -> None:
    busy = [footage.frame(NOON_MS + 10 * n, *["car"] * (1 + n % 3), index=n) for n in range(9)]
    same_time = [footage.frame(NOON_MS, "car", "car", "car", index=n) for n in (70, 7)]
    footage.segment(busy + same_time)
    footage.aggregate()
    [part] = footage.parts().values()
    order = [piece.split(b".jpg")[0] for piece in part.split(b"abababababab-")[1:]]
    assert order == [b"7", b"70", b"2", b"5", b"8"]
    assert footage.parts() == oracle(
        footage.store, objects={("car", NOON_MS): 3}, tracked={("car", NOON_MS): 24}
    )


@given(units=st.integers(0, 10_000), scale=st.sampled_from([10, 10_000]), confidence=st.floats(0, 1))
def test_comparing_with_the_least_float_decides_like_rounding_to_whole_units(
    units: int, scale: Any, confidence: float
) -> None:
    least = least_float(units, scale)
    for number in (least, math.nextafter(least, -math.inf), confidence, units / scale, (units - 0.5) / scale):
        assert (number >= least) == (round(number * scale) >= units)


def test_the_smallest_bytes_of_several_lines_of_a_frame_count_wherever_they_are() -> None:
    """Also if each is in a separate value, and next to frames that occur once."""
    lines = [
        encode(frame)
        for frame in (
            make_frame(
                NOON_MS + n,
                n,
                [Detection(label=label, confidence=0.5, box=(1.0, 2.0, 3.0, 4.0))],
                source="gate",
                size_px=(640, 480),
                image_path=f"images/gate/2026-01-01/{NOON_MS + n}-abababababab-{n}.jpg",
                time_source="exif",
                model="tiny-1",
            )
            for n, label in ((0, "car"), (1, "bus"), (1, "car"), (1, "truck"), (2, "bus"), (0, "car"))
        )
    ]
    key = json.dumps(["frames", "tiny-1", "gate", NOON_MS]).encode()
    head = json.dumps([NOON_MS, [["ab" * 32, 640, 480]]]).encode()
    of_hour = json.dumps(["hour", "gate", NOON_MS], separators=(",", ":")).encode()
    for order in itertools.permutations(lines):
        for cut in (0, 2):
            values = [b"\x1e".join([head, *part]) for part in (order[:cut], order[cut:]) if part]
            pairs = dict(reduce_group(key, values, CountParams(tracking=None), lambda *_: None))
            counted = {
                json.loads(name)[2]: json.loads(value)["detections"]
                for name, value in pairs.items()
                if b'"count"' in name
            }
            assert counted == {"bus": 2, "car": 1}
            assert json.loads(pairs[of_hour]) == {
                "v": 1,
                "model": "tiny-1",
                "lines": 6,
                "duplicates_dropped": 3,
                "sizes": [["ab" * 32, 640, 480]],
                "analysed_fps": None,
                "followed": {"bus": None, "car": None},
                "blank": None,
            }


def test_a_frame_adds_one_hit_and_all_its_boxes_to_each_label_it_shows(footage: Footage) -> None:
    frame = footage.frame(NOON_MS, "car", "bus", "car")
    hits, detections = hits_by_label([frame], CountedBoxes(2500, 0))
    assert hits == {"car": [(-2, NOON_MS, frame.image_path)], "bus": [(-1, NOON_MS, frame.image_path)]}
    assert detections == 3


def test_a_segment_whose_header_has_an_unknown_field_counts_by_its_lines(file_footage: Footage) -> None:
    key = file_footage.segment([file_footage.frame(NOON_MS + n, "car", index=n) for n in range(3)])
    head, _, body = file_footage.store.get(key).partition(b"\n")
    fields = unsealed(head)
    assert fields is not None
    counts = {"counting_version": 6, "interval_s": 60, "min_confidence": 2500, "min_side": 0, "sources": {}}
    older = sealed(fields[:-1] + b',"counts":' + json.dumps(counts).encode() + b"}")
    file_footage.store.put(key, older + b"\n" + body)
    report = file_footage.aggregate(count_objects=False)
    assert (report.frames, report.skipped) == (3, [])
