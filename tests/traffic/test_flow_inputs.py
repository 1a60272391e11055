"""A file of flows is named by its inputs: the same inputs give the same name, and only those."""

from __future__ import annotations

from typing import Any

import pytest

from frametally.rules.places import ZoneShape
from frametally_traffic.flows.shapes import FlowInputs, LineShape, Shapes

DAY_MS = 86_400_000
LINE = LineShape("stop line", ((0, 0), (100, 0)))
INPUTS = FlowInputs("m", "gate", DAY_MS, (None, "7" * 16, None), Shapes((LINE,)))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "n"},
        {"source": "yard"},
        {"day_start_ms": 2 * DAY_MS},
        {"paths": ("7" * 16, None, None)},
        {"paths": (None, "8" * 16, None)},
        {"shapes": Shapes()},
        {"shapes": Shapes((LINE._replace(name="other"),))},
        {"shapes": Shapes((LINE._replace(inward="to_left"),))},
        {"shapes": Shapes((LINE,), (ZoneShape("bay", ((0, 0), (9, 0), (9, 9))),))},
    ],
)
def test_inputs_that_would_give_other_flows_have_another_name(changed: dict[str, Any]) -> None:
    assert INPUTS._replace(**changed).name != INPUTS.name
