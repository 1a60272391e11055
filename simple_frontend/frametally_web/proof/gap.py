"""The answer of `/api/gap`: a gap in a source's footage, the frames at its ends, and its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from frametally.actions.problems import bad_parameter
from frametally.adapters.day_cells.storage import rolled_steps
from frametally.books.evidence import FramesBehind, ProvedFrame
from frametally.books.gap import Reason, find_reasons
from frametally.errors import Retryable
from frametally.ports.count_index import AGES_S, NOT_LOOKED_AT, CountIndex, CountQuery
from frametally.ports.object_store import ObjectMissing
from frametally.ports.picture_places import PartIndex
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts.local_bars import SECOND_S
from frametally_web.charts.question import Question
from frametally_web.proof import answers
from frametally_web.proof.evidence_frames import frame_boxes

_NO_LABEL = ""
"""No class has this name: asking for it returns only the coverage."""


def find_gap(ports: DashboardPorts, question: Question, at_ms: int, *, by_second: bool) -> answers.FootageGap:
    """Return the gap of the question's one source at `at_ms`, from the last counted interval to the next one.

    With `by_second`, it is the gap in a chart by the second, between the seconds of the frames at its ends.

    The index knows the intervals; the ledger, which must be up to date, and the store know the frames and why
    there are no others. The question's range is that moment's surroundings, whose stored interval is read.

    Raises:
        Problem: 400 if that time is counted.
        Retryable: A port is unavailable, or the ledger lists a segment that has gone.
    """
    before_ms = after_ms = None
    query = None
    earlier: list[ProvedFrame] = []
    later: list[ProvedFrame] = []
    index, settings, [source] = question.index, question.settings, question.selection.sources
    model = None if question.is_waiting else question.model or None
    if model is not None:
        base_s = min(question.bases_s)
        query = CountQuery(model, base_s, sources=[source], labels=[_NO_LABEL])
        start_ms = at_ms - at_ms % (base_s * 1000)
        next_ms = start_ms + base_s * 1000
        if _starts(index, query._replace(from_ms=start_ms, to_ms=next_ms), base_s):
            inside = [*_frames(ports, question, query, start_ms)] if by_second else []
            earlier = [frame for frame in inside if _second_of(frame) < _second(at_ms)]
            later = [frame for frame in inside if _second_of(frame) > _second(at_ms)]
            if not by_second or len(earlier) + len(later) < len(inside):
                raise bad_parameter(
                    "at",
                    "There is counted footage at that moment.",
                    remedy="Choose a moment that `coverage` of the counts does not list.",
                )
        if not earlier:
            before_ms = _nearest(index, query._replace(to_ms=start_ms), at_end=True)
        if not later:
            after_ms = _nearest(index, query._replace(from_ms=next_ms), at_end=False)
    from_ms = None if query is None or before_ms is None else before_ms + query.base_interval_s * 1000
    try:
        *_, before = [None, *_frames(ports, question, query, before_ms), *earlier]
        after = next(iter([*later, *_frames(ports, question, query, after_ms)]), None)
        if by_second:
            from_ms = _second_of(before) + SECOND_S * 1000 if before else None
            after_ms = _second_of(after) if after else None
        is_counted = bool(earlier or later)
        blank = None if query is None else _blank_frames(index, query, from_ms, after_ms)
        reasons = (not is_counted and _outside_part(index, query, at_ms)) or find_reasons(
            store=ports.store,
            ledger=ports.ledger,
            settings=settings,
            model=model,
            source=source,
            from_ms=FIRST_MS if from_ms is None else from_ms,
            to_ms=NEXT_MS if after_ms is None else after_ms,
            blank_frames=blank or {},
        )
    except ObjectMissing as error:
        raise Retryable(f"{error}; the ledger is being updated from the store") from error
    return answers.FootageGap(
        model=model,
        source=source,
        from_ms=from_ms,
        to_ms=after_ms,
        before=before and answers.FrameBoxes(**frame_boxes(before)),
        after=after and answers.FrameBoxes(**frame_boxes(after)),
        reasons=[
            answers.GapReason(kind=reason.kind, count=reason.frames, words=reason.words) for reason in reasons
        ],
    )


def _second(time_ms: int) -> int:
    return time_ms - time_ms % (SECOND_S * 1000)


def _second_of(proved: ProvedFrame) -> int:
    return _second(proved.frame.captured_at_ms)


def _outside_part(index: CountIndex, query: CountQuery | None, at_ms: int) -> list[Reason]:
    """Return the reason if a time is counted, but not within the requested zone; otherwise an empty list."""
    if query is None or not isinstance(index, PartIndex):
        return []
    base_ms = query.base_interval_s * 1000
    start_ms = at_ms - at_ms % base_ms
    moment = query._replace(from_ms=start_ms, to_ms=start_ms + base_ms)
    outside = index.histogram(moment).not_within
    return [Reason("not_within", 0, index.why_not(part.reason)) for part in outside]


def _nearest(index: CountIndex, query: CountQuery, *, at_end: bool) -> int | None:
    """Return the start of the last (or first) base interval of a range with footage, or None."""
    base_s = query.base_interval_s
    for step_s in (*reversed(rolled_steps(base_s)), base_s):
        starts_ms = _starts(index, query, step_s)
        if not starts_ms:
            return None
        found_ms = starts_ms[-1 if at_end else 0]
        from_ms, to_ms = found_ms, found_ms + step_s * 1000
        query = query._replace(
            from_ms=from_ms if query.from_ms is None else max(from_ms, query.from_ms),
            to_ms=to_ms if query.to_ms is None else min(to_ms, query.to_ms),
        )
    return query.from_ms


def _blank_frames(
    index: CountIndex, query: CountQuery, from_ms: int | None, to_ms: int | None
) -> Counter[str]:
    """Return how many frames of a gap show nothing, by reason."""
    hole = query._replace(from_ms=from_ms, to_ms=to_ms, interval_s=AGES_S)
    return Counter(
        {part.reason: part.frames for part in index.histogram(hole).blank if part.reason != NOT_LOOKED_AT}
    )


def _starts(index: CountIndex, query: CountQuery, step_s: int) -> list[int]:
    return [coverage.start_ms for coverage in index.histogram(query._replace(interval_s=step_s)).coverage]


def _frames(
    ports: DashboardPorts, question: Question, query: CountQuery | None, start_ms: int | None
) -> Iterator[ProvedFrame]:
    """Yield the frames of a base interval, including those without a box."""
    if query is None or start_ms is None:
        return
    series = query.model, query.base_interval_s
    counted = FramesBehind(ports.store, ports.ledger, question.index, question.settings, series)
    yield from counted.read(query.sources[0], start_ms, start_ms + query.base_interval_s * 1000)
