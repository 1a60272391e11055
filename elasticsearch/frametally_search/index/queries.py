"""Queries of Elasticsearch: a point in time that readers share, searches in it, and reads by `_id`."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from elasticsearch import NotFoundError
from frametally.adapters.day_cells.day_index import MomentGone
from frametally.errors import Retryable
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally_search.index.search_access import PART, ElasticsearchCluster

_KEPT_ALIVE_S = 120  # also covers pauses between searches
_HITS_AT_ONCE = 5_000
_LOOKUPS_AT_ONCE = 50


class Moment:
    """The index as it is at one moment, unaffected by later publications and deletions.

    Attributes:
        users: The number of readers, plus one while others may join.
        until_s: The end of joining by `time.monotonic`: soon after, the server may drop the point in time.
    """

    def __init__(self, cluster: ElasticsearchCluster, moment_id: str = "") -> None:
        """Search at a point in time; without one, each search sees the index of its own time."""
        self._cluster = cluster
        self._id = moment_id
        self._version: str | None = None
        self.users = 1
        self.until_s = 0.0

    def version(self) -> str:
        """Return the number and `_id` of the last change of a current run, removals included."""
        # Not a `cached_property`: before Python 3.12, its lock would block the searches of all moments.
        if self._version is None:
            current = {"terms": {"kind": ["run", "gone"]}}
            hits = self.search(current, size=1, sort=[{"_seq_no": "desc"}], source=["run"])["hits"]["hits"]
            run = hits[0]["_source"].get("run", "") if hits else ""
            self._version = f"{hits[0]['sort'][0]}-{zlib.crc32(run.encode()):08x}" if hits else "0"
        return self._version

    def search(self, query: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Search once. Raises `TookTooLong`, `Retryable`, `MomentGone`; `Misconfigured` without an index."""
        left_s = seconds_left()
        if left_s is not None:
            options["timeout"] = f"{max(1, int(left_s * 1000))}ms"
        if self._id:
            options["pit"] = {"id": self._id, "keep_alive": f"{_KEPT_ALIVE_S}s"}
        else:
            options["index"] = self._cluster.index
        until_s, self.until_s = time.monotonic() + _KEPT_ALIVE_S / 2, 0.0  # no reader joins if a search fails
        with self._cluster.asked() as client:
            try:
                answer = client.search(
                    query=query, track_total_hits=False, allow_partial_search_results=False, **options
                ).body
            except NotFoundError as error:
                if not self._id:
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
        self.until_s = until_s
        self._id = answer.get("pit_id", self._id)
        body: dict[str, Any] = answer
        return body

    def hits(self, query: dict[str, Any], **options: Any) -> Iterator[dict[str, Any]]:
        """Yield all hits of a search, in any order."""
        after: list[Any] | None = None
        while True:
            page = self.search(query, size=_HITS_AT_ONCE, sort=["_shard_doc"], search_after=after, **options)[
                "hits"
            ]["hits"]
            yield from page
            if len(page) < _HITS_AT_ONCE:
                return
            after = page[-1]["sort"]

    def sources(self, ids: Sequence[str], field: str) -> dict[str, dict[str, Any]]:
        """Read at least `field` of the documents with these `_id`s; those that exist, by `_id`.

        The documents of a run never change. So a few are read from the index itself, in half the time of a
        search. A missing document is then searched for: it was deleted after the moment began, or written
        before it in a shard whose moment began earlier.
        """
        ways = [self._looked_up, self._searched]
        documents: dict[str, dict[str, Any]] = {}
        for way in ways if len(ids) <= _LOOKUPS_AT_ONCE else reversed(ways):
            missing = [id for id in ids if id not in documents]
            for first in range(0, len(missing), _HITS_AT_ONCE):
                documents |= way(missing[first : first + _HITS_AT_ONCE], field)
        return documents

    def _looked_up(self, ids: list[str], field: str) -> dict[str, dict[str, Any]]:
        with self._cluster.asked() as client:
            lookups = client.mget(index=self._cluster.index, ids=ids, source_includes=[field])["docs"]
        return {lookup["_id"]: lookup["_source"] for lookup in lookups if lookup.get("found")}

    def _searched(self, ids: list[str], field: str) -> dict[str, dict[str, Any]]:
        answer = self.search({"ids": {"values": ids}}, size=len(ids), source=[field])
        return {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}

    def close(self) -> None:
        """Have the server drop the point in time, which otherwise expires 2 minutes after the last search."""
        self._cluster.close_point(self._id)


def open_moment(cluster: ElasticsearchCluster) -> Moment:
    """Open the index as it is now; the caller closes it.

    Raises `Misconfigured` if it is missing or this user may not read it; `Retryable`.
    """
    with cluster.asked() as client:
        point = client.open_point_in_time(index=cluster.index, keep_alive=f"{_KEPT_ALIVE_S}s")
    return Moment(cluster, point["id"])


class SharedMoment:
    """The moment that readers share until a current run changes. Threads may share it.

    So the server has one point in time open, plus those of earlier versions that still have readers.
    """

    def __init__(self, cluster: ElasticsearchCluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._moment: Moment | None = None

    @contextmanager
    def reading(self) -> Iterator[Moment]:
        """Yield the index as it is now."""
        moment = self._joined(Moment(self._cluster).version()) or self._opened()
        try:
            yield moment
        finally:
            self._leave(moment)

    def close(self) -> None:
        """Close it after its last reader has left."""
        self._share(None)

    def _joined(self, version: str) -> Moment | None:
        with self._lock:
            moment = self._moment
            if moment is None or moment.version() != version or moment.until_s <= time.monotonic():
                return None
            moment.users += 1
            return moment

    def _opened(self) -> Moment:
        moment = open_moment(self._cluster)
        try:
            moment.version()  # cached before other threads can ask for it
        except BaseException:
            moment.close()
            raise
        moment.users += 1
        self._share(moment)
        return moment

    def _share(self, moment: Moment | None) -> None:
        with self._lock:
            before, self._moment = self._moment, moment
        if before is not None:
            self._leave(before)

    def _leave(self, moment: Moment) -> None:
        with self._lock:
            moment.users -= 1
            is_last = not moment.users
        if is_last:
            moment.close()
