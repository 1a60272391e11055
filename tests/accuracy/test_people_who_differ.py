"""Two answers for the same unit: their difference is in the interval, or there is none."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.accuracy.test_accuracy_checks import command, right_counts, start
from tests.examples import examples
from tests.web.conftest import Place

from frametally_accuracy.answering import Desk
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.commands import print_result
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit
from frametally_accuracy.results import result_of
from frametally_accuracy.rules.answer_agreement import answer_errors, mean_answer

FRAMES = 400
SIZE = 40


def truth_at(unit: int) -> int:
    return 4 + unit * 7 % 5


def a_check(units: int = FRAMES, drawn: int = SIZE) -> tuple[AccuracyCheck, list[CheckUnit]]:
    """A check of frames with four to eight persons; the model counts one too many of each."""
    rounds, zones = drawn // 10, 10
    of_units = [
        CheckUnit(
            number=number,
            round=number // zones,
            zone=number % zones,
            weight=1.0,
            rest=float(units // zones - number // zones),
            source="gate",
            captured_at_ms=number,
            image_path=str(number),
            width_px=640,
            height_px=480,
            boxes=(),
            counts={"person": truth_at(number) + 1},
        )
        for number in range(rounds * zones)
    ]
    check = AccuracyCheck(
        id="c",
        name="c",
        model="m",
        sources=("gate",),
        labels=("person",),
        from_ms=0,
        to_ms=units,
        seed="1",
        wanted_width=0.1,
        planned_units=drawn,
        params=(),
        units=units,
        totals={"person": 7 * units},
        population_sha256="",
        zones=(("gate", 0, "gate", 1),) * zones,
        zone_units=(units // zones,) * zones,
    )
    return check, of_units


def answer(unit: int, person: str, count: int, turn: int = 0) -> CheckAnswer:
    return CheckAnswer(unit=unit, turn=turn, person=person, answered_at_ms=unit, counts={"person": count})


def in_turns(answers: list[CheckAnswer], order: random.Random) -> list[CheckAnswer]:
    """Return the answers as if people had given them in another order."""
    shuffled = order.sample(answers, len(answers))
    turns: dict[int, int] = {}
    found = []
    for one in shuffled:
        turn = turns[one.unit] = turns.get(one.unit, -1) + 1
        found.append(answer(one.unit, one.person, one.counts["person"], turn))
    return found


def test_people_who_differ_by_a_factor_of_two_get_no_interval_whoever_was_first(
    client: FlaskClient, counted: Place, tmp_path: Path
) -> None:
    factors = {"ann": 1, "ben": 2}
    results = []
    for name, order in (("one", ["ann", "ben"]), ("other", ["ben", "ann"])):
        check = start(client, name=name, labels=["car"], planned_units=40)
        book = AccuracyBook(counted.settings.catalogue_url)
        kept = book.find_check(check["id"])
        for person, unit in itertools.product(order, book.units(kept.id)[:40]):
            cars = right_counts()[unit.image_path]["car"] * factors[person]
            book.answer(kept, unit.number, person=person, counts={"car": cars})
        book.close()
        found = client.get(f"/api/v1/accuracy/{name}").get_json()["result"]
        results.append(found["labels"])
        assert found["agreement"]["pairs"] == 40 and found["is_reached"] is False
        chart = client.get("/api/v1/counts?interval=60&label=car&metric=detections").get_json()
        assert all("low" not in one for one in (*chart["buckets"], *chart["totals"])), "no whisker"
        desk = client.get(f"/api/v1/accuracy/{name}/next?desk=desk-one").get_json()
        assert desk["half_widths"] == {} and desk["differences"] == {"car": found["labels"][0]["difference"]}
    (first,), (second,) = results
    assert first == second
    assert (first["state"], first["low"], first["total"]) == ("disagree", None, None)
    assert first["difference"] == pytest.approx(
        sum(one["car"] for one in right_counts().values()) / 120, rel=0.2
    )
    out = command(counted, "result", "one", "--certificate", tmp_path / "c.json")
    assert "the people do not agree; their answers differ by" in out
    out = command(counted, "verify", tmp_path / "c.json")
    assert "the people do not agree" in out, "a certificate says it, too"


def test_the_desk_offers_a_unit_on_which_two_people_differ_only_to_a_third() -> None:
    check, units = a_check()
    answers = [answer(3, "ann", 5), answer(3, "ben", 6, 1), answer(4, "ann", 5), answer(4, "ben", 5, 1)]

    def first_turn(person: str) -> tuple[int, int]:
        (turn,) = Desk().next(check, units, answers, person=person, desk=person, most=1)
        return turn.unit.number, turn.turn

    assert first_turn("eva") == (3, 2)
    assert first_turn("ann") == first_turn("ben") == (0, 0)
    answers.append(answer(3, "eva", 6, 2))
    assert first_turn("dan") == (0, 0)


def test_after_a_third_person_the_interval_contains_each_persons_answer() -> None:
    check, units = a_check()
    answers = [
        answer(number, person, truth_at(number) * factor, turn)
        for number in range(SIZE)
        for turn, (person, factor) in enumerate({"ann": 1, "ben": 2, "eva": 1}.items())
    ]
    (label,) = result_of(check, units, answers).labels
    truth = FRAMES / SIZE * sum(map(truth_at, range(SIZE)))
    assert label.state == "shown" and label.half_width is not None and label.half_width > 0.4
    assert label.low is not None and label.high is not None and label.low < truth < label.high


@pytest.mark.parametrize("apart", [0, 1])
def test_a_complete_check_with_differing_doubles_is_not_certain(apart: int) -> None:
    check, units = a_check(units=SIZE)
    answers = [answer(number, "ann", truth_at(number)) for number in range(SIZE)]
    answers += [
        answer(number, "ben", truth_at(number) + apart * (-1) ** (number // 10), 1)
        for number in range(9, SIZE, 10)
    ]
    (label,) = result_of(check, units, answers).labels
    assert label.half_width is not None
    assert (label.half_width > 0.01) == bool(apart)


@pytest.mark.parametrize(
    ("half_width", "words"),
    [(0.0, "every unit was checked"), (1e-9, "±0.1%"), (0.0004, "±0.1%"), (0.012, "±1.2%")],
)
def test_no_interval_is_written_as_plus_or_minus_zero(
    half_width: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check, units = a_check(units=SIZE)
    result = result_of(check, units, [answer(number, "ann", truth_at(number)) for number in range(SIZE)])
    (label,) = result.labels
    narrow = msgspec.structs.replace(label, half_width=half_width)
    print_result(check, msgspec.structs.replace(result, labels=[narrow]), None)
    out = capsys.readouterr().out
    assert words in out
    assert "±0.0%" not in out


def test_good_pairs_are_never_mistaken_for_people_who_disagree() -> None:
    """Two people who each err by one in a tenth of the frames, in either direction."""
    check, units = a_check(units=2000, drawn=400)
    chance = random.Random(3)  # noqa: S311
    widths = []
    for _ in range(examples(25)):
        answers = [answer(number, "ann", truth_at(number)) for number in range(400)]
        answers += [
            answer(number, "ben", truth_at(number) + chance.choice([-1, 1] + [0] * 8), 1)
            for number in range(9, 400, 10)
        ]
        (label,) = result_of(check, units, answers).labels
        assert label.state == "shown" and label.half_width is not None
        widths.append(label.half_width)
    assert max(widths) < 0.05 and sum(widths) / len(widths) < 0.015


person_counts = some.lists(
    some.tuples(some.sampled_from(["ann", "ben", "eva", ""]), some.integers(0, 9)), min_size=1, max_size=4
)


@settings(max_examples=examples(60), deadline=None)
@given(some.lists(person_counts, min_size=SIZE, max_size=SIZE), some.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(
    by_unit: list[list[tuple[str, int]]], order: random.Random
) -> None:
    check, units = a_check()
    answers = [
        answer(unit, person, count, turn)
        for unit, of_unit in enumerate(by_unit)
        for turn, (person, count) in enumerate(of_unit)
    ]

    def told(given: list[CheckAnswer]) -> tuple[Any, ...]:
        found = result_of(check, units, given)
        (label,) = found.labels
        numbers = label.total, label.low, label.high, label.half_width, label.difference
        rounded = [None if one is None else round(one, 6) for one in numbers]
        return label.state, *rounded, found.agreement.equal, round(found.agreement.mean_difference, 6)

    assert told(in_turns(answers, order)) == told(answers)


def test_a_person_who_answers_twice_has_no_more_weight_than_another() -> None:
    assert mean_answer([("ann", 4), ("ann", 6), ("ben", 9)]) == 7


def test_errors_of_people_match_the_book() -> None:
    """Variance of an answer: half the mean squared difference; of a person: half the squared mean one."""
    pairs = [[("ann", 4.0), ("ben", 6.0)], [("ben", 9.0), ("ann", 8.0)], [("ann", 3.0), ("ben", 3.0)]]
    found = answer_errors(pairs)
    assert found.response == pytest.approx((4 + 1 + 0) / 3 / 2 / 2), "of the mean of two answers it is half"
    between = ((2 + 1 + 0) ** 2 - (4 + 1 + 0)) / (3 * 2)
    assert found.shared == pytest.approx(between / 2 / 2), "and each one answered half"
    assert found.difference == 1
    assert math.sqrt(found.variance(100)) == pytest.approx(
        math.sqrt(100 * found.response + 100**2 * found.shared)
    )
    assert answer_errors([[("ann", 4)]]) == (0, 0, 0, 0)
