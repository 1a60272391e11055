"""Every kind of count index, opened empty, and its stored rows."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from frametally.adapters.day_cells.parts import parts_in
from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.counts import SqlIndex
from frametally.adapters_by_url import open_count_index
from frametally.ports.count_index import CountIndex, CountQuery, DayPart, PartsReplaced, part_at
from frametally.records import Coverage, IntervalCount, Run, encode
from frametally_search.index.queries import open_moment

Opener = Callable[[], CountIndex]


@contextmanager
def sqlite() -> Iterator[tuple[str, None]]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/index.sqlite", None


def postgres() -> AbstractContextManager[Any]:
    from postgres_schemas import fresh_schema

    return fresh_schema()


def elasticsearch() -> AbstractContextManager[Any]:
    from elasticsearch_indices import fresh_alias

    return fresh_alias()


def sharded() -> AbstractContextManager[Any]:
    from elasticsearch_indices import fresh_alias

    return fresh_alias(shards=3)


# To add an adapter, add a line: a context with the URL of an empty index, and its log-in.
ADAPTERS = [
    sqlite,
    *(pytest.param(real, marks=pytest.mark.services) for real in (postgres, elasticsearch, sharded)),
]


@contextmanager
def opened(adapter: Callable[[], AbstractContextManager[Any]]) -> Iterator[Opener]:
    """Opens one empty index on each call, as another process would."""
    with ExitStack() as stack:
        url, access = stack.enter_context(adapter())

        def make() -> CountIndex:
            index = open_count_index(url, access)
            stack.callback(index.close)
            return index

        yield make


def everything(index: CountIndex) -> tuple[Any, ...]:
    """Everything that a reader can see."""
    return (
        index.current_runs(),
        index.series(),
        [
            (
                index.labels(series.model),
                index.sources(series.model),
                index.histogram(
                    CountQuery(
                        model=series.model,
                        base_interval_s=series.base_interval_s,
                        interval_s=series.base_interval_s,
                    )
                ),
                index.evidence(
                    CountQuery(model=series.model, base_interval_s=series.base_interval_s), limit_per_label=9
                ),
            )
            for series in index.series()
        ],
    )


class IndexRow(NamedTuple):
    """A row or document of the base interval; without a label it belongs to coverage."""

    source: str
    start_ms: int
    label: str | None


def rows_by_writer(index: Any) -> dict[str, list[IndexRow]]:
    """The rows of counts in an index (Elasticsearch: also of coverage), sorted, by their run."""
    found: dict[str, list[IndexRow]] = {}
    if isinstance(index, SqlIndex):
        with index._moment() as now:
            for row in now.execute(select(tables.evidence)):
                of_row = IndexRow(row.source, row.interval_start_ms, row.label)
                found.setdefault(str(row.run), []).append(of_row)
    else:
        refresh(index)
        with closing(open_moment(index._cluster)) as now:
            for hit in now.hits({"terms": {"kind": ["count", "coverage"]}}):
                fields = hit["_source"]
                of_row = IndexRow(fields["source"], fields["interval_start_ms"], fields.get("label"))
                found.setdefault(fields["run"], []).append(of_row)
    return {writer: sorted(rows, key=str) for writer, rows in found.items()}


def rows_named(
    index: Any, counts: Sequence[IntervalCount], coverage: Sequence[Coverage]
) -> dict[str, list[IndexRow]]:
    """The expected rows of the index's one current run, in the form of `rows_by_writer`."""
    with index._moment() as now:
        catalogue = index._catalogue(now)
        [series] = catalogue.series
        [(_, packed)] = index._read_packed(now, catalogue.runs(series, None, None), series.base_interval_s)
    parts = parts_in(packed)
    rows = [IndexRow(count.source, count.interval_start_ms, count.label) for count in counts]
    if not isinstance(index, SqlIndex):
        rows += [IndexRow(record.source, record.interval_start_ms, None) for record in coverage]
    named: dict[str, list[IndexRow]] = {}
    for row in sorted(rows, key=str):
        named.setdefault(str(parts[part_at(row.source, row.start_ms)].writer), []).append(row)
    return named


def publish_by_parts(
    index: CountIndex, run: Run, counts: Sequence[IntervalCount], coverage: Sequence[Coverage]
) -> bool:
    """Publish as the indexer does: without records of hours that the index already has by name."""
    records: defaultdict[DayPart, list[bytes]] = defaultdict(list)
    every: list[IntervalCount | Coverage] = [*counts, *coverage]
    for record in every:
        records[part_of(record)].append(encode(record))
    names = {
        part: hashlib.blake2b(b"".join(sorted(of_part)), digest_size=8).hexdigest()
        for part, of_part in records.items()
    }
    names_there = index.part_names(run)
    while True:
        kept_names = {*names.values()}.intersection(names_there)
        try:
            return index.publish(
                run,
                [count for count in counts if names[part_of(count)] not in kept_names],
                [record for record in coverage if names[part_of(record)] not in kept_names],
                name_of=names.__getitem__,
                kept_names=kept_names,
            )
        except PartsReplaced:
            assert kept_names
            names_there = ()


def part_of(record: IntervalCount | Coverage) -> DayPart:
    """The part to which a record belongs."""
    return part_at(record.source, record.interval_start_ms)


def refresh(index: Any) -> None:
    """Make Elasticsearch show all writes."""
    with index._cluster.asked() as client:
        client.indices.refresh(index=f"{index._cluster.alias}-v2")
