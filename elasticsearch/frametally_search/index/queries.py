"""Queries of Elasticsearch: a point in time, the current runs, and documents by their `_id`s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from elastic_transport import TransportError

from elasticsearch import ApiError, Elasticsearch, NotFoundError
from frametally.errors import Retryable
from frametally.ports.base_index import MomentGone
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally_search.index.search_access import PART, ElasticsearchCluster, index_name

_KEPT_ALIVE = "2m"  # what is found may be deleted before the next search, with pauses
_HITS_AT_ONCE = 5_000


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

    def sources(self, ids: Sequence[str], field: str) -> dict[str, dict[str, Any]]:
        """Read one field of the documents with these `_id`s, of those that are there, by `_id`."""
        documents: dict[str, dict[str, Any]] = {}
        for first in range(0, len(ids), _HITS_AT_ONCE):
            batch = list(ids[first : first + _HITS_AT_ONCE])
            answer = self.search({"ids": {"values": batch}}, size=len(batch), source=[field])
            documents |= {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}
        return documents

    def source(self, id: str, field: str) -> dict[str, Any]:
        """Read one field of the document with this `_id`; nothing, if it is not there."""
        return self.sources([id], field).get(id, {})


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
