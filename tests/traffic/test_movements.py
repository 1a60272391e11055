"""Each visit has one movement at most, and all visits are in the books."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.flow_rule import Movement, movement_of
from tests.traffic.walks import walk

from frametally_traffic.geometry.borders import Border, tenths
from frametally_traffic.geometry.crossings import Crossing, Direction, crossings_of
from frametally_traffic.geometry.foot_paths import FollowedPath

LEGS = {
    "north": Border(tenths([(100, 100), (300, 100)])),
    "south": Border(tenths([(100, 300), (300, 300)])),
    "west": Border(tenths([(100, 100), (100, 300)])),
}
INWARD: dict[str, Direction] = {"north": "to_right", "south": "to_left", "west": "to_left"}


def movement(one: FollowedPath) -> Any:
    found = movement_of({leg: crossings_of(one, LEGS[leg]) for leg in LEGS}, INWARD)
    return found[:2] if isinstance(found, Movement) else found


def test_a_drawn_junction_has_the_movements_that_one_sees() -> None:
    assert movement(walk((200, 50), (200, 150), (200, 250), (200, 350))) == ("north", "south")
    assert movement(walk((200, 350), (200, 250), (150, 200), (50, 200))) == ("south", "west")
    assert movement(walk((180, 50), (180, 150), (220, 150), (220, 50))) == ("north", "north")
    assert movement(walk((50, 200), (150, 200), (200, 200))) == "unassigned"
    assert movement(walk((200, 200), (200, 250), (200, 350))) == "unassigned"
    assert movement(walk((150, 200), (200, 200), (250, 200))) == "never_at_a_leg"


def test_of_several_pairs_that_furthest_apart_is_the_movement() -> None:
    # In from the north, out to the west, in again, and out to the south.
    lost = walk((200, 50), (200, 150), (50, 150), (50, 250), (150, 250), (200, 350))
    assert movement(lost) == ("north", "south")


def test_a_crossing_that_is_not_measured_makes_no_movement_but_was_at_a_leg() -> None:
    assert movement(walk((200, 50), (200, 150), (200, 250), (200, 850))) == "unassigned"
    assert movement(walk((200, -500), (200, 150), (200, 200))) == "unassigned"


CROSSINGS = st.builds(
    Crossing,
    st.integers(0, 8),
    st.sampled_from(["to_right", "to_left"]),
    st.just(0),
    st.sampled_from([None, None, None, "gap"]),
)
VISITS = st.dictionaries(st.sampled_from(sorted(LEGS)), st.lists(CROSSINGS, max_size=4))


@pytest.mark.thorough
@given(VISITS, st.randoms())
def test_no_pair_is_further_apart_than_the_movement(visit: dict[str, list[Crossing]], chance: Any) -> None:
    found = movement_of(visit, INWARD)
    measured = [(leg, one) for leg in visit for one in visit[leg] if one.missing is None]
    pairs = [
        went.time_ms - came.time_ms
        for from_leg, came in measured
        for to_leg, went in measured
        if came.direction == INWARD[from_leg]
        and went.direction != INWARD[to_leg]
        and came.time_ms < went.time_ms
    ]
    if isinstance(found, Movement):
        assert found.went.time_ms - found.came.time_ms == max(pairs)
        assert found.came in visit[found.from_leg] and found.went in visit[found.to_leg]
    else:
        assert not pairs
        assert (found == "never_at_a_leg") == (not any(visit.values()))
    legs = sorted(visit, key=lambda _: chance.random())
    assert movement_of({leg: chance.sample(visit[leg], len(visit[leg])) for leg in legs}, INWARD) == found
