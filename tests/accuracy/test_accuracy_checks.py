"""A check from its start to its certificate: by the API, by commands, by two people, and by bad input."""

from __future__ import annotations

import json
import math
import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from tests.commands import said
from tests.fakes.records import make_coverage, make_segment
from tests.kit.api import refusal
from tests.web.conftest import START_MS, Place
from tests.web.counted_footage import MODEL, make_lines, publish_lines

from frametally import keys
from frametally.adapters.sql.kept_books import KeptBooks
from frametally.adapters_by_url import open_object_store
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections
from frametally_accuracy.answering import Desk
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.certificates import _signed
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.starting import start_check

FRAMES = 120


def count_gate(place: Place) -> Place:
    place.store = open_object_store(place.settings.store_url)
    publish_lines(place, make_lines("gate", frames=FRAMES))
    return place


@pytest.fixture(scope="module")
def refusing(
    make_place: Callable[[Path], Place], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FlaskClient]:
    """A dashboard with a check that has five answers; the tests that share it change nothing."""
    place = count_gate(make_place(tmp_path_factory.mktemp("refusing")))
    client = place.app().test_client()
    start(client)
    answer_all(client, most=5)
    yield client
    place.close()


def right_counts() -> dict[str, dict[str, int]]:
    """The truth in each frame: one more car in every fourth frame than the model counts."""
    truths = {}
    for number, line in enumerate(make_lines("gate", frames=FRAMES)):
        boxes = [one for one in line.detections if one.confidence >= 0.25]
        cars = sum(one.label == "car" for one in boxes) + (number % 4 == 0)
        truths[line.image_path] = {"car": cars, "bus": sum(one.label == "bus" for one in boxes)}
    return truths


def start(client: FlaskClient, **wanted: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/accuracy", json={"name": "gate", **wanted})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def answer_all(client: FlaskClient, *, most: int = 1000) -> int:
    """Answer as the desk does until nothing is left; return the number of answers."""
    truths, given = right_counts(), 0
    while given < most:
        desk = client.get("/api/v1/accuracy/gate/next?number=5").get_json()
        if not desk["units"]:
            break
        for unit in desk["units"][: most - given]:
            counts = {label: truths[unit["image_path"]][label] for label in desk["labels"]}
            sent = {"unit": unit["unit"], "turn": unit["turn"], "counts": counts, "took_ms": 900}
            kept = client.post("/api/v1/accuracy/gate/answers", json=sent)
            assert kept.status_code == 200, kept.text
            assert kept.get_json()["turn"] == unit["turn"]
            given += 1
    return given


def command(place: Place, *arguments: object, code: int = 0) -> str:
    """Run a command of checks, which ends with `code`; return what it prints."""
    return said("accuracy", *arguments, "--data-dir", place.settings.data_dir, code=code)


def verify(place: Place, certificate: bytes, *arguments: str, code: int = 0) -> str:
    file = place.settings.data_dir / "certificate.json"
    file.write_bytes(certificate)
    return command(place, "verify", file, *arguments, code=code)


def signed(fields: dict[str, Any], **changes: Any) -> bytes:
    """A certificate with changes, signed again with another key."""
    key = Ed25519PrivateKey.generate()
    fields |= changes | {"public_key": key.public_key().public_bytes_raw().hex()}
    return json.dumps(fields | {"signature": key.sign(_signed(fields)).hex()}).encode()


def certificate_of(client: FlaskClient, *, answered: int = 60, **wanted: Any) -> bytes:
    """The certificate of a check with so many answers."""
    start(client, **wanted)
    answer_all(client, most=answered)
    return client.get("/api/v1/accuracy/gate/certificate").data


@pytest.mark.thorough
def test_a_check_through_the_api_gives_an_interval_that_contains_the_truth(client: FlaskClient) -> None:
    check = start(client)
    assert (check["units"], check["labels"], check["model"]) == (FRAMES, ["bus", "car"], MODEL)
    unit = client.get("/api/v1/accuracy/gate/next").get_json()["units"][0]
    assert client.get(unit["image_url"]).status_code == 200
    assert {box["label"] for box in unit["boxes"]} <= {"bus", "car"}
    answer_all(client, most=120)
    found = client.get("/api/v1/accuracy/gate").get_json()
    assert found["stale"] == []
    result = found["result"]
    car = next(one for one in result["labels"] if one["label"] == "car")
    truth = sum(one["car"] for one in right_counts().values())
    assert car["state"] == "shown"
    assert car["low"] <= truth <= car["high"]
    assert car["low"] > car["model_total"], "a car in four frames is missed: a steady error"
    assert car["has_steady_error"]
    bus = next(one for one in result["labels"] if one["label"] == "bus")
    assert (bus["state"], bus["low"]) == ("too_few", None), "few buses were seen"
    assert result["agreement"]["pairs"] == result["agreement"]["equal"] > 5
    assert result["zones"][0]["shrink"] >= result["zones"][-1]["shrink"]


@pytest.mark.thorough
def test_the_history_of_an_estimate_ends_with_the_current_result(client: FlaskClient) -> None:
    start(client)
    answer_all(client, most=24)
    assert client.get("/api/v1/accuracy/gate").get_json()["history"] == []
    answer_all(client, most=80)
    found = client.get("/api/v1/accuracy/gate").get_json()
    history = [one for one in found["history"] if one["label"] == "car"]
    now = found["result"]["labels"][1]
    assert [history[-1][name] for name in ("total", "low", "high")] == [
        now[name] for name in ("total", "low", "high")
    ]
    units = [one["units"] for one in history]
    assert units == sorted(set(units)) and units[-1] == found["result"]["used"] and 2 <= len(units) <= 8
    truth = sum(one["car"] for one in right_counts().values())
    assert all(one["low"] <= truth <= one["high"] for one in history)
    times = [one["answered_at_ms"] for one in history]
    assert times == sorted(times) and times[-1] <= found["result"]["last_answer_ms"]


@pytest.mark.thorough
def test_the_desk_never_shows_a_total(client: FlaskClient) -> None:
    start(client)
    answer_all(client, most=40)
    desk = client.get("/api/v1/accuracy/gate/next").get_json()
    widths = {"wanted_width", "method", "half_widths", "differences"}
    counts = {"answered", "used", "next_at", "missing", "drawn"}
    assert desk.keys() == {"units", "labels", "is_reached", "metric", "place", *counts, *widths}
    assert "total" not in json.dumps(desk)


@pytest.mark.thorough
def test_a_complete_check_gives_the_true_number(client: FlaskClient) -> None:
    start(client)
    answer_all(client)
    car = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"][1]
    truth = sum(one["car"] for one in right_counts().values())
    assert car["total"] == pytest.approx(truth)


@pytest.mark.thorough
@pytest.mark.parametrize("answered", [50, FRAMES])
def test_a_label_that_is_always_wrong_is_shown_to_be_wrong(
    client: FlaskClient, counted: Place, answered: int
) -> None:
    """A parked thing is mistaken for a car in every frame: a false label."""
    start(client, labels=["car"])
    for unit in range(answered):
        client.post("/api/v1/accuracy/gate/answers", json={"unit": unit, "counts": {}})
    (car,) = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"]
    chart = client.get("/api/v1/counts?interval=60&label=car&metric=detections").get_json()
    (total,) = chart["totals"]
    out = command(counted, "result", "gate")
    if answered == FRAMES:
        assert car["state"] == "shown"
        assert [car[name] for name in ("total", "low", "high", "half_width")] == [0] * 4
        assert car["has_steady_error"] and "truth 0 (0 to 0, every unit was checked)" in out
        assert {(one["low"], one["high"]) for one in (total, *chart["buckets"])} == {(0, 0)}
    else:
        assert (car["state"], car["total"], car["low"]) == ("at_most", None, 0)
        assert 0 < car["high"] < 3 / 50 * FRAMES * 2 < car["model_total"]
        assert re.search(r"truth at most \d+ \(people saw 0\)", out)


@pytest.mark.thorough
def test_a_label_that_was_never_detected_can_be_checked_for_misses(
    client: FlaskClient, counted: Place
) -> None:
    start(client, labels=["cat"], planned_units=60)
    for unit in range(60):
        client.post("/api/v1/accuracy/gate/answers", json={"unit": unit, "counts": {"cat": 1}})
    (cat,) = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"]
    assert (cat["model_total"], cat["state"]) == (0, "shown")
    assert cat["low"] <= FRAMES <= cat["high"] and cat["low"] > FRAMES / 2
    assert client.get("/api/v1/accuracy/gate/certificate").status_code == 200
    out = command(counted, "start", "--label", "cat")
    assert "cat: the model counts none here" in out


def test_two_desks_get_different_units_and_the_same_unit_twice_is_a_double(client: FlaskClient) -> None:
    start(client)
    one, other = (
        client.get(f"/api/v1/accuracy/gate/next?desk={desk}").get_json()["units"] for desk in ("a", "b")
    )
    assert not {unit["unit"] for unit in one} & {unit["unit"] for unit in other}
    again = client.get("/api/v1/accuracy/gate/next?desk=a").get_json()["units"]
    assert again == one


@pytest.mark.thorough
def test_a_planned_size_gives_the_narrower_interval(client: FlaskClient) -> None:
    start(client, planned_units=100)
    answer_all(client)
    result = client.get("/api/v1/accuracy/gate").get_json()["result"]
    assert result["method"] == "fixed"
    assert 100 <= result["used"] == result["answered"] < 110, "whole rounds"


def test_a_check_without_an_end_leaves_out_footage_dated_in_the_future(
    client: FlaskClient, counted: Place
) -> None:
    then_ms = START_MS + 36_500 * 86_400_000
    later = make_lines("gate", frames=5, start_ms=then_ms)
    publish_lines(counted, [*make_lines("gate", frames=FRAMES), *later])
    check = start(client)
    assert (check["units"], check["to_ms"] < time.time() * 1000) == (FRAMES, True)
    assert start(client, name="then", from_ms=then_ms, to_ms=then_ms + 10**6)["units"] == 5


def test_a_check_is_stale_once_footage_is_added_in_its_range(client: FlaskClient, counted: Place) -> None:
    start(client, to_ms=START_MS + 10**8)
    publish_lines(counted, [*make_lines("gate", frames=FRAMES), *make_lines("yard", frames=40)])
    assert client.get("/api/v1/accuracy/gate").get_json()["stale"] == [], "another source is none of it"
    later = make_lines("gate", frames=FRAMES + 20, seed=1)
    publish_lines(counted, later)
    stale = client.get("/api/v1/accuracy/gate").get_json()["stale"]
    assert len(stale) == 1 and "20 frames added" in stale[0]
    assert client.get("/api/v1/accuracy/gate/certificate").status_code == 409


@pytest.mark.thorough
def test_the_store_verifies_a_certificate_but_not_after_any_change(
    client: FlaskClient, counted: Place
) -> None:
    body = certificate_of(client, to_ms=START_MS + 10**8)
    out = verify(counted, body)
    assert "valid" in out
    changed = json.loads(body)
    changed["result"]["labels"][1]["model_total"] += 1
    out = verify(counted, json.dumps(changed).encode(), code=4)
    assert "changed after it was signed" in out
    publish_lines(counted, make_lines("gate", frames=FRAMES + 5))
    out = verify(counted, body, code=4)
    assert "other frames or other counts" in out


@pytest.mark.thorough
def test_a_certificate_signed_again_over_chosen_frames_is_not_valid(
    client: FlaskClient, counted: Place
) -> None:
    """Users with their own key cannot pick the frames: the seed draws them."""
    own = json.loads(certificate_of(client))
    out = verify(counted, signed(own, units=[*own["units"][1:], own["units"][0]]), code=4)
    assert "does not draw the units" in out


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"later_field": 1}, 5, "signed by another server"),
        ({"units": [{"zone": 99}]}, 4, "does not draw the units"),
    ],
    ids=["of a later version", "out of range"],
)
def test_a_signed_file_is_checked_by_its_own_fields(
    client: FlaskClient, counted: Place, change: dict[str, Any], code: int, words: str
) -> None:
    fields = json.loads(certificate_of(client))
    for name, value in change.items():
        fields[name] = [fields[name][0] | value[0], *fields[name][1:]] if name == "units" else value
    out = verify(counted, json.dumps(fields).encode(), code=4)
    assert "changed after it was signed" in out
    assert words in verify(counted, signed(fields), code=code)


def test_a_certificate_with_the_forecast_of_another_release_is_valid(
    client: FlaskClient, counted: Place
) -> None:
    fields = json.loads(certificate_of(client, answered=5, labels=["bus"]))
    fields["result"]["labels"][0]["units_needed"] = 7
    other = signed(fields)
    verify(counted, other, code=5)
    assert "valid; signed by the key that you gave" in verify(counted, other, "--key", fields["public_key"])


@pytest.mark.thorough
def test_a_strangers_certificate_is_not_mistaken_for_the_servers(client: FlaskClient, counted: Place) -> None:
    own = certificate_of(client, answered=5)
    fields = json.loads(own)
    assert f"signed by this server (key {fields['public_key']})" in verify(counted, own)
    strange = signed(fields)
    out = verify(counted, strange, code=5)
    assert f"signed by another server (key {fields['public_key']})" in out
    with closing(sqlite3.connect(counted.settings.data_dir / "catalogue.sqlite")) as raw, raw:
        raw.execute("DELETE FROM frametally_accuracy_keys")
    assert "this data folder has no key" in verify(counted, strange, code=5)
    verify(counted, strange, "--key", "ab", code=2)


def test_a_store_without_counts_does_not_make_a_certificate_invalid(
    client: FlaskClient, counted: Place, tmp_path: Path
) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(certificate_of(client, answered=0))
    shutil.copytree(counted.settings.data_dir / "store", tmp_path / "elsewhere/store")
    out = said("accuracy", "verify", file, "--data-dir", tmp_path / "elsewhere", code=2)
    assert "run `frametally aggregate` and `frametally index` first" in out


def test_nobody_can_choose_a_seed_and_a_result_names_other_checks_of_its_footage(
    client: FlaskClient, counted: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    seeds = {start(client, name=f"check {number}")["seed"] for number in range(3)}
    assert len(seeds) == 3
    assert client.post("/api/v1/accuracy", json={"name": "mine", "seed": "7"}).status_code == 400
    command(counted, "start", "mine", "--seed", "7", code=2)
    client.post("/api/v1/accuracy/check%201/answers", json={"unit": 0, "counts": {}})
    others = client.get("/api/v1/accuracy/check%202").get_json()["other_checks"]
    assert others == {"checks": 2, "answered": 1}
    assert client.get("/api/v1/accuracy/check%202/certificate").get_json()["other_checks"] == others
    assert client.get("/api/v1/accuracy/check%201").get_json()["other_checks"] == {"checks": 2, "answered": 0}
    out = command(counted, "result", "check 2")
    assert "2 other checks of the same footage, 1 of them with answers" in out


@pytest.mark.thorough
def test_a_check_can_be_done_with_commands(counted: Place, tmp_path: Path) -> None:
    out = command(counted, "start", "gate", "--source", "gate", "--json")
    before = command(counted, "next", "gate")
    assert re.search(r"car: \d+ frames for ±10%", before) and "reached" not in before
    units = json.loads(command(counted, "show", "gate"))["units"]
    truths = right_counts()
    sent = [{"unit": one["number"], "counts": truths[one["image_path"]]} for one in units[:100]]
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(sent))
    out = command(counted, "answer", "gate", file, "--person", "ann")
    assert out.strip() == "gate: saved 100 answers"
    out = command(counted, "result", "gate", "--history")
    assert "car, after 30 frames, 20" in out and re.search(r"car, after 9\d frames, 20", out)
    out = command(counted, "result", "gate", "--certificate", tmp_path / "c.json")
    assert "after" not in out and all(one in out for one in ("car: model", "bus: model", "too few to say"))
    command(counted, "verify", tmp_path / "c.json")
    out = command(counted, "next", "gate")
    assert "reduces the variance" in out
    assert out.startswith("you have reached the target precision (±10%): stop here, and run `frametally acc")
    out = command(counted, "list")
    assert "target precision reached" in out
    out = command(counted, "start", "again", "--source", "gate")
    assert out.endswith(before), "how many units it takes is said before it begins"
    again = json.loads(command(counted, "show", "again"))["units"]
    assert [one["image_path"] for one in again] == [one["image_path"] for one in units]


def test_a_check_up_to_the_year_9999_can_be_read_back(counted: Place) -> None:
    command(counted, "start", "all", "--source", "gate", "--to", "9999-12-31")
    assert "all" in command(counted, "list")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"from_ms": START_MS, "to_ms": START_MS}, "The range ends before it begins"),
        ({"from_ms": 0, "to_ms": 1000}, "no counted frames"),
        ({"from_ms": -(10**30)}, "from_ms"),
        ({"to_ms": 10**30}, "to_ms"),
        ({"sources": ["nowhere"]}, "There is no source named 'nowhere'"),
        ({"labels": [""]}, "A label must have 1 to 100 characters"),
        ({"labels": ["car/to_right"]}, "A label must have"),
        ({"labels": ["a\nb"]}, "A label must have"),
        ({"model": "none-such"}, "There is no model named 'none-such'"),
        ({"wanted_width": 0}, "The target precision"),
        ({"planned_units": 3}, "A planned size must be 30 to 400"),
        ({"name": "a/b"}, "A name can have"),
    ],
)
def test_an_invalid_check_is_refused_with_one_message(
    refusing: FlaskClient, wanted: dict[str, Any], words: str
) -> None:
    assert words in refusal(refusing.post("/api/v1/accuracy", json=wanted))


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"unit": 0, "counts": {"dgo": 1}}, "'dgo' is not a label of this check; its labels are bus, car"),
        ({"unit": 0, "counts": {"car": -1}}, "0 to 10,000 objects"),
        ({"unit": 0}, "give either counts or boxes"),
        ({"unit": 0, "boxes": [{"label": "car", "box": [9000, 0, 1, 1]}]}, "is outside the frame"),
        ({"unit": 0, "boxes": [{"label": "car", "box": [0, 0, 1e300, 1]}]}, "is outside the frame"),
        ({"unit": 0, "turn": -1, "counts": {"car": 1}}, "turn"),
        ({"unit": 999, "counts": {}}, "has no unit 999"),
        ({"unit": 0, "counts": {"car": 1}, "took_ms": 10**30}, "took_ms"),
    ],
)
def test_an_invalid_answer_is_refused_and_nothing_is_lost(
    refusing: FlaskClient, sent: dict[str, Any], words: str
) -> None:
    assert words in refusal(refusing.post("/api/v1/accuracy/gate/answers", json=sent))
    assert refusing.get("/api/v1/accuracy/gate").get_json()["result"]["answered"] == 5


def test_a_corrected_answer_is_not_a_double(client: FlaskClient) -> None:
    start(client)
    for cars in (1, 2):
        client.post("/api/v1/accuracy/gate/answers", json={"unit": 0, "counts": {"car": cars}})
    result = client.get("/api/v1/accuracy/gate").get_json()["result"]
    assert (result["answered"], result["agreement"]["pairs"]) == (1, 0)


def test_there_is_no_interval_and_no_comparison_before_three_rounds(client: FlaskClient) -> None:
    start(client, labels=["car"], wanted_width=1)
    (car,) = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"]
    assert car["units_needed"] == math.ceil(25 * FRAMES / car["model_total"]) > 30, "25 objects are needed"
    said = refusal(client.get("/api/v1/accuracy/gate?against=m"))
    assert "Answer 30 units before you compare models" in said


@pytest.mark.thorough
def test_another_model_is_compared_on_the_same_frames(client: FlaskClient, counted: Place) -> None:
    blind = [
        msgspec.structs.replace(
            line, model="blind", detections=[one for one in line.detections if one.label == "bus"]
        )
        for line in make_lines("gate", frames=FRAMES)
    ]
    start(client)
    answer_all(client, most=110)
    said = refusal(client.get("/api/v1/accuracy/gate?against=blind"))
    assert "Nothing from model 'blind' is counted" in said
    put_segment(counted, "blind", blind)
    coverage = make_coverage(START_MS, FRAMES, source="gate", model="blind")
    counted.publish([], [coverage], interval_s=60, model="blind")
    found = client.get("/api/v1/accuracy/gate?against=blind").get_json()
    car = next(one for one in found["compared"] if one["label"] == "car")
    assert car["better"] == "check"
    assert 0 < car["low"] < car["difference"] < car["high"]
    assert "The counts are now from model blind" in found["stale"][0]


def put_segment(place: Place, model: str, lines: list[FrameDetections]) -> None:
    place.store.put(
        keys.segment_key(model, "log", "frames", 0, 0), make_segment(lines, model=model, log_id="log")
    )


def test_two_people_share_a_sample_and_check_every_tenth_unit_of_each_other(counted: Place) -> None:
    book = AccuracyBook(counted.settings.catalogue_url)
    footage = CheckFootage(counted.store, counted.ledger, counted.real_index, counted.settings)
    counted.ledger.refresh(counted.store, NoProgress())
    check = start_check(book, footage, CheckWanted(name="x"), most_units=60)
    units, desk = book.units(check.id), Desk()
    for _ in range(12):
        for person in ("ann", "ben"):
            answers = book.answers(check.id)
            (turn,) = desk.next(check, units, answers, person=person, desk=person, most=1)
            book.answer(check, turn.unit.number, person=person, counts={"car": 1}, turn=turn.turn)
    answers = book.answers(check.id)
    first = {one.unit: one.person for one in answers if one.turn == 0}
    doubles = [one for one in answers if one.turn]
    assert [one.unit for one in doubles] == [9]
    assert all(first[one.unit] != one.person for one in doubles)
    assert len(first) == 23
    book.close()


def test_a_desk_that_returns_its_units_blocks_nobody(counted: Place) -> None:
    book = AccuracyBook(counted.settings.catalogue_url)
    counted.ledger.refresh(counted.store, NoProgress())
    footage = CheckFootage(counted.store, counted.ledger, counted.real_index, counted.settings)
    check = start_check(book, footage, CheckWanted(name="x"), most_units=60)
    units, desk = book.units(check.id), Desk()

    def numbers(name: str, most: int) -> list[int]:
        turns = desk.next(check, units, [], person="ann", desk=name, most=most)
        return [turn.unit.number for turn in turns]

    assert numbers("first", 5) == [0, 1, 2, 3, 4]
    assert numbers("second", 2) == [5, 6]
    assert numbers("first", 0) == []
    assert numbers("second", 3) == [0, 1, 2]
    book.close()


def test_the_same_unit_answered_by_two_people_keeps_both_answers(counted: Place) -> None:
    book = AccuracyBook(counted.settings.catalogue_url)
    counted.ledger.refresh(counted.store, NoProgress())
    footage = CheckFootage(counted.store, counted.ledger, counted.real_index, counted.settings)
    check = start_check(book, footage, CheckWanted(name="x"), most_units=60)
    for person, cars in (("ann", 1), ("ben", 2), ("ann", 3)):
        book.answer(check, 0, person=person, counts={"car": cars})
    kept = [(one.turn, one.person, one.counts["car"]) for one in book.answers(check.id)]
    assert kept == [(0, "ann", 3), (1, "ben", 2)]
    book.close()


def test_a_backup_contains_checks_with_their_answers(client: FlaskClient, counted: Place) -> None:
    start(client)
    answer_all(client, most=5)
    kept = KeptBooks(counted.settings.catalogue_url)
    with kept.rows() as rows:
        tables = Counter(row.table for row in rows)
    assert tables["frametally_accuracy_checks"] == 1
    assert tables["frametally_accuracy_units"] == FRAMES
    assert tables["frametally_accuracy_answers"] == 5
