"""Validates the answers for a unit, and chooses the next unit."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally_accuracy.pieces.counted_pieces import has_pictures
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit, answers_by_unit
from frametally_accuracy.sent import UnitAnswer

DOUBLE_EVERY = 10
_BEHIND = 5
"""A unit is repeated after this many others were answered."""
_PEOPLE = 3
"""Number of people who answer a unit if the first two differ."""
_HELD_S = 120.0
_MOST_OBJECTS = 10_000


class UnitTurn(NamedTuple):
    """A unit to answer, with its turn: 0 for the first time, more for again."""

    unit: CheckUnit
    turn: int


def counts_of(check: AccuracyCheck, unit: CheckUnit, sent: UnitAnswer) -> dict[str, int]:
    """Return the number of objects of each label of the check in an answer.

    Raises:
        Misconfigured: It has an unknown label, an impossible number, a box outside the frame, or a tap
            outside the piece.
    """
    counts, boxes, taps = sent.counts, sent.boxes, sent.taps
    own, other, name = (boxes, taps, "boxes") if unit.to_ms is None else (taps, boxes, "taps")
    if (counts is not None) + (own is not None) + sent.is_missing != 1 or other is not None:
        raise Misconfigured(f"unit {unit.number}: give either counts or {name}")
    if sent.is_missing:
        return {}
    if taps is not None:
        for tap in taps:
            if not unit.captured_at_ms <= tap.at_ms <= (unit.to_ms or 0):
                raise Misconfigured(f"unit {unit.number}: the tap at {tap.at_ms} ms is outside the clip")
        counts = Counter(tap.label for tap in taps)
    if boxes is not None:
        for box in boxes:
            left, top, width, height = box.box
            right, bottom = left + width, top + height
            if not (0 <= left < right <= unit.width_px + 1 and 0 <= top < bottom <= unit.height_px + 1):
                raise Misconfigured(f"unit {unit.number}: the box {list(box.box)} is outside the frame")
        counts = Counter(box.label for box in boxes)
    counts_by_label = counts or {}
    for label, number in counts_by_label.items():
        if label not in check.labels:
            raise Misconfigured(
                f"unit {unit.number}: {label[:60]!r} is not a label of this check; its labels are "
                f"{', '.join(check.labels)}"
            )
        if not 0 <= number <= _MOST_OBJECTS:
            raise Misconfigured(
                f"unit {unit.number}: a unit can have only 0 to {_MOST_OBJECTS:,} objects of a label"
            )
    return {label: counts_by_label.get(label, 0) for label in check.labels}


def must_be_missing(
    footage: CheckFootage, check: AccuracyCheck, unit: CheckUnit, answers: Sequence[CheckAnswer], *, turn: int
) -> None:
    """Refuse to skip a unit that can be or was judged in this turn: people must not choose the sample.

    Raises:
        Misconfigured: Its pictures are in the store, or it has an answer for this turn.
        Retryable: A port is unavailable.
    """
    if any(
        answer.unit == unit.number and answer.turn >= turn and not answer.is_missing for answer in answers
    ):
        raise Misconfigured(f"unit {unit.number} already has an answer; you cannot skip it")
    if has_pictures(footage, check, unit):
        raise Misconfigured(f"the store has the pictures of unit {unit.number}; answer it")


class Desk:
    """Hands out units in the order of the draws, never to two people at once.

    Every tenth unit comes twice; if two people differ, a third person also gets the unit.

    The current holders are only in memory. After a restart, two people may get the same unit; the second
    answer then counts as a double.
    """

    def __init__(self) -> None:
        """Start with nothing handed out."""
        self._lock = threading.Lock()
        self._holders: dict[tuple[str, int, int], tuple[str, float]] = {}

    def next(
        self,
        check: AccuracyCheck,
        units: Sequence[CheckUnit],
        answers: Sequence[CheckAnswer],
        *,
        person: str,
        desk: str,
        most: int,
    ) -> list[UnitTurn]:
        """Return the next units for one of the open desks, and reserve them for it for two minutes.

        With `most` 0, the desk gives back what is reserved for it.
        """
        now_s = time.monotonic()
        turns: list[UnitTurn] = []
        with self._lock:
            self._holders = {
                key: holder
                for key, holder in self._holders.items()
                if holder[1] > now_s and (most or (key[0], holder[0]) != (check.id, desk))
            }
            for turn in _due(units, answers, person) if most else ():
                key = (check.id, turn.unit.number, turn.turn)
                if self._holders.get(key, (desk, 0.0))[0] == desk:
                    self._holders[key] = desk, now_s + _HELD_S
                    turns.append(turn)
                if len(turns) == most:
                    break
        return turns


def _due(units: Sequence[CheckUnit], answers: Sequence[CheckAnswer], person: str) -> list[UnitTurn]:
    """Return the units to answer.

    First come units with two different answers from other people, for a third person to settle. Then come due
    doubles, then unanswered units.
    """
    by_unit = answers_by_unit(answers)
    first = {unit: of_unit[0] for unit, of_unit in by_unit.items()}
    thirds = [
        UnitTurn(unit, len(of_unit))
        for unit in units
        if len(of_unit := by_unit.get(unit.number, [])) == _PEOPLE - 1
        and len({answer.person for answer in of_unit} | {person}) == _PEOPLE
        and of_unit[0].counts != of_unit[1].counts
    ]
    again = {answer.unit for answer in answers if answer.turn}
    doubles = [
        UnitTurn(unit, 1)
        for unit in units
        if (unit.number + 1) % DOUBLE_EVERY == 0
        and unit.number not in again
        and unit.number in first
        and not first[unit.number].is_missing
        and len(first) >= min(unit.number + 1 + _BEHIND, len(units))
    ]
    # Someone else's second answer says more; the same person gives it only if no one else has by then.
    turns_of_others = [turn for turn in doubles if first[turn.unit.number].person != person]
    own_turns = [turn for turn in doubles if len(first) >= min(turn.unit.number + DOUBLE_EVERY, len(units))]
    rest = [UnitTurn(unit, 0) for unit in units if unit.number not in first]
    return [*thirds, *(turns_of_others or own_turns), *rest]
