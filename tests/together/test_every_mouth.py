"""Each number of random footage is the same everywhere: a value, or null with its reason and known part.

The API is compared with exports (CSV, Excel, Parquet), the gold tables by SQL and as Iceberg tables, the
values of alerts, the states in Home Assistant, the tools of assistants, traffic reports (JSON, CSV, Excel),
reports that are sent, and the words on pages.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import insert, text
from tests.assistants.test_mcp import ask, by_client
from tests.fakes.records import make_manifest
from tests.traffic import junction
from tests.traffic.scenes import SECONDS, Scene, fast, random_scene
from tests.web.conftest import Place, Serving
from tests.web.exported_rows import READERS, time_ms

from frametally import keys
from frametally.books.runs import read_run
from frametally.media.manifests import list_manifests
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import Coverage, Detection, FrameDetections, IntervalCount, Run, encode
from frametally.rules.known import NOT_MEASURED, REASONS, Metric
from frametally.rules.times import DAY_MS, HOUR_MS, utc
from frametally_alerts.conditions.interval_values import read_values
from frametally_alerts.conditions.round_input import CountPorts, RoundPorts, counted_for
from frametally_alerts.home_assistant.camera_sensors import OCCUPANCY_S, read_cameras
from frametally_alerts.reports.due_reports import turn_of
from frametally_alerts.reports.report_files import make_files
from frametally_alerts.rules import AlertRule, ScheduledReport
from frametally_assistants.server import make_server
from frametally_gold import tables
from frametally_gold.book import Gold
from frametally_gold.iceberg_tables import IcebergTables
from frametally_gold.loading import load_gold
from frametally_hadoop.planning.plan import DaySelection
from frametally_live.feed_records import Feed
from frametally_traffic.drawings.revisions import change_drawing, read_drawing, with_shapes
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.geometry.zones import ZoneCounts
from frametally_traffic.records import DrawnLine, DrawnZone
from frametally_traffic.report.junction_report import why_words
from frametally_web.charts.media_times import MediaTimes

SCENES = 150 if os.environ.get("FRAMETALLY_TESTS") == "thorough" else 24
WHOLE_S = 7200
"""The length of a bar that holds all footage of a scene."""
_ODD_SIZE_FROM_MS = junction.START_MS + 240_000
_WAITING_MS = junction.START_MS + 600_000
OF_COUNTS = {*REASONS["boxes"], *REASONS["objects"]} - {"no_footage"}
_SHOWN = ("frames_analysed", "detections", "peak", "objects", "objects_missing", "objects_at_least")
FIELDS = {
    "crossings": ("to_right", "to_left"),
    "zones": tuple(name for name in ZoneCounts._fields if name != "occupied_ms"),
    "movements": ("visits",),
}
KINDS = {"crossings": "line", "zones": "zone", "movements": "movement"}
"""The numbers of each answer about places, and what gold calls these places."""

Cells = dict[tuple[Any, ...], tuple[Any, ...]]


def dark(scene: Scene) -> Scene:
    """The same scene at night."""
    whole = (junction.START_MS, junction.START_MS + SECONDS * 1000)
    return scene._replace(name="dark", gaps_ms=(), dark_ms=(whole,))


def later(frames: list[FrameDetections], by_ms: int) -> list[FrameDetections]:
    """The continuation of a medium with the same pictures."""
    times = [(frame, frame.captured_at_ms + by_ms, frame.frame_index + len(frames)) for frame in frames]
    return [
        msgspec.structs.replace(
            frame,
            captured_at_ms=time_ms,
            image_path=keys.image_key(frame.source, time_ms, frame.media, number),
            frame_index=number,
        )
        for frame, time_ms, number in times
    ]


def half_slow(scene: Scene, known: int) -> list[FrameDetections]:
    """A scene twice, an hour apart: in the hour `known` it can be tracked, in the other one it cannot."""
    first = scene.frames(Random(0), junction.MODEL)  # noqa: S311
    return [*first[:: 10 if known else 1], *later(first, HOUR_MS)[:: 1 if known else 10]]


def untracked(scene: Scene) -> list[FrameDetections]:
    """A scene of the next day, which is counted without tracking."""
    return later(scene.frames(Random(0), junction.MODEL), DAY_MS)  # noqa: S311


def announce(place: Place, frames: list[FrameDetections]) -> None:
    """Put the manifest of each medium, and of one that waits to be analysed."""
    times_ms: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for frame in frames:
        times_ms[frame.media, frame.source].append(frame.captured_at_ms)
    times_ms["9" * 64, junction.SOURCE] = [_WAITING_MS, _WAITING_MS + 1000]
    for (media, source), of_media in times_ms.items():
        starts = [now for before, now in zip([0, *of_media], of_media, strict=False) if now - before > 1000]
        ends = [
            now for now, after in zip(of_media, [*of_media[1:], 1 << 60], strict=True) if after - now > 1000
        ]
        manifest = make_manifest(
            len(of_media),
            media=media,
            source=source,
            span_ms=(of_media[0], of_media[-1]),
            runs=[*zip(starts, ends, strict=True)],
        )
        place.store.put(manifest.key, encode(manifest))


def with_stray(random: Random, frame: FrameDetections) -> FrameDetections:
    """The same frame, now and then with a truck that no other frame shows."""
    if random.random() > 0.02:
        return frame
    truck = Detection(label="truck", confidence=0.9, box=(random.randrange(100), 200.0, 60.0, 40.0))
    return msgspec.structs.replace(frame, detections=[*frame.detections, truck])


UNTRACKED = random_scene(4)._replace(name="untracked")
LATE = DrawnZone(
    name="zone", points=junction.BOX.points, width_px=640, height_px=480, from_ms=junction.START_MS + 60_000
)
UNTRACKED_MS = junction.START_MS + DAY_MS
UNRECORDED = random_scene(8)._replace(name="unrecorded")


def draw_legs(place: Place, scene: Scene) -> None:
    """Add two legs to a scene: objects come over `in` and go over `out`."""
    zone = next(shape for shape in read_drawing(place.store, scene.name).zones)
    beside_px = scene.line_px + 60 if scene.line_px + 60 < zone.width_px else scene.line_px - 60
    ways: tuple[tuple[str, Direction, int], ...] = (
        ("in", "to_right", scene.line_px),
        ("out", "to_left", beside_px),
    )
    legs = [
        DrawnLine(
            name=name,
            points=((x_px, zone.height_px - 1), (x_px, 1)),
            inward=inward,
            width_px=zone.width_px,
            height_px=zone.height_px,
        )
        for name, inward, x_px in ways
    ]
    change_drawing(
        place.store, scene.name, lambda before: with_shapes(before, (*before.lines, *before.zones, *legs))
    )


def read_unrecorded(store: ObjectStore, run: Run) -> tuple[list[IntervalCount], list[Coverage]]:
    """A run as of a version that did not record how long the source UNRECORDED was filmed."""
    counts, coverage = read_run(store, run)
    return counts, [
        msgspec.structs.replace(part, covered_ms=None) if part.source == UNRECORDED.name else part
        for part in coverage
    ]


def footage() -> tuple[list[Scene], list[FrameDetections]]:
    """Random scenes, fast cars, a dark scene, few frames a second, and a junction that changes its shape."""
    scenes = [
        *map(random_scene, range(SCENES)),
        fast("fast", 1.3),
        fast("faster", 6),
        dark(random_scene(0)),
        random_scene(1)._replace(name="few"),
        UNRECORDED,
    ]
    halves = [random_scene(2)._replace(name="half"), fast("half-fast", 3)]
    frames = [frame for known, scene in enumerate(halves) for frame in half_slow(scene, known)]
    for number, scene in enumerate(scenes):
        random = Random(number)  # noqa: S311
        of_scene = scene.frames(random, junction.MODEL)[:: 10 if scene.name == "few" else 1]
        frames += [with_stray(random, frame) for frame in of_scene] if number % 3 == 0 else of_scene
    for frame in junction.frames():
        odd = frame.captured_at_ms >= _ODD_SIZE_FROM_MS
        frames.append(msgspec.structs.replace(frame, height_px=360) if odd else frame)
    return [*scenes, *halves], frames


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("mouths"))
    scenes, frames = footage()
    for number, scene in enumerate((*scenes, UNTRACKED)):
        scene.draw(place)
        if number % 4 == 0 or number >= SCENES:
            draw_legs(place, scene)
    junction.draw(place, *junction.LEGS, junction.BOX, junction.GROUND, LATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(junction, "read_run", read_unrecorded)
        junction.count(place, frames)
        tomorrow = DaySelection(from_ms=UNTRACKED_MS)
        junction.count(place, untracked(UNTRACKED), len(frames), tomorrow, count_objects=False)
    announce(place, frames + untracked(UNTRACKED))
    yield place
    place.close()


@pytest.fixture(scope="module")
def client(place: Place) -> FlaskClient:
    return place.app().test_client()


@pytest.fixture(scope="module")
def gold(place: Place) -> Iterator[Gold]:
    with closing(Gold(f"sqlite:///{place.settings.data_dir}/gold.sqlite")) as gold:
        assert load_gold(store=place.store, gold=gold, progress=NoProgress()).skipped == []
        yield gold


@pytest.fixture(scope="module")
def golds(place: Place, gold: Gold) -> Iterator[tuple[Gold, Gold]]:
    """The gold tables, and the rows of the Iceberg tables in others like them."""
    with closing(Gold(f"sqlite:///{place.settings.data_dir}/lake.sqlite")) as lake:
        with closing(IcebergTables(gold.url, None, place.store)) as iceberg:
            assert iceberg.publish()
            with iceberg._reading() as catalogue, lake._database.writing() as connection:
                for table in tables.MOMENTS:
                    rows = catalogue.table(table).scan().to_arrow().select(table.c.keys())
                    for batch in rows.to_batches():
                        connection.execute(insert(table), batch.to_pylist())
        yield gold, lake


@pytest.fixture(scope="module")
def sources() -> list[str]:
    return [*(scene.name for scene in footage()[0]), UNTRACKED.name, junction.SOURCE]


def get(client: FlaskClient, route: str, source: str, interval_s: int = 60, **query: Any) -> Any:
    asked = {"source": source, "interval": interval_s, **query}
    while True:
        answer = client.get(f"/api/v1/{route}", query_string=asked)
        assert answer.status_code == 200, answer.text
        found: Any = answer.json if answer.is_json else answer.data
        if not answer.is_json:
            return found
        # A busy machine still counts days, or still reads the books.
        if found.get("days_counted", 1) == found.get("days", 1) and found.get("not_analysed", []) is not None:
            return found


def counts_of(client: FlaskClient, source: str, interval_s: int = 60, **asked: str) -> Cells:
    """The counts of the API, of each label of the source in each interval with footage."""
    answer = get(client, "counts", source, interval_s, by="source", **asked)
    filmed = {bar["start_ms"]: bar for bar in answer["coverage"]}
    buckets = {(bar["start_ms"], bar["label"]): bar for bar in answer["buckets"]}
    reasons = {bar["start_ms"]: "not_analysed" for bar in answer["not_analysed"]}
    reasons |= {bar["start_ms"]: bar["missing"] for bar in answer["not_within"]}
    reasons |= {bar["start_ms"]: "shows_nothing" for bar in answer["shows_nothing"]}
    cells: Cells = {}
    for start_ms in filmed.keys() | reasons.keys():
        for label in answer["labels"] or [None]:
            bar = filmed.get(start_ms)
            bucket = buckets.get((start_ms, label))
            if bar is None:
                shown: tuple[Any, ...] = (0, None, None, None, reasons[start_ms], None)
            elif bucket is None:
                missing = bar["objects_missing"]
                shown = (bar["frames"], 0, 0, None if missing else 0, missing, None)
            else:
                names = ("detections", "peak", "objects", "objects_missing", "measured_objects")
                shown = (bar["frames"], *(bucket.get(name) for name in names))
            cells[source, start_ms, label] = shown
    return cells


@pytest.mark.thorough
@pytest.mark.parametrize("form", READERS)
def test_an_export_has_the_number_or_reason_of_the_api_in_each_cell(
    client: FlaskClient, sources: list[str], form: str
) -> None:
    reasons = set()
    for source, (interval_s, zone) in product(sources, ((60, {}), (WHOLE_S, {}), (60, {"zone": "zone"}))):
        shown = counts_of(client, source, interval_s, **zone)
        rows = READERS[form](get(client, "export", source, interval_s, by="source", format=form, **zone))
        cells = [tuple(row[name] for name in _SHOWN) for row in rows if row["coverage"] != "no footage"]
        assert Counter(cells) == Counter(shown.values()), source
        reasons |= {cell[4] for cell in cells}
    assert reasons == {None, *OF_COUNTS}


@pytest.mark.thorough
def test_an_export_of_places_has_the_number_or_reason_of_the_api_in_each_cell(
    client: FlaskClient, sources: list[str]
) -> None:
    reasons = set()
    for source in sources:
        cells: Cells = {}
        for of, kind in KINDS.items():
            for row in READERS["parquet"](get(client, "places/export", source, of=of, format="parquet")):
                reasons.add(row["missing"])
                if row["label"] is None or row["missing"] in ("not_analysed", "not_drawn", "shows_nothing"):
                    continue
                for field in FIELDS[of]:
                    name, what = (row[kind], field) if of != "movements" else (row["from_leg"], row["to_leg"])
                    least = row.get(f"at_least_{field}" if of == "zones" else "at_least")
                    key = (kind, name, what, time_ms(row["interval_start"]), row["label"], row["source"])
                    cells[key] = row[field], row["missing"], (least or None) if of != "crossings" else None
        assert cells == places_of_api(client, source), source
    assert reasons >= {None, "not_tracked", "too_slow", "too_weak", "other_size", "cut_path"}
    assert reasons >= {"not_analysed", "not_drawn", "shows_nothing"}


def query(golds: tuple[Gold, ...], statement: str) -> list[Any]:
    """The rows of a statement, the same in all databases."""
    answers = []
    for gold in golds:
        with gold._database.reading() as connection:
            answers.append([*connection.execute(text(statement))])
    assert all(sorted(rows, key=repr) == sorted(answers[0], key=repr) for rows in answers)
    return answers[0]


_SQL_COUNTS = """
SELECT filmed.source, CAST(strftime('%s', filmed.interval_start) AS INTEGER) * 1000 AS start_ms, labels.label,
       filmed.frames,
       CASE WHEN filmed.frames > 0 THEN COALESCE(counted.detections, 0) END,
       CASE WHEN filmed.frames > 0 THEN COALESCE(counted.peak, 0) END,
       CASE WHEN filmed.objects_missing IS NULL AND counted.label IS NULL THEN 0 ELSE counted.objects END,
       COALESCE(filmed.objects_missing, counted.objects_missing), counted.objects_at_least
FROM gold_coverage AS filmed
LEFT JOIN (SELECT DISTINCT source, label FROM gold_counts) AS labels ON labels.source = filmed.source
LEFT JOIN gold_counts AS counted
  ON counted.model = filmed.model AND counted.interval_s = filmed.interval_s
 AND counted.interval_start = filmed.interval_start AND counted.source = filmed.source
 AND counted.label = labels.label
"""


def test_sql_has_the_number_or_reason_of_the_api_in_each_cell(
    client: FlaskClient, gold: Gold, sources: list[str]
) -> None:
    shown: Cells = {}
    for source in sources:
        shown |= counts_of(client, source)
    counted = {key: cell for key, cell in shown.items() if cell[4] != "not_analysed"}
    assert {tuple(row[:3]): tuple(row[3:]) for row in query((gold,), _SQL_COUNTS)} == counted
    assert {cell[4] for cell in counted.values()} >= {None, "not_tracked", "too_slow", "too_weak", "too_fast"}


_SQL_WITHIN = """
SELECT filmed.source, CAST(strftime('%s', filmed.interval_start) AS INTEGER) * 1000 AS start_ms, labels.label,
       filmed.frames,
       CASE WHEN filmed.frames > 0 THEN COALESCE(seen.value, 0) END,
       CASE WHEN filmed.frames > 0 THEN COALESCE(seen.peak, 0) END,
       CASE WHEN filmed.missing IS NULL AND seen.label IS NULL THEN 0 ELSE seen.objects END,
       COALESCE(filmed.missing, seen.missing), seen.at_least
FROM gold_place_coverage AS filmed
LEFT JOIN (SELECT DISTINCT series, source, name, label FROM gold_place_counts) AS labels
  ON labels.series = filmed.series AND labels.source = filmed.source AND labels.name = filmed.name
LEFT JOIN gold_place_counts AS seen
  ON seen.model = filmed.model AND seen.series = filmed.series AND seen.name = filmed.name
 AND seen.interval_start = filmed.interval_start AND seen.source = filmed.source AND seen.label = labels.label
WHERE filmed.series = 'zones' AND filmed.name = 'zone'
"""


@pytest.mark.thorough
def test_sql_has_the_number_or_reason_of_the_api_in_each_cell_of_a_zone(
    client: FlaskClient, golds: tuple[Gold, Gold], sources: list[str]
) -> None:
    shown: Cells = {}
    for source in sources:
        shown |= counts_of(client, source, zone="zone")
    absent = ("not_analysed", "not_drawn", "other_size")
    within = {key: cell for key, cell in shown.items() if cell[4] not in absent}
    assert {tuple(row[:3]): tuple(row[3:]) for row in query(golds, _SQL_WITHIN)} == within
    assert query(golds, _SQL_COUNTS)
    assert {cell[4] for cell in shown.values()} == {None, *OF_COUNTS}


_SQL_PLACES = """
SELECT filmed.kind, filmed.name, filmed.what,
       CAST(strftime('%s', filmed.interval_start) AS INTEGER) * 1000 AS start_ms, labels.label, filmed.source,
       COALESCE(NULLIF(seen.objects_missing, 'too_fast'), filmed.missing)
FROM gold_place_coverage AS filmed
JOIN (SELECT DISTINCT source, label FROM gold_counts) AS labels ON labels.source = filmed.source
LEFT JOIN gold_counts AS seen
  ON seen.model = filmed.model AND seen.interval_s = filmed.interval_s
 AND seen.interval_start = filmed.interval_start AND seen.source = filmed.source AND seen.label = labels.label
WHERE filmed.series = 'flows' AND filmed.frames > 0
"""
_SQL_VALUES = """
SELECT kind, name, what, CAST(strftime('%s', interval_start) AS INTEGER) * 1000 AS start_ms, label, source,
       value, missing, at_least
FROM gold_place_counts WHERE series = 'flows'
"""


def places_of_gold(golds: tuple[Gold, ...]) -> Cells:
    """Each number of each place in gold: 0 without a row, unless the footage or the label has a reason."""
    rows = {tuple(row[:6]): tuple(row[6:]) for row in query(golds, _SQL_VALUES)}
    whats = {"line": FIELDS["crossings"], "zone": FIELDS["zones"]}
    cells: Cells = {}
    for kind, name, what, *where, missing in query(golds, _SQL_PLACES):
        for each in whats.get(kind, (what,)) if kind != "visits" else ():
            key = (kind, name, each, *where)
            cells[key] = rows.get(key, (None if missing else 0, missing, None))
    return cells


def places_of_api(client: FlaskClient, source: str, interval_s: int = 60) -> Cells:
    """The same of the API, without the known part of crossings, which it has for both ways together."""
    cells: Cells = {}
    crossings, zones, movements = (
        get(client, route, source, interval_s) for route in ("crossings", "zones", "movements")
    )
    labels = get(client, "counts", source, interval_s)["labels"]
    filmed = {bar["start_ms"]: bar["missing"] for bar in crossings["bars"] if bar["frames"]}
    every = [*product(filmed, labels)]
    unknown = {key: filmed[key[0]] for key in every if filmed[key[0]] in NOT_MEASURED}
    unknown |= {(one["start_ms"], one["label"]): one["missing"] for one in crossings["unknown"]}

    def add(kind: str, name: str, what: str, answer: list[Any], key: dict[str, str], field: str) -> None:
        shapes = [shape for shape in crossings["lines"] + zones["zones"] if shape["name"] in key.values()]
        from_ms = max(shape["from_ms"] or 0 for shape in shapes)
        of_bars = {
            (one["start_ms"], one["label"]): one
            for one in answer
            if all(one[name] == value for name, value in key.items())
        }
        for start_ms, label in every:
            if start_ms + interval_s * 1000 <= from_ms:
                continue  # it was not drawn
            missing = unknown.get((start_ms, label))
            bar = of_bars.get((start_ms, label), {field: None if missing else 0, "missing": missing})
            least = None if kind == "line" else bar.get("at_least")
            least = (least[field] or None) if isinstance(least, dict) else least
            cells[kind, name, what, start_ms, label, source] = bar[field], bar["missing"], least

    for line in crossings["lines"]:
        for way in FIELDS["crossings"]:
            add("line", line["name"], way, crossings["crossings"], {"line": line["name"]}, way)
    for zone in zones["zones"]:
        for field in FIELDS["zones"]:
            add("zone", zone["name"], field, zones["stays"], {"zone": zone["name"]}, field)
    for leg in movements["legs"]:
        for other in movements["legs"]:
            key = {"from_leg": leg["name"], "to_leg": other["name"]}
            add("movement", leg["name"], other["name"], movements["movements"], key, "visits")
    return cells


@pytest.mark.thorough
def test_sql_has_the_crossings_stays_and_movements_of_the_api_or_their_reason(
    client: FlaskClient, golds: tuple[Gold, Gold], sources: list[str]
) -> None:
    shown: Cells = {}
    for source in sources:
        shown |= places_of_api(client, source)
    of_gold = places_of_gold(golds)
    assert {key: cell if key[0] != "line" else (*cell[:2], None) for key, cell in of_gold.items()} == shown
    reasons = {(key[0], cell[1]) for key, cell in shown.items()}
    for kind in ("line", "zone"):
        assert reasons >= {(kind, reason) for reason in (None, "too_slow", "too_weak", "other_size")}
    assert reasons >= {("line", "cut_path"), ("movement", None), ("movement", "other_size")}
    assert all(cell[2] is None or cell[0] is None for cell in of_gold.values())
    assert any(cell[2] for cell in of_gold.values())
    sums: Counter[tuple[Any, ...]] = Counter()
    for (*place, _, label, source), (value, _, at_least) in of_gold.items():
        sums[*place, label, source] += value or at_least or 0
    for source in sources:
        for (kind, name, what, _, label, _), cell in places_of_api(client, source, WHOLE_S).items():
            if kind != "line" and what not in ("at_start", "peak"):
                known = cell[2] or 0 if cell[1] else cell[0]
                assert known == sums[kind, name, what, label, source], (kind, what, label, source)


def known_part(numbers: dict[str, Any], field: str) -> int:
    """A number, or its known part: never both, and a reason for null alone."""
    assert (numbers[field] is None) == (numbers["missing"] is not None), numbers
    part = numbers["at_least"]
    assert part is None or (numbers["missing"] and any(part.values())), numbers
    known: int = numbers[field] if numbers["missing"] is None else (part or {field: 0})[field]
    return known


@pytest.mark.thorough
def test_the_stays_in_a_zone_and_the_books_of_visits_add_up_over_bars_and_labels(
    client: FlaskClient, sources: list[str]
) -> None:
    reasons = set()
    for source in sources:
        zones, movements = (get(client, route, source) for route in ("zones", "movements"))
        labels = get(client, "counts", source)["labels"]
        of_labels = [
            {route: get(client, route, source, label=label) for route in ("zones", "movements")}
            for label in labels
        ]
        exported = READERS["parquet"](get(client, "places/export", source, of="dwell", format="parquet"))
        for number, zone in enumerate(zones["zones"]):
            reasons.add(zone["missing"])
            row, own = exported[number], [one for one in zones["stays"] if one["zone"] == zone["name"]]
            for field in ("stays", "appeared", "vanished"):
                part = known_part(zone, field)
                parts = [known_part(one["zones"]["zones"][number], field) for one in of_labels]
                assert part == sum(parts), (source, zone, field)
                assert field == "stays" or part == sum(known_part(one, field) for one in own), (source, zone)
                assert row[field] == zone[field], (source, zone)
                assert row[f"at_least_{field}"] == (zone["at_least"] or {field: None})[field], (source, zone)
            assert (row["median_s"], row["missing"]) == (zone["median_s"], zone["missing"])
            assert zone["missing"] is None or zone["median_s"] is None
        books = movements["books"]
        reasons.add(books["missing"])
        for field in ("visits", "assigned", "unassigned", "never_at_a_leg"):
            parts = [known_part(one["movements"]["books"], field) for one in of_labels]
            assert known_part(books, field) == sum(parts), (source, books, field)
        turns = [one["at_least"] or 0 if one["missing"] else one["visits"] for one in movements["movements"]]
        assert known_part(books, "assigned") == sum(turns), (source, books)
    assert reasons >= {None, "shows_nothing", "not_tracked", "too_slow", "too_weak", "other_size", "no_legs"}


@pytest.mark.thorough
def test_a_traffic_report_has_the_movements_of_the_api_in_each_quarter_hour_and_file(
    client: FlaskClient, sources: list[str]
) -> None:
    reasons, amount = set(), 0
    for source in sources:
        moved = get(client, "movements", source, 900)
        if not moved["legs"]:
            continue
        unknown = {(one["start_ms"], one["label"]): one["missing"] for one in moved["unknown"]}
        places = "start_ms", "from_leg", "to_leg", "label"
        cells = {tuple(one[name] for name in places): one for one in moved["movements"]}
        report = client.get("/api/v1/traffic", query_string={"source": source}).json
        assert report is not None
        pairs = [(one["from_leg"], one["to_leg"]) for one in report["movements"]]
        for quarter in report["quarters"]:
            reasons.add(quarter["missing"])
            for pair, counts in zip(pairs, quarter["counts"] or (), strict=False):
                for column, count in zip(report["columns"], counts, strict=True):
                    where = quarter["start_ms"], *pair, column["name"]
                    cell = cells.get(where, {"visits": 0, "at_least": None})
                    missing = cell.get("missing") or unknown.get((where[0], where[-1]))
                    if count is None:
                        reasons.add(missing)
                        assert missing, (source, where)
                    else:
                        assert count == (cell["visits"] or cell["at_least"] or 0), (source, where, cell)
                        assert missing is None or not quarter["is_whole"], (source, where)
                        amount += count
        for column in report["columns"]:
            part = [
                counts[report["columns"].index(column)]
                for quarter in report["quarters"]
                for counts in quarter["counts"] or ()
            ]
            known = sum(count or 0 for count in part)
            assert column["movements"] == (known if known or not column["missing"] else None), source
        check_files(client, source, report)
    assert amount
    assert reasons >= {None, "too_few", "too_slow", "not_tracked", "too_weak", "other_size", "shows_nothing"}


def check_files(client: FlaskClient, source: str, report: Any) -> None:
    """Compare the files of a traffic report with its answer."""
    unknown: list[Any] = [None] * len(report["movements"]) * len(report["columns"])
    wanted = [
        [count for counts in quarter["counts"] for count in counts] if quarter["counts"] else unknown
        for quarter in report["quarters"]
    ]
    asked = {"source": source, "format": "csv"}
    _, *rows = csv.reader(
        io.StringIO(client.get("/api/v1/traffic/file", query_string=asked).data.decode("utf-8-sig"))
    )
    assert [[int(cell) if cell else None for cell in row[5:]] for row in rows] == wanted, source
    states = [
        quarter["missing"] or ("counted" if quarter["is_whole"] and None not in of_quarter else "partial")
        for quarter, of_quarter in zip(report["quarters"], wanted, strict=True)
    ]
    assert [row[4] for row in rows] == states, source
    data = client.get("/api/v1/traffic/file", query_string={"source": source, "format": "xlsx"}).data
    book = load_workbook(io.BytesIO(data), data_only=True)
    for number, column in enumerate(report["columns"]):
        sheet = book[column["name"]]
        titles = [cell.value for cell in sheet[3]]
        shown = [at for at, title in enumerate(titles[4:], start=4) if not f"{title}".startswith("all")]
        for quarter, of_quarter, row in zip(
            report["quarters"], wanted, sheet.iter_rows(min_row=4, values_only=True), strict=False
        ):
            assert [row[at] for at in shown] == of_quarter[number :: len(report["columns"])], source
            assert not quarter["missing"] or row[3] == why_words(quarter["missing"]), source


_LINE = re.compile(r"(\S+) +(not known|at least \d+|\d+) +(\d+) +(\d+)")


@pytest.mark.thorough
def test_a_sent_report_has_the_numbers_of_the_api_at_least_their_known_part_or_none(
    place: Place, client: FlaskClient, sources: list[str]
) -> None:
    media = MediaTimes(list_manifests(place.store))
    texts = set()
    for source in sources:
        report = ScheduledReport(
            name="daily", every="day", at_minute=0, zone="UTC", sources=(source,), interval_s=3600
        )
        first_ms = UNTRACKED_MS if source == UNTRACKED.name else junction.START_MS
        turn = turn_of(report, first_ms // DAY_MS * DAY_MS + DAY_MS + HOUR_MS)
        assert turn is not None
        files = make_files(place.real_index, place.settings, media, report, turn)
        totals = get(client, "counts", source, 3600, **_range(turn.from_ms, turn.to_ms))["totals"]
        wanted = set()
        for total in totals if b"frames analysed" in files["summary.txt"] else ():
            objects = total["objects"], total.get("measured_objects")
            words = f"{objects[0]}" if objects[0] is not None else "not known"
            words = f"at least {objects[1]}" if objects[0] is None and objects[1] else words
            wanted.add((total["label"], words, f"{total['peak']}", f"{total['detections']}"))
            texts.add(re.sub(r"\d+", "n", words))
        lines = map(_LINE.fullmatch, files["summary.txt"].decode().splitlines())
        assert {line.groups() for line in lines if line} == wanted, source
        exported = get(client, "export", source, 3600, format="csv", **_range(turn.from_ms, turn.to_ms))
        rows = [tuple(row[name] for name in _SHOWN) for row in READERS["csv"](files["counts.csv"])]
        assert rows == [tuple(row[name] for name in _SHOWN) for row in READERS["csv"](exported)], source
    assert texts == {"n", "at least n", "not known"}


DASH = "\N{EN DASH}"


def in_words(value: int | None, part: int | None, absent: str) -> str:
    """A number as pages show it."""
    if value is None:
        return f"at least {part:,}" if part else absent
    return f"{value:,}"


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_pages_show_the_number_of_the_api_at_least_its_known_part_or_that_it_is_not_measured(
    client: FlaskClient, sources: list[str], tmp_path: Path
) -> None:
    answers = {
        source: {route: get(client, route, source) for route in ("counts", "zones", "movements")}
        for source in sources
    }
    for source, answer in answers.items():
        if answer["movements"]["legs"]:
            answer["traffic"] = client.get("/api/v1/traffic", query_string={"source": source}).json
    tests = Path(__file__).parents[2] / "simple_frontend/tests"
    script, answers_file = Path(__file__).parent / "page/words.js", tmp_path / "answers.json"
    answers_file.write_text(json.dumps(answers), encoding="utf-8")
    command = ["node", "--import", f"{tests}/aliases.js", f"{script}", f"{answers_file}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = json.loads(done.stdout)
    reasons = set()
    for source, page in pages["sources"].items():
        cells = counts_of(client, source) | counts_of(client, source, top="0")
        for metric, column in (("detections", 1), ("peak", 2), ("objects", 3)):
            absent = "not measured" if metric == "objects" else DASH
            for bar in page["bars"][metric]:
                for label, number in [*bar["numbers"].items(), (None, bar["all"])]:
                    cell = cells[source, bar["start_ms"], label]
                    part = cell[5] if metric == "objects" else None
                    assert number == in_words(cell[column], part, absent), (source, metric, label, cell)
                    assert number == "0" or label is None or number in bar["words"], (source, bar)
        for zone, shown in zip(answers[source]["zones"]["zones"], page["zones"], strict=True):
            why, stays = zone["missing"], known_part(zone, "stays")
            reasons.add(why)
            if why:
                assert pages["reasons"][why] in shown, (source, shown)
                assert "not measured" in shown, shown
                assert (f"At least {stays:,} visit" in shown) == (stays > 0), shown
            else:
                assert "not measured" not in shown, shown
                assert (f"{stays:,} visits: half" in shown) == (stays > 0), shown
        moved = answers[source]["movements"]
        is_part = bool(moved["books"]["missing"] or moved["unknown"])
        for leg, shown in zip(moved["legs"], page["turns"], strict=True):
            own = [one for one in moved["movements"] if one["from_leg"] == leg["name"]]
            visits = sum(one["visits"] or one["at_least"] or 0 for one in own)
            assert shown == in_words(None if is_part else visits, visits, DASH), (source, leg)
        quarters = answers[source].get("traffic", {"quarters": []})["quarters"]
        for quarter, shown in zip(quarters, page["quarters"], strict=True):
            reasons.add(quarter["missing"])
            counts = quarter["counts"]
            assert (shown["counts"] is None) == (counts is None)
            assert quarter["missing"] is None or shown["lack"] == pages["reasons"][quarter["missing"]]
            for of_pair, number in zip(counts or (), shown["counts"] or (), strict=True):
                known = sum(count or 0 for count in of_pair)
                value = None if None in of_pair and not known else known
                assert number == in_words(value, None, "not measured"), (source, quarter)
    assert reasons >= {None, "too_few", "too_slow", "not_tracked", "too_weak", "other_size", "shows_nothing"}


def values_of_alerts(
    place: Place, source: str, label: str, interval_s: int = 60, **rule: Any
) -> dict[int, float]:
    """The value that a rule compares in each interval."""
    asked = AlertRule(name="", channels=(), sources=(source,), labels=(label,), interval_s=interval_s, **rule)
    ports = CountPorts(place.settings, place.store, place.index, place.ledger, now_ms=junction.START_MS)
    counted = counted_for(asked, place.index)
    assert counted is not None
    length_ms = interval_s * 1000
    first_ms = UNTRACKED_MS if source == UNTRACKED.name else junction.START_MS
    starts_ms = [first_ms + length_ms * number for number in range(-1, 62)]
    bars = [(start_ms, start_ms + length_ms) for start_ms in starts_ms]
    return {**read_values(asked, ports, counted, [source], bars).get(source, {})}


@pytest.mark.thorough
def test_alerts_on_many_compare_the_known_part_and_alerts_on_few_only_known_numbers(
    place: Place, client: FlaskClient, sources: list[str]
) -> None:
    for source, interval_s in product(sources, (60, WHOLE_S)):
        cells = counts_of(client, source, interval_s)
        for label in {key[2] for key in cells if key[2]}:
            shown = {key[1]: cell for key, cell in cells.items() if key[2] == label and cell[0]}
            measures: tuple[tuple[Metric, int], ...] = (("detections", 1), ("peak", 2), ("objects", 3))
            for measure, column in measures:
                rule: Any = {"what": "occupancy"} if measure == "peak" else {"what": "count"}
                rule |= {"measure": measure, "threshold": 1}
                many = values_of_alerts(place, source, label, interval_s, **rule)
                few = values_of_alerts(place, source, label, interval_s, **rule, below=True)
                known = {start_ms: cell[column] for start_ms, cell in shown.items()}
                for start_ms, value in many.items():
                    at_least = known[start_ms] if known[start_ms] is not None else shown[start_ms][5]
                    assert value == (at_least or 0), (source, label, measure)
                for start_ms, value in known.items():
                    is_known = value is not None or (measure == "objects" and shown[start_ms][5] is not None)
                    assert not is_known or start_ms in many, (source, label, measure)
                assert few.items() <= known.items(), (source, label, measure)


@pytest.mark.thorough
def test_alerts_on_crossings_compare_the_known_part_for_many_and_only_known_numbers_for_few(
    place: Place, client: FlaskClient, sources: list[str]
) -> None:
    for source, interval_s in product(sources, (60, WHOLE_S)):
        for total in get(client, "crossings", source)["totals"]:
            line, label = total["line"], total["label"]
            bars = get(client, "crossings", source, interval_s, line=line, label=label)["crossings"]
            rule: Any = {"what": "crossings", "line": line, "threshold": 1}
            many = values_of_alerts(place, source, label, interval_s, **rule)
            few = values_of_alerts(place, source, label, interval_s, **rule, below=True)
            for bar in bars:
                known = None if bar["missing"] else bar["to_right"] + bar["to_left"]
                assert many[bar["start_ms"]] == (known if known is not None else bar["at_least"] or 0)
                assert not bar["missing"] or few.get(bar["start_ms"], 1) >= 1, (source, line, label, bar)


def test_a_summary_and_a_comparison_have_the_value_or_known_part_of_the_objects_in_counts(
    client: FlaskClient, sources: list[str]
) -> None:
    for source in sources:
        [together] = get(client, "counts", source, WHOLE_S, metric="objects")["together"]
        number = together["objects"], together.get("measured_objects")
        other = {"metric": "objects", "compare": f"source:{source}"}
        compared = get(client, "differences", source, WHOLE_S, **other)["total"]
        assert (compared["value"], compared["at_least"]) == number, source
        summary = get(client, "summary", source, WHOLE_S, metric="objects")
        [busiest] = summary["busiest"] or [{"value": 0, "is_least": number[0] is None}]
        assert busiest["value"] == (number[1] or 0 if busiest["is_least"] else number[0]), source


def test_an_hour_of_the_week_has_the_numbers_or_the_reason_of_its_bar(
    client: FlaskClient, sources: list[str]
) -> None:
    reasons = set()
    for source in sources:
        bars = counts_of(client, source, 3600, top="0")
        counted = {start_ms // HOUR_MS % 168: bar for (_, start_ms, _), bar in bars.items() if bar[0]}
        week = client.get("/api/v1/heatmap", query_string={"source": source}).json
        assert week is not None
        names = ("frames", "detections", "peak", "objects", "objects_missing", "measured_objects")
        hours = {
            ((cell["weekday"] + 3) * 24 + cell["hour"]) % 168: tuple(cell.get(name) for name in names)
            for cell in week["cells"]
        }
        assert hours == counted, source
        reasons |= {cell[4] for cell in hours.values()}
    assert reasons == {None, *REASONS["objects"]}


def _range(from_ms: int, to_ms: int) -> dict[str, Any]:
    return {"from": utc(from_ms), "to": utc(to_ms)}


@pytest.mark.thorough
def test_home_assistant_has_the_objects_and_the_peak_of_the_api_or_their_reason(
    place: Place, client: FlaskClient, sources: list[str]
) -> None:
    for number, source in enumerate(sources):
        assert place.feeds.put_camera(Feed(f"c{number}", "camera", source, source, address="rtsp://10.0.0.1"))
    shown = set()
    for now_ms in (junction.START_MS + 120_000, _WAITING_MS + 330_000, UNTRACKED_MS + WHOLE_S * 1000):
        ports = RoundPorts(
            *(place.settings, place.store, place.real_index, place.ledger), place.catalogue, now_ms=now_ms
        )
        for camera in read_cameras(ports):
            day, last = (
                # Not by the second, as in a minute that is cut: no camera has footage after the present.
                get(client, "counts", camera.source, **_range(since_ms, now_ms), top=0, base=60)
                for since_ms in (now_ms // DAY_MS * DAY_MS, now_ms - OCCUPANCY_S * 1000)
            )
            objects, most = camera.readings["objects_today"], camera.readings["occupancy"]
            [total], [peak] = day["together"], last["together"]
            objects_now = (total["objects"], total["objects_missing"], total.get("measured_objects"))
            read = objects.attributes.get
            assert (objects.value, read("reason"), read("at_least")) == objects_now, (camera.source, now_ms)
            labels = {} if total["detections"] is None else {one["label"]: one for one in day["rest_totals"]}
            known = {label: one["objects"] for label, one in labels.items()}
            unknown = {
                label: {"reason": one["objects_missing"], "at_least": one.get("measured_objects")}
                for label, one in labels.items()
                if one["objects"] is None
            }
            assert (read("by_label", {}), read("unknown_by_label", {})) == (known, unknown), camera.source
            reason = None if peak["peak"] is not None else peak["objects_missing"]
            assert (most.value, most.attributes.get("reason")) == (peak["peak"], reason), camera.source
            shown |= {objects_now[1], reason}
    assert shown >= {None, "no_footage", *OF_COUNTS} - {"other_size", "not_drawn"}


@pytest.mark.thorough
def test_an_assistant_gets_each_answer_of_the_api(
    place: Place, client: FlaskClient, serving: Serving, sources: list[str]
) -> None:
    server = make_server(serving(place.app()), is_shared=False)

    async def work(assistant: Any) -> None:
        for source in sources[::6]:
            of_source = {"source": source, "interval": 60}
            for route in ("counts", "crossings", "zones", "movements", "summary"):
                answer = await ask(assistant, "read", action=route, parameters=of_source)
                assert answer["answer"] == get(client, route, source), (route, source)
            answer = await ask(assistant, "counts", source=source, interval_s=60)
            assert answer["answer"] == get(client, "counts", source, metric="auto"), source

    by_client(server, work)


@pytest.mark.thorough
def test_bars_of_a_second_add_up_to_the_number_or_known_part_of_their_minute(
    client: FlaskClient, sources: list[str]
) -> None:
    reasons = set()
    for source in sources:
        cells = counts_of(client, source)
        first_ms = min(start_ms for _, start_ms, _ in cells)
        minute = _range(first_ms, first_ms + 60_000)
        asked = {"source": source, "interval": 1, **minute}
        if client.get("/api/v1/counts", query_string=asked).status_code == 400:
            continue  # some of its footage is left out
        known: Counter[str] = Counter()
        for (_, _, label), cell in counts_of(client, source, 1, **minute).items():
            known[label] += cell[3] or cell[5] or 0
        for (_, start_ms, label), cell in cells.items():
            if start_ms == first_ms:
                reasons.add(cell[4])
                assert known[label] == (cell[3] or cell[5] or 0), (source, label, cell)
    assert reasons >= {None, "too_fast", "too_weak"}
