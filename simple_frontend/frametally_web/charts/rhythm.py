"""How often a source has a picture: bars that are shorter would show holes where there are none."""

from __future__ import annotations

import heapq
from collections import defaultdict
from statistics import median_low

from frametally_web.charts.measures import Reader

_LEAST_FRAMES = 3  # two frames are no rhythm
_MOST_SOURCES = 100
"""Of those that are looked at: the ones with fewest frames."""


def longest_step_s(reader: Reader, interval_s: int) -> float:
    """Return the longest of the sources' own steps in seconds, as far as it is longer than `interval_s`.

    The step of a source is the median from one of its frames to the next, as nearly as the stored interval
    tells: holes do not matter, and neither do bursts. 0 where all have more frames than bars.
    """
    if not reader.spans:
        return 0
    bars = (reader.spans[-1].to_ms - reader.spans[0].from_ms) / (interval_s * 1000)
    of_sources = reader.whole(by_source=True, apart=()).coverage
    # The mean step, holes and all, is no shorter than the median of as many frames as bars can be.
    seldom = [one for one in of_sources if _LEAST_FRAMES <= one.frames <= bars + 1]
    fewest = heapq.nsmallest(_MOST_SOURCES, seldom, key=lambda one: one.frames)
    if not fewest:
        return 0
    steps_ms: dict[str | None, list[int]] = defaultdict(list)
    last_ms: dict[str | None, int] = {}
    base_s = reader.query.base_interval_s
    names = [one.source for one in fewest]
    for one in reader.bars(base_s, by_source=True, apart=(), sources=names).coverage:
        if one.source in last_ms:
            steps_ms[one.source].append(one.start_ms - last_ms[one.source])
        steps_ms[one.source] += [0] * (one.frames - 1)
        last_ms[one.source] = one.start_ms
    return max((median_low(steps) for steps in steps_ms.values() if steps), default=0) / 1000
