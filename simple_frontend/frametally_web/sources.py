"""The answer of `/api/sources`: what is indexed of each source, and what its media say of it."""

from __future__ import annotations

from frametally.count_index import CountIndex
from frametally.errors import Poison, Retryable
from frametally.media import list_manifests, sources_timed_by_file
from frametally.object_store import ObjectMissing, ObjectStore
from frametally.records import MediaManifest
from frametally_web import answers, counts


def list_sources(index: CountIndex, store: ObjectStore, *, model: str | None) -> answers.Sources:
    """The sources of a model, by slug.

    Raises:
        Problem: 400, if there is no such model.
    """
    choice = counts.choose_model(index, model)
    if choice is None:
        return answers.Sources(model=None, sources=[])
    manifests = _manifests(store)
    names = {manifest.source: manifest.source_name for manifest in reversed(manifests or [])}
    by_file = sources_timed_by_file(manifests or [])
    return answers.Sources(
        model=choice.model,
        sources=[
            answers.SourceRange(
                source=summary.source,
                name=names.get(summary.source, summary.source),
                frames=summary.frames,
                first_interval_ms=summary.first_interval_ms,
                next_interval_ms=summary.next_interval_ms,
                timed_by_file=None if manifests is None else summary.source in by_file,
            )
            for summary in index.sources(choice.model)
        ],
    )


def _manifests(store: ObjectStore) -> list[MediaManifest] | None:
    # Names and a remark for the chart, not the chart: what is wrong with the store must not take it away.
    try:
        return list_manifests(store)
    except (Retryable, Poison, ObjectMissing):
        return None
