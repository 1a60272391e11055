"""Every route answers a range that ends at the end of time: with the data, or a 400 that names it."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.capabilities import of_capabilities
from tests.examples import some_quick
from tests.web.conftest import Place
from tests.web.counted_footage import make_lines, publish_lines

from frametally_web.api.openapi import describe

EXTREMES = [
    *("0001-01-01", "0999-12-31T23:59:59Z", "1000-01-01", "1969-12-31T23:59:59.999Z", "0", "-1"),
    *("9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999+00:00"),
    *("253402300799999", "-62135596800000", "253402300800000", "9" * 19, "-" + "9" * 19),
]
ZONES = ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"]
ROUTES = {
    path.replace("{source}", "gate"): {parameter["name"] for parameter in operations["get"]["parameters"]}
    for path, operations in describe()["paths"].items()
    if "get" in operations
}
OF_LINES = {"source": "gate", "line": "near", "direction": "to_left"}
RANGED = sorted(path for path, names in ROUTES.items() if {"from", "to"} & names)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    place: Place = make_place(tmp_path_factory.mktemp("extreme"))
    publish_lines(place, make_lines("gate", frames=24), objects=1, analysed_fps=5.0)
    for module in of_capabilities("drawn_line"):
        module.draw_line(place.store)
    yield place
    place.close()


def test_some_routes_take_a_range() -> None:
    assert {"/counts", "/export", "/frames"} <= set(RANGED)


@pytest.mark.parametrize("path", some_quick(RANGED, {"/counts", "/export"}))
def test_no_range_bound_however_extreme_makes_a_route_fail(filmed: Place, path: str) -> None:
    client = filmed.app().test_client()
    ends = [{"from": one} for one in EXTREMES] + [{"to": one} for one in EXTREMES]
    # A third of all pairs, in which each value has its turn at either end.
    ends += [{"from": one, "to": other} for one, other in [*itertools.product(EXTREMES, repeat=2)][::3]]
    formats = ("csv", "json", "parquet") if path == "/export" else ("",)
    for number, end in enumerate(ends):
        asked = {**end, "format": formats[number % len(formats)]}
        asked["timezone"] = ZONES[number % len(ZONES)] if "timezone" in ROUTES[path] else ""
        asked["compare"] = "previous" if "compare" in ROUTES[path] else ""
        asked |= {name: value for name, value in OF_LINES.items() if name in ROUTES[path]}
        query = urlencode({name: value for name, value in asked.items() if value})
        answer = client.get(f"/api/v1{path}?{query}")
        assert answer.status_code in (200, 400), f"{query}: {answer.text}"
        if answer.status_code == 400:
            # The compared time is before the range, perhaps before all time.
            assert answer.json["parameter"] in ({"from", "to", "compare"} & ROUTES[path]), query


@pytest.mark.parametrize("zone", ZONES)
def test_an_export_to_the_end_of_time_has_everything(filmed: Place, zone: str) -> None:
    client = filmed.app().test_client()
    whole = client.get("/api/v1/export?format=json").json["rows"]
    query = f"format=json&timezone={zone}&from=0001-01-01T00:00&to=9999-12-31T23:59:59"
    rows = client.get(f"/api/v1/export?{query}").json["rows"]
    assert sum(row["detections"] or 0 for row in rows) == sum(row["detections"] or 0 for row in whole)
