"""Where unique objects are not known, in words, and how many there are in what was measured all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from frametally.settings.loading import Settings
from frametally_web.charts import answers
from frametally_web.charts.measures import Chart, Reader, Totals, sum_up

_MOST_NAMED = 5
_NOT_MEASURED = ("not_tracked", "too_slow")


class Measured(NamedTuple):
    """A chart and its totals, with `measured_objects` where objects are not known."""

    chart: Chart
    totals: Totals
    objects_measured_in: answers.OfSources | None


def add_measured(
    reader: Reader,
    interval_s: int,
    chart: Chart,
    totals: Totals,
    *,
    by_source: bool,
    apart: Sequence[str] | None,
) -> Measured:
    """Read once more what was measured, where some of a chart was not; it was read by the same arguments."""
    if not _not_measured(chart):
        return Measured(chart, totals, None)
    filmed = len(reader.whole(by_source=True, apart=()).coverage)
    measured = len(reader.whole(by_source=True, apart=(), measured_only=True).coverage)
    in_sources = answers.OfSources(sources=measured, of_sources=filmed)
    if not measured:
        return Measured(chart, totals, in_sources)
    part = reader.bars(interval_s, by_source=by_source, apart=apart, measured_only=True)
    there = {(one.start_ms, one.source) for one in part.coverage}
    found = {(one.start_ms, one.source, one.label): one.objects for one in part.buckets}
    buckets = [
        msgspec.structs.replace(one, measured_objects=found.get((one.start_ms, one.source, one.label), 0))
        if one.objects_missing in _NOT_MEASURED and (one.start_ms, one.source) in there
        else one
        for one in chart.buckets
    ]
    sums = {
        (one.label, one.source): one.objects
        for of_label in sum_up(part, totals, by_source=by_source).values()
        for one in of_label
    }
    with_sums = {
        label: [
            msgspec.structs.replace(one, measured_objects=sums.get((label, one.source)))
            if one.objects_missing in _NOT_MEASURED
            else one
            for one in of_label
        ]
        for label, of_label in totals.items()
    }
    return Measured(chart._replace(buckets=buckets), with_sums, in_sources)


def objects_note(chart: Chart, totals: Sequence[answers.Total], settings: Settings) -> str | None:
    """Return a sentence on where objects are not known; None if they are everywhere."""
    missing = _not_measured(chart)
    if not missing:
        return _too_weak(totals)
    intervals_of = f"{len(missing)} of {len(chart.coverage)} intervals"
    rates = [one.slowest_fps for one in missing if one.slowest_fps is not None]
    if not rates:
        return (
            f"Unique objects are not known in {intervals_of}: they were not tracked there, or the day has to "
            "be counted and indexed again."
        )
    needed = f"{settings.min_tracking_fps:g}"
    analysed = f"at down to {min(rates):g} frames a second, {needed} are needed"
    if not min(rates):  # as of single pictures
        analysed = f"in single pictures, {needed} frames a second are needed"
    return f"Unique objects are not known in {intervals_of}: footage was analysed {analysed}."


def _not_measured(chart: Chart) -> list[answers.FramesAnalysed]:
    # In counts of older versions only what was seen says that it was not measured.
    seen = {(one.start_ms, one.source) for one in chart.buckets if one.objects_missing in _NOT_MEASURED}
    return [one for one in chart.coverage if one.objects_missing or (one.start_ms, one.source) in seen]


def _too_weak(totals: Sequence[answers.Total]) -> str | None:
    weak = [one.label for one in totals if one.objects_missing == "too_weak"]
    if not weak:
        return None
    names = sorted({label for label in weak if label is not None})
    named = ", ".join(names[:_MOST_NAMED]) or "these labels together"
    if len(names) > _MOST_NAMED or (names and None in weak):
        named += " and others"
    return (
        f"Unique objects of {named} are not known: they were seen, but too weakly to follow (fewer than half "
        "of their boxes lie in tracks)."
    )
