"""Publishes a run in Elasticsearch.

The order of effects that makes it atomic:

1. the day's current run is read, with the number of its last change: this one or a later one there, nothing
   is done;
2. the run's documents are indexed, each under the `_id` that it always has; every action is accounted for;
3. they are made visible and counted: exactly as many as were sent, or it ends here;
4. the day's document of the current run is replaced, on condition that it is still the one of step 1;
5. the documents of older runs of the day are deleted.

Queries read documents of current runs only, all in one point in time: until 4 the old sums, from then on the
new ones. Killed before 4, nothing has happened; the next time the same documents come under the same `_id`s.
Step 5 removes what no query reads; killed in it, the rest goes when a run of the day is published next.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from typing import Any

from elasticsearch.exceptions import ConflictError, NotFoundError

from elasticsearch import Elasticsearch, helpers
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.ports.count_index import IndexDamaged
from frametally.records import Coverage, IntervalCount, Run
from frametally.rules.current_run import is_newer
from frametally_search.index.documents import (
    CURRENT,
    current_document,
    current_id,
    current_run,
    documents,
    documents_of_run,
    gone_document,
    run_key,
)
from frametally_search.index.queries import moment
from frametally_search.index.search_access import ElasticsearchCluster, index_name, reason_of

_ACTIONS_PER_REQUEST = 2_000
_BYTES_PER_REQUEST = 10_000_000
_RETRIES = 7
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
"""Refused for now, an action is tried again for about a minute and a half in all."""


def publish(
    cluster: ElasticsearchCluster, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
) -> bool:
    """Make `run` the current one, as in `CountIndex.publish`; if it raises, readers see the earlier run."""
    index = index_name(cluster.alias)
    before, condition = _current(cluster, index, run)
    if before is not None and not is_newer(run, before):
        return False
    try:
        sent = _index_documents(cluster, index, documents(run, counts, coverage))
        _check_all_are_there(cluster, index, run, sent)
    except Poison:
        if _current(cluster, index, run)[0] != run:
            with cluster.asked() as client:
                client.indices.refresh(index=index)
            _delete(cluster, index, {"term": {"run": run_key(run)}})
        raise
    while not _flip(cluster, index, run, condition):
        before, condition = _current(cluster, index, run)
        if before is not None and not is_newer(run, before):
            if before != run:
                _delete(cluster, index, {"term": {"run": run_key(run)}})
            return False
    # It is published; what is left behind no query reads, and it goes with the day's next run.
    with suppress(Retryable):
        _delete(cluster, index, _superseded(run))
    return True


def remove(cluster: ElasticsearchCluster, model: str, interval_s: int, day: str) -> None:
    """Have no run of that model, interval and day, as `CountIndex.remove` says."""
    index = index_name(cluster.alias)
    with cluster.asked() as client:
        # Not deleted: the number of this change tells readers that what they have read holds no longer.
        document = gone_document(model, interval_s, day)
        client.index(
            index=index,
            id=current_id(model, interval_s, day),
            document=document,
            routing=CURRENT,
            refresh=True,
        )
    _delete(cluster, index, _of_day(model, interval_s, day))


def remove_damaged(cluster: ElasticsearchCluster) -> list[str]:
    """Take out damaged entries, as `CountIndex.remove_damaged` says."""
    removed = []
    with moment(cluster) as now:
        for hit in now.runs({"match_all": {}}):
            try:
                current_run(hit["_source"])
            except IndexDamaged as error:
                _, model, interval_s, day = hit["_id"].split("/")
                remove(cluster, model, int(interval_s), day)
                removed.append(str(error).partition(";")[0])
    return removed


def _current(cluster: ElasticsearchCluster, index: str, run: Run) -> tuple[Run | None, dict[str, Any]]:
    """Read the day's current run, and the condition by which a write replaces just that."""
    with cluster.asked() as client:
        try:
            current = client.get(
                index=index, id=current_id(run.model, run.interval_s, run.day), routing=CURRENT
            )
        except NotFoundError as error:
            if error.body.get("found") is not False:
                raise  # it is the index that is missing
            return None, {"op_type": "create"}
    condition = {"if_seq_no": current["_seq_no"], "if_primary_term": current["_primary_term"]}
    document = current["_source"]
    return None if document["kind"] == "gone" else current_run(document), condition


def _index_documents(cluster: ElasticsearchCluster, index: str, made: Iterable[Any]) -> set[str]:
    """Index the documents, account for every action, and return the `_id`s."""
    sent: set[str] = set()

    def actions() -> Iterator[dict[str, Any]]:
        for document in made:
            sent.add(document.id)
            yield {"_index": index, "_id": document.id, "_source": document.source}

    with cluster.asked() as client:
        done = _bulk(cluster, client, actions())
    if done != len(sent):
        raise Retryable(
            f"{cluster.name}: frametally sent {len(sent)} documents, but {done} were acknowledged; index "
            "again"
        )
    return sent


def _bulk(cluster: ElasticsearchCluster, client: Elasticsearch, actions: Iterable[dict[str, Any]]) -> int:
    """Do the actions, and return how many; those that fail do not keep others from being done."""
    done, bad = 0, []
    for good, item in helpers.streaming_bulk(
        client,
        actions,
        chunk_size=_ACTIONS_PER_REQUEST,
        max_chunk_bytes=_BYTES_PER_REQUEST,
        raise_on_error=False,
        max_retries=_RETRIES,
        # Jitter keeps processes that failed together from coming back together.
        initial_backoff=_FIRST_PAUSE_S * random.uniform(0.5, 1.0),  # noqa: S311 - no secret
        max_backoff=_LONGEST_PAUSE_S,
        retry_on_status=(429, 503),
    ):
        [(action, answer)] = item.items()
        if good or (action == "delete" and answer.get("status") == 404):
            done += 1
            continue
        reason = reason_of(answer)
        failure = cluster.failure_of(int(answer.get("status", 500)), reason)
        if isinstance(failure, Retryable | Misconfigured):
            raise failure
        bad.append(f"{answer.get('_id')}: {reason}")
    if bad:
        raise Poison(f"{cluster.name} refuses {len(bad)} of {done + len(bad)} documents, such as {bad[0]}")
    return done


def _check_all_are_there(cluster: ElasticsearchCluster, index: str, run: Run, sent: set[str]) -> None:
    of_run = documents_of_run(run)
    with cluster.asked() as client:
        client.indices.refresh(index=index)
        count = client.count(index=index, query=of_run)["count"]
        if count > len(sent):
            # A run counts the same whoever counts it; what it did not send now was damaged before.
            _delete(cluster, index, of_run, but=sent)
            client.indices.refresh(index=index)
            count = client.count(index=index, query=of_run)["count"]
    if count != len(sent):
        raise Retryable(
            f"{cluster.name}: frametally sent {len(sent)} documents, but {count} are there; index again"
        )


def _flip(cluster: ElasticsearchCluster, index: str, run: Run, condition: dict[str, Any]) -> bool:
    with cluster.asked() as client:
        try:
            client.index(
                index=index,
                id=current_id(run.model, run.interval_s, run.day),
                document=current_document(run),
                routing=CURRENT,
                refresh=True,
                **condition,
            )
        except ConflictError:
            return False
    return True


def _superseded(run: Run) -> dict[str, Any]:
    """Select the documents of older runs of the day; another process may be publishing a newer one."""
    same_sequence = [{"term": {"sequence": run.sequence}}, {"range": {"params": {"lt": run.params}}}]
    older = [{"range": {"sequence": {"lt": run.sequence}}}, {"bool": {"filter": same_sequence}}]
    day = _of_day(run.model, run.interval_s, run.day)
    return {"bool": {"filter": [day, {"bool": {"should": older, "minimum_should_match": 1}}]}}


def _of_day(model: str, interval_s: int, day: str) -> dict[str, Any]:
    values = {"model": model, "interval_s": interval_s, "day": day}
    return {"bool": {"filter": [{"term": {name: value}} for name, value in values.items()]}}


def _delete(
    cluster: ElasticsearchCluster, index: str, query: dict[str, Any], *, but: Container[str] = ()
) -> None:
    """Delete what is found except some `_id`s, by a search and bulk deletes."""
    query = {"bool": {"filter": [query], "must_not": [{"terms": {"kind": ["run", "gone"]}}]}}
    with cluster.asked() as client, moment(cluster) as now:
        ids = (hit["_id"] for hit in now.hits(query, source=False))
        actions = ({"_op_type": "delete", "_index": index, "_id": id} for id in ids if id not in but)
        _bulk(cluster, client, actions)
