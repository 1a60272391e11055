"""What is asked of Elasticsearch: one moment of the index, its current runs, sums over pieces of a range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from elastic_transport import TransportError

from elasticsearch import ApiError, Elasticsearch, NotFoundError
from frametally.errors import Retryable
from frametally.ports.base_index import MomentGone
from frametally.ports.count_index import CountQuery
from frametally.ports.steps import Piece
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally_search.index.search_access import PART, ElasticsearchCluster, index_name

_KEPT_ALIVE = "2m"  # what is found may be deleted before the next search, with pauses
_HITS_AT_ONCE = 5_000
_BUCKETS_AT_ONCE = 10_000


class Moment:
    """The index as it is at one moment, whatever is published or deleted while it is read."""

    def __init__(self, client: Elasticsearch, moment_id: str) -> None:
        """Search by `client` in the point in time that `moment` has opened."""
        self._client = client
        self._id = moment_id

    def search(self, query: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Search once. Raises `TookTooLong`, `Retryable`, `MomentGone`."""
        left_s = seconds_left()
        client = self._client
        if left_s is not None:
            options["timeout"] = f"{max(1, int(left_s * 1000))}ms"
            client = client.options(request_timeout=left_s)
        try:
            answer = client.search(
                pit={"id": self._id, "keep_alive": _KEPT_ALIVE},
                query=query,
                track_total_hits=False,
                allow_partial_search_results=False,
                **options,
            ).body
        except NotFoundError as error:
            if error.error == "index_not_found_exception":
                raise
            raise MomentGone(
                "reading the count index took longer than the server keeps a point in time; try again"
            ) from error
        if answer.get("timed_out"):
            raise TookTooLong("the count index took longer than the query's time limit")
        if answer["_shards"]["failed"]:
            raise Retryable(
                "parts of the count index are not responding; check the server and try again", part=PART
            )
        self._id = answer.get("pit_id", self._id)
        body: dict[str, Any] = answer
        return body

    def runs(self, query: dict[str, Any], **options: Any) -> Iterator[dict[str, Any]]:
        """Give the hits of the documents of current runs, all of them, in no order."""
        return self.hits({"bool": {"filter": [{"term": {"kind": "run"}}, query]}}, **options)

    def hits(self, query: dict[str, Any], **options: Any) -> Iterator[dict[str, Any]]:
        """Give the hits of a search, all of them, in no order."""
        after: list[Any] | None = None
        while True:
            page = self.search(query, size=_HITS_AT_ONCE, sort=["_shard_doc"], search_after=after, **options)[
                "hits"
            ]["hits"]
            yield from page
            if len(page) < _HITS_AT_ONCE:
                return
            after = page[-1]["sort"]

    def groups(
        self, query: dict[str, Any], by: list[dict[str, Any]], of_each: dict[str, Any], most: int
    ) -> Iterator[dict[str, Any]]:
        """Give groups of documents by the values `by`, with the sums `of_each`; no more than about `most`."""
        after: dict[str, Any] = {}
        returned = 0
        while returned <= most:
            composite: dict[str, Any] = {"size": min(_BUCKETS_AT_ONCE, most + 1), "sources": by}
            page = self.search(
                query,
                size=0,
                aggs={"groups": {"composite": {**composite, **after}, "aggs": of_each}},
            )["aggregations"]["groups"]
            yield from page["buckets"]
            returned += len(page["buckets"])
            if len(page["buckets"]) < composite["size"]:
                return
            after = {"after": page["after_key"]}


@contextmanager
def moment(cluster: ElasticsearchCluster) -> Iterator[Moment]:
    """Open the index as it is now, for all searches in the block.

    Raises `Misconfigured` if this user may not read it, or it is not there; `Retryable`.
    """
    with cluster.asked() as client:
        opened = client.open_point_in_time(index=index_name(cluster.alias), keep_alive=_KEPT_ALIVE)["id"]
        try:
            yield Moment(client, opened)
        finally:
            _forget(client, opened)


def _forget(client: Elasticsearch, opened: str) -> None:
    # It ends by itself, too; and what failed before is what matters.
    with suppress(ApiError, TransportError):
        client.close_point_in_time(id=opened)


class Searched(NamedTuple):
    """What one search looks through: current runs, and of these some ranges of event time (none: all)."""

    runs: list[str]
    ranges: Sequence[tuple[int, int]] = ()


def documents_of(kind: str, query: CountQuery, piece: Piece, searched: Searched) -> dict[str, Any]:
    """Return the condition on the counts or the coverage of a query in one piece, of what is searched."""
    filters: list[dict[str, Any]] = [
        {"term": {"kind": kind}},
        {"terms": {"run": searched.runs}},
        {"term": {"step_s": piece.step_s}},
    ]
    filters += _starts_in(piece.from_ms, piece.to_ms)
    if searched.ranges:
        filters.append(
            {"bool": {"should": [bound for part in searched.ranges for bound in _starts_in(*part)]}}
        )
    if query.sources:
        filters.append({"terms": {"source": list(query.sources)}})
    if query.measured_only:
        filters.append({"exists": {"field": "objects"}})
    if query.labels and kind == "count":
        filters.append({"terms": {"label": list(query.labels)}})
    return {"bool": {"filter": filters}}


def parted(counts: dict[str, Any], labels: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the condition on those counts that are of some labels, and on those that are not."""
    of_labels = {"terms": {"label": list(labels)}}
    return {"bool": {"filter": [counts, of_labels]}}, {"bool": {"filter": [counts], "must_not": [of_labels]}}


def _starts_in(from_ms: int | None, to_ms: int | None) -> list[dict[str, Any]]:
    bounds = {name: limit for name, limit in (("gte", from_ms), ("lt", to_ms)) if limit is not None}
    return [{"range": {"interval_start_ms": {**bounds, "format": "epoch_millis"}}}] if bounds else []


def by_start(query: CountQuery) -> dict[str, Any]:
    """Return groups by the starts of a query's bars."""
    bar_ms = query.bar_s * 1000
    # Elasticsearch adds its offset to the starts: the other way round.
    bars = {"fixed_interval": f"{bar_ms}ms", "offset": f"{-query.offset_ms % bar_ms}ms"}
    return {"start": {"date_histogram": {"field": "interval_start_ms", **bars}}}


def by_value(field: str) -> dict[str, Any]:
    """Return groups by the values of a field."""
    return {field: {"terms": {"field": field}}}


OF_COUNTS: dict[str, Any] = {
    "detections": {"sum": {"field": "detections"}},
    "peak": {"max": {"field": "peak"}},
    "objects": {"sum": {"field": "objects"}},
    "objects_known": {"value_count": {"field": "objects"}},
    "tracked_detections": {"sum": {"field": "tracked_detections"}},
    "tracked_detections_known": {"value_count": {"field": "tracked_detections"}},
}
OF_COVERAGE: dict[str, Any] = {
    "frames": {"sum": {"field": "frames"}},
    "objects": {"sum": {"field": "objects"}},
    "objects_known": {"value_count": {"field": "objects"}},
    "covered_ms": {"sum": {"field": "covered_ms"}},
    "covered_ms_known": {"value_count": {"field": "covered_ms"}},
    "slowest_fps": {"min": {"field": "analysed_fps"}},
    "timed": {"value_count": {"field": "analysed_fps"}},
}


OF_SOURCES: dict[str, Any] = {
    "frames": {"sum": {"field": "frames"}},
    "first_ms": {"min": {"field": "first_interval_ms"}},
    "last_ms": {"max": {"field": "last_interval_ms"}},
}


def whole(bucket: dict[str, Any], name: str) -> int:
    """Return a sum or a maximum; they come as floating-point numbers, exact to 2**53."""
    return int(bucket[name]["value"] or 0)


def if_known(bucket: dict[str, Any], name: str) -> int | None:
    """Return a sum; None where any document of the group has no such number."""
    is_known = int(bucket[f"{name}_known"]["value"]) == bucket["doc_count"]
    return whole(bucket, name) if is_known else None


def slowest_fps_of(bucket: dict[str, Any]) -> float | None:
    """Return the slowest rate of a group; None where any of its documents has none."""
    timed = int(bucket["timed"]["value"]) == bucket["doc_count"]
    return float(bucket["slowest_fps"]["value"]) if timed else None
