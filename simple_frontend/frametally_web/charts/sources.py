"""The answer of `/api/sources`: what is indexed of each source, and what its media say of it."""

from __future__ import annotations

from frametally.media.sources import counted_until
from frametally.ports.count_index import CountIndex
from frametally_web.charts import scope
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.narrowing import zones_by_source
from frametally_web.requests import answers


def list_sources(index: CountIndex, media: MediaTimes, *, model: str | None) -> answers.Sources:
    """Return the sources of a model, by slug.

    Raises:
        Problem: 400, if there is no such model.
    """
    choice = scope.choose_model(index, model)
    if choice is None:
        return answers.Sources(model=None, sources=[])
    zones = zones_by_source(index, choice.model)
    return answers.Sources(
        model=choice.model,
        sources=[
            answers.SourceRange(
                source=summary.source,
                name=media.name(summary.source),
                frames=summary.frames,
                first_interval_ms=summary.first_interval_ms,
                next_interval_ms=summary.next_interval_ms,
                timed_by_file=media.is_timed_by_file(summary.source),
                file_times=media.ranges(summary.source),
                footage_until_ms=media.footage_until(summary.source),
                counted_until_ms=counted_until(summary.next_interval_ms, media.footage_until(summary.source)),
                zones=zones.get(summary.source, []),
            )
            for summary in index.sources(choice.model)
        ],
    )
