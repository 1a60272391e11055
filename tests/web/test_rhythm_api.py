"""Automatic bars are no shorter than the sources' own step from picture to picture."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import make_coverage
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS

MINUTE_MS = 60_000


def film(place: Place, frames: dict[str, dict[int, int]]) -> None:
    """Publish the number of frames of each source in each minute."""
    coverage = [
        make_coverage(START_MS + minute * MINUTE_MS, number, model=MODEL, source=source)
        for source, minutes in frames.items()
        for minute, number in minutes.items()
    ]
    place.publish([], coverage, interval_s=60, model=MODEL)


def counts(place: Place, query: str = "") -> Any:
    answer = place.app().test_client().get(f"/api/v1/counts?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    step=st.integers(1, 40),
    pictures=st.integers(5, 150),
    hole=st.tuples(st.integers(0, 150), st.integers(0, 1000)),
)
def test_a_source_of_single_pictures_has_one_in_each_bar_except_in_gaps(
    tmp_path_factory: pytest.TempPathFactory,
    make_place: Any,
    step: int,
    pictures: int,
    hole: tuple[int, int],
) -> None:
    place = make_place(tmp_path_factory.mktemp("rhythm"))
    after, length = hole
    minutes = [number * step + (length if number > after else 0) for number in range(pictures)]
    film(place, {"lapse": dict.fromkeys(minutes, 1)})
    for answer in (counts(place), counts(place, f"to={START_MS + minutes[pictures // 2] * MINUTE_MS + 1}")):
        long = answer["interval_s"] >= step * 60
        assert long or answer["interval_s"] * 1000 >= answer["to_ms"] - answer["from_ms"]
        assert answer["interval_choices_s"][0] <= answer["interval_s"]
    place.close()


def test_a_picture_every_six_minutes_gives_no_bars_of_two(place: Place) -> None:
    film(place, {"lapse": {minute: 1 for minute in range(0, 240, 6) if not 114 < minute < 156}})
    answer = counts(place)
    assert answer["interval_s"] == 600
    assert answer["interval_choices_s"][:3] == [60, 120, 300]
    assert counts(place, "interval=120")["interval_s"] == 120


def test_the_slowest_of_several_sources_determines_the_length_of_bars(place: Place) -> None:
    every_three, every_six = (dict.fromkeys(range(0, 240, step), 1) for step in (3, 6))
    film(place, {"gate": dict.fromkeys(range(240), 300), "lapse": every_six, "yard": every_three})
    assert counts(place)["interval_s"] == 600
    assert counts(place, "source=gate")["interval_s"] == 120


@pytest.mark.thorough
@pytest.mark.parametrize(
    "minutes",
    [
        {0: 300, 1: 300, 238: 300, 239: 300},  # two clips
        dict.fromkeys(range(0, 240, 12), 3),  # bursts
        {0: 1, 239: 1},  # two pictures
    ],
)
def test_gaps_between_clips_and_bursts_are_not_a_rhythm(place: Place, minutes: dict[int, int]) -> None:
    film(place, {"gate": minutes})
    assert counts(place)["interval_s"] == 120
