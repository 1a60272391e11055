"""Number and noun agree in every message that combines them."""

from __future__ import annotations

import pytest

from frametally.process.reports import plural


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 days are"), (1, "1 day is"), (2, "2 days are"), (1200, "1200 days are")]
)
def test_a_noun_and_its_verb_agree_with_their_number(number: int, told: str) -> None:
    assert plural(number, "day is", "days are") == told
    assert plural(number, "day") == told.rpartition(" ")[0]


def test_numbers_on_pages_are_grouped_by_three_digits() -> None:
    assert plural(1200, "frame", form=",") == "1,200 frames"
