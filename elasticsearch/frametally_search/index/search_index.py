"""The count index in Elasticsearch.

Each query reads current runs at one point in time, so all its data belongs together. Queries share this point
in time until a current run changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any

from frametally import keys
from frametally.adapters.day_cells.day_index import DayCatalogue, DayIndex, MomentGone
from frametally.adapters.day_cells.parts import NOTHING_KEPT, parts_in
from frametally.adapters.day_cells.storage import CurrentRun, EvidenceBar, Packed, day_order, decode_packed
from frametally.books.counted_days import outdated_numbers
from frametally.ports.count_index import IndexDamaged, NameOf, Series, no_name
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.settings.access import ServerAccess
from frametally_search.index import publication as elasticsearch_publication
from frametally_search.index.documents import (
    CURRENT_RUNS,
    cells_id,
    cells_in,
    current_id,
    current_run,
    documents,
    documents_of_run,
    packed_in,
    read_frames,
    rows_of_parts,
    run_mark,
)
from frametally_search.index.queries import Moment, SharedMoment, open_moment
from frametally_search.index.search_access import ElasticsearchCluster, check, ensure


class ElasticsearchIndex(DayIndex[Moment]):
    """The count index in the Elasticsearch of a URL. Threads and processes may share it."""

    def __init__(self, url: str, *, access: ServerAccess | None = None) -> None:
        """Open the index, and create it if it is missing; see `open_elasticsearch`.

        Raises `Misconfigured` if the URL, a name or a right is wrong, or the index belongs to another
        program; `Retryable`.
        """
        super().__init__()
        self.url = url
        self._cluster = ElasticsearchCluster(url, access)
        try:
            ensure(self._cluster)
        except BaseException:
            self._cluster.close()
            raise
        self._shared = SharedMoment(self._cluster)

    def part_names(self, run: Run) -> frozenset[str]:
        return elasticsearch_publication.part_names(self._cluster, run)

    def publish(
        self,
        run: Run,
        counts: Iterable[IntervalCount],
        coverage: Iterable[Coverage],
        *,
        name_of: NameOf = no_name,
        kept_names: Collection[str] = (),
    ) -> bool:
        """Make `run` the current one of its model, interval and day; see `CountIndex.publish`."""
        return elasticsearch_publication.publish(self._cluster, run, counts, coverage, name_of, kept_names)

    def remove(self, run: Run) -> None:
        elasticsearch_publication.remove(self._cluster, run.model, run.interval_s, run.day)

    def remove_damaged(self) -> list[str]:
        return elasticsearch_publication.remove_damaged(self._cluster)

    def differing_sources(
        self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
    ) -> list[str]:
        """Return the sources whose data differs from what `publish` would write; see `CountIndex`."""
        with closing(open_moment(self._cluster)) as now:
            of_day = {"ids": {"values": [current_id(run.model, run.interval_s, run.day)]}}
            mark = next((hit["_source"].get("run") for hit in now.hits(of_day)), None) or run_mark(run, {})
            cells = cells_id(mark, run.interval_s)
            packed = cells_in(now.sources([cells], "packed").get(cells))
            parts = {} if packed is None else parts_in(packed)
            older = {part: written for part, written in parts.items() if written.writer != mark}
            queries = [documents_of_run(mark), *rows_of_parts(older)]
            stored = {hit["_id"]: _content(hit["_source"]) for query in queries for hit in now.hits(query)}
        of_records = documents(run, mark, [*counts], [*coverage], no_name, NOTHING_KEPT, parts)
        wanted = {document.id: _content(document.source) for document in of_records}
        differing: set[str] = set()
        for id in wanted.keys() | stored.keys():
            pair = wanted.get(id), stored.get(id)
            if pair[0] == pair[1]:
                continue
            present = next(document for document in pair if document is not None)
            differing |= _differing_cells(pair) if present["kind"] == "cells" else {present["source"]}
        return sorted(differing)

    def check(self) -> None:
        """Check that the index exists, has this layout and answers.

        Raises `Misconfigured` if not, or if this user may not read it; `Retryable`.
        """
        check(self._cluster)
        self.version()

    def close(self) -> None:
        self._shared.close()
        self._cluster.close()

    def _moment(self) -> AbstractContextManager[Moment]:
        return self._shared.reading()

    def _read_version(self, now: Moment) -> str:
        return now.version()

    def _read_catalogue(self, now: Moment, version: str) -> DayCatalogue:
        """Read the catalogue of the moment, whose version is `version`."""
        runs: dict[Series, list[CurrentRun]] = {}
        newest: dict[str, int] = {}
        hits = now.hits(CURRENT_RUNS, seq_no_primary_term=True)
        entries = {int(hit["_seq_no"]): hit["_source"] for hit in hits}
        current = {number: current_run(entry) for number, entry in entries.items()}
        unread = outdated_numbers(current.items())
        for number, run in current.items():
            if number not in unread:
                day = CurrentRun(number, entries[number]["run"], keys.day_start_ms(run.day))
                runs.setdefault(Series(run.model, run.interval_s), []).append(day)
                newest[run.model] = max(number, newest.get(run.model, -1))
        for of_series in runs.values():
            of_series.sort(key=day_order)
        catalogue = DayCatalogue(version, runs, newest)
        catalogue.records = current
        self._kept_cells.keep_only(catalogue.all_runs())
        return catalogue

    def _read_runs(self, now: Moment, model: str | None = None) -> Iterator[tuple[int, Run]]:
        """Yield the current runs, of one model if named, each with the number of its last change.

        The number increases with every change, because all these documents are in one shard.
        """
        records = self._catalogue(now).records.items()
        return ((number, run) for number, run in records if model in (None, run.model))

    def _read_packed(
        self, now: Moment, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterator[tuple[CurrentRun, Packed]]:
        ids = [cells_id(str(run.mark), step_s) for run in runs]
        sources = now.sources(ids, "packed")
        for run, document_id in zip(runs, ids, strict=True):
            packed = packed_in(sources.get(document_id))
            if packed is None:
                raise self._lacking(now, run, "its counts")
            yield run, decode_packed(packed)

    def _read_frames(
        self, now: Moment, bars: Sequence[EvidenceBar], of_day: bool
    ) -> Iterator[tuple[EvidenceBar, list[Evidence]]]:
        for bar, frames in read_frames(now, bars, of_day):
            if frames is None:
                raise self._lacking(now, bar.run, f"its evidence of {bar.source}")
            yield bar, frames

    def _lacking(self, now: Moment, run: CurrentRun, subject: str) -> MomentGone | IndexDamaged:
        """Return the error for a document of a run that is missing or damaged at a moment.

        Shards open their moments one after the other: a run may be published or deleted in between.
        """
        now.until_s = 0.0
        if Moment(self._cluster).version() == now.version():
            return IndexDamaged(f"{subject} on {keys.utc_day(run.day_ms)}")
        return MomentGone("a day was published while the count index was read; try again")


def _content(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a document without the run that wrote it."""
    return {name: value for name, value in document.items() if name not in ("params", "sequence")}


def _differing_cells(pair: Iterable[Mapping[str, Any] | None]) -> set[str]:
    from frametally.adapters.day_cells.cells import differing_sources  # importing numpy is slow

    return differing_sources([decode_packed(packed) for packed in map(packed_in, pair) if packed is not None])
