"""The proof: every frame behind a bar once, by time, with a sum that equals the bar; also every object."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import make_run, make_segment, put_tracks
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import MINUTE_MS, MODEL, START_MS, make_lines, publish_lines, track

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.records import Coverage, IntervalCount


def pages(place: Place, address: str, limit: int, **chosen: object) -> list[dict[str, Any]]:
    """Every page, by the cursors."""
    client = place.app(**chosen).test_client()
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.get(f"{address}&limit={limit}&cursor={cursor}").json
        assert page is not None
        found.append(page)
        if page["next"] is None:
            return found
        cursor = page["next"]
        assert len(found) < 500


@pytest.fixture
def filmed(place: Place) -> Place:
    lines = make_lines("gate", frames=240) + make_lines("yard", frames=100, seed=5, start_ms=START_MS + 2500)
    random.Random(3).shuffle(lines)  # noqa: S311
    publish_lines(place, lines)
    return place


@pytest.mark.thorough
def test_a_bar_of_the_chart_is_proved_by_its_own_ends(filmed: Place) -> None:
    chart = get(filmed, "/api/counts?interval=300&label=car&timezone=Europe/Berlin")
    ends = {one["start_ms"]: one["end_ms"] for one in chart["coverage"]}
    for bar in chart["buckets"]:
        asked = f"label=car&from={bar['start_ms']}&to={ends[bar['start_ms']]}"
        found = pages(filmed, f"/api/v1/frames?{asked}", 50)
        assert found[-1]["frames"][-1]["running_total"] == bar["detections"]


def walk(ask: Callable[[str], Any], query: str) -> list[dict[str, Any]]:
    """Every page from the first answered one to the end, then to the beginning; by time."""
    found = [ask(f"/api/v1/frames?{query}")]
    while cursor := found[-1]["next"]:
        found.append(ask(f"/api/v1/frames?{query}&cursor={cursor}"))
        assert len(found) < 800
    while cursor := found[0]["previous"]:
        found.insert(0, ask(f"/api/v1/frames?{query}&cursor={cursor}"))
        assert len(found) < 800
    return found


@pytest.fixture
def ask(filmed: Place) -> Callable[[str], Any]:
    """Queries one dashboard over the footage."""
    client = filmed.app().test_client()
    # On a busy machine the first answers may arrive before all segments are known.
    while not client.get("/api/v1/frames?limit=1").json["frames"]:
        pass
    return lambda address: client.get(address).json


@pytest.mark.thorough
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.sampled_from(
        [
            "",
            "label=bus&source=yard&source=gate",
            f"label=car&from={START_MS + 61_000}&to={START_MS + 200_001}",
        ]
    ),
    start=st.sampled_from(["", "&start=peak"]),
    empty=st.booleans(),
    limit=st.sampled_from([7, 24, 100]),
    is_slow=st.booleans(),
)
def test_from_the_peak_or_the_start_the_pages_give_each_frame_once_and_the_same_sums(
    ask: Callable[[str], Any], query: str, start: str, empty: bool, limit: int, is_slow: bool
) -> None:
    asked = f"{query}{'&empty=1' * empty}"
    with pytest.MonkeyPatch.context() as patch:
        if is_slow:
            patch.setattr("frametally_web.proof.bars.seconds_left", lambda: 0.01)
        found = walk(ask, f"{asked}{start}&limit={limit}")
    shown = [frame for page in found for frame in page["frames"]]
    assert [page["note"] for page in found] == [None] * len(found)
    running = 0
    for frame in shown:
        running += frame["count"]
        assert (frame["running_total"], len(frame["boxes"])) == (running, frame["count"])
        assert all(box["confidence"] >= 0.25 for box in frame["boxes"])
    chart = ask(f"/api/counts?{query}")
    assert running == found[0]["detections"] == sum(total["detections"] for total in chart["totals"]) > 0
    assert found[0]["frames_analysed"] == chart["frames"]
    if not is_slow and not start:
        assert {len(page["frames"]) for page in found[:-1]} <= {limit}
    places = [(frame["captured_at_ms"], frame["image_path"]) for frame in shown]
    assert places == sorted(set(places))
    if empty:
        assert len(shown) == found[0]["frames_analysed"]
    else:
        assert all(frame["count"] for frame in shown)
    before = 0
    for page in found:
        assert page["position"] in ((before,) if empty or not start else (before, None))
        before += len(page["frames"])


@pytest.mark.thorough
def test_a_bar_opened_at_its_peak_starts_with_the_frame_that_has_most_of_one_label(
    ask: Callable[[str], Any],
) -> None:
    for query in ("label=car", "label=bus", "", f"label=car&from={START_MS + 5 * MINUTE_MS}"):
        every = [frame for page in walk(ask, f"{query}&limit=100") for frame in page["frames"]]
        most = {
            frame["image_path"]: max(
                sum(box["label"] == label for box in frame["boxes"]) for label in ("car", "bus")
            )
            for frame in every
        }
        first = ask(f"/api/v1/frames?{query}&start=peak&limit=5")["frames"][0]
        assert most[first["image_path"]] == max(most.values())


def zero_bar(ask: Callable[[str], Any]) -> str:
    """A minute of the gate without a bus, as a query."""
    chart = ask("/api/counts?label=bus&source=gate&interval=60")
    with_bus = {one["start_ms"] for one in chart["buckets"] if one["detections"]}
    at_ms = next(one["start_ms"] for one in chart["coverage"] if one["start_ms"] not in with_bus)
    return f"label=bus&source=gate&from={at_ms}&to={at_ms + MINUTE_MS}"


def test_a_bar_of_zero_shows_every_frame_that_was_analysed(ask: Callable[[str], Any]) -> None:
    found = walk(ask, f"{zero_bar(ask)}&empty=1&limit=5")
    shown = [frame for page in found for frame in page["frames"]]
    assert (len(shown), found[0]["frames_analysed"], found[0]["detections"]) == (12, 12, 0)
    assert {(frame["count"], frame["running_total"], len(frame["boxes"])) for frame in shown} == {(0, 0, 0)}
    assert found[-1]["note"] is None


def test_frames_missing_from_the_segments_are_reported_on_the_last_page(filmed: Place) -> None:
    for info in list(filmed.store.list(keys.METADATA)):
        filmed.store.delete(info.key)
    client = filmed.app().test_client()
    found = walk(
        lambda address: client.get(address).json, f"{zero_bar(lambda a: client.get(a).json)}&empty=1"
    )
    assert "no longer in the store; the count stays" in found[-1]["note"]


class CountingStore:
    """Counts the reads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.ranges = 0

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        self.ranges += 1
        return self._store.get_range(key, first_byte, next_byte)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.thorough
def test_a_page_reads_only_the_segments_of_its_own_minutes(place: Place) -> None:
    lines = make_lines("gate", frames=2000)  # 2 h 47 min
    bus = next(
        number for number in range(1500, 2000) if any(b.label == "bus" for b in lines[number].detections)
    )
    for number, line in enumerate(lines):
        kept = [one for one in line.detections if one.label != "bus" or number == bus]
        lines[number] = _with(line, kept)
    publish_lines(place, lines, in_segments_of=2000)  # by time: shuffled ones would all be everywhere
    for key in [info.key for info in place.store.list(keys.METADATA)]:
        place.store.delete(key)
    _put_in_order(place, lines)
    client = place.app().test_client()
    client.get("/api/frames?label=car&limit=1")  # the ledger is updated once
    counting = CountingStore(place.store)
    place.store = counting
    client = place.app().test_client()
    found = client.get("/api/frames?label=bus").json
    assert [frame["captured_at_ms"] for frame in found["frames"]] == [lines[bus].captured_at_ms]
    assert counting.ranges <= 3


def _with(line: Any, detections: list[Any]) -> Any:
    strong = [msgspec.structs.replace(one, confidence=0.9) for one in detections]
    return msgspec.structs.replace(line, detections=strong)


def _put_in_order(place: Place, lines: list[Any]) -> None:
    for number in range(0, len(lines), 20):
        place.store.put(
            keys.segment_key(MODEL, "log", "frames", 0, number),
            make_segment(
                lines[number : number + 20], [], number, next_offset=number + 20, model=MODEL, log_id="log"
            ),
        )


@pytest.mark.thorough
def test_frames_counted_with_other_settings_are_mentioned_on_the_last_page(filmed: Place) -> None:
    found = pages(filmed, "/api/v1/frames?label=car", 30, count_min_confidence=0.5)
    assert "with settings that its run did not record" in found[-1]["note"]
    assert all(page["note"] is None for page in found[:-1])


def test_a_bar_whose_detections_are_in_damaged_segments_says_so(filmed: Place) -> None:
    for info in list(filmed.store.list(keys.METADATA)):
        data = bytearray(filmed.store.get(info.key))
        data[len(data) // 2] ^= 4
        filmed.store.put(info.key, bytes(data))
    found = pages(filmed, "/api/v1/frames?label=car", 30)
    assert "The store has damaged detections of this model" in found[-1]["note"]
    assert "`frametally doctor --deep`" in found[-1]["note"]


@pytest.mark.thorough
def test_a_range_without_footage_is_an_empty_page(filmed: Place) -> None:
    for query in ("from=2031-01-01", "to=2011-01-01&label=car"):
        found = get(filmed, f"/api/v1/frames?{query}")
        assert (found["frames"], found["next"], found["detections"]) == ([], None, None)
        assert found["missing"] == "no_footage"


@pytest.fixture
def tracked(place: Place) -> Place:
    """Two days of two sources, an object a minute; objects counted in an earlier hour do not belong to this
    one."""
    for sequence, day in enumerate(("2024-05-01", "2024-05-02"), start=1):
        day_ms = keys.day_start_ms(day)
        tracks, counts, coverage = [], [], []
        for source in ("gate", "yard"):
            for minute in range(0, 1440, 60 if source == "gate" else 90):
                at_ms = day_ms + minute * MINUTE_MS
                tracks.append(track(minute, at_ms + 1500, source))
                tracks.append(track(minute + 1, at_ms + 100, source, is_counted=False))
                common: dict[str, Any] = {
                    "model": MODEL,
                    "source": source,
                    "interval_start_ms": at_ms,
                    "interval_s": 60,
                    "frames": 300,
                }
                counts.append(
                    IntervalCount(**common, label="car", detections=9, peak=1, objects=1, evidence=[])
                )
                coverage.append(Coverage(**common, analysed_fps=5.0))
        tracks.sort(key=lambda one: (one.source, one.label, one.first_seen_ms))
        run = put_tracks(place.store, make_run(sequence, model=MODEL, day=day), tracks)
        assert place.real_index.publish(run, counts, coverage)
    return place


@pytest.mark.thorough
@pytest.mark.parametrize("query", ["", "source=gate", "label=car&from=2024-05-01T10:00&to=2024-05-02T03:30"])
def test_every_object_is_shown_once_where_it_first_appears_and_they_add_up_to_the_bar(
    tracked: Place, query: str
) -> None:
    chart = get(tracked, f"/api/counts?{query}&interval=86400")
    found = pages(tracked, f"/api/v1/objects?{query}", 7)
    shown = [one for page in found for one in page["tracks"]]
    assert len({one["id"] + one["source"] for one in shown}) == len(shown) == found[0]["objects"]
    assert found[0]["objects"] == sum(total["objects"] for total in chart["totals"]) > 0
    assert [one["running_total"] for one in shown] == list(range(1, len(shown) + 1))
    assert [one["first_seen_ms"] for one in shown] == sorted(one["first_seen_ms"] for one in shown)
    first = shown[0]
    assert first["first"]["captured_at_ms"] == first["first_seen_ms"]
    assert first["best"]["box"]["confidence"] == 0.95
    assert first["best"]["image_path"] in first["best"]["image_url"].replace("%2F", "/")
    assert found[-1]["note"] is None


@pytest.mark.thorough
def test_uncounted_objects_have_a_reason(place: Place) -> None:
    publish_lines(place, make_lines("gate", frames=24), analysed_fps=2.0)
    answer = get(place, "/api/v1/objects?label=car")
    assert (answer["objects"], answer["objects_missing"], answer["tracks"]) == (None, "too_slow", [])
    chart = get(place, "/api/counts?label=car&interval=60")
    assert {bar["objects_missing"] for bar in chart["buckets"]} == {"too_slow"}
    assert chart["totals"][0]["objects_missing"] == "too_slow"
    assert "2 frames per second, but 5 are needed" in chart["objects_note"]


@pytest.mark.thorough
def test_single_pictures_are_too_far_apart_and_the_note_says_so(place: Place) -> None:
    publish_lines(place, make_lines("gate", frames=24, step_ms=60_000), interval_s=3600, analysed_fps=0.0)
    chart = get(place, "/api/counts?label=car")
    assert {bar["objects_missing"] for bar in chart["buckets"]} == {"too_slow"}
    assert chart["objects_note"] == (
        "Unique objects are unknown in 1 of 1 intervals: footage was analysed in single pictures, "
        "but 5 frames per second are needed."
    )


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("analysed_fps", "why"), [(None, "not_tracked"), (2.0, "too_slow"), (0.0, "too_slow")]
)
def test_an_hour_of_the_week_says_why_its_objects_are_unknown(
    place: Place, analysed_fps: float | None, why: str
) -> None:
    place.labels_to_count = ["car", "bus", "zebra"]  # a label that was counted and not seen is zero
    publish_lines(place, make_lines("gate", frames=24), analysed_fps=analysed_fps)
    (cell,) = get(place, "/api/heatmap?label=car")["cells"]
    assert (cell["objects"], cell["objects_missing"]) == (None, why)
    (nothing,) = get(place, "/api/heatmap?label=zebra")["cells"]
    assert (nothing["objects"], nothing["objects_missing"]) == (None, why)


def test_missing_tracks_are_named_with_a_remedy(tracked: Place) -> None:
    for info in list(tracked.store.list(keys.HOURS)):
        tracked.store.delete(info.key)
    answer = tracked.app().test_client().get("/api/v1/objects")
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert "jsonl is missing" in answer.json["detail"] and "aggregate --all" in answer.json["detail"]
    assert answer.json["remedy"] == "Apply the remedy, then reload the page."
