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
from flask.testing import FlaskClient
from tests.accounts.people import asking_as, give_accounts
from tests.fakes.records import make_coverage, make_segment
from tests.web.conftest import START_MS, Place, Serving
from tests.web.counted_footage import MODEL, make_lines, publish_lines

from frametally import keys
from frametally.adapters.sql.kept_books import KeptBooks
from frametally.adapters_by_url import open_object_store
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections
from frametally_accuracy.answering import Desk
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.starting import start_check
from frametally_cli.main import main

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
        units = client.get("/api/v1/accuracy/gate/next?number=5").get_json()["units"]
        if not units:
            break
        for unit in units[: most - given]:
            sent = {
                "unit": unit["unit"],
                "turn": unit["turn"],
                "counts": truths[unit["image_path"]],
                "took_ms": 900,
            }
            kept = client.post("/api/v1/accuracy/gate/answers", json=sent)
            assert kept.status_code == 200, kept.text
            assert kept.get_json()["turn"] == unit["turn"]
            given += 1
    return given


def command(capsys: pytest.CaptureFixture[str], place: Place, *args: str) -> tuple[int, str]:
    code = main(["accuracy", *args, "--data-dir", str(place.settings.data_dir)])
    out = capsys.readouterr()
    return code, out.out + out.err


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
def test_a_check_continues_after_the_server_dies(counted: Place) -> None:
    first = counted.app().test_client()
    start(first)
    answer_all(first, most=23)
    second = counted.app().test_client()
    desk = second.get("/api/v1/accuracy/gate/next").get_json()
    assert desk["answered"] >= 21
    assert answer_all(second) > 90


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
    client: FlaskClient, counted: Place, capsys: pytest.CaptureFixture[str], answered: int
) -> None:
    """A parked thing is mistaken for a car in every frame: a false label."""
    start(client, labels=["car"])
    for unit in range(answered):
        client.post("/api/v1/accuracy/gate/answers", json={"unit": unit, "counts": {}})
    (car,) = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"]
    chart = client.get("/api/v1/counts?interval=60&label=car&metric=detections").get_json()
    (total,) = chart["totals"]
    _, out = command(capsys, counted, "result", "gate")
    if answered == FRAMES:
        assert (car["state"], car["total"], car["low"], car["high"], car["half_width"]) == (
            "shown",
            0,
            0,
            0,
            0,
        )
        assert car["has_steady_error"] and "truth 0 (0 to 0, every unit was checked)" in out
        assert (total["low"], total["high"]) == (0, 0)
        assert {(one["low"], one["high"]) for one in chart["buckets"]} == {(0, 0)}
    else:
        assert (car["state"], car["total"], car["low"]) == ("at_most", None, 0)
        assert 0 < car["high"] < 3 / 50 * FRAMES * 2 < car["model_total"]
        assert re.search(r"truth at most \d+ \(people saw 0\)", out)


@pytest.mark.thorough
def test_a_label_that_was_never_detected_can_be_checked_for_misses(
    client: FlaskClient, counted: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    start(client, labels=["cat"], planned_units=60)
    for unit in range(60):
        client.post("/api/v1/accuracy/gate/answers", json={"unit": unit, "counts": {"cat": 1}})
    (cat,) = client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"]
    assert (cat["model_total"], cat["state"]) == (0, "shown")
    assert cat["low"] <= FRAMES <= cat["high"] and cat["low"] > FRAMES / 2
    assert client.get("/api/v1/accuracy/gate/certificate").status_code == 200
    _, out = command(capsys, counted, "start", "--label", "cat")
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
    client: FlaskClient, counted: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(client, to_ms=START_MS + 10**8)
    answer_all(client, most=60)
    body = client.get("/api/v1/accuracy/gate/certificate").data
    file = tmp_path / "certificate.json"
    file.write_bytes(body)
    code, out = command(capsys, counted, "verify", str(file))
    assert code == 0, out
    assert "valid" in out
    changed = json.loads(body)
    changed["result"]["labels"][1]["model_total"] += 1
    file.write_text(json.dumps(changed))
    code, out = command(capsys, counted, "verify", str(file))
    assert code == 4 and "changed after it was signed" in out
    file.write_bytes(body)
    publish_lines(counted, make_lines("gate", frames=FRAMES + 5))
    code, out = command(capsys, counted, "verify", str(file))
    assert code == 4 and "other frames or other counts" in out


@pytest.mark.thorough
def test_a_certificate_signed_again_over_chosen_frames_is_not_valid(
    client: FlaskClient, counted: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users with their own key cannot pick the frames: the seed draws them."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from frametally_accuracy.certificates import read_certificate, sign

    start(client)
    answer_all(client, most=60)
    own = read_certificate(client.get("/api/v1/accuracy/gate/certificate").data)
    key = Ed25519PrivateKey.generate()
    picked = msgspec.structs.replace(
        own, units=(*own.units[1:], own.units[0]), public_key=key.public_key().public_bytes_raw().hex()
    )
    file = tmp_path / "picked.json"
    file.write_bytes(sign(picked, key))
    code, out = command(capsys, counted, "verify", str(file))
    assert code == 4 and "does not draw the units" in out


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
    client: FlaskClient,
    counted: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
    words: str,
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from frametally_accuracy.certificates import _signed

    start(client)
    answer_all(client, most=60)
    fields = json.loads(client.get("/api/v1/accuracy/gate/certificate").data)
    for name, value in change.items():
        fields[name] = [fields[name][0] | value[0], *fields[name][1:]] if name == "units" else value
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(fields))
    ended, out = command(capsys, counted, "verify", str(file))
    assert ended == 4 and "changed after it was signed" in out
    key = Ed25519PrivateKey.generate()
    fields["public_key"] = key.public_key().public_bytes_raw().hex()
    file.write_text(json.dumps(fields | {"signature": key.sign(_signed(fields)).hex()}))
    ended, out = command(capsys, counted, "verify", str(file))
    assert (ended, words in out) == (code, True), out


def test_a_certificate_with_the_forecast_of_another_release_is_valid(
    client: FlaskClient, counted: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from frametally_accuracy.certificates import _signed

    start(client, labels=["bus"])
    for unit in client.get("/api/v1/accuracy/gate/next?number=5").get_json()["units"]:
        buses = {"bus": right_counts()[unit["image_path"]]["bus"]}
        client.post("/api/v1/accuracy/gate/answers", json={"unit": unit["unit"], "counts": buses})
    fields = json.loads(client.get("/api/v1/accuracy/gate/certificate").data)
    fields["result"]["labels"][0]["units_needed"] = 7
    file = tmp_path / "other.json"
    key = Ed25519PrivateKey.generate()
    fields["public_key"] = key.public_key().public_bytes_raw().hex()
    file.write_text(json.dumps(fields | {"signature": key.sign(_signed(fields)).hex()}))
    assert command(capsys, counted, "verify", str(file))[0] == 5
    ended, out = command(capsys, counted, "verify", str(file), "--key", fields["public_key"])
    assert ended == 0 and "valid; signed by the key that you gave" in out


@pytest.mark.thorough
def test_a_strangers_certificate_is_not_mistaken_for_the_servers(
    client: FlaskClient, counted: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from frametally_accuracy.certificates import _signed

    start(client)
    for unit in client.get("/api/v1/accuracy/gate/next?number=5").get_json()["units"]:
        client.post("/api/v1/accuracy/gate/answers", json={"unit": unit["unit"], "counts": {}})
    own = client.get("/api/v1/accuracy/gate/certificate").data
    file = tmp_path / "c.json"
    file.write_bytes(own)
    ended, out = command(capsys, counted, "verify", str(file))
    assert ended == 0 and f"signed by this server (key {json.loads(own)['public_key']})" in out
    fields, key = json.loads(own), Ed25519PrivateKey.generate()
    fields["public_key"] = key.public_key().public_bytes_raw().hex()
    file.write_text(json.dumps(fields | {"signature": key.sign(_signed(fields)).hex()}))
    ended, out = command(capsys, counted, "verify", str(file))
    assert ended == 5 and f"signed by another server (key {fields['public_key']})" in out
    with closing(sqlite3.connect(counted.settings.data_dir / "catalogue.sqlite")) as raw:
        raw.execute("DELETE FROM frametally_accuracy_keys")
        raw.commit()
    ended, out = command(capsys, counted, "verify", str(file))
    assert ended == 5 and "this data folder has no key" in out
    assert command(capsys, counted, "verify", str(file), "--key", "ab")[0] == 2


def test_a_store_without_counts_does_not_make_a_certificate_invalid(
    client: FlaskClient, counted: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(client)
    file = tmp_path / "c.json"
    file.write_bytes(client.get("/api/v1/accuracy/gate/certificate").data)
    shutil.copytree(counted.settings.data_dir / "store", tmp_path / "elsewhere/store")
    ended = main(["accuracy", "verify", str(file), "--data-dir", str(tmp_path / "elsewhere")])
    out = capsys.readouterr()
    assert ended == 2 and "run `frametally aggregate` and `frametally index` first" in out.out + out.err


def test_nobody_can_choose_a_seed_and_a_result_names_other_checks_of_its_footage(
    client: FlaskClient, counted: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    seeds = {start(client, name=f"check {number}")["seed"] for number in range(3)}
    assert len(seeds) == 3
    assert client.post("/api/v1/accuracy", json={"name": "mine", "seed": "7"}).status_code == 400
    assert command(capsys, counted, "start", "mine", "--seed", "7")[0] == 2
    client.post("/api/v1/accuracy/check%201/answers", json={"unit": 0, "counts": {}})
    others = client.get("/api/v1/accuracy/check%202").get_json()["other_checks"]
    assert others == {"checks": 2, "answered": 1}
    assert client.get("/api/v1/accuracy/check%202/certificate").get_json()["other_checks"] == others
    assert client.get("/api/v1/accuracy/check%201").get_json()["other_checks"] == {"checks": 2, "answered": 0}
    _, out = command(capsys, counted, "result", "check 2")
    assert "2 other checks of the same footage, 1 of them with answers" in out


@pytest.mark.thorough
def test_a_check_can_be_done_with_commands(
    counted: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out = command(capsys, counted, "start", "gate", "--source", "gate", "--json")
    assert code == 0, out
    code, before = command(capsys, counted, "next", "gate")
    assert code == 0 and re.search(r"car: \d+ frames for ±10%", before) and "reached" not in before
    code, out = command(capsys, counted, "show", "gate")
    units = json.loads(out)["units"]
    truths = right_counts()
    sent = [{"unit": one["number"], "counts": truths[one["image_path"]]} for one in units[:100]]
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(sent))
    code, out = command(capsys, counted, "answer", "gate", str(file), "--person", "ann")
    assert (code, out.strip()) == (0, "gate: saved 100 answers")
    code, out = command(capsys, counted, "result", "gate", "--history")
    assert code == 0 and "car, after 30 frames, 20" in out and re.search(r"car, after 9\d frames, 20", out)
    code, out = command(capsys, counted, "result", "gate", "--certificate", str(tmp_path / "c.json"))
    assert (
        code == 0
        and "after" not in out
        and "car: model" in out
        and "bus: model" in out
        and "too few to say" in out
    )
    assert command(capsys, counted, "verify", str(tmp_path / "c.json"))[0] == 0
    code, out = command(capsys, counted, "next", "gate")
    assert code == 0 and "reduces the variance" in out
    assert out.startswith("you have reached the target precision (±10%): stop here, and run `frametally acc")
    code, out = command(capsys, counted, "list")
    assert code == 0 and "target precision reached" in out
    code, out = command(capsys, counted, "start", "again", "--source", "gate")
    assert code == 0 and out.endswith(before), "how many units it takes is said before it begins"
    code, out = command(capsys, counted, "show", "again")
    assert [one["image_path"] for one in json.loads(out)["units"]] == [one["image_path"] for one in units]


def test_a_check_up_to_the_year_9999_can_be_read_back(
    capsys: pytest.CaptureFixture[str], counted: Place
) -> None:
    code, _ = command(capsys, counted, "start", "all", "--source", "gate", "--to", "9999-12-31")
    assert code == 0
    code, out = command(capsys, counted, "list")
    assert code == 0 and "all" in out


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
    answer = refusing.post("/api/v1/accuracy", json=wanted)
    assert answer.status_code == 400
    assert words in answer.get_json()["detail"]


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
    answer = refusing.post("/api/v1/accuracy/gate/answers", json=sent)
    assert answer.status_code == 400
    assert words in answer.get_json()["detail"]
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
    refused = client.get("/api/v1/accuracy/gate?against=m")
    assert refused.status_code == 400
    assert "Answer 30 units before you compare models" in refused.get_json()["detail"]


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
    refused = client.get("/api/v1/accuracy/gate?against=blind")
    assert refused.status_code == 400
    assert "Nothing from model 'blind' is counted" in refused.get_json()["detail"]
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


def test_a_viewer_sees_checks_and_cannot_answer(counted: Place, serving: Serving) -> None:
    give_accounts(counted)
    url = serving(counted.app())
    with asking_as(url, "clara") as clara:
        sent = {"Content_Type": "application/json"}
        started = clara("POST", "/api/v1/accuracy", '{"name": "gate"}', **sent)
        assert started.status == 201, started.body
        assert clara("GET", "/api/v1/accuracy/gate/next").status == 200
        answer = '{"unit": 0, "counts": {"car": 1}}'
        assert clara("POST", "/api/v1/accuracy/gate/answers", answer, **sent).status == 200
    with asking_as(url, "lukas") as lukas:
        seen = json.loads(lukas("GET", "/api/v1/accuracy").body)
        assert (seen["changes_allowed"], seen["checks"][0]["started_by"]) == (False, "clara")
        assert json.loads(lukas("GET", "/api/v1/accuracy/gate").body)["result"]["persons"] == ["clara"]
        assert lukas("GET", "/api/v1/accuracy/gate/next").status == 403
        assert lukas("POST", "/api/v1/accuracy/gate/answers", answer, **sent).status == 403
        assert lukas("POST", "/api/v1/accuracy", "{}", **sent).status == 403


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
