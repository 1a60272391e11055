"""The count index in Elasticsearch.

A query is answered from one point in time, so that what it reads belongs together, and by current runs only.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, islice
from typing import Any

import msgspec

from frametally.ports.count_index import (
    Bucket,
    CountedDay,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
    Series,
    SourceSummary,
    WeekHour,
)
from frametally.ports.count_questions import (
    MAX_BUCKETS,
    check_interval,
    check_names,
    check_offset,
    check_week_hours,
    histogram_of,
)
from frametally.ports.merging import bar_order, coverage_order, merge_bars, merge_coverage, merge_week
from frametally.ports.steps import Piece, pieces, rolled_steps, usable_steps
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.times import DAY_S, HOUR_MS, HOUR_S, MONDAY_TO_1970_MS
from frametally.settings.access import ServerAccess
from frametally_search.index import layout as elasticsearch_layout
from frametally_search.index import publication as elasticsearch_publication
from frametally_search.index.access import ElasticsearchCluster
from frametally_search.index.catalogue import ElasticsearchCatalogue, read_catalogue, read_days, read_version
from frametally_search.index.queries import (
    OF_COUNTS,
    OF_COVERAGE,
    DocumentSelection,
    Moment,
    bounded,
    by_start,
    by_value,
    documents_of,
    moment,
    objects_of,
    slowest_fps_of,
    whole,
)

_MAX_EVIDENCE_PER_LABEL = 100
_MAX_LISTED = 100_000
_HOURS_OF_WEEK = 168


class ElasticsearchIndex:
    """A count index in the Elasticsearch that a URL names. Threads and processes may share it."""

    def __init__(self, url: str, *, access: ServerAccess | None = None) -> None:
        """Have the index, making it if it is missing.

        Args:
            url: `elasticsearch+https://host:9200`, or with `/alias` behind it.
            access: How to log in.

        Raises:
            Misconfigured: No such URL, a name or a right is wrong, or the index is another program's.
            Retryable: The server is away for now.
        """
        self.url = url
        self._cluster = ElasticsearchCluster(url, access)
        self._known: ElasticsearchCatalogue | None = None
        try:
            elasticsearch_layout.ensure(self._cluster)
        except BaseException:
            self._cluster.close()
            raise

    def publish(self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> bool:
        """Make `run` the current one of its model, interval and day; see `CountIndex.publish`.

        Raises:
            Poison: A record of another model, interval or day, one that comes twice, or that is refused.
            Misconfigured: This user may not write.
            Retryable: The server is away or busy for now; readers see what they saw before.
        """
        return elasticsearch_publication.publish(self._cluster, run, counts, coverage)

    def current_runs(self) -> list[Run]:
        """The runs that queries read, by model, interval and day."""
        with moment(self._cluster) as now:
            hits = now.runs({"match_all": {}}, source=["record"])
            found = [decode(hit["_source"]["record"].encode(), Run) for hit in hits]
        return sorted(found, key=lambda run: (run.model, run.interval_s, run.day))

    def counted_days(self, model: str) -> list[CountedDay]:
        """The current runs of the model, in no order."""
        with moment(self._cluster) as now:
            there = self._catalogue(now)
            if model not in there.days:
                there.days[model] = read_days(now, model)
            return [*there.days[model]]

    def check(self) -> None:
        """Look whether the index is there, made like this, and answers.

        Raises:
            Misconfigured: It is not, or this user may not read it.
            Retryable: The server is away for now.
        """
        elasticsearch_layout.check(self._cluster)
        self.version()

    def version(self) -> str:
        """The number of the last change of a current run, and which it was."""
        with moment(self._cluster) as now:
            return read_version(now)

    def series(self) -> list[Series]:
        """What can be asked for: the newest published model first, within a model the coarsest interval."""
        with moment(self._cluster) as now:
            return [*self._catalogue(now).series]

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Labels of the model with their detections, most first, then by name.

        Never summed over base intervals: of several, the one that holds most of the label counts.
        """
        with moment(self._cluster) as now:
            there = self._catalogue(now)
            if model not in there.labels:
                there.labels[model] = _labels(now, there, model)
            return [*there.labels[model]]

    def sources(self, model: str) -> list[SourceSummary]:
        """Sources of the model, by name; of several base intervals, the one that holds most frames counts."""
        with moment(self._cluster) as now:
            there = self._catalogue(now)
            if model not in there.sources:
                there.sources[model] = _sources(now, there, model)
            return [*there.sources[model]]

    def histogram(self, query: CountQuery) -> Histogram:
        """Counts per interval and label; see `CountIndex.histogram`.

        Raises:
            Misconfigured: No such interval or offset, too many names, or more bars than an answer holds.
        """
        check_interval(query.bar_s, query.base_interval_s)
        check_offset(query.offset_ms, query.base_interval_s)
        check_names(query)
        selection = _selection(query)
        of_coverage = [by_start(query.bar_s * 1000, query.offset_ms)]
        of_coverage += [by_value("source")] if query.by_source else []
        of_counts = [*of_coverage, by_value("label")]
        bars: list[list[Bucket]] = []
        covered: list[list[CoverageBucket]] = []
        steps = usable_steps(query.base_interval_s, query.bar_s, query.offset_ms)
        with moment(self._cluster) as now:
            there = self._catalogue(now)
            for piece in pieces(steps, bounded(query.from_ms), bounded(query.to_ms)):
                runs = there.runs(selection.series, piece)
                documents = documents_of("count", selection, piece, runs)
                groups = now.groups(documents, of_counts, OF_COUNTS, MAX_BUCKETS)
                bars.append(sorted(map(_bucket, groups), key=bar_order))
                documents = documents_of("coverage", selection, piece, runs)
                groups = now.groups(documents, of_coverage, OF_COVERAGE, MAX_BUCKETS)
                covered.append(sorted(map(_coverage_bucket, groups), key=coverage_order))
        return histogram_of(merge_bars(bars), merge_coverage(covered), query)

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Counts per hour of the week of local time; see `CountIndex.week_hours`.

        Raises:
            Misconfigured: A base interval that divides no hour, a bad offset, or too many names.
        """
        check_week_hours(query.base_interval_s)
        check_offset(query.offset_ms, query.base_interval_s)
        check_names(query)
        selection = _selection(query)
        steps = usable_steps(query.base_interval_s, HOUR_S, query.offset_ms)
        hours = [by_start(HOUR_MS, query.offset_ms)]
        counted: list[WeekHour] = []
        covered: list[CoverageBucket] = []
        with moment(self._cluster) as now:
            there = self._catalogue(now)
            for piece in pieces(steps, bounded(query.from_ms), bounded(query.to_ms)):
                runs = there.runs(selection.series, piece)
                documents = documents_of("count", selection, piece, runs)
                for found in now.groups(documents, hours, OF_COUNTS, MAX_BUCKETS):
                    hour = _hour_of_week(found["key"]["start"], query.offset_ms)
                    detections, peak = whole(found, "detections"), whole(found, "peak")
                    counted.append(WeekHour(hour, 0, detections, peak, objects_of(found)))
                documents = documents_of("coverage", selection, piece, runs)
                for found in now.groups(documents, hours, OF_COVERAGE, MAX_BUCKETS):
                    since_monday_ms = _hour_of_week(found["key"]["start"], query.offset_ms) * HOUR_MS
                    covered.append(_coverage_bucket(found)._replace(start_ms=since_monday_ms))
        return merge_week(counted, covered)

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """The busiest evidence frames per label, by label, then count (most first), then time, then path.

        None of a bar's frames can be among the n busiest unless its best frame is: so n bars are enough.

        Raises:
            Misconfigured: Too many sources or labels.
        """
        check_names(query)
        limit = min(limit_per_label, _MAX_EVIDENCE_PER_LABEL)
        selection = _selection(query)
        if limit < 1:
            return []
        few = limit <= MOST_EVIDENCE and DAY_S in rolled_steps(query.base_interval_s)
        steps = [query.base_interval_s, DAY_S] if few else [query.base_interval_s]
        order = [{"peak": "desc"}, {"peak_at_ms": "asc"}, {"peak_image_path": "asc"}]
        shown = {"size": limit, "sort": order, "_source": ["source", "evidence"]}
        interval_ms = query.base_interval_s * 1000
        found = []
        with moment(self._cluster) as now:
            there = self._catalogue(now)
            for piece in pieces(steps, bounded(query.from_ms), bounded(query.to_ms)):
                documents = _query(there, "count", selection, piece)
                for group in now.groups(
                    documents, [by_value("label")], {"best": {"top_hits": shown}}, _MAX_LISTED
                ):
                    for hit in group["best"]["hits"]["hits"]:
                        for item in msgspec.convert(hit["_source"]["evidence"], list[Evidence]):
                            start_ms = item.captured_at_ms // interval_ms * interval_ms
                            source, label = hit["_source"]["source"], group["key"]["label"]
                            found.append(IndexedEvidence(source, label, start_ms, item))
        found.sort(key=_evidence_order)
        by_label = groupby(found, key=lambda item: item.label)
        return [item for _, items in by_label for item in islice(items, limit)]

    def close(self) -> None:
        """Release connections."""
        self._cluster.close()

    def _catalogue(self, now: Moment) -> ElasticsearchCatalogue:
        """What there is at that moment."""
        version, known = read_version(now), self._known
        if known is None or known.version != version:
            self._known = known = read_catalogue(now, version)
        return known


def _labels(now: Moment, there: ElasticsearchCatalogue, model: str) -> list[tuple[str, int]]:
    most: dict[str, int] = {}
    for series in there.of_model(model):
        query = _query(there, "count", DocumentSelection(series), _whole(series))
        for found in now.groups(query, [by_value("label")], OF_COUNTS, _MAX_LISTED):
            label = found["key"]["label"]
            most[label] = max(whole(found, "detections"), most.get(label, 0))
    return sorted(most.items(), key=lambda item: (-item[1], item[0]))


def _sources(now: Moment, there: ElasticsearchCatalogue, model: str) -> list[SourceSummary]:
    of_each = {
        "frames": {"sum": {"field": "frames"}},
        "first_ms": {"min": {"field": "first_interval_ms"}},
        "last_ms": {"max": {"field": "last_interval_ms"}},
    }
    summaries: dict[str, SourceSummary] = {}
    for series in there.of_model(model):
        query = _query(there, "coverage", DocumentSelection(series), _whole(series))
        for found in now.groups(query, [by_value("source")], of_each, _MAX_LISTED):
            source, frames = found["key"]["source"], whole(found, "frames")
            next_ms = whole(found, "last_ms") + series.base_interval_s * 1000
            if source not in summaries or summaries[source].frames < frames:
                summaries[source] = SourceSummary(source, frames, whole(found, "first_ms"), next_ms)
    return [summaries[source] for source in sorted(summaries)]


def _whole(series: Series) -> Piece:
    """All there is of a series, by the longest step that is kept of it."""
    return Piece([series.base_interval_s, *rolled_steps(series.base_interval_s)][-1], None, None)


def _query(
    there: ElasticsearchCatalogue, kind: str, selection: DocumentSelection, piece: Piece
) -> dict[str, Any]:
    return documents_of(kind, selection, piece, there.runs(selection.series, piece))


def _selection(query: CountQuery) -> DocumentSelection:
    series = Series(query.model, query.base_interval_s)
    return DocumentSelection(series, tuple(query.sources), tuple(query.labels))


def _bucket(group: dict[str, Any]) -> Bucket:
    key = group["key"]
    return Bucket(
        key["start"],
        key["label"],
        whole(group, "detections"),
        whole(group, "peak"),
        objects_of(group),
        key.get("source"),
    )


def _coverage_bucket(group: dict[str, Any]) -> CoverageBucket:
    key = group["key"]
    return CoverageBucket(key["start"], whole(group, "frames"), slowest_fps_of(group), key.get("source"))


def _hour_of_week(start_ms: int, offset_ms: int) -> int:
    return ((start_ms + offset_ms + MONDAY_TO_1970_MS) // HOUR_MS) % _HOURS_OF_WEEK


def _evidence_order(item: IndexedEvidence) -> tuple[str, int, int, str]:
    frame = item.evidence
    return (item.label, -frame.count, frame.captured_at_ms, frame.image_path)
