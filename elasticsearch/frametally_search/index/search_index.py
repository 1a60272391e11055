"""The count index in Elasticsearch.

A query is answered from one point in time, so that what it reads belongs together, and by current runs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from frametally.ports.base_index import BaseCountIndex
from frametally.ports.count_index import Bucket, CountQuery, CoverageBucket, Series, SourceSummary
from frametally.ports.count_questions import MAX_BUCKETS
from frametally.ports.merging import bar_order, coverage_order
from frametally.ports.steps import Piece, rolled_steps
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.rules.times import MONDAY_TO_1970_MS, WEEK_MS
from frametally.settings.access import ServerAccess
from frametally_search.index import layout as elasticsearch_layout
from frametally_search.index import publication as elasticsearch_publication
from frametally_search.index.access import ElasticsearchCluster
from frametally_search.index.documents import documents, documents_of_run
from frametally_search.index.queries import (
    OF_COUNTS,
    OF_COVERAGE,
    OF_SOURCES,
    Moment,
    by_start,
    by_value,
    documents_of,
    if_known,
    moment,
    parted,
    slowest_fps_of,
    whole,
)
from frametally_search.index.runs_and_series import (
    ElasticsearchCatalogue,
    read_catalogue,
    read_runs,
    read_version,
)

_MAX_LISTED = 100_000


class ElasticsearchIndex(BaseCountIndex[Moment, ElasticsearchCatalogue]):
    """A count index in the Elasticsearch that a URL names. Threads and processes may share it."""

    def __init__(self, url: str, *, access: ServerAccess | None = None) -> None:
        """Open the index, making it if it is missing; see `open_elasticsearch`.

        Raises:
            Misconfigured: No such URL, a name or a right is wrong, or the index is another program's.
            Retryable: The server is away for now.
        """
        self.url = url
        self._cluster = ElasticsearchCluster(url, access)
        try:
            elasticsearch_layout.ensure(self._cluster)
        except BaseException:
            self._cluster.close()
            raise

    def publish(self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> bool:
        """Make `run` the current one of its model, interval and day; see `CountIndex.publish`."""
        return elasticsearch_publication.publish(self._cluster, run, counts, coverage)

    def remove(self, run: Run) -> None:
        """Have no run of this run's model, interval and day; see `CountIndex.remove`."""
        elasticsearch_publication.remove(self._cluster, run.model, run.interval_s, run.day)

    def remove_damaged(self) -> list[str]:
        """Take out entries that are not as they were written; see `CountIndex.remove_damaged`."""
        return elasticsearch_publication.remove_damaged(self._cluster)

    def differing_sources(
        self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
    ) -> list[str]:
        """Return the sources that are not as `publish` would write them; see `CountIndex`."""
        wanted = {made.id: made.source for made in documents(run, counts, coverage)}
        with self._moment() as now:
            there = {hit["_id"]: hit["_source"] for hit in now.hits(documents_of_run(run))}
        differing = [
            wanted.get(id) or there[id]
            for id in wanted.keys() | there.keys()
            if wanted.get(id) != there.get(id)
        ]
        return sorted({document["source"] for document in differing})

    def check(self) -> None:
        """Look whether the index is there, made like this, and answers.

        Raises:
            Misconfigured: It is not, or this user may not read it.
            Retryable: The server is away for now.
        """
        elasticsearch_layout.check(self._cluster)
        self.version()

    def close(self) -> None:
        """Release connections."""
        self._cluster.close()

    def _moment(self) -> AbstractContextManager[Moment]:
        return moment(self._cluster)

    def _read_version(self, now: Moment) -> str:
        return read_version(now)

    def _read_catalogue(self, now: Moment, version: str) -> ElasticsearchCatalogue:
        return read_catalogue(now, version)

    def _read_runs(self, now: Moment, model: str | None = None) -> Iterator[tuple[int, Run]]:
        return read_runs(now, model)

    def _read_sources(
        self, now: Moment, there: ElasticsearchCatalogue, series: Series
    ) -> Iterator[SourceSummary]:
        longest_s = [series.base_interval_s, *rolled_steps(series.base_interval_s)][-1]
        [condition] = _documents(there, "coverage", CountQuery(*series), Piece(longest_s, None, None))
        for group in now.groups(condition, [by_value("source")], OF_SOURCES, _MAX_LISTED):
            next_ms = whole(group, "last_ms") + series.base_interval_s * 1000
            yield SourceSummary(
                group["key"]["source"], whole(group, "frames"), whole(group, "first_ms"), next_ms
            )

    def _read_bars(
        self, now: Moment, there: ElasticsearchCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[Bucket]]:
        by = [by_start(query), *([by_value("source")] if query.by_source else [])]
        by_label = [*by, by_value("label")]
        for counts in _documents(there, "count", query, piece):
            asked = [(counts, by_label)]
            if query.apart is not None:
                apart, together = parted(counts, query.apart)
                asked = [(apart, by_label), (together, by)] if query.apart else [(together, by)]
            bars = [
                Bucket(
                    _start_ms(group, query),
                    group["key"].get("label", ""),
                    whole(group, "detections"),
                    whole(group, "peak"),
                    if_known(group, "objects"),
                    group["key"].get("source"),
                    if_known(group, "tracked_detections"),
                )
                for condition, groups in asked
                for group in now.groups(condition, groups, OF_COUNTS, MAX_BUCKETS)
            ]
            yield sorted(bars, key=bar_order)

    def _read_coverage(
        self, now: Moment, there: ElasticsearchCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[CoverageBucket]]:
        by = [by_start(query), *([by_value("source")] if query.by_source else [])]
        for condition in _documents(there, "coverage", query, piece):
            groups = now.groups(condition, by, OF_COVERAGE, MAX_BUCKETS)
            yield sorted((_covered(group, _start_ms(group, query)) for group in groups), key=coverage_order)

    def _read_evidence(
        self, now: Moment, there: ElasticsearchCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        order = [{"peak": "desc"}, {"peak_at_ms": "asc"}, {"peak_image_path": "asc"}]
        shown = {"size": limit, "sort": order, "_source": ["source", "evidence"]}
        of_each = {"best": {"top_hits": shown}}
        for condition in _documents(there, "count", query, piece):
            for group in now.groups(condition, [by_value("label")], of_each, _MAX_LISTED):
                for hit in group["best"]["hits"]["hits"]:
                    frames = msgspec.convert(hit["_source"]["evidence"], list[Evidence])
                    yield hit["_source"]["source"], group["key"]["label"], frames


def _covered(group: dict[str, Any], start_ms: int) -> CoverageBucket:
    objects, covered_ms = if_known(group, "objects"), if_known(group, "covered_ms")
    slowest_fps = slowest_fps_of(group)
    if covered_ms is None and slowest_fps:  # as older versions wrote it: see `Coverage.is_measured`
        objects = objects or 0
    source = group["key"].get("source")
    return CoverageBucket(start_ms, whole(group, "frames"), slowest_fps, source, objects, covered_ms)


def _documents(
    there: ElasticsearchCatalogue, kind: str, query: CountQuery, piece: Piece
) -> Iterator[dict[str, Any]]:
    for searched in there.searches(query, piece):
        yield documents_of(kind, query, piece, searched)


def _start_ms(group: dict[str, Any], query: CountQuery) -> int:
    start_ms: int = group["key"]["start"]
    if not query.of_week:
        return start_ms
    return (start_ms + query.offset_ms + MONDAY_TO_1970_MS) % WEEK_MS
