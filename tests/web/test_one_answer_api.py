"""One query has one answer: every number is the same in the API, in exports, and by plain arithmetic."""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook
from tests.capabilities import HERE
from tests.web.conftest import Place
from tests.web.random_town import (
    BASE_MS,
    CAMERAS,
    DAYS,
    FIRST_MS,
    LABELS,
    MODELS,
    ZONE,
    ZONED,
    Cell,
    build,
    truth_of,
)

from frametally.rules.times import DAY_MS, WEEK_MS

METRICS = ("detections", "mean_per_frame", "peak", "objects")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")


class Town(NamedTuple):
    """The town, and a client for its questions."""

    client: Any
    cells: dict[str, list[Cell]]

    def get(self, route: str, query: dict[str, Any]) -> Any:
        answer = self.client.get(f"/api/v1/{route}?{urlencode(query, doseq=True)}")
        assert answer.status_code == 200, (route, query, answer.text)
        return answer.json if route != "export" else answer.data


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Iterator[Town]:
    place: Place = make_place(tmp_path_factory.mktemp("town"))
    cells = build(place, seed=7)
    yield Town(place.app().test_client(), cells)
    place.close()


def question(rng: random.Random) -> dict[str, Any]:
    """A query as sent by the page: some sources and labels, a range, hours, a metric, a model."""
    first, last = sorted(rng.sample(range(DAYS + 1), 2))
    query: dict[str, Any] = {
        "source": sorted(rng.sample([*CAMERAS], rng.choice((1, 2, 3, 4)))),
        "label": [*rng.sample(LABELS, rng.choice((1, 2, 3)))] if rng.random() < 0.5 else [],
        "metric": rng.choice(METRICS),
        "timezone": rng.choice(ZONES),
        "interval": rng.choice((1800, 3600, 7200, 86_400)),
        "from": FIRST_MS + first * DAY_MS,
        "to": FIRST_MS + last * DAY_MS,
        "model": rng.choice((MODELS[0], MODELS[0], MODELS[1])),
    }
    if rng.random() < 0.3:
        query["hours"] = rng.choice(("07:00-09:00", "06:00-18:00"))
    if rng.random() < 0.3:
        query["weekdays"] = rng.choice(("1,2,3,4,5", "6,7"))
    if rng.random() < 0.25 and "traffic" in HERE:
        sources = sorted(rng.sample(ZONED, rng.choice((1, 2))))
        query |= {"zone": ZONE, "model": MODELS[0], "source": sources}
    return query


def is_asked(query: dict[str, Any], start_ms: int) -> bool:
    """Whether a quarter of an hour is in the range, the hours and the weekdays of a query."""
    first, last = 0, 24
    if "hours" in query:
        first, last = (int(clock[:2]) for clock in query["hours"].split("-"))
    days = {*map(int, query.get("weekdays", "1,2,3,4,5,6,7").split(","))}
    local = datetime.datetime.fromtimestamp(start_ms / 1000, ZoneInfo(query["timezone"]))
    in_range = query["from"] <= start_ms < query["to"]
    return in_range and first <= local.hour < last and local.isoweekday() in days


def cells_of(town: Town, query: dict[str, Any]) -> list[Cell]:
    """The cells of a query."""
    cells = town.cells[query.get("zone", query["model"])]
    return [cell for cell in cells if cell.source in query["source"] and is_asked(query, cell.start_ms)]


def agree(told: dict[str, Any], cells: list[Cell], labels: list[str]) -> None:
    """Each number of an answer equals that of the cells."""
    truth = truth_of(cells, labels)
    assert (told["detections"], told["peak"]) == (truth.detections, truth.peak)
    assert told["mean_per_frame"] == pytest.approx(truth.mean_per_frame)
    assert told["objects"] == truth.objects


def ask(town: Town, rng: random.Random, *, with_book: bool) -> None:
    """Send one query to every interface, and compare."""
    query = question(rng)
    cells, labels = cells_of(town, query), query["label"] or [*LABELS]
    counts, summary = town.get("counts", query), town.get("summary", query)
    if not cells:
        names = ("detections", "peak", "mean_per_frame", "objects", "objects_missing")
        totals = [*counts["totals"], *counts["together"], summary["total"]]
        assert {tuple(total[name] for name in names) for total in totals} == {(None,) * 4 + ("no_footage",)}
        return
    [together] = counts["together"]
    agree(together, cells, labels)
    assert {name: summary["total"].get(name) for name in together} == pytest.approx(together)
    for total in counts["totals"]:
        agree(total, cells, [total["label"]])
    bars = {
        bar["start_ms"]: [cell for cell in cells if bar["start_ms"] <= cell.start_ms < bar["end_ms"]]
        for bar in counts["coverage"]
    }
    assert sum(map(len, bars.values())) == len(cells)
    for bucket in counts["buckets"]:
        agree(bucket, bars[bucket["start_ms"]], [bucket["label"]])
    for bar in counts["bars"]:
        agree(bar, bars[bar["start_ms"]], labels)
    _agree_on_film(query, counts, summary, bars)
    values = [getattr(truth_of(of_bar, labels), query["metric"]) for of_bar in bars.values()]
    known = sorted((value for value in values if value), reverse=True)[:10]
    whole = [busy["value"] for busy in summary["busiest"] if not busy["is_least"]]
    assert whole == pytest.approx(known[: len(whole)])
    # Only intervals that are known in part and have more may come before the other ones.
    assert len(whole) == len(known) or len(summary["busiest"]) == 10
    _agree_by_source(town, query, labels)
    shares = {bar["start_ms"]: bar["filmed_part"] for bar in counts["coverage"]}
    _agree_with_exports(town, query, bars, shares, with_book=with_book)
    _agree_with_weeks(town, query, summary, labels)
    if query["model"] == MODELS[0] and "zone" not in query and query["timezone"] == "UTC":
        table = town.get("differences", {**query, "compare": f"model:{MODELS[1]}"})
        there = {**query, "model": MODELS[1]}
        _agree_with_pairs(cells_of(town, query), cells_of(town, there), 0, query, table["total"], labels)


def _agree_on_film(
    query: dict[str, Any], counts: dict[str, Any], summary: dict[str, Any], bars: dict[int, list[Cell]]
) -> None:
    """Every coverage is a share of the requested time, over the sources with footage."""
    sources = {cell.source for of_bar in bars.values() for cell in of_bar}
    spans = [(bar, bar["start_ms"], bar["end_ms"], bars[bar["start_ms"]]) for bar in counts["coverage"]]
    [whole] = counts["filmed"]
    every = [cell for of_bar in bars.values() for cell in of_bar]
    told = [(whole["asked_s"], whole["part"], query["from"], query["to"], every)]
    told += [(bar["asked_s"], bar["filmed_part"], first, end, own) for bar, first, end, own in spans]
    for asked_s, part, first_ms, end_ms, cells in told:
        quarters = [start_ms for start_ms in range(first_ms, end_ms, BASE_MS) if is_asked(query, start_ms)]
        assert asked_s == len(quarters) * BASE_MS / 1000
        assert part == pytest.approx(len(cells) / (len(quarters) * len(sources)))
    assert summary["filmed"] == whole
    shares = {bar["start_ms"]: (bar["asked_s"], bar["filmed_part"]) for bar in counts["coverage"]}
    for busy in summary["busiest"]:
        assert (busy["asked_s"], busy["filmed_part"]) == shares[busy["start_ms"]]


def _agree_by_source(town: Town, query: dict[str, Any], labels: list[str]) -> None:
    apart = town.get("counts", {**query, "by": "source"})
    cells = cells_of(town, query)
    for of_source in apart["together"]:
        own = [cell for cell in cells if cell.source == of_source["source"]]
        if own:
            agree(of_source, own, labels)
    zone = ZoneInfo(query["timezone"])
    of_hours = {name: value for name, value in query.items() if name not in ("metric", "interval")}
    for hour in town.get("heatmap", of_hours)["cells"]:
        own = [
            cell
            for cell in cells
            if (local := datetime.datetime.fromtimestamp(cell.start_ms / 1000, zone)).hour == hour["hour"]
            and local.isoweekday() == hour["weekday"]
        ]
        agree(hour, own, labels)


def _agree_with_exports(
    town: Town,
    query: dict[str, Any],
    bars: dict[int, list[Cell]],
    shares: dict[int, float | None],
    *,
    with_book: bool,
) -> None:
    rows = [*csv.DictReader(io.StringIO(town.get("export", {**query, "format": "csv"}).decode("utf-8-sig")))]
    for row in rows:
        start = datetime.datetime.fromisoformat(row["interval_start"])
        of_bar = bars.get(round(start.timestamp() * 1000), [])
        if not of_bar or not row["label"]:
            assert row["coverage"] == "no footage"
            continue
        shown = {name: float(row[name]) if row[name] else None for name in METRICS}
        agree(shown, of_bar, [row["label"]])
        assert int(row["frames_analysed"]) == sum(cell.frames for cell in of_bar)
        assert float(row["filmed_part"]) == shares[round(start.timestamp() * 1000)]
    if with_book:
        book = load_workbook(io.BytesIO(town.get("export", {**query, "format": "xlsx"})), read_only=True)
        head, *lines = book["Counts"].iter_rows(values_only=True)
        for line, row in zip(lines, rows, strict=True):
            in_book = dict(zip(head, line, strict=True))
            for name in METRICS:
                assert in_book[name] == (pytest.approx(float(row[name])) if row[name] else None)


def _agree_with_weeks(town: Town, query: dict[str, Any], summary: dict[str, Any], labels: list[str]) -> None:
    """The headline's change equals the table's, over the same sources at the same hours on both sides."""
    week = summary["week_before"]
    if week is None or query["to"] - query["from"] > WEEK_MS:
        return
    table = town.get("differences", {**query, "compare": "week"})
    total = table["total"]
    assert (week["now_same_hours"], week["value_same_hours"]) == (total["value"], total["other_value"])
    assert (week["change"], week["intervals"]) == (total["change"], table["seen_by_both"])
    if query["interval"] == 1800 and query["timezone"] == "UTC":
        before = {**query, "from": query["from"] - WEEK_MS, "to": query["to"] - WEEK_MS}
        _agree_with_pairs(cells_of(town, query), cells_of(town, before), WEEK_MS, query, total, labels)


def _agree_with_pairs(
    now: list[Cell],
    then: list[Cell],
    later_ms: int,
    query: dict[str, Any],
    total: dict[str, Any],
    labels: list[str],
) -> None:
    """A comparison covers the common bars of both sides of a source; `now` is this much later than `then`."""
    bar_ms = query["interval"] * 1000
    bars_now = {(cell.source, cell.start_ms // bar_ms) for cell in now}
    bars_then = {(cell.source, (cell.start_ms + later_ms) // bar_ms) for cell in then}
    both = bars_now & bars_then
    here = [cell for cell in now if (cell.source, cell.start_ms // bar_ms) in both]
    there = [cell for cell in then if (cell.source, (cell.start_ms + later_ms) // bar_ms) in both]
    for told, cells in ((total["value"], here), (total["other_value"], there)):
        truth = getattr(truth_of(cells, labels), query["metric"]) if cells else None
        assert told == (truth if truth is None else pytest.approx(truth))


@pytest.mark.parametrize("seed", range(20))
def test_a_question_has_the_same_answer_everywhere(town: Town, seed: int) -> None:
    ask(town, random.Random(seed), with_book=seed % 4 == 0)  # noqa: S311


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(20, 200, 20))
def test_two_hundred_questions_have_the_same_answers_everywhere(town: Town, seed: int) -> None:
    for each in range(seed, seed + 20):
        ask(town, random.Random(each), with_book=each % 4 == 0)  # noqa: S311


def test_an_added_camera_does_not_change_the_headline_of_the_others(town: Town) -> None:
    """One junction at five frames a second made rush hour the lowest bar, and the week 24 % quieter."""
    day_ms = FIRST_MS + 10 * DAY_MS
    query = {"from": day_ms, "to": day_ms + DAY_MS, "metric": "mean_per_frame", "model": MODELS[0]}
    query |= {"interval": 3600, "timezone": "UTC"}
    every = town.get("summary", {**query, "source": [*CAMERAS]})
    others = town.get("summary", {**query, "source": [name for name in CAMERAS if name != "junction"]})
    assert every["week_before"]["change"] == others["week_before"]["change"]
    of_sources = others["filmed_in"]["sources"]
    assert every["week_before"]["compared_in"]["of_sources"] == of_sources + 1
    alone = town.get("summary", {**query, "source": "junction"})["total"]["mean_per_frame"]
    shares = others["total"]["mean_per_frame"] * of_sources + alone
    assert every["total"]["mean_per_frame"] == pytest.approx(shares / (of_sources + 1))
