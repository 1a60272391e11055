"""Publishes a run in Elasticsearch.

This order of steps makes it atomic:

1. Read the day's current run with its parts and the number of its last change. If it is this run or a later
   one, stop.
2. Index the run's documents under their fixed `_id`s, except the parts that it keeps from the current run.
   Check the result of every action.
3. Make them visible and count them. Stop unless there are exactly as many as were sent.
4. Replace the document of the day's current run, on condition that it is still the one of step 1. Otherwise
   begin again, and stop if the kept parts no longer exist.
5. Delete the documents of older runs of the day, except the parts that the run keeps.

Queries read the documents that current runs name, all at one point in time: the old sums until step 4, and
the new ones after it. A process that is killed before step 4 changes nothing; the next one sends the same
documents under the same `_id`s. Step 5 removes documents that no query reads; if it is interrupted, the next
publication of the day removes the rest.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from functools import partial
from typing import Any, NamedTuple

from elasticsearch.exceptions import ConflictError, NotFoundError

from elasticsearch import helpers
from frametally import keys
from frametally.adapters.day_cells import parts as day_parts
from frametally.adapters.day_cells.parts import NOTHING_KEPT, KeptParts, WrittenDay, WrittenPart, names_in
from frametally.adapters.day_cells.storage import CurrentRun, Packed
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.ports.count_index import DayPart, IndexDamaged, NameOf, PartsReplaced, part_at
from frametally.records import Coverage, IntervalCount, Run
from frametally.rules.current_run import is_newer
from frametally_search.index.documents import (
    CURRENT,
    CURRENT_RUNS,
    ROWS,
    Document,
    cells_id,
    cells_in,
    current_document,
    current_id,
    current_run,
    documents,
    documents_of_run,
    gone_document,
    read_frames,
    rows_of_parts,
    run_mark,
)
from frametally_search.index.queries import Moment, open_moment
from frametally_search.index.search_access import ElasticsearchCluster, reason_of

_ACTIONS_PER_REQUEST = 2_000
_PARTS_AT_ONCE = 10_000
_BYTES_PER_REQUEST = 10_000_000
_TO_CURRENT: dict[str, Any] = {"routing": CURRENT, "refresh": True}
_RETRIES = 7
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
"""The pauses before an action that was refused is tried again, in seconds: about 90 in all."""


def publish(
    cluster: ElasticsearchCluster,
    run: Run,
    counts: Iterable[IntervalCount],
    coverage: Iterable[Coverage],
    name_of: NameOf,
    kept_names: Collection[str],
) -> bool:
    """Make `run` the current one, as in `CountIndex.publish`; if it raises, readers see the earlier run."""
    current = _current(cluster, run)
    if not is_newer(run, current.run):
        return False
    counts, coverage = [*counts], [*coverage]
    while not (is_published := _replace(cluster, run, current, counts, coverage, name_of, kept_names)):
        current = _current(cluster, run)
        if not is_newer(run, current.run):
            break
    # No query reads the documents that stay; the day's next run removes them.
    with suppress(Retryable):
        _delete_superseded(cluster, run)
    return is_published


def part_names(cluster: ElasticsearchCluster, run: Run) -> frozenset[str]:
    """Return the names of the parts of the run's day; see `CountIndex.part_names`."""
    mark = _current(cluster, run).mark
    return names_in(_packed(cluster, run, mark) if mark else None)


def _replace(
    cluster: ElasticsearchCluster,
    run: Run,
    current: _Current,
    counts: Sequence[IntervalCount],
    coverage: Sequence[Coverage],
    name_of: NameOf,
    kept_names: Collection[str],
) -> bool:
    """Write the parts that a run does not keep and make it current; False if another run came first."""
    kept_parts = _kept_of(cluster, run, current.mark, kept_names) if kept_names else NOTHING_KEPT
    mark = run_mark(run, kept_parts.parts)
    try:
        sent = _index_documents(cluster, documents(run, mark, counts, coverage, name_of, kept_parts))
        _check_all_are_there(cluster, mark, sent)
    except (Poison, PartsReplaced):
        if is_newer(run, _current(cluster, run).run):  # so no current run keeps any of its parts
            with cluster.asked() as client:
                client.indices.refresh(index=cluster.index)
            _delete(cluster, documents_of_run(mark))
        raise
    except Retryable:
        if _current(cluster, run) == current:
            raise
        return False  # a concurrent publisher may have deleted these documents
    return _flip(cluster, run, mark, current.condition)


def _kept_of(cluster: ElasticsearchCluster, run: Run, mark: str, names: Collection[str]) -> KeptParts:
    from frametally.adapters.day_cells.keeping import keep  # importing numpy is slow

    packed = _packed(cluster, run, mark) if mark else None
    before = None
    if packed is not None:
        before = WrittenDay(CurrentRun(0, mark, keys.day_start_ms(run.day)), packed)
    return keep(before, names, run.interval_s, partial(read_frames, Moment(cluster)))


def remove(cluster: ElasticsearchCluster, model: str, interval_s: int, day: str) -> None:
    """Remove the run of a model, interval and day; see `CountIndex.remove`."""
    with cluster.asked() as client:
        # Replaced, not deleted: its version number tells readers that their data is out of date.
        of_day = model, interval_s, day
        client.index(
            index=cluster.index, id=current_id(*of_day), document=gone_document(*of_day), **_TO_CURRENT
        )
    _delete(cluster, _of_day(*of_day))


def remove_damaged(cluster: ElasticsearchCluster) -> list[str]:
    """Remove damaged entries; see `CountIndex.remove_damaged`."""
    removed = []
    with closing(open_moment(cluster)) as now:
        for hit in now.hits(CURRENT_RUNS):
            try:
                current_run(hit["_source"])
            except IndexDamaged as error:
                _, model, interval_s, day = hit["_id"].split("/")
                remove(cluster, model, int(interval_s), day)
                removed.append(error.detail)
    return removed


class _Current(NamedTuple):
    """A day's current run, its mark, and the condition under which a write replaces exactly this run."""

    run: Run | None
    mark: str
    condition: dict[str, Any]


def _current(cluster: ElasticsearchCluster, run: Run) -> _Current:
    with cluster.asked() as client:
        try:
            current = client.get(
                index=cluster.index, id=current_id(run.model, run.interval_s, run.day), routing=CURRENT
            )
        except NotFoundError as error:
            if error.body.get("found") is not False:
                raise  # the index itself is missing
            return _Current(None, "", {"op_type": "create"})
    condition = {"if_seq_no": current["_seq_no"], "if_primary_term": current["_primary_term"]}
    document = current["_source"]
    if document["kind"] == "gone":
        return _Current(None, "", condition)
    return _Current(current_run(document), document["run"], condition)


def _packed(cluster: ElasticsearchCluster, run: Run, mark: str) -> Packed | None:
    """Read the cells of the day's run with that mark, or None if they are missing or damaged."""
    with cluster.asked() as client:
        [cells] = client.mget(index=cluster.index, ids=[cells_id(mark, run.interval_s)])["docs"]
    return cells_in(cells.get("_source"))


def _index_documents(cluster: ElasticsearchCluster, of_run: Iterable[Document]) -> set[str]:
    """Index the documents, and return their `_id`s."""
    sent: set[str] = set()

    def actions() -> Iterator[dict[str, Any]]:
        for document in of_run:
            sent.add(document.id)
            yield {"_index": cluster.index, "_id": document.id, "_source": document.source}

    _bulk(cluster, actions())
    return sent


def _bulk(cluster: ElasticsearchCluster, actions: Iterable[dict[str, Any]]) -> None:
    """Do the actions and check the result of each; a failed action does not stop the others."""
    done, bad = 0, []
    with cluster.asked() as client:
        for good, item in helpers.streaming_bulk(
            client,
            actions,
            chunk_size=_ACTIONS_PER_REQUEST,
            max_chunk_bytes=_BYTES_PER_REQUEST,
            raise_on_error=False,
            max_retries=_RETRIES,
            # With jitter, processes that failed together do not retry together.
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


def _check_all_are_there(cluster: ElasticsearchCluster, mark: str, sent: set[str]) -> None:
    of_run = documents_of_run(mark)
    with cluster.asked() as client:
        client.indices.refresh(index=cluster.index)
        count = client.count(index=cluster.index, query=of_run)["count"]
        if count > len(sent):
            # One mark always has the same documents; a document that was not sent now was damaged before.
            _delete(cluster, of_run, but=sent)
            client.indices.refresh(index=cluster.index)
            count = client.count(index=cluster.index, query=of_run)["count"]
    if count != len(sent):
        raise Retryable(
            f"{cluster.name}: frametally sent {len(sent)} documents, but {count} are there; index again"
        )


def _flip(cluster: ElasticsearchCluster, run: Run, mark: str, condition: dict[str, Any]) -> bool:
    with cluster.asked() as client:
        try:
            client.index(
                index=cluster.index,
                id=current_id(run.model, run.interval_s, run.day),
                document=current_document(run, mark),
                **_TO_CURRENT,
                **condition,
            )
        except ConflictError:
            return False
    return True


def _delete_superseded(cluster: ElasticsearchCluster, run: Run) -> None:
    """Delete the documents of the day's run, and of older ones, that the current run does not name."""
    with closing(open_moment(cluster)) as now:
        # Read after the moment began, so the older runs that it shows are no longer current.
        current = _current(cluster, run)
        packed = _packed(cluster, run, current.mark)
        if current.run is None or packed is None:
            return
        parts = day_parts.parts_in(packed)
        of_day = _of_day(run.model, run.interval_s, run.day)
        older = {"bool": {"filter": [of_day, _older(current.run, current.mark)]}}
        writers = sorted({str(written.writer) for written in parts.values()} - {current.mark})
        of_writers = {"bool": {"filter": [ROWS, {"terms": {"run": writers}}]}}
        _delete(cluster, {"bool": {"filter": [older], "must_not": [of_writers]}}, now=now)
        for writer in writers:
            replaced = {
                part: WrittenPart(writer, "")
                for part in _parts_there(now, writer)
                if part not in parts or parts[part].writer != writer
            }
            for of_parts in rows_of_parts(replaced):
                _delete(cluster, of_parts, now=now)


def _parts_there(now: Moment, mark: str) -> Iterator[DayPart]:
    """Yield the parts that have rows which a run wrote."""
    hour = {"field": "interval_start_ms", "fixed_interval": "1h"}
    columns = [{"source": {"terms": {"field": "source"}}}, {"hour": {"date_histogram": hour}}]
    composite: dict[str, Any] = {"size": _PARTS_AT_ONCE, "sources": columns}
    while True:
        aggregations = {"parts": {"composite": composite}}
        page = now.search(documents_of_run(mark), size=0, aggs=aggregations)["aggregations"]["parts"]
        for bucket in page["buckets"]:
            yield part_at(bucket["key"]["source"], bucket["key"]["hour"])
        if "after_key" not in page:
            return
        composite["after"] = page["after_key"]


def _older(run: Run, mark: str) -> dict[str, Any]:
    """Select the documents of older runs, and of the same run with a different mark."""
    same_sequence, same_params = {"term": {"sequence": run.sequence}}, {"term": {"params": run.params}}
    cases = (
        {"filter": [{"range": {"sequence": {"lt": run.sequence}}}]},
        {"filter": [same_sequence, {"range": {"params": {"lt": run.params}}}]},
        {"filter": [same_sequence, same_params], "must_not": [{"term": {"run": mark}}]},
    )
    return {"bool": {"should": [{"bool": case} for case in cases], "minimum_should_match": 1}}


def _of_day(model: str, interval_s: int, day: str) -> dict[str, Any]:
    values = {"model": model, "interval_s": interval_s, "day": day}
    return {"bool": {"filter": [{"term": {name: value}} for name, value in values.items()]}}


def _delete(
    cluster: ElasticsearchCluster,
    query: dict[str, Any],
    *,
    but: Container[str] = (),
    now: Moment | None = None,
) -> None:
    """Delete the documents of a query, now or as of a moment, except some `_id`s, by bulk deletes."""
    query = {"bool": {"filter": [query], "must_not": [{"terms": {"kind": ["run", "gone"]}}]}}
    with closing(open_moment(cluster)) if now is None else nullcontext(now) as searched:
        ids = (hit["_id"] for hit in searched.hits(query, source=False))
        actions = ({"_op_type": "delete", "_index": cluster.index, "_id": id} for id in ids if id not in but)
        _bulk(cluster, actions)
