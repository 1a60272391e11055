"""A file of flows is named by what it was counted from: the same inputs, the same name, and only those."""

from __future__ import annotations

from typing import Any

import pytest

from frametally.rules.places import ZoneShape
from frametally_traffic.flows.shapes import FlowInputs, LineShape, Shapes, StoredPaths

DAY_MS = 86_400_000
LINE = LineShape("stop line", ((0, 0), (100, 0)))
INPUTS = FlowInputs("m", "gate", DAY_MS, (None, StoredPaths("a/paths-00000", 7), None), Shapes((LINE,)))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "n"},
        {"source": "yard"},
        {"day_start_ms": 2 * DAY_MS},
        {"paths": (StoredPaths("a/paths-00000", 7), None, None)},
        {"paths": (None, StoredPaths("a/paths-00000", 8), None)},
        {"shapes": Shapes()},
        {"shapes": Shapes((LINE._replace(name="other"),))},
        {"shapes": Shapes((LINE._replace(inward="to_left"),))},
        {"shapes": Shapes((LINE,), (ZoneShape("bay", ((0, 0), (9, 0), (9, 9))),))},
    ],
)
def test_what_would_give_other_flows_has_another_name(changed: dict[str, Any]) -> None:
    assert INPUTS._replace(**changed).name != INPUTS.name


def test_where_the_paths_lie_changes_no_name() -> None:
    """A day that is counted anew to the same paths leaves the flows of it as they are."""
    moved = (None, StoredPaths("b/paths-00003", 7), None)
    assert INPUTS._replace(paths=moved).name == INPUTS.name
