"""Explains a bar: its number in the count index, and the frames behind it."""

from __future__ import annotations

from typing import NamedTuple

from frametally.books.counted_days import up_to_date
from frametally.errors import FrametallyError, Misconfigured
from frametally.naming import no_such
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.process.reports import plural
from frametally.rules.blank_stretches import BLANK_WORDS
from frametally.rules.times import utc


class NoSuchBar(FrametallyError):
    """There is no bar to explain; the message names the existing bars."""


class NothingCounted(NoSuchBar):
    """No frame of that source and time is counted."""


class ExplainedBar(NamedTuple):
    """One bar of the count index; `frames_analysed` includes frames without the label."""

    model: str
    source: str
    label: str
    start_ms: int
    interval_s: int
    detections: int
    frames_analysed: int
    base_interval_s: int

    @property
    def end_ms(self) -> int:
        """End of its interval, exclusive."""
        return self.start_ms + self.interval_s * 1000


def find_bar(
    index: CountIndex,
    *,
    source: str,
    label: str,
    start_ms: int,
    interval_s: int | None = None,
    model: str | None = None,
) -> ExplainedBar:
    """Return the bar of a source and a label that begins at `start_ms`.

    The defaults are the model published last and its coarsest stored interval that is up to date.

    Raises:
        NoSuchBar: No such bar exists.
        Misconfigured: The model is not indexed, or no stored interval divides `interval_s`.
    """
    series = index.series()
    if not series:
        raise NothingCounted(
            "nothing has been counted and indexed yet: run `frametally aggregate` and `frametally index`"
        )
    model = model or series[0].model
    base_intervals_s = sorted(
        (entry.base_interval_s for entry in series if entry.model == model), reverse=True
    )
    if not base_intervals_s:
        models = ", ".join(dict.fromkeys(entry.model for entry in series))
        raise Misconfigured(f"no model {model!r} is indexed; choose from: {models}")
    end_ms = start_ms + (interval_s or base_intervals_s[0]) * 1000
    base_intervals_s = sorted(up_to_date(index, model, base_intervals_s, start_ms, end_ms), reverse=True)
    interval_s = interval_s or base_intervals_s[0]
    base_s = next((step_s for step_s in base_intervals_s if interval_s % step_s == 0), None)
    if base_s is None:
        raise Misconfigured(
            f"--interval {interval_s} is not possible: bars of {model} are multiples of "
            f"{base_intervals_s[-1]} s"
        )
    interval_ms = interval_s * 1000
    if start_ms % interval_ms:
        before_ms = start_ms - start_ms % interval_ms
        raise NoSuchBar(
            f"no bar of {interval_s} s begins at that time; the nearest bars begin at {utc(before_ms)} and "
            f"{utc(before_ms + interval_ms)}"
        )
    answer = index.histogram(
        CountQuery(model, base_s, interval_s, [source], [label], start_ms, start_ms + interval_ms)
    )
    frames = sum(coverage.frames for coverage in answer.coverage)
    blank = [BLANK_WORDS[part.reason] for part in answer.blank if part.reason in BLANK_WORDS]
    if not frames and blank:
        raise NothingCounted(
            f"no bar: footage of source {source} at that time shows nothing ({', '.join(blank)})"
        )
    if not frames:
        sources = ", ".join(entry.source for entry in index.sources(model)[:20])
        raise NothingCounted(
            f"no bar: frametally has counted nothing of source {source} at that time; sources of {model}: "
            f"{sources}"
        )
    detections = sum(bucket.detections for bucket in answer.buckets)
    if not detections:
        labels = [name for name, _ in index.labels(model)]
        if label not in labels:
            raise NoSuchBar(f"no bar: {no_such('label', label, labels)}")
        raise NoSuchBar(
            f"no bar: none of the {plural(frames, 'frame')} of {source} that were analysed at that time "
            f"shows {label!r}"
        )
    return ExplainedBar(model, source, label, start_ms, interval_s, detections, frames, base_s)
