"""What the Elasticsearch index has at one version: runs and series, read once and kept until that changes."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from frametally import keys
from frametally.adapters.elasticsearch_queries import FIRST_MS, Moment
from frametally.count_index import CountedDay, Series, SourceSummary
from frametally.records import Run, decode
from frametally.steps import Piece


class CurrentRun(NamedTuple):
    """A run that queries read: its UTC day, and what its documents carry."""

    day: str
    run: str


class Catalogue:
    """What there is at one version; of that it notes what has been asked for.

    Attributes:
        version: As `CountIndex.version`.
        series: What can be asked for, as `CountIndex.series`.
        labels: As `CountIndex.labels`, by model; those that have been asked for.
        sources: As `CountIndex.sources`, by model; those that have been asked for.
        days: As `CountIndex.counted_days`, by model; those that have been asked for.
    """

    def __init__(self, version: str, runs: dict[Series, list[CurrentRun]], newest: dict[str, int]) -> None:
        """Of the runs of each series, and the number of each model's last change."""
        self.version = version
        self.series = sorted(runs, key=lambda one: (-newest[one.model], -one.base_interval_s))
        self.labels: dict[str, list[tuple[str, int]]] = {}
        self.sources: dict[str, list[SourceSummary]] = {}
        self.days: dict[str, list[CountedDay]] = {}
        self._runs = runs

    def of_model(self, model: str) -> list[Series]:
        """Its series, as in `series`."""
        return [one for one in self.series if one.model == model]

    def runs(self, series: Series, piece: Piece) -> list[str]:
        """The runs of a series that can have documents in `piece`."""
        first = "" if piece.from_ms is None else keys.utc_day(piece.from_ms)
        last = "9999-12-31" if piece.to_ms is None else keys.utc_day(max(piece.to_ms - 1, FIRST_MS))
        return [run.run for run in self._runs.get(series, ()) if first <= run.day <= last]


def read_version(now: Moment) -> str:
    """The number of the last change of a current run, and which it was."""
    hits = now.search(
        {"term": {"kind": "run"}},
        size=1,
        sort=[{"_seq_no": "desc"}],
        source=False,
        docvalue_fields=["run"],
    )["hits"]["hits"]
    if not hits:
        return "0"
    return f"{hits[0]['sort'][0]}-{zlib.crc32(hits[0]['fields']['run'][0].encode()):08x}"


def read_catalogue(now: Moment, version: str) -> Catalogue:
    """What there is at `version`, which is that of the moment."""
    runs: dict[Series, list[CurrentRun]] = {}
    newest: dict[str, int] = {}
    fields = ["model", "interval_s", "day", "run"]
    # The number of a change rises with every one, in an index of one shard.
    for hit in now.runs({"match_all": {}}, source=False, docvalue_fields=fields, seq_no_primary_term=True):
        model, interval_s, day, run = (hit["fields"][field][0] for field in fields)
        runs.setdefault(Series(model, int(interval_s)), []).append(CurrentRun(day, run))
        newest[model] = max(int(hit["_seq_no"]), newest.get(model, -1))
    return Catalogue(version, runs, newest)


def read_days(now: Moment, model: str) -> list[CountedDay]:
    """The current runs of a model; see `CountIndex.counted_days`."""
    found = []
    for hit in now.runs({"term": {"model": model}}, source=["record"], seq_no_primary_term=True):
        run = decode(hit["_source"]["record"].encode(), Run)
        day_ms = keys.day_start_ms(run.day)
        found.append(CountedDay(run.interval_s, day_ms, run.frames, int(hit["_seq_no"])))
    return found
