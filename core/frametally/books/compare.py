"""Compares two models over the same footage by source, label and interval, with the frames of both.

It reads the current runs in the store. Intervals in which only one model has footage are gaps rather than
differences, because a later model has not seen everything. Intervals in which the footage shows nothing are
not differences either.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from frametally import keys
from frametally.books.counted_days import CountedWith, counted_with
from frametally.books.runs import current_runs, read_run
from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectStore
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.rules.differences import most_apart, pairs
from frametally.rules.evidence import busiest
from frametally.rules.known import (
    Basis,
    Missing,
    Number,
    add_up,
    basis_of,
    objects_of,
    slowest_or_unknown,
    sum_or_unknown,
)
from frametally.rules.places import is_of_places
from frametally.rules.times import DAY_MS, in_range, is_day_in_range


class Side(NamedTuple):
    """One model's result for one source, label and interval; fields as in `IntervalCount` and `Coverage`.

    Attributes:
        objects_at_least: If the number of objects is unknown, their sum over the parts of the interval where
            it is known.
    """

    frames: int
    detections: int
    peak: int
    objects: int | None
    objects_missing: Missing | None
    objects_at_least: int | None
    tracked_detections: int | None
    analysed_fps: float | None
    evidence: list[Evidence]


class Difference(NamedTuple):
    """One bar for which the two models differ."""

    source: str
    label: str
    interval_start_ms: int
    a: Side
    b: Side


class ModelTotals(NamedTuple):
    """Detections of both models in the footage that both have seen, and how far they differ.

    Attributes:
        net: `b` minus `a`; too many in one bar offset too few in another.
        apart: The sum of the absolute differences of all bars.
    """

    a: int = 0
    b: int = 0
    net: int = 0
    apart: int = 0

    def plus(self, a: int, b: int, apart: int) -> ModelTotals:
        """Return the totals plus the detections of another bar."""
        return ModelTotals(self.a + a, self.b + b, self.net + b - a, self.apart + apart)


class Comparison(NamedTuple):
    """Two models over the footage that both have seen.

    Attributes:
        differences: The largest first: by detections, then by peak, then by objects.
        compared: Bars of at least one of the two models, in intervals that both have seen.
        gaps_a: Intervals (of one source) that only the second model has seen.
        gaps_b: Intervals (of one source) that only the first model has seen.
        show_nothing: Intervals that both have seen and in which, according to a run, no frame shows anything.
        other_frames: Compared intervals in which the two models counted different numbers of frames.
        sources_a: Sources that only the first model has counted, sorted.
        sources_b: Sources that only the second model has counted, sorted.
        total: Totals over all labels.
        by_label: Totals of each label.
        settings_a: The distinct settings that the first model's days were counted with.
        settings_b: The same for the second model.
    """

    model_a: str
    model_b: str
    interval_s: int
    differences: list[Difference]
    compared: int
    gaps_a: int
    gaps_b: int
    show_nothing: int
    other_frames: int
    sources_a: Sequence[str]
    sources_b: Sequence[str]
    total: ModelTotals
    by_label: dict[str, ModelTotals]
    settings_a: Sequence[CountedWith] = ()
    settings_b: Sequence[CountedWith] = ()


def compare_models(
    store: ObjectStore,
    model_a: str,
    model_b: str,
    *,
    interval_s: int | None = None,
    source: str | None = None,
    label: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> Comparison:
    """Compare the current runs of two models.

    A model is given by its id or the beginning of it. Only intervals that begin in `[from_ms, to_ms)` are
    compared. The default of `interval_s` is the longest stored interval that both models have.

    Raises:
        Misconfigured: A model is unknown or ambiguous, or no stored interval of both models divides
            `interval_s`.
        Poison: A run cannot be read; the message names it.
    """
    runs = [run for run in current_runs(store) if not is_of_places(run.model)]
    names = [_model_named(model, runs) for model in (model_a, model_b)]
    if names[0] == names[1]:
        raise Misconfigured(f"{model_a} and {model_b} are the same model: choose two different models")
    base_s = _base_interval(runs, names, interval_s)
    asked_s = interval_s or base_s
    sides = []
    for name in names:
        table = _Table(asked_s * 1000, source, label, from_ms, to_ms)
        for run in runs:
            if (run.model, run.interval_s) == (name, base_s):
                table.add(*read_run(store, run))
        sides.append(table)
    of_a, of_b = (_settings_of(runs, name, base_s, from_ms, to_ms) for name in names)
    comparison = _compare(names[0], names[1], asked_s, sides[0], sides[1])
    return comparison._replace(settings_a=of_a, settings_b=of_b)


def _settings_of(
    runs: Sequence[Run], model: str, base_s: int, from_ms: int | None, to_ms: int | None
) -> list[CountedWith]:
    settings_in_use: list[CountedWith] = []
    for run in runs:
        if (run.model, run.interval_s) == (model, base_s) and is_day_in_range(
            keys.day_start_ms(run.day), from_ms, to_ms
        ):
            settings = counted_with(run.params, run.settings)
            settings_in_use += [] if settings in settings_in_use else [settings]
    return settings_in_use


_Bar = tuple[str, int]
"""A source and the start of an interval in ms."""


class _Table:
    """One side of the comparison in `rules.differences`."""

    def __init__(
        self, interval_ms: int, source: str | None, label: str | None, from_ms: int | None, to_ms: int | None
    ) -> None:
        self._interval_ms = interval_ms
        self._source = source
        self._label = label
        self._from_ms = from_ms
        self._to_ms = to_ms
        self.coverage: defaultdict[_Bar, int] = defaultdict(int)  # frames
        self.fps: dict[_Bar, float | None] = {}
        self.is_measured: dict[_Bar, bool] = {}
        self._blank: set[_Bar] = set()
        self.counts: defaultdict[tuple[_Bar, str], list[IntervalCount]] = defaultdict(list)

    def add(self, counts: Sequence[IntervalCount], coverage: Sequence[Coverage]) -> None:
        for bucket in coverage:
            start_ms = bucket.interval_start_ms // self._interval_ms * self._interval_ms
            bar = bucket.source, start_ms
            if not self._is_wanted(*bar):
                continue
            if not bucket.frames:
                self._blank.add(bar)
            else:
                self.coverage[bar] += bucket.frames
                self.fps[bar] = slowest_or_unknown(self.fps.get(bar, math.inf), bucket.analysed_fps)
                self.is_measured[bar] = self.is_measured.get(bar, True) and bucket.is_measured
        for count in counts:
            start_ms = count.interval_start_ms // self._interval_ms * self._interval_ms
            is_of_label = self._label is None or count.label == self._label
            if is_of_label and self._is_wanted(count.source, start_ms):
                self.counts[(count.source, start_ms), count.label].append(count)

    def all_blank(self) -> set[_Bar]:
        """Return the bars whose footage shows nothing."""
        return self._blank - self.coverage.keys()

    def bars(self) -> set[_Bar]:
        """Return the bars with footage."""
        return self._blank | self.coverage.keys()

    def _is_wanted(self, source: str, start_ms: int) -> bool:
        is_of_source = self._source is None or source == self._source
        return is_of_source and in_range(start_ms, self._from_ms, self._to_ms)

    def measured(self, bar: _Bar, label: str) -> Side:
        counts = self.counts.get((bar, label), [])
        followed = tracked = 0 if self.is_measured[bar] else None
        detections = 0
        parts: list[Number] = []
        fast = 0
        for count in counts:
            parts.append(objects_of(basis_of(count, self.fps[bar])))
            followed = sum_or_unknown(followed, count.objects)
            tracked = sum_or_unknown(tracked, count.tracked_detections)
            detections += count.detections
            fast += count.fast_objects or 0
        fps = self.fps[bar]
        parts_sum = add_up(parts)
        objects, missing, _ = objects_of(Basis(followed, detections, tracked, fps, fast_objects=fast))
        return Side(
            frames=self.coverage[bar],
            detections=detections,
            peak=max((count.peak for count in counts), default=0),
            objects=objects,
            objects_missing=missing,
            objects_at_least=(parts_sum.at_least if parts_sum.value is None else parts_sum.value)
            if missing and parts
            else None,
            tracked_detections=tracked,
            analysed_fps=fps,
            evidence=busiest(frame for count in counts for frame in count.evidence),
        )


def _compare(model_a: str, model_b: str, interval_s: int, a: _Table, b: _Table) -> Comparison:
    compared = sorted(pairs(a, b), key=lambda pair: (pair.bar[0], pair.label, pair.bar[1]))
    total = ModelTotals()
    by_label: defaultdict[str, ModelTotals] = defaultdict(ModelTotals)
    for pair in compared:
        counts = pair.a.detections, pair.b.detections, abs(pair.b.detections - pair.a.detections)
        total, by_label[pair.label] = total.plus(*counts), by_label[pair.label].plus(*counts)
    sources_a, sources_b = ({source for source, _ in table.bars()} for table in (a, b))
    return Comparison(
        model_a=model_a,
        model_b=model_b,
        interval_s=interval_s,
        differences=[
            Difference(pair.bar[0], pair.label, pair.bar[1], pair.a, pair.b) for pair in most_apart(compared)
        ],
        compared=len(compared),
        gaps_a=len(b.coverage.keys() - a.coverage.keys() - a.all_blank()),
        gaps_b=len(a.coverage.keys() - b.coverage.keys() - b.all_blank()),
        show_nothing=len((a.all_blank() | b.all_blank()) & a.bars() & b.bars()),
        other_frames=sum(a.coverage[bar] != b.coverage[bar] for bar in a.coverage.keys() & b.coverage.keys()),
        sources_a=sorted(sources_a - sources_b),
        sources_b=sorted(sources_b - sources_a),
        total=total,
        by_label=dict(sorted(by_label.items())),
    )


def _model_named(name: str, runs: Sequence[Run]) -> str:
    models = sorted({run.model for run in runs})
    matches = [model for model in models if model == name] or [m for m in models if m.startswith(name)]
    if len(matches) != 1:
        problem = "several models match" if matches else "no counts of such a model"
        remedy = f"choose from: {', '.join(matches or models)}" if models else "no model has counts yet"
        raise Misconfigured(f"{name}: {problem}; {remedy}")
    return matches[0]


def _base_interval(runs: Sequence[Run], models: Sequence[str], asked_s: int | None) -> int:
    of_model = [{run.interval_s for run in runs if run.model == model} for model in models]
    common = sorted(of_model[0] & of_model[1], reverse=True)
    if asked_s is not None and DAY_MS % (asked_s * 1000):
        raise Misconfigured(f"--interval {asked_s} does not divide a day evenly; use 60, 300, 900 or 3600")
    for base_s in common:
        if asked_s is None or asked_s % base_s == 0:
            return base_s
    intervals = ", ".join(
        f"{model}: {sorted(intervals_s)}" for model, intervals_s in zip(models, of_model, strict=True)
    )
    raise Misconfigured(
        f"no stored interval fits both models ({intervals}): run `frametally aggregate --interval` to "
        "create one"
    )
