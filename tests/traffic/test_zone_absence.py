"""Of random footage and zones, each bar within a zone is counted or says why it is not, in every answer."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.examples import examples
from tests.kit.api import get
from tests.traffic.zoned_footage import LEFT, count, drive, put
from tests.web.conftest import Place
from tests.web.counted_footage import put_manifest

from frametally.records import FrameDetections
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.records import DrawnZone

START_MS = 1_711_846_620_000  # 2024-03-31T00:57:00Z: clocks in Berlin go forward at 01:00Z
MINUTE_MS = 60_000
MINUTES = 6
SOURCES = "gate", "yard", "lot"
ORDER = "counted", "shows_nothing", "other_size", "not_drawn", "not_analysed"
DAY_MS = 1_711_839_600_000  # 2024-03-31 in Berlin
KINDS = "none", "fits", "fits", "other", "black", "black other", "not_analysed"


class Drawn(NamedTuple):
    """The minutes of one source, and those in which its zone holds: as it was counted, and as it is drawn."""

    footage: list[str]
    counted: set[int]
    drawn: set[int]

    def states(self) -> list[str | None]:
        """Return for each minute `counted`, the reason why not, or None without footage."""
        return [self._state(minute, kind) for minute, kind in enumerate(self.footage)]

    def _state(self, minute: int, kind: str) -> str | None:
        if kind in ("none", "not_analysed"):
            return None if kind == "none" else kind
        if minute not in self.counted:
            return "not_analysed" if minute in self.drawn else "not_drawn"
        return {"fits": "counted", "black": "shows_nothing"}.get(kind, "other_size")


def _frames(source: str, minute: int, kind: str) -> list[FrameDetections]:
    medium = f"{SOURCES.index(source)}{minute}".rjust(64, "0")
    changes: dict[str, Any] = {"media": medium, "width_px": 480 if kind.endswith("other") else 640}
    if kind.startswith("black"):
        changes |= {"shows": "black", "detections": []}
    return [
        msgspec.structs.replace(frame, picture_digest=f"{60 * minute + number:04d}", **changes)
        for number, frame in enumerate(drive(source, frames=300, start_ms=START_MS + minute * MINUTE_MS)[::5])
    ]


def _draw(place: Place, source: str, minutes: set[int]) -> None:
    one = DrawnZone(name="z", points=LEFT, width_px=640, height_px=480)
    zones = tuple(
        msgspec.structs.replace(one, from_ms=start_ms, to_ms=start_ms + MINUTE_MS)
        for start_ms in (START_MS + minute * MINUTE_MS for minute in sorted(minutes))
    )
    change_drawing(place.store, source, lambda drawing: msgspec.structs.replace(drawing, zones=zones))


def _fill(place: Place, chance: random.Random) -> dict[str, Drawn]:
    scene: dict[str, Drawn] = {}
    frames: list[FrameDetections] = []
    for source in SOURCES:
        counted, drawn = (
            {minute for minute in range(MINUTES) if chance.random() < share}
            for share in chance.choices([0, 0.5, 1], k=2)
        )
        scene[source] = Drawn(chance.choices(KINDS, k=MINUTES), counted, drawn)
        for minute, kind in enumerate(scene[source].footage):
            of_minute = _frames(source, minute, kind)
            if kind == "not_analysed":
                put_manifest(place, of_minute[0], of_minute[-1], source, frames=60)
            elif kind != "none":
                frames += of_minute
        _draw(place, source, scene[source].counted)
    put(place, frames)
    count(place)
    for source, of_source in scene.items():
        _draw(place, source, of_source.drawn)
    return scene


def _told(chart: dict[str, Any], source: str | None) -> dict[int, str]:
    """Return what a chart says of each bar; a bar that is counted in part is counted."""
    states = {"not_analysed": "not_analysed", "shows_nothing": "shows_nothing", "coverage": "counted"}
    return {
        bar["start_ms"]: states.get(name) or bar["missing"]
        for name in ("not_analysed", "not_within", "shows_nothing", "coverage")
        for bar in chart[name]
        if bar["source"] == source
    }


def _why(total: dict[str, Any]) -> str | None:
    return total["objects_missing"] if total["detections"] is None else None


def _wanted(rows: Iterable[Sequence[str | None]], minutes: range, interval_s: int) -> dict[int, str]:
    """Return what a chart should say of each bar, from the states of the minutes of some sources."""
    states: defaultdict[int, list[str | None]] = defaultdict(list)
    for row in rows:
        for minute in minutes:
            since_ms = START_MS + minute * MINUTE_MS - DAY_MS
            states[DAY_MS + since_ms - since_ms % (interval_s * 1000)].append(row[minute])
    return {start_ms: state for start_ms, of_bar in states.items() if (state := _sum(of_bar))}


def _sum(states: Iterable[str | None]) -> str | None:
    return min(filter(None, states), key=ORDER.index, default=None)


@pytest.mark.parametrize("seed", range(3, 3 + examples(8)))
def test_each_bar_within_a_zone_is_counted_or_says_why_not(place: Place, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    scene = _fill(place, chance)
    having = [source for source in SOURCES if scene[source].counted | scene[source].drawn]
    for asked in [having, *([source] for source in having)]:
        states = {source: scene[source].states() for source in asked}
        if not any(
            scene[source].drawn or {"counted", "shows_nothing"} & {*states[source]} for source in asked
        ):
            continue  # nothing says any more that there was a zone
        names = "" if asked is having else f"&source={asked[0]}"
        for minutes in (range(MINUTES), range(*sorted(chance.sample(range(MINUTES + 1), 2)))):
            ends = f"from={START_MS + minutes.start * MINUTE_MS}&to={START_MS + minutes.stop * MINUTE_MS}"
            total = _sum(state for of in states.values() for state in of[minutes.start : minutes.stop])
            missing = None if total == "counted" else total or "no_footage"
            assert _why(get(place, f"summary?zone=z&{ends}{names}")["total"]) == missing
            proof = get(place, f"frames?zone=z&{ends}{names}")
            assert proof["missing"] == missing
            for interval_s in (60, 3600, 86_400):
                query = f"zone=z&{ends}{names}&interval={interval_s}&timezone=Europe/Berlin"
                chart = get(place, f"counts?{query}&by=source")
                assert {*chart["sources"]} <= {*asked}
                wanted = {source: _wanted([of], minutes, interval_s) for source, of in states.items()}
                assert {source: _told(chart, source) for source in states} == wanted, scene
                chart = get(place, f"counts?{query}")
                assert _told(chart, None) == _wanted(states.values(), minutes, interval_s), scene
                [together] = chart["together"]
                assert (together["detections"], _why(together)) == (proof["detections"], missing)
