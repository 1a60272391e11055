"""Labels added up: all of an answer, or those that `top` has together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from frametally.rules.known import Number, add_up
from frametally_web.charts import answers
from frametally_web.charts.measures import Chart, Totals, add_parts


def all_labels(totals: Totals, chart: Chart) -> list[answers.Total]:
    """Return the joint total of all labels: one, or one of each source that has totals of its own."""
    of_sources: dict[str | None, list[answers.Total]] = defaultdict(list)
    for total in (total for of_label in totals.values() for total in of_label):
        of_sources[total.source].append(total)
    coverage: dict[str | None, list[answers.FramesAnalysed]] = defaultdict(list)
    for part in chart.coverage:
        coverage[part.source].append(part)
    return [
        msgspec.structs.replace(_add(of_labels, coverage[source]), source=source)
        for source, of_labels in (of_sources or {None: []}).items()
    ]


def sum_of(totals: Totals, labels: Iterable[str], chart: Chart) -> answers.Total:
    """Return the joint total of some labels of a chart, from their separate totals."""
    return _add([totals[label][0] for label in labels], chart.coverage)


def _add(of_labels: Sequence[answers.Total], coverage: Sequence[answers.FramesAnalysed]) -> answers.Total:
    has_frames = any(part.frames for part in coverage)
    means = sum(total.mean_per_frame or 0.0 for total in of_labels) if has_frames else None
    return without_unknown(add_parts(of_labels, coverage, means), of_labels)


def without_unknown(together: answers.Total, of_labels: Sequence[answers.Total]) -> answers.Total:
    """Return what some labels add up to: of objects the known part alone, where those of a label are unknown.

    `together`: the same by the boxes of all these labels, of which some have too few in tracks.
    """
    objects = add_up(Number(of_label.objects, of_label.objects_missing) for of_label in of_labels)
    if together.objects is None or objects.value is not None:
        return together
    return msgspec.structs.replace(
        together,
        objects=None,
        objects_missing=objects.missing,
        followed_objects=together.objects,
        measured_objects=objects.at_least,
    )
