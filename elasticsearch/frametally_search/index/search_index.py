"""The count index in Elasticsearch.

A query is answered from one point in time, so that what it reads belongs together, and by current runs only.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.ports.base_index import BaseCatalogue, BaseCountIndex, outdated_numbers
from frametally.ports.count_index import Bucket, CountQuery, CoverageBucket, Series, SourceSummary
from frametally.ports.count_questions import MAX_BUCKETS
from frametally.ports.merging import bar_order, coverage_order
from frametally.ports.steps import Piece, rolled_steps
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.rules.times import DAY_MS, FIRST_MS, MONDAY_TO_1970_MS, WEEK_MS
from frametally.rules.week_parts import joined, ranges_of
from frametally.settings.access import ServerAccess
from frametally_search.index import publication as elasticsearch_publication
from frametally_search.index.documents import current_run, documents, documents_of_run, run_key
from frametally_search.index.queries import (
    OF_COUNTS,
    OF_COVERAGE,
    OF_SOURCES,
    Moment,
    Searched,
    by_start,
    by_value,
    documents_of,
    if_known,
    moment,
    parted,
    slowest_fps_of,
    whole,
)
from frametally_search.index.search_access import ElasticsearchCluster, check, ensure

_DAYS_AT_ONCE = 365
"""Of some two ranges each: a server takes at least a thousand conditions in a search."""


class IndexedDay(NamedTuple):
    """A run that queries read: its UTC day, and what its documents carry."""

    day: str
    run: str


class ElasticsearchCatalogue(BaseCatalogue[IndexedDay]):
    """What there is at one version."""

    def searches(self, query: CountQuery, piece: Piece) -> Iterator[Searched]:
        """Give what is searched for a query's documents in `piece`, in order of time.

        Parts of the week are a range a day, as a server may have no scripts; so many at once as it takes.
        """
        days = self._days(query.series, piece)
        if not query.week_parts:
            yield Searched([day.run for day in days])
            return
        days.sort()
        for first in range(0, len(days), _DAYS_AT_ONCE):
            some = days[first : first + _DAYS_AT_ONCE]
            starts_ms = [keys.day_start_ms(day.day) for day in some]
            parts = (ranges_of(query.week_parts, ms, ms + DAY_MS) for ms in starts_ms)
            ranges = joined(chain.from_iterable(parts))
            if ranges:
                yield Searched([day.run for day in some], ranges)

    def _days(self, series: Series, piece: Piece) -> list[IndexedDay]:
        first = "" if piece.from_ms is None else keys.utc_day(piece.from_ms)
        last = "9999-12-31" if piece.to_ms is None else keys.utc_day(max(piece.to_ms - 1, FIRST_MS))
        return [run for run in self._runs.get(series, ()) if first <= run.day <= last]


_MAX_LISTED = 100_000


class ElasticsearchIndex(BaseCountIndex[Moment, ElasticsearchCatalogue]):
    """A count index in the Elasticsearch that a URL names. Threads and processes may share it."""

    def __init__(self, url: str, *, access: ServerAccess | None = None) -> None:
        """Open the index, making it if it is missing; see `open_elasticsearch`.

        Raises `Misconfigured`: no such URL, a name or a right is wrong, or the index is another program's;
        `Retryable`.
        """
        self.url = url
        self._cluster = ElasticsearchCluster(url, access)
        try:
            ensure(self._cluster)
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
            stored = {hit["_id"]: hit["_source"] for hit in now.hits(documents_of_run(run))}
        differing = [
            wanted.get(id) or stored[id]
            for id in wanted.keys() | stored.keys()
            if wanted.get(id) != stored.get(id)
        ]
        return sorted({document["source"] for document in differing})

    def check(self) -> None:
        """Look whether the index is there, made like this, and answers.

        Raises `Misconfigured` if it is not, or this user may not read it; `Retryable`.
        """
        check(self._cluster)
        self.version()

    def close(self) -> None:
        """Release connections."""
        self._cluster.close()

    def _moment(self) -> AbstractContextManager[Moment]:
        return moment(self._cluster)

    def _read_version(self, now: Moment) -> str:
        """Return the number of the last change of a current run, and which; also of one that is gone."""
        hits = now.search(
            {"terms": {"kind": ["run", "gone"]}},
            size=1,
            sort=[{"_seq_no": "desc"}],
            source=False,
            docvalue_fields=["run"],
        )["hits"]["hits"]
        if not hits:
            return "0"
        [run] = hits[0].get("fields", {}).get("run", [""])
        return f"{hits[0]['sort'][0]}-{zlib.crc32(run.encode()):08x}"

    def _read_catalogue(self, now: Moment, version: str) -> ElasticsearchCatalogue:
        """Read what there is at `version`, which is that of the moment."""
        runs: dict[Series, list[IndexedDay]] = {}
        newest: dict[str, int] = {}
        current = [*self._read_runs(now)]
        unread = outdated_numbers(current)
        for number, run in current:
            if number not in unread:
                series = Series(run.model, run.interval_s)
                runs.setdefault(series, []).append(IndexedDay(run.day, run_key(run)))
                newest[run.model] = max(number, newest.get(run.model, -1))
        return ElasticsearchCatalogue(version, runs, newest)

    def _read_runs(self, now: Moment, model: str | None = None) -> Iterator[tuple[int, Run]]:
        """Give the current runs, of one model if named, each behind the number of its last change.

        That number rises with every change, in an index of one shard.
        """
        query = {"match_all": {}} if model is None else {"term": {"model": model}}
        for hit in now.runs(query, seq_no_primary_term=True):
            yield int(hit["_seq_no"]), current_run(hit["_source"])

    def _read_sources(
        self, now: Moment, catalogue: ElasticsearchCatalogue, series: Series
    ) -> Iterator[SourceSummary]:
        longest_s = [series.base_interval_s, *rolled_steps(series.base_interval_s)][-1]
        [condition] = _documents(catalogue, "coverage", CountQuery(*series), Piece(longest_s, None, None))
        for group in now.groups(condition, [by_value("source")], OF_SOURCES, _MAX_LISTED):
            next_ms = whole(group, "last_ms") + series.base_interval_s * 1000
            yield SourceSummary(
                group["key"]["source"], whole(group, "frames"), whole(group, "first_ms"), next_ms
            )

    def _read_bars(
        self, now: Moment, catalogue: ElasticsearchCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[Bucket]]:
        by = [by_start(query), *([by_value("source")] if query.by_source else [])]
        by_label = [*by, by_value("label")]
        for counts in _documents(catalogue, "count", query, piece):
            searches = [(counts, by_label)]
            if query.apart is not None:
                apart, together = parted(counts, query.apart)
                searches = [(apart, by_label), (together, by)] if query.apart else [(together, by)]
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
                for condition, groups in searches
                for group in now.groups(condition, groups, OF_COUNTS, MAX_BUCKETS)
            ]
            yield sorted(bars, key=bar_order)

    def _read_coverage(
        self, now: Moment, catalogue: ElasticsearchCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[CoverageBucket]]:
        by = [by_start(query), *([by_value("source")] if query.by_source else [])]
        for condition in _documents(catalogue, "coverage", query, piece):
            groups = now.groups(condition, by, OF_COVERAGE, MAX_BUCKETS)
            yield sorted((_covered(group, _start_ms(group, query)) for group in groups), key=coverage_order)

    def _read_evidence(
        self, now: Moment, catalogue: ElasticsearchCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        order = [{"peak": "desc"}, {"peak_at_ms": "asc"}, {"peak_image_path": "asc"}]
        shown = {"size": limit, "sort": order, "_source": ["source", "evidence"]}
        of_each = {"best": {"top_hits": shown}}
        for condition in _documents(catalogue, "count", query, piece):
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
    catalogue: ElasticsearchCatalogue, kind: str, query: CountQuery, piece: Piece
) -> Iterator[dict[str, Any]]:
    for searched in catalogue.searches(query, piece):
        yield documents_of(kind, query, piece, searched)


def _start_ms(group: dict[str, Any], query: CountQuery) -> int:
    start_ms: int = group["key"]["start"]
    if not query.of_week:
        return start_ms
    return (start_ms + query.offset_ms + MONDAY_TO_1970_MS) % WEEK_MS
