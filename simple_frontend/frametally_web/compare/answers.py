"""The answer of a comparison."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally.rules.known import Metric


class LabelDifference(Answer, frozen=True, kw_only=True):
    """A label in the footage of both sides.

    Attributes:
        label: Class name; null for all labels together.
        value: Value of the metric; null if unknown.
        at_least: The known part of a value that is unknown; null if no part is known.
        other_value: Value of the metric on the other side; null if unknown.
        other_at_least: As `at_least`, on the other side.
        difference: `value` - `other_value`; null if one of them is not known.
        change: `value` / `other_value` - 1; null if one of them is not known, or `other_value` is 0.
    """

    label: str | None
    value: float | None
    at_least: float | None
    other_value: float | None
    other_at_least: float | None
    difference: float | None
    change: float | None


class BarDifference(Answer, frozen=True, kw_only=True):
    """A label in an interval on both sides.

    Attributes:
        source: Slug; null if the sources of a side are compared together.
        value: Value of the metric.
        frames: Frames analysed.
        other_start_ms: Start of the corresponding interval on the other side.
        other_end_ms: Its end, exclusive.
        other_value: Value of the metric on the other side.
        other_frames: Frames analysed on the other side.
        difference: `value` - `other_value`.
    """

    source: str | None
    label: str
    start_ms: int
    end_ms: int
    value: float
    frames: int
    other_start_ms: int
    other_end_ms: int
    other_value: float
    other_frames: int
    difference: float


class Differences(Answer, frozen=True, kw_only=True):
    """`/api/differences`: two sides, in intervals that both have seen; intervals of one side only are gaps.

    Attributes:
        model: The one model counted here; null before there is any data.
        base_interval_s: The one stored interval that was read; null without data.
        interval_s: Length of a bar in seconds.
        timezone: IANA name of the zone of the bars.
        metric: The metric of the values; for `auto`, the chosen one.
        from_ms: Start of the range, event time; the requested one, or that of the footage.
        to_ms: End of the range, exclusive; the requested one, or that of the footage.
        other_name: The other side in words.
        other_model: The one model counted there; null before there is any data.
        other_base_interval_s: The one stored interval that was read there; null without data.
        other_from_ms: First event time there; null without data.
        other_to_ms: Last event time there, exclusive; null without data.
        seen_by_both: Intervals with footage on both sides, of one source each; of sources together where
            a source is compared.
        only_here: Intervals with footage on this side alone.
        only_there: Intervals with footage on the other side alone.
        frames: Frames of this side in intervals that both sides have.
        other_frames: Frames of the other side in these intervals.
        total: All labels together.
        labels: Labels that were found on either side, the largest difference first.
        compared: Labels in intervals that at least one side has counted.
        differing: How many of them differ.
        most: Intervals with the largest differences first; of equal ones, the earlier first.
    """

    model: str | None
    base_interval_s: int | None
    interval_s: int | None
    timezone: str
    metric: Metric
    from_ms: int | None
    to_ms: int | None
    other_name: str
    other_model: str | None
    other_base_interval_s: int | None
    other_from_ms: int | None
    other_to_ms: int | None
    seen_by_both: int
    only_here: int
    only_there: int
    frames: int
    other_frames: int
    total: LabelDifference
    labels: list[LabelDifference]
    compared: int
    differing: int
    most: list[BarDifference]
