"""Checks of visits and of crossings: their units are pieces of footage, counted as charts count them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from tests.accuracy.test_accuracy_checks import command
from tests.kit.api import refusal
from tests.traffic import junction
from tests.web.conftest import Place
from tests.web.counted_footage import put_manifest

from frametally.adapters_by_url import open_object_store
from frametally.media.forgetting import forget, targets_in
from frametally.media.manifests import list_manifests
from frametally.ports.picture_places import CheckedMetric
from frametally.process.reports import NoProgress
from frametally_accuracy import tables
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.pieces import event_places
from frametally_accuracy.pieces.counted_pieces import LEAD_MS, PIECE_MS, PiecesOfBars, read_pieces
from frametally_accuracy.population import CheckFootage, CheckScope, Population
from frametally_accuracy.records import AccuracyCheck
from frametally_web.charts.checked_counts import CheckedCount

Truth = Counter[tuple[int, str]]
"""By number of the piece and label."""
CROSSED = {"metric": "crossings", "line": "west", "sources": ["gate"]}
EACH_WAY = ["bus/to_right", "bus/to_left", "car/to_right", "car/to_left"]


def first_row_quick(rows: list[tuple[Any, ...]]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries the first row."""
    return [rows[0], *(pytest.param(*row, marks=pytest.mark.thorough) for row in rows[1:])]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("junction"))
    made.store = open_object_store(made.settings.store_url)
    junction.film(made)
    yield made
    made.close()


@pytest.fixture
def client(filmed: Place) -> FlaskClient:
    """The dashboard over the junction, without the checks of other tests."""
    junction.draw(filmed)
    AccuracyBook(filmed.settings.catalogue_url).close()
    with closing(sqlite3.connect(filmed.settings.data_dir / "catalogue.sqlite")) as raw, raw:
        for table in (tables.checks, tables.units, tables.answers):
            raw.execute(f"DELETE FROM {table.name}")  # noqa: S608
    return filmed.app().test_client()


def pieces_of(filmed: Place, metric: CheckedMetric, line: str | None) -> Population:
    filmed.ledger.refresh(filmed.store, NoProgress())
    place = None
    if line is not None:
        place = event_places.find_place(filmed.store, metric, line=line, direction="", sources=["gate"])
    footage = CheckFootage(filmed.store, filmed.ledger, filmed.real_index, filmed.settings)
    return read_pieces(footage, CheckScope(metric, place, "m", ["gate"], (), 0, 10**13))


def start(client: FlaskClient, name: str, **wanted: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/accuracy", json={"name": name, **wanted})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def visits_seen() -> Truth:
    """When each car is first seen, for a person who watches the footage."""
    seen: dict[int, tuple[int, str]] = {}
    for frame in junction.frames():
        for number, car in enumerate(junction.CARS):
            if junction._box(car, frame.captured_at_ms) and number not in seen:
                seen[number] = frame.captured_at_ms // PIECE_MS, car.label
    return Counter(seen.values())


def crossings_seen() -> Truth:
    """When each car crosses the line in the west, at x = 120, and in which direction."""
    seen: Truth = Counter()
    for car in junction.CARS:
        for at_ms in range(car.since_ms, car.since_ms + 20_000, junction.STEP_MS):
            feet = car.foot(at_ms), car.foot(at_ms + junction.STEP_MS)
            if feet[0] and feet[1] and (feet[0][0] < 120) != (feet[1][0] < 120):
                way = "to_right" if feet[0][0] < 120 else "to_left"
                seen[at_ms // PIECE_MS, f"{car.label}/{way}"] += 1
    return seen


def missed_of(label: str) -> Truth:
    """Three in every second piece, which only people notice."""
    first = junction.START_MS // PIECE_MS
    pieces = range(first, first + junction.SECONDS * 1000 // PIECE_MS, 2)
    return Counter({(at, label): 3 for at in pieces if junction.is_filmed(at * PIECE_MS)})


def answer_all(client: FlaskClient, name: str, seen: Truth, labels: list[str], *, most: int = 100) -> int:
    given = 0
    while given < most:
        units = client.get(f"/api/v1/accuracy/{name}/next?number=5").get_json()["units"]
        if not units:
            break
        for unit in units:
            at = unit["captured_at_ms"] // PIECE_MS
            taps = [
                {"label": label, "at_ms": unit["captured_at_ms"] + 100 * number}
                for label in labels
                for number in range(seen[at, label])
            ]
            sent = {"unit": unit["unit"], "turn": unit["turn"], "taps": taps, "took_ms": 9000}
            kept = client.post(f"/api/v1/accuracy/{name}/answers", json=sent)
            assert kept.status_code == 200, kept.text
            given += 1
    return given


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("wanted", "seen", "labels"),
    first_row_quick(
        [
            (CROSSED, crossings_seen(), EACH_WAY),
            ({"metric": "visits"}, visits_seen(), ["bus", "car"]),
            ({**CROSSED, "direction": "backward"}, crossings_seen(), ["car/to_left"]),
        ]
    ),
    ids=["crossings", "visits", "crossings in one direction"],
)
def test_with_all_pieces_answered_the_estimate_is_what_people_saw(
    client: FlaskClient, filmed: Place, wanted: dict[str, Any], seen: Truth, labels: list[str]
) -> None:
    check = start(client, "x", **wanted)
    assert (check["labels"], check["units"]) == (labels, 16), "four minutes were filmed"
    missed = missed_of(labels[-1])
    assert answer_all(client, "x", seen + missed, labels) >= 16
    found = client.get("/api/v1/accuracy/x").get_json()
    assert found["stale"] == []
    by_label = {one["label"]: one for one in found["result"]["labels"]}
    for label in labels:
        truth = sum(count for (_, of), count in seen.items() if of == label)
        assert by_label[label]["model_total"] == truth
    last = by_label[labels[-1]]
    assert last["total"] == pytest.approx(last["model_total"] + missed.total())
    assert last["low"] <= last["total"] <= last["high"]


@pytest.mark.parametrize("metric", ["visits", "crossings"])
def test_pieces_contain_everything_that_is_counted_exactly_once(
    client: FlaskClient, filmed: Place, metric: CheckedMetric
) -> None:
    population = pieces_of(filmed, metric, "west" if metric == "crossings" else None)
    spans = [(one.captured_at_ms, one.to_ms or 0) for one in population.members]
    assert all(0 < end - begin <= PIECE_MS for begin, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert sum(one.frames for one in population.members) == len(junction.frames())
    shown: Counter[str] = Counter()
    if metric == "visits":
        for one in client.get("/api/v1/counts?interval=60").get_json()["totals"]:
            shown[one["label"]] = one["objects"]
    else:
        answer = client.get("/api/v1/crossings?source=gate&line=west").get_json()
        for one in answer["totals"]:
            for way in ("to_right", "to_left"):
                shown[f"{one['label']}/{way}"] = one[way]
    sums = {
        label: int(one) for label, one in zip(population.labels, population.counts.sum(axis=0), strict=True)
    }
    assert sums == dict(shown) and sum(sums.values()) > 10


def test_empty_pieces_are_also_drawn_and_busy_ones_more_often(client: FlaskClient, filmed: Place) -> None:
    population = pieces_of(filmed, "crossings", "south")
    counts = population.counts.sum(axis=1)
    assert population.weights[counts == 0].min() >= 0.5
    assert population.weights[counts == 0].max() < population.weights[counts > 0].min()


def test_a_piece_plays_with_some_footage_before_it_and_shows_no_count(client: FlaskClient) -> None:
    start(client, "plays", **CROSSED)
    desk = client.get("/api/v1/accuracy/plays/next?number=5").get_json()
    assert desk["metric"] == "crossings" and desk["place"]["directions"] == {
        "to_right": "forward",
        "to_left": "backward",
    }
    for unit in desk["units"]:
        times = [one["captured_at_ms"] for one in unit["frames"]]
        begin, end = unit["captured_at_ms"], unit["to_ms"]
        assert times == sorted(set(times)) and begin in times and times[-1] == end - 1
        before = [at for at in times if at < begin]
        assert len(before) in (0, LEAD_MS // junction.STEP_MS) and begin - min(times) <= LEAD_MS
        assert client.get(unit["frames"][0]["image_url"]).status_code == 200
        assert unit["boxes"] == [] and "counts" not in unit, "nobody is led"
    assert "total" not in json.dumps(desk)


@pytest.mark.parametrize(
    ("sent", "words"),
    first_row_quick(
        [
            ({"taps": [{"label": "car", "at_ms": 0}]}, "the tap at 0 ms is outside the clip"),
            ({"taps": [{"label": "dgo", "at_ms": -1}]}, "'dgo' is not a label of this check"),
            ({"boxes": []}, "give either counts or taps"),
            ({}, "give either counts or taps"),
            ({"counts": {}, "taps": []}, "give either counts or taps"),
        ]
    ),
)
def test_an_invalid_answer_is_refused(client: FlaskClient, sent: dict[str, Any], words: str) -> None:
    start(client, "x", metric="visits")
    (unit,) = client.get("/api/v1/accuracy/x/next?number=1").get_json()["units"]
    for tap in sent.get("taps", ()):
        tap["at_ms"] = unit["captured_at_ms"] if tap["at_ms"] < 0 else tap["at_ms"]
    assert words in refusal(client.post("/api/v1/accuracy/x/answers", json={"unit": unit["unit"], **sent}))
    assert client.get("/api/v1/accuracy/x").get_json()["result"]["answered"] == 0


@pytest.mark.parametrize(
    ("wanted", "words"),
    first_row_quick(
        [
            ({"metric": "crossings"}, "Give a line; lines: east (gate), south (gate), west (gate)"),
            ({"metric": "crossings", "line": "north"}, "There is no line named 'north'; lines: east (gate)"),
            ({"metric": "crossings", "line": "west", "sources": ["yard"]}, "there is no source named 'yard'"),
            (
                {**CROSSED, "direction": "inward"},
                "Line 'west' has the directions forward and backward, not 'inward'",
            ),
            ({"metric": "visits", "line": "west"}, "A check of visits does not have a line"),
            ({"metric": "visits", "to_ms": junction.START_MS + 4000}, "this footage is shorter"),
            ({"metric": "visits", "to_ms": junction.START_MS}, "no counted frames in this range"),
        ]
    ),
)
def test_an_invalid_check_is_refused_with_the_remedy(
    client: FlaskClient, wanted: dict[str, Any], words: str
) -> None:
    assert words.lower() in refusal(client.post("/api/v1/accuracy", json=wanted)).lower()


def test_without_the_capability_that_draws_lines_only_visits_can_be_checked(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_places, "picture_places", lambda: None)
    assert client.get("/api/v1/accuracy").get_json()["metrics"] == ["detections", "visits"]
    assert client.get("/api/v1/accuracy").get_json()["lines"] == []
    answer = client.post("/api/v1/accuracy", json=CROSSED)
    refusal = answer.get_json()["detail"].lower()
    assert "crossings cannot be checked here; choose detections or visits" in refusal
    start(client, "still", metric="visits")


MOVED = msgspec.structs.replace(junction.LEGS[0], points=((121, 400), (121, 200)))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([junction.LEGS[1]], "The line no longer exists: there is no line named 'west'; lines: east (gate)"),
        pytest.param([MOVED], "The line changed since the check began", marks=pytest.mark.thorough),
    ],
    ids=["deleted", "moved"],
)
def test_a_check_is_stale_once_its_line_is_moved_or_deleted(
    client: FlaskClient, filmed: Place, shapes: list[Any], words: str
) -> None:
    start(client, "x", **CROSSED)
    answer_all(client, "x", crossings_seen(), ["car/to_left"], most=6)
    assert client.get("/api/v1/accuracy/x").get_json()["stale"] == []
    junction.draw(filmed, *shapes)
    (stale,) = client.get("/api/v1/accuracy/x").get_json()["stale"]
    assert words.lower() in stale.lower()
    assert client.get("/api/v1/accuracy/x/certificate").status_code == 409
    assert client.get("/api/v1/accuracy/x/next").status_code == 409


@pytest.mark.thorough
def test_a_check_of_crossings_by_commands_is_verified_by_the_store(
    client: FlaskClient, filmed: Place, tmp_path: Path
) -> None:
    out = command(filmed, "start", "by-command", "--metric", "crossings", "--line", "west")
    assert "16 clips of gate" in out
    units = json.loads(command(filmed, "show", "by-command"))["units"]
    seen = crossings_seen()
    sent = []
    for one in units:
        number = seen[one["captured_at_ms"] // PIECE_MS, "car/to_left"]
        sent.append({"unit": one["number"], "counts": {"car/to_left": number}})
    (tmp_path / "answers.json").write_text(json.dumps(sent))
    out = command(filmed, "answer", "by-command", tmp_path / "answers.json")
    file = tmp_path / "certificate.json"
    out = command(filmed, "result", "by-command", "--certificate", file)
    assert "16 of 16 clips answered" in out
    out = command(filmed, "verify", file)
    assert "valid" in out
    junction.draw(filmed, MOVED)
    out = command(filmed, "verify", file, code=4)
    assert "other" in out


@pytest.mark.thorough
def test_a_check_is_stale_once_its_footage_is_counted_with_more_frames(tmp_path: Path) -> None:
    with closing(Place(tmp_path)) as made:
        made.store = open_object_store(made.settings.store_url)
        frames = junction.frames()
        half = len(frames) // 2
        junction.count(made, frames[:half])
        client = made.app().test_client()
        start(client, "half", metric="visits", to_ms=junction.START_MS + 10**7)
        junction.count(made, frames[half:], first_offset=half)
        (stale,) = client.get("/api/v1/accuracy/half").get_json()["stale"]
        assert "frames added" in stale


@pytest.mark.thorough
def test_a_piece_with_forgotten_frames_is_skipped(tmp_path: Path) -> None:
    with closing(Place(tmp_path)) as made:
        made.store = open_object_store(made.settings.store_url)
        junction.film(made)
        client = made.app().test_client()
        start(client, "part", metric="visits")
        answer_all(client, "part", visits_seen(), ["bus", "car"], most=5)
        frames = junction.frames()
        put_manifest(made, frames[0], frames[-1], "gate", len(frames))
        every_second = range(junction.START_MS, frames[-1].captured_at_ms, 2 * PIECE_MS)
        for at_ms in (*every_second, *(at_ms + PIECE_MS for at_ms in every_second)):
            # One second of each piece.
            targets = targets_in(list_manifests(made.store), from_ms=at_ms, to_ms=at_ms + 1000)
            forget(made.store, targets, delete_images=False, progress=NoProgress())
        unit = client.get("/api/v1/accuracy/part/next").get_json()["units"][0]
        assert unit["is_missing"]
        sent = {"unit": unit["unit"], "is_missing": True}
        assert client.post("/api/v1/accuracy/part/answers", json=sent).status_code == 200
        assert client.get("/api/v1/accuracy/part").get_json()["result"]["answered"] == 5


def in_bar(seen: Truth, start_ms: int, labels: Collection[str], bar_ms: int = 60_000) -> int:
    return sum(
        number
        for (at, label), number in seen.items()
        if label in labels and at * PIECE_MS // bar_ms * bar_ms == start_ms
    )


@pytest.mark.thorough
def test_bars_of_visits_have_intervals_of_their_pieces(client: FlaskClient) -> None:
    seen = visits_seen() + missed_of("car")
    start(client, "bars-of-visits", metric="visits")
    answer_all(client, "bars-of-visits", seen, ["bus", "car"])
    found = client.get("/api/v1/counts?interval=60&metric=objects").get_json()
    assert [(one["name"], one["metric"]) for one in found["checks"]] == [("bars-of-visits", "visits")]
    cars = [one for one in found["buckets"] if one["label"] == "car"]
    assert len(cars) == 4
    for one in cars:
        truth = in_bar(seen, one["start_ms"], ["car"])
        assert (one["low"], one["high"], one["estimate"]) == (truth, truth, truth), "all of it is answered"
        assert one["objects"] < truth
    total = client.get("/api/v1/summary?interval=60&metric=objects&label=car").get_json()["total"]
    assert total["low"] == total["high"] == in_bar(seen, 0, ["car"], 10**14)
    boxes = client.get("/api/v1/counts?interval=60&metric=detections").get_json()
    assert "checks" not in boxes and all("low" not in one for one in boxes["buckets"])


@pytest.mark.parametrize(
    ("bar", "pieces"),
    [
        ((0, 60_000), 4),
        ((60_000, 120_000), 2),
        ((15_000, 30_000), 1),
        ((0, 10_000), 0),
        ((10_000, 40_000), 0),
        ((-1, 10**9), 7),
    ],
    ids=["whole", "with a hole", "one piece", "part of a piece", "ends within pieces", "all there is"],
)
def test_a_bar_has_an_interval_only_of_whole_pieces(bar: tuple[int, int], pieces: int) -> None:
    check = msgspec.convert(
        {
            **dict.fromkeys(("id", "name", "model", "seed", "population_sha256"), ""),
            **dict.fromkeys(("sources", "labels", "params", "zones", "zone_units"), ()),
            **dict.fromkeys(("from_ms", "to_ms"), 0),
            "wanted_width": 0.1,
            "totals": {},
            "units": 7,
            "footage": [("gate", 0, 60_000), ("gate", 90_000, 135_000), ("yard", 0, 60_000)],
        },
        AccuracyCheck,
    )
    count = CheckedCount(*bar, "gate", ("car",), 300, 5)
    assert PiecesOfBars(check).in_bars(["gate"], None, {3: count}) == {3: pieces}


@pytest.mark.thorough
def test_bars_of_crossings_have_intervals_until_the_line_moves(client: FlaskClient, filmed: Place) -> None:
    seen = crossings_seen() + missed_of("car/to_right")
    start(client, "bars-of-crossings", **CROSSED)
    assert "checks" not in client.get("/api/v1/crossings?source=gate&interval=60&line=east").get_json()
    answer_all(client, "bars-of-crossings", seen, EACH_WAY)
    found = client.get("/api/v1/crossings?source=gate&interval=60").get_json()
    (check,) = found["checks"]
    assert (check["name"], check["metric"], check["stale"]) == ("bars-of-crossings", "crossings", [])
    assert {one["line"] for one in found["intervals"]} == {"west"}
    into = [one for one in found["intervals"] if one["direction"] == "to_right"]
    bars = {one["start_ms"]: one for one in into if one["start_ms"] is not None}
    assert [*bars] == [one["start_ms"] for one in found["bars"]]
    for start_ms, one in bars.items():
        truth = in_bar(seen, start_ms, ["bus/to_right", "car/to_right"])
        assert (one["low"], one["high"], one["label"]) == (truth, truth, None)
    whole = {one["label"]: one["estimate"] for one in into if one["start_ms"] is None}
    # Every piece was answered, so the totals are exact, including the label without errors.
    for label, of in (
        (None, ["bus/to_right", "car/to_right"]),
        ("bus", ["bus/to_right"]),
        ("car", ["car/to_right"]),
    ):
        assert whole[label] == in_bar(seen, 0, of, 10**14)
    junction.draw(filmed, MOVED, *junction.LEGS[1:])
    moved = client.get("/api/v1/crossings?source=gate&interval=60").get_json()
    assert moved["intervals"] == []
    assert moved["checks"][0]["stale"] == ["The line changed since the check began."]


def file_of(client: FlaskClient, file_format: str) -> bytes:
    answer = client.get(f"/api/v1/traffic/file?source=gate&timezone=UTC&format={file_format}")
    assert answer.status_code == 200, answer.text
    return answer.data


@pytest.mark.thorough
def test_files_of_a_traffic_report_have_the_intervals_of_checked_legs(
    client: FlaskClient, filmed: Place
) -> None:
    before = {name: file_of(client, name) for name in ("csv", "xlsx")}
    start(client, "files-of-crossings", **CROSSED)
    assert {name: file_of(client, name) for name in before} == before, (
        "a check without an answer adds nothing"
    )
    seen = crossings_seen() + missed_of("car/to_right")
    answer_all(client, "files-of-crossings", seen, EACH_WAY)
    (row,) = csv.DictReader(io.StringIO(file_of(client, "csv").decode("utf-8-sig")))
    truth = in_bar(seen, 0, ["bus/to_right", "car/to_right"], 10**14)
    assert float(row["w_in_low"]) == float(row["w_in_high"]) == float(row["w_in_estimate"]) == truth
    assert int(row["w_in_counted"]) == truth - missed_of("car/to_right").total()
    assert row["w_in_check"] == "files-of-crossings"
    assert [name for name in row if name.startswith(("e_", "s_")) and name.endswith("_low")] == []
    movements = [name for name in row if "_appr_" in name]
    old = next(csv.DictReader(io.StringIO(before["csv"].decode("utf-8-sig"))))
    assert movements and all(row[name] == old[name] for name in old), "raw counts stay what they are"
    book = load_workbook(io.BytesIO(file_of(client, "xlsx")), data_only=True)
    lines = [*book["Checked crossings"].iter_rows(values_only=True)]
    assert lines[0][0].startswith("files-of-crossings: 95% intervals, checked on 20")
    assert lines[1][0] == "No check covers movements from leg to leg: they have no confidence interval."
    assert lines[3][:2] == ("Leg", "Way")
    assert ("west", "in", *[truth] * 3, "files-of-crossings") in [(*one[:2], *one[5:]) for one in lines[4:]]
    junction.draw(filmed, MOVED, *junction.LEGS[1:])
    stale = load_workbook(io.BytesIO(file_of(client, "xlsx")), data_only=True)["Checked crossings"]
    said = [one for one, *_ in stale.iter_rows(values_only=True) if one]
    assert said[0] == "files-of-crossings: The line changed since the check began."
    assert said[2:] == ["Leg"], "nothing of it is applied"
