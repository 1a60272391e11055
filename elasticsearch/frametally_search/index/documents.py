"""A run's records as documents: rows of the base interval, evidence of each day, and packed steps.

A document's `_id` begins with the mark of the run that wrote it and never changes. So a document that is sent
twice is stored once, and a reader can name the documents that it needs. A run that keeps different parts
(`day_cells.parts`) has a different mark: one mark means one set of documents.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.adapters.day_cells.parts import (
    NOTHING_KEPT,
    KeptParts,
    Parts,
    sources_by_hour,
    writer_at,
    written_parts,
)
from frametally.adapters.day_cells.storage import EvidenceBar, Packed, decode_packed
from frametally.books.run_records import check_record
from frametally.errors import Poison
from frametally.ports.count_index import IndexDamaged, NameOf
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode, encode
from frametally.rules.evidence import busiest
from frametally.rules.known import NAMES_OF_TRACKS
from frametally.rules.times import HOUR_MS
from frametally_search.index.queries import Moment

_FASTEST = 1
_MEASURES = ("label", "detections", "peak", *NAMES_OF_TRACKS)
ROWS = {"terms": {"kind": ["count", "coverage"]}}
"""Selects the documents that belong to parts."""
CURRENT_RUNS = {"term": {"kind": "run"}}
CURRENT = "current"
"""The routing of the documents that name current runs: it puts them all into one shard."""


class Document(NamedTuple):
    """A document and its `_id`."""

    id: str
    source: dict[str, Any]


def run_mark(run: Run, unchanged: Parts) -> str:
    """Return the mark of a run's documents: folder in the store and digest of the parts that it keeps."""
    folder = keys.run_folder(run.model, run.params, run.interval_s, run.day, run.run_id)
    key = folder.removeprefix(f"{keys.OUTPUT}/")
    digest = hashlib.blake2b(msgspec.json.encode(sorted(unchanged.items())), digest_size=8).hexdigest()
    return f"{key}#{digest}" if unchanged else key


def documents_of_run(mark: str) -> dict[str, Any]:
    """Select all documents that a run wrote, except the one that makes it current."""
    return {"bool": {"filter": [{"term": {"run": mark}}], "must_not": [{"term": {"kind": "run"}}]}}


def rows_of_parts(parts: Parts) -> Iterator[dict[str, Any]]:
    """Select the rows of some parts; each query has one writer, one hour and several hundred sources."""
    for writer, hour_ms, sources in sources_by_hour(parts):
        of_hour: dict[str, Any] = {"interval_start_ms": {"gte": hour_ms, "lt": hour_ms + HOUR_MS}}
        filters = [{"term": {"run": writer}}, {"terms": {"source": sources}}, {"range": of_hour}]
        yield {"bool": {"filter": filters}}


def current_id(model: str, interval_s: int, day: str) -> str:
    """Return the `_id` of the document that names the current run of a model, interval and day."""
    return f"current/{model}/{interval_s}/{day}"


def current_document(run: Run, mark: str) -> dict[str, Any]:
    """Return the document that makes this run current."""
    return {"kind": "run", **_of_run(run, mark), "record": encode(run).decode()}


def gone_document(model: str, interval_s: int, day: str) -> dict[str, Any]:
    """Return the document that replaces the current run of a day after its removal."""
    return {"kind": "gone", "model": model, "interval_s": interval_s, "day": day}


def current_run(document: Mapping[str, Any]) -> Run:
    """Return the run that a document makes current. Raises `IndexDamaged`."""
    with suppress(Poison, KeyError):
        run = decode(document["record"].encode(), Run)
        # A release with more fields in a run writes different bytes for the same run.
        expected = {**current_document(run, document["run"]), "record": document["record"]}
        if expected == document and document["run"].partition("#")[0] == run_mark(run, {}):
            return run
    raise IndexDamaged(f"its entry for {document['day']} ({document['model']}, {document['interval_s']} s)")


def cells_id(run: str, step_s: int) -> str:
    """Return the `_id` of the packed cells of a run and step."""
    return _id(run, "cells", step_s)


def frames_id(run: str, label: str, source: str, start_ms: int | None) -> str:
    """Return the `_id` of the document with the frames of a bar, or of the day if `start_ms` is None."""
    return _id(run, *(("day", label, source) if start_ms is None else ("count", label, source, start_ms)))


def documents(
    run: Run,
    mark: str,
    counts: Sequence[IntervalCount],
    coverage: Sequence[Coverage],
    name_of: NameOf,
    kept_parts: KeptParts,
    written: Parts = NOTHING_KEPT.parts,
) -> Iterator[Document]:
    """Yield all documents that a run writes, except the one that makes it current.

    `written`: parts that other runs wrote; their rows are yielded as those runs wrote them.

    Raises:
        PartsReplaced: The kept parts do not add up to the run's frames.
        Poison: A record has a different model, interval or day, or occurs twice.
    """
    from frametally.adapters.day_cells.cells import CellPacker, CountedTwice  # importing numpy is slow

    def row(kind: str, record: Any, fields: dict[str, Any], *place: str) -> Document:
        writer = str(writer_at(written, record.source, record.interval_start_ms, mark))
        document_id = _id(writer, kind, *place, record.interval_start_ms)
        return Document(document_id, {**of_run, "run": writer, "kind": kind, **fields})

    of_run = _of_run(run, mark)
    packer = CellPacker(keys.day_start_ms(run.day), run.interval_s)
    of_day = {(label, source): frames for (source, label), frames in kept_parts.evidence.items()}
    for count in counts:
        check_record(count, run)
        packer.add_counts([count])
        place = count.label, count.source
        of_day[place] = busiest([*of_day.get(place, ()), *count.evidence])
        yield row("count", count, _count_fields(count), *place)
    for record in coverage:
        check_record(record, run)
        packer.add_coverage([record])
        yield row("coverage", record, _coverage_fields(record), record.source)
    for (label, source), frames in of_day.items():
        fields: dict[str, Any] = {
            "kind": "day",
            "label": label,
            "source": source,
            "evidence": _frame_fields(frames),
        }
        yield Document(frames_id(mark, label, source, None), {**of_run, **fields})
    packer.add_kept(kept_parts, run.frames)
    parts = {**kept_parts.parts, **written_parts(counts, coverage, name_of, mark)}
    try:
        for step_s, packed in packer.pack(parts):
            body = base64.b64encode(zlib.compress(packed, _FASTEST)).decode()
            fields = {"kind": "cells", "step_s": step_s, "packed": body}
            yield Document(cells_id(mark, step_s), {**of_run, **fields})
    except CountedTwice as error:
        raise Poison(f"run {run.prefix} counts something twice, so frametally does not index it") from error


def packed_in(document: Mapping[str, Any] | None) -> bytes | None:
    """Return the bytes in a document of packed cells, or None if they do not match their checksum."""
    with suppress(KeyError, TypeError, ValueError, zlib.error):
        return zlib.decompress(base64.b64decode((document or {})["packed"], validate=True))
    return None


def cells_in(document: Mapping[str, Any] | None) -> Packed | None:
    """Return the cells in a document of packed cells, or None if it is missing or damaged."""
    packed = packed_in(document)
    return None if packed is None else decode_packed(packed)


def read_frames(
    now: Moment, bars: Sequence[EvidenceBar], of_day: bool
) -> Iterator[tuple[EvidenceBar, list[Evidence] | None]]:
    """Read the frames of bars, or of whole days; an entry is None if its document is missing."""
    ids = []
    for bar in bars:
        start_ms = None if of_day else bar.start_ms
        ids.append(frames_id(str(bar.writer or bar.run.mark), bar.label, bar.source, start_ms))
    sources = now.sources(ids, "evidence")
    for bar, document_id in zip(bars, ids, strict=True):
        if document_id not in sources:
            yield bar, None
        else:
            yield bar, msgspec.convert(sources[document_id]["evidence"], list[Evidence])


def _id(run: str, kind: str, *place: object) -> str:
    digest = hashlib.blake2b(msgspec.json.encode([kind, *place]), digest_size=16).hexdigest()
    return f"{run}#{digest}"


def _of_run(run: Run, mark: str) -> dict[str, Any]:
    return {
        "run": mark,
        "model": run.model,
        "interval_s": run.interval_s,
        "day": run.day,
        "params": run.params,
        "sequence": run.sequence,
    }


def _count_fields(count: IntervalCount) -> dict[str, Any]:
    return {**_fields(count, *_MEASURES), "evidence": _frame_fields(count.evidence)}


def _coverage_fields(record: Coverage) -> dict[str, Any]:
    objects = (record.objects or 0) if record.is_measured else None
    return {**_fields(record, "analysed_fps", "covered_ms"), "objects": objects}


def _fields(record: IntervalCount | Coverage, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in ("source", "interval_start_ms", "frames", *names)}


def _frame_fields(frames: Iterable[Evidence]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(item) for item in frames]
