"""What the Elasticsearch index has at one version: runs and series, read once and kept until that changes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from frametally import keys
from frametally.ports.count_index import CountQuery, Series
from frametally.ports.run_catalogue import BaseCatalogue, outdated_numbers
from frametally.ports.steps import Piece
from frametally.records import Run
from frametally.rules.times import DAY_MS, FIRST_MS
from frametally.rules.week_parts import joined, ranges_of
from frametally_search.index.documents import current_run, run_key
from frametally_search.index.queries import Moment, Searched

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
            yield Searched([one.run for one in days])
            return
        days.sort()
        for first in range(0, len(days), _DAYS_AT_ONCE):
            some = days[first : first + _DAYS_AT_ONCE]
            starts_ms = [keys.day_start_ms(one.day) for one in some]
            parts = (ranges_of(query.week_parts, ms, ms + DAY_MS) for ms in starts_ms)
            ranges = joined(chain.from_iterable(parts))
            if ranges:
                yield Searched([one.run for one in some], ranges)

    def _days(self, series: Series, piece: Piece) -> list[IndexedDay]:
        first = "" if piece.from_ms is None else keys.utc_day(piece.from_ms)
        last = "9999-12-31" if piece.to_ms is None else keys.utc_day(max(piece.to_ms - 1, FIRST_MS))
        return [run for run in self._runs.get(series, ()) if first <= run.day <= last]


def read_version(now: Moment) -> str:
    """Return the number of the last change of a current run, and which it was; of one that is gone, too."""
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


def read_catalogue(now: Moment, version: str) -> ElasticsearchCatalogue:
    """Read what there is at `version`, which is that of the moment."""
    runs: dict[Series, list[IndexedDay]] = {}
    newest: dict[str, int] = {}
    current = [*read_runs(now, None)]
    unread = outdated_numbers(current)
    for number, run in current:
        if number not in unread:
            series = Series(run.model, run.interval_s)
            runs.setdefault(series, []).append(IndexedDay(run.day, run_key(run)))
            newest[run.model] = max(number, newest.get(run.model, -1))
    return ElasticsearchCatalogue(version, runs, newest)


def read_runs(now: Moment, model: str | None) -> Iterator[tuple[int, Run]]:
    """Give the current runs, of one model if it is named, each behind the number of its last change.

    That number rises with every change, in an index of one shard.
    """
    query = {"match_all": {}} if model is None else {"term": {"model": model}}
    for hit in now.runs(query, seq_no_primary_term=True):
        yield int(hit["_seq_no"]), current_run(hit["_source"])
