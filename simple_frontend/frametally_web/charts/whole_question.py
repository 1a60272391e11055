"""The whole question of a chart, as its address carries it: all readers see the same numbers."""

from __future__ import annotations

from collections.abc import Iterable

from frametally_web.charts.answers import Counts

_ALL_DAY, _DAYS = "00:00-24:00", 7


def whole_question(
    sent: Iterable[tuple[str, str]], shown: Counts, *, with_range: bool = False
) -> list[tuple[str, str]]:
    """Return a chart's question with what it leaves to the data or the reader written out, name by name.

    Names are those of `/api/counts` and of the pages; others are kept. Where nothing is counted yet, the
    interval, the metric and the model stay as they were sent.

    Args:
        sent: Names and values of the question.
        shown: The answer to it.
        with_range: Also the ends of the range, so that footage of later days does not change it.
    """
    answered: dict[str, str | int | None] = {
        "zone": shown.zone,
        # The page reads all day, and every day, as nothing chosen.
        "hours": None if shown.hours == _ALL_DAY else shown.hours,
        "weekdays": "" if len(shown.weekdays) == _DAYS else ",".join(map(str, shown.weekdays)),
        "timezone": shown.timezone,
    }
    if with_range:
        answered |= {"from": shown.from_ms, "to": shown.to_ms}
    if shown.model is not None:
        answered |= {"interval": shown.interval_s, "metric": shown.metric, "model": shown.model}
    kept = [(name, value) for name, value in sent if value and name not in answered]
    named = [(name, str(value)) for name, value in answered.items() if value not in (None, "")]
    return [*dict.fromkeys([*kept, *named])]
