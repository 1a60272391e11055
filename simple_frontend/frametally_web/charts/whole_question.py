"""The whole question of a chart in its address, so that all readers see the same numbers."""

from __future__ import annotations

from collections.abc import Iterable

from frametally_web.charts.answers import Counts

_ALL_DAY, _DAYS = "00:00-24:00", 7


def whole_question(
    parameters: Iterable[tuple[str, str]], counts: Counts, *, with_range: bool = False
) -> list[tuple[str, str]]:
    """Return a chart's complete question by name, including the defaults from the data or the reader.

    Names are those of `/api/counts` and of the pages; others are kept. Where nothing is counted yet, the
    interval, the metric and the model stay as they were sent.

    Args:
        parameters: Names and values of the question.
        counts: The answer to it.
        with_range: Also the ends of the range, so that footage of later days does not change it.
    """
    answered: dict[str, str | int | None] = {
        "zone": counts.zone,
        # The page reads all day, and every day, as nothing chosen.
        "hours": None if counts.hours == _ALL_DAY else counts.hours,
        "weekdays": "" if len(counts.weekdays) == _DAYS else ",".join(map(str, counts.weekdays)),
        "timezone": counts.timezone,
    }
    if with_range:
        answered |= {"from": counts.from_ms, "to": counts.to_ms}
    if counts.model is not None:
        answered |= {"interval": counts.interval_s, "metric": counts.metric, "model": counts.model}
    other_parameters = [(name, value) for name, value in parameters if value and name not in answered]
    answered_parameters = [(name, str(value)) for name, value in answered.items() if value not in (None, "")]
    return [*dict.fromkeys([*other_parameters, *answered_parameters])]
