"""Each number of random footage is the same everywhere: a value, or null with its reason and known part.

The API is compared with exports (CSV, Excel, Parquet), the gold tables by SQL, and the values of alerts.
`tests/gold/test_iceberg.py` compares the Iceberg tables with the gold tables.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from random import Random
from typing import Any

import msgspec
import pyarrow.parquet as parquet
import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import text
from tests.traffic import junction
from tests.traffic.scenes import SECONDS, Scene, fast, random_scene
from tests.web.conftest import Place

from frametally import keys
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally.rules.known import NOT_MEASURED
from frametally.rules.times import HOUR_MS
from frametally_alerts.conditions.interval_values import read_values
from frametally_alerts.conditions.round_input import CountPorts, counted_for
from frametally_alerts.rules import AlertRule, Measure
from frametally_gold.book import Gold
from frametally_gold.loading import load_gold
from frametally_traffic.geometry.zones import ZoneCounts

SCENES = 150 if os.environ.get("FRAMETALLY_TESTS") == "thorough" else 24
BASE_MS = 60_000
WHOLE_S = 7200
"""The length of a bar that holds all footage of a scene."""
_ODD_SIZE_FROM_MS = junction.START_MS + 240_000
_SHOWN = ("frames_analysed", "detections", "peak", "objects", "objects_missing", "objects_at_least")

Cells = dict[tuple[Any, ...], tuple[Any, ...]]


def dark(scene: Scene) -> Scene:
    """The same scene at night."""
    whole = (junction.START_MS, junction.START_MS + SECONDS * 1000)
    return scene._replace(name="dark", gaps_ms=(), dark_ms=(whole,))


def half_slow(scene: Scene, known: int) -> list[FrameDetections]:
    """A scene twice, an hour apart: in the hour `known` it can be tracked, in the other one it cannot."""
    random = Random(0)  # noqa: S311
    first = scene.frames(random, junction.MODEL)
    later = [
        msgspec.structs.replace(
            frame,
            captured_at_ms=frame.captured_at_ms + HOUR_MS,
            image_path=keys.image_key(
                frame.source, frame.captured_at_ms + HOUR_MS, frame.media, frame.frame_index + len(first)
            ),
            frame_index=frame.frame_index + len(first),
        )
        for frame in first
    ]
    return [*first[:: 10 if known else 1], *later[:: 1 if known else 10]]


def with_stray(random: Random, frame: FrameDetections) -> FrameDetections:
    """The same frame, now and then with a truck that no other frame shows."""
    if random.random() > 0.02:
        return frame
    truck = Detection(label="truck", confidence=0.9, box=(random.randrange(100), 200.0, 60.0, 40.0))
    return msgspec.structs.replace(frame, detections=[*frame.detections, truck])


def footage() -> tuple[list[Scene], list[FrameDetections]]:
    """Random scenes, fast cars, a dark scene, few frames a second, and a junction that changes its shape."""
    scenes = [
        *map(random_scene, range(SCENES)),
        fast("fast", 1.3),
        fast("faster", 6),
        dark(random_scene(0)),
        random_scene(1)._replace(name="few"),
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
    for scene in scenes:
        scene.draw(place)
    junction.draw(place)
    junction.count(place, frames)
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
def sources() -> list[str]:
    return [*(scene.name for scene in footage()[0]), junction.SOURCE]


def get(client: FlaskClient, route: str, source: str, interval_s: int = 60, **query: Any) -> Any:
    asked = {"source": source, "interval": interval_s, **query}
    while True:
        answer = client.get(f"/api/v1/{route}", query_string=asked)
        assert answer.status_code == 200, answer.text
        found: Any = answer.json if answer.is_json else answer.data
        if not answer.is_json or found.get("days_counted", 1) == found.get("days", 1):
            return found


def counts_of(client: FlaskClient, source: str, interval_s: int = 60) -> Cells:
    """The counts of the API, of each label of the source in each interval with footage."""
    answer = get(client, "counts", source, interval_s, by="source")
    filmed = {bar["start_ms"]: bar for bar in answer["coverage"]}
    buckets = {(bar["start_ms"], bar["label"]): bar for bar in answer["buckets"]}
    cells: Cells = {}
    for start_ms in filmed.keys() | {bar["start_ms"] for bar in answer["shows_nothing"]}:
        for label in answer["labels"] or [None]:
            bar = filmed.get(start_ms)
            bucket = buckets.get((start_ms, label))
            if bar is None:
                shown: tuple[Any, ...] = (0, None, None, None, "shows_nothing", None)
            elif bucket is None:
                missing = bar["objects_missing"]
                shown = (bar["frames"], 0, 0, None if missing else 0, missing, None)
            else:
                names = ("detections", "peak", "objects", "objects_missing", "measured_objects")
                shown = (bar["frames"], *(bucket.get(name) for name in names))
            cells[source, start_ms, label] = shown
    return cells


def rows_of_csv(data: bytes) -> list[dict[str, Any]]:
    def read(name: str, value: str) -> Any:
        is_text = name not in _SHOWN or name == "objects_missing"
        return None if value == "" else value if is_text else int(value)

    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    return [{name: read(name, value) for name, value in row.items()} for row in rows]


def rows_of_workbook(data: bytes) -> list[dict[str, Any]]:
    [names, *rows] = load_workbook(io.BytesIO(data)).worksheets[0].values
    return [dict(zip(names, row, strict=True)) for row in rows]


def rows_of_parquet(data: bytes) -> list[dict[str, Any]]:
    return [*parquet.read_table(io.BytesIO(data)).to_pylist()]


READERS = {"csv": rows_of_csv, "xlsx": rows_of_workbook, "parquet": rows_of_parquet}


@pytest.mark.thorough
@pytest.mark.parametrize("form", READERS)
def test_an_export_has_the_number_or_reason_of_the_api_in_each_cell(
    client: FlaskClient, sources: list[str], form: str
) -> None:
    for source, interval_s in product(sources, (60, WHOLE_S)):
        shown = counts_of(client, source, interval_s)
        rows = READERS[form](get(client, "export", source, interval_s, by="source", format=form))
        cells = [tuple(row[name] for name in _SHOWN) for row in rows if row["coverage"] != "no footage"]
        assert Counter(cells) == Counter(shown.values()), source


def query(gold: Gold, statement: str) -> list[Any]:
    with gold._database.reading() as connection:
        return [*connection.execute(text(statement))]


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
    assert {tuple(row[:3]): tuple(row[3:]) for row in query(gold, _SQL_COUNTS)} == shown
    reasons = {cell[4] for cell in shown.values()}
    assert reasons >= {None, "too_slow", "too_weak", "too_fast"}


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


def places_of_gold(gold: Gold) -> Cells:
    """Each number of each place in gold: 0 without a row, unless the footage or the label has a reason."""
    rows = {tuple(row[:6]): tuple(row[6:]) for row in query(gold, _SQL_VALUES)}
    whats = {
        "line": ("to_right", "to_left"),
        "zone": tuple(name for name in ZoneCounts._fields if name != "occupied_ms"),
    }
    cells: Cells = {}
    for kind, name, what, *where, missing in query(gold, _SQL_PLACES):
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
        of_bars = {
            (one["start_ms"], one["label"]): one
            for one in answer
            if all(one[name] == value for name, value in key.items())
        }
        for start_ms, label in every:
            missing = unknown.get((start_ms, label))
            bar = of_bars.get((start_ms, label), {field: None if missing else 0, "missing": missing})
            least = None if kind == "line" else bar.get("at_least")
            least = (least[field] or None) if isinstance(least, dict) else least
            cells[kind, name, what, start_ms, label, source] = bar[field], bar["missing"], least

    for line in crossings["lines"]:
        for way in ("to_right", "to_left"):
            add("line", line["name"], way, crossings["crossings"], {"line": line["name"]}, way)
    for zone in zones["zones"]:
        for field in (name for name in ZoneCounts._fields if name != "occupied_ms"):
            add("zone", zone["name"], field, zones["stays"], {"zone": zone["name"]}, field)
    for leg in movements["legs"]:
        for other in movements["legs"]:
            key = {"from_leg": leg["name"], "to_leg": other["name"]}
            add("movement", leg["name"], other["name"], movements["movements"], key, "visits")
    return cells


@pytest.mark.thorough
def test_sql_has_the_crossings_stays_and_movements_of_the_api_or_their_reason(
    client: FlaskClient, gold: Gold, sources: list[str]
) -> None:
    shown: Cells = {}
    for source in sources:
        shown |= places_of_api(client, source)
    of_gold = places_of_gold(gold)
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


def values_of_alerts(
    place: Place, source: str, label: str, interval_s: int = 60, **rule: Any
) -> dict[int, float]:
    """The value that a rule compares in each interval."""
    asked = AlertRule(name="", channels=(), sources=(source,), labels=(label,), interval_s=interval_s, **rule)
    ports = CountPorts(place.settings, place.store, place.index, place.ledger, now_ms=junction.START_MS)
    counted = counted_for(asked, place.index)
    assert counted is not None
    length_ms = interval_s * 1000
    starts_ms = [junction.START_MS + length_ms * number for number in range(-1, 62)]
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
            measures: tuple[tuple[Measure, int], ...] = (("detections", 1), ("peak", 2), ("objects", 3))
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
