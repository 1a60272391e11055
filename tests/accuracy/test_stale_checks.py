"""When a check is stale, how much work it takes to find out, and what happens to units whose
frames changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from tests.accuracy.test_accuracy_checks import (
    FRAMES,
    answer_all,
    certificate_of,
    command,
    right_counts,
    signed,
    start,
    verify,
)
from tests.examples import THOROUGH, first_quick
from tests.fakes.records import make_segment
from tests.kit.api import refusal
from tests.kit.clips import grey_jpeg
from tests.web.conftest import START_MS, Place
from tests.web.counted_footage import MODEL, make_lines, publish_lines, put_manifest

from frametally import keys
from frametally.errors import Retryable
from frametally.media.forgetting import forget, targets_in
from frametally.media.manifests import list_manifests
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections

WIDE_RANGE = {"from_ms": START_MS - 10**8, "to_ms": START_MS + 10**8}
"""Longer than the footage, so that no footage is outside the range."""

Lines = list[FrameDetections]


def stale_of(client: FlaskClient) -> list[str]:
    answer = client.get("/api/v1/accuracy/gate")
    assert answer.status_code == 200, answer.text
    stale: list[str] = answer.get_json()["stale"]
    return stale


def test_the_current_result_of_a_check_reads_no_frame_and_no_ledger(
    client: FlaskClient, counted: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(client)

    def away(*_: object, **__: object) -> None:
        raise Retryable("nobody may ask for this")

    monkeypatch.setattr(type(counted.store), "get_range", away)
    monkeypatch.setattr(type(counted.ledger), "refresh", away)
    assert stale_of(client) == []
    counted.index.asked.clear()
    assert stale_of(client) == []
    assert "histogram" not in counted.index.asked, "nothing was published since"


def moved(lines: Lines) -> Lines:
    """The same frames ten minutes later, as after `frametally retime`."""
    return make_lines("gate", frames=FRAMES, start_ms=START_MS + 600_000)


def without(lines: Lines) -> Lines:
    return lines[:-30]


def more(_: Lines) -> Lines:
    return make_lines("gate", frames=FRAMES + 20)


def other_boxes(lines: Lines) -> Lines:
    """Another detection of the same frames: two frames have each other's boxes."""
    first = next(place for place, line in enumerate(lines) if len(line.detections) == 1)
    last = next(place for place in range(len(lines) - 1, 0, -1) if len(lines[place].detections) == 3)
    swapped = [*lines]
    for one, other in ((first, last), (last, first)):
        swapped[one] = msgspec.structs.replace(lines[one], detections=lines[other].detections)
    return swapped


@pytest.mark.thorough
@pytest.mark.parametrize(
    "case",
    first_quick(
        [
            (moved, "boxes changed"),
            (without, "30 frames removed"),
            (more, "20 frames added"),
            (other_boxes, "boxes changed"),
        ]
    ),
)
def test_page_chart_desk_and_certificate_show_staleness_after_frames_came_went_or_moved(
    client: FlaskClient, counted: Place, case: tuple[Callable[[Lines], Lines], str]
) -> None:
    change, words = case
    start(client, **WIDE_RANGE)
    answer_all(client, most=40)
    answered = client.get("/api/v1/accuracy/gate").get_json()["result"]["answered"]
    lines = make_lines("gate", frames=FRAMES)
    erase(counted)
    publish_lines(counted, change(lines))
    assert [words in one for one in stale_of(client)] == [True]
    chart = client.get("/api/v1/counts?interval=60&label=car&metric=detections").get_json()
    assert words in chart["checks"][0]["stale"][0]
    assert "low" not in chart["totals"][0]
    for route in ("next", "certificate"):
        refused = client.get(f"/api/v1/accuracy/gate/{route}")
        assert words in refusal(refused, 409)
        assert refused.text.lower().count("start a new check") == 1, "nobody reads the same twice"
    kept = client.post("/api/v1/accuracy/gate/answers", json={"unit": FRAMES - 1, "counts": {"car": 1}})
    assert kept.status_code == 200, "an answer on its way is not lost"
    erase(counted)
    publish_lines(counted, lines)
    assert stale_of(client) == [], "the counts are those of the check again"
    assert client.get("/api/v1/accuracy/gate").get_json()["result"]["answered"] == answered + 1


def erase(place: Place) -> None:
    """Remove all segments and their counts."""
    for one in [*place.store.list("segments")]:
        place.store.delete(one.key)
    for run in place.real_index.current_runs():
        place.real_index.remove(run)


@pytest.mark.thorough
def test_a_unit_without_its_picture_is_skipped_widens_intervals_and_returns_once_restored(
    client: FlaskClient, counted: Place
) -> None:
    def send(**answer: Any) -> tuple[int, str]:
        kept = client.post("/api/v1/accuracy/gate/answers", json={"unit": gone["unit"], **answer})
        return kept.status_code, kept.get_json().get("detail", "")

    def asked() -> dict[str, Any]:
        return client.get("/api/v1/accuracy/gate/next?number=1").get_json()

    def car() -> dict[str, Any]:
        return client.get("/api/v1/accuracy/gate").get_json()["result"]["labels"][1]

    start(client)
    answer_all(client, most=5)
    gone = asked()["units"][0]
    picture = grey_jpeg(gone["width_px"], gone["height_px"], 0)
    counted.store.put(gone["image_path"], picture)
    refused = send(is_missing=True)
    assert refused == (400, f"The store has the pictures of unit {gone['unit']}; answer it."), (
        "nobody chooses"
    )
    counted.store.put(gone["image_path"], picture[:40])
    assert send(is_missing=True)[0] == 200, "a damaged picture is none"
    counted.store.delete(gone["image_path"])
    assert asked()["units"][0]["unit"] != gone["unit"]
    answer_all(client)
    assert (asked()["units"], asked()["missing"], asked()["answered"]) == ([], 1, FRAMES - 1)
    result = client.get("/api/v1/accuracy/gate").get_json()["result"]
    assert sum(zone["answered"] for zone in result["zones"]) == FRAMES - 1
    chart = client.get("/api/v1/counts?interval=60&label=car&metric=detections").get_json()
    assert chart["checks"][0]["units"] == FRAMES - 1
    truth = sum(one["car"] for one in right_counts().values())
    assert car()["low"] < truth < car()["high"], "all else is answered: the interval is what it may have"
    shown = command(counted, "result", "gate")
    assert "1 frames cannot be judged" in shown
    certificate = client.get("/api/v1/accuracy/gate/certificate")
    assert (certificate.status_code, certificate.get_json()["result"]["missing"]) == (200, 1)
    counted.store.put(gone["image_path"], picture)
    assert [unit["unit"] for unit in asked()["units"]] == [gone["unit"]]
    assert send(counts=right_counts()[gone["image_path"]])[0] == 200
    assert (asked()["missing"], car()["low"], car()["high"]) == (0, truth, pytest.approx(truth))
    assert send(is_missing=True) == (400, f"Unit {gone['unit']} already has an answer; you cannot skip it.")


@pytest.mark.thorough
def test_a_unit_whose_picture_goes_before_its_second_turn_keeps_its_answer_and_blocks_no_desk(
    client: FlaskClient, counted: Place
) -> None:
    def send(turn: int) -> int:
        skip = {"unit": double["unit"], "turn": turn, "is_missing": True}
        return client.post("/api/v1/accuracy/gate/answers", json=skip).status_code

    start(client)
    double: dict[str, Any] = {"turn": 0}
    while not double["turn"]:
        answer_all(client, most=1)
        double = client.get("/api/v1/accuracy/gate/next?number=1").get_json()["units"][0]
    counted.store.delete(double["image_path"])
    assert (send(0), send(1)) == (400, 200)
    answer_all(client)
    left = client.get("/api/v1/accuracy/gate/next").get_json()
    assert (left["units"], left["missing"], left["answered"]) == ([], 0, FRAMES)


@pytest.mark.thorough
def test_forgotten_frames_are_skipped_and_stop_the_certificate_but_no_answer_is_lost(
    client: FlaskClient, counted: Place
) -> None:
    start(client)
    answer_all(client, most=40)
    lines = make_lines("gate", frames=FRAMES)
    put_manifest(counted, lines[0], lines[-1], "gate", FRAMES)
    since_ms = lines[2].captured_at_ms
    targets = targets_in(list_manifests(counted.store), from_ms=since_ms, to_ms=None)
    forget(counted.store, targets, delete_images=False, progress=NoProgress())
    for line in lines[2:]:  # deleted as by `frametally forget --delete-images`
        counted.store.delete(line.image_path)
    desk = client.get("/api/v1/accuracy/gate/next?number=5").get_json()
    assert [unit["is_missing"] for unit in desk["units"]] == [
        unit["captured_at_ms"] >= since_ms for unit in desk["units"]
    ]
    refused = refusal(client.get("/api/v1/accuracy/gate/certificate"), 409)
    assert f"{FRAMES - 2} frames are no longer there" in refused
    answered = client.get("/api/v1/accuracy/gate").get_json()["result"]["answered"]
    erase(counted)
    publish_lines(counted, lines[:2])
    assert f"{FRAMES - 2} frames removed" in stale_of(client)[0]
    assert client.get("/api/v1/accuracy/gate").get_json()["result"]["answered"] == answered


def test_no_check_starts_over_frames_that_are_not_counted_yet(client: FlaskClient, counted: Place) -> None:
    lines = make_lines("gate", frames=FRAMES)
    late = make_lines("gate", frames=FRAMES + 9)[FRAMES:]
    data = make_segment(late, [], 10_000, model=MODEL, log_id="log")
    counted.store.put(keys.segment_key(MODEL, "log", "frames", 0, 10_000), data)
    said = refusal(client.post("/api/v1/accuracy", json={"to_ms": START_MS + 10**8}))
    assert "Some frames of this range have not been counted yet" in said
    assert client.get("/api/v1/accuracy").get_json()["checks"] == []
    assert start(client)["units"] == len(lines), "without an end it ends with what is counted"


def test_one_message_says_what_to_do_where_nothing_is_counted(place: Place) -> None:
    said = refusal(place.app().test_client().post("/api/v1/accuracy", json={}))
    assert said.startswith("Nothing is counted yet; run `frametally aggregate`")


def test_no_checks_name_equals_another_ones_id(client: FlaskClient) -> None:
    first = start(client)
    for name in (first["id"], "gate", " gate "):
        said = refusal(client.post("/api/v1/accuracy", json={"name": name}))
        assert f"already an accuracy check with the name or ID {name.strip()!r}" in said
    assert client.get(f"/api/v1/accuracy/{first['id']}").get_json()["check"]["name"] == "gate"


def test_an_invalid_duration_is_refused_and_the_servers_clock_dates_answers(
    client: FlaskClient, counted: Place
) -> None:
    """A checker's clock may be years off: of its times, only the duration of an answer is kept."""
    started = start(client)["started_at_ms"]
    for name, time_ms in (("took_ms", -86_400_000), ("answered_at_ms", 1)):
        sent = {"unit": 0, "counts": {"car": 1}, name: time_ms}
        assert name in refusal(client.post("/api/v1/accuracy/gate/answers", json=sent))
    answer_all(client, most=1)
    result = client.get("/api/v1/accuracy/gate").get_json()["result"]
    assert result["answered"] == 1
    assert started <= result["first_answer_ms"] < started + 3_600_000


def in_check(**changes: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda fields: signed({**fields, "check": fields["check"] | changes})


TAMPERED = [
    (in_check(zone_units=[12] * 9 + [900]), 4, "other frames or other counts"),
    (in_check(units=10**6), 4, "999880 frames are no longer there"),
    (in_check(zone_units=[]), 4, "other frames or other counts"),
    (in_check(labels=[]), 4, "the answers do not give the result"),
    (in_check(population_sha256="0" * 64), 4, "other frames or other counts"),
    (in_check(seed="mine"), 4, "does not draw the units"),
    (in_check(from_ms=10**15, to_ms=10**15 + 1), 2, "is not a certificate"),
    (in_check(from_ms=4 * 10**12, to_ms=5 * 10**12), 4, "no counted frames"),
    (in_check(wanted_width=1e308), 2, "is not a certificate"),
    (in_check(wanted_width=0.0), 2, "is not a certificate"),
    (in_check(sources=["../../etc"]), 4, "no counted frames"),
    (in_check(model=""), 4, "nothing from model '' is counted"),
    (lambda fields: signed({**fields}, units=[]), 4, "does not draw the units"),
    (lambda fields: signed({**fields}, answers=[]), 4, "the answers do not give the result"),
    (lambda fields: json.dumps(fields | {"signature": "no hex"}).encode(), 4, "was changed after"),
    (lambda fields: json.dumps(fields | {"public_key": ""}).encode(), 4, "was changed after"),
    (lambda fields: json.dumps(fields | {"public_key": fields["public_key"].upper()}).encode(), 4, "was"),
    (lambda fields: json.dumps(fields | {"public_key": "01" + "00" * 31}).encode(), 4, "was changed"),
    (lambda fields: b'{"made_at_ms": 1, ' + json.dumps(fields).encode()[1:], 4, "occurs twice"),
    (lambda fields: json.dumps(fields | {"form": "other/9"}).encode(), 2, "the file is 'other/9'"),
    (lambda fields: json.dumps(fields).encode()[:-9], 2, "is not a certificate"),
    (lambda _: b"[" * 100_000, 2, "is not a certificate"),
    (lambda _: b'{"form": "\xff"}', 2, "is not a certificate"),
    (lambda _: b"", 2, "is not a certificate"),
]


@pytest.mark.thorough
def test_a_tampered_certificate_is_not_valid_and_gives_one_message(
    client: FlaskClient, counted: Place
) -> None:
    own = certificate_of(client, answered=35)
    verify(counted, own)
    for tamper, code, words in TAMPERED if THOROUGH else TAMPERED[:1]:
        out = verify(counted, tamper(json.loads(own)), code=code)
        assert words in out, (words, out)
        assert len(out.strip().splitlines()) == 1
