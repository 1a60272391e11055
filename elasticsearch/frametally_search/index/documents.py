"""A run's records as documents: rows of the base interval, evidence of each day, and packed steps.

A document's `_id` begins with the run that it belongs to and is the same however often it is made, so that
what is sent again adds nothing, and a reader names the documents of a run that it needs.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.books.runs import check_record
from frametally.errors import Poison
from frametally.ports.count_index import IndexDamaged
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode, encode
from frametally.rules.evidence import busiest

_FASTEST = 1
_ROWS_AT_ONCE = 2_000
CURRENT = "current"
"""The routing of the documents that name current runs: they lie in one shard, whichever it is."""


class Document(NamedTuple):
    """A document and its `_id`."""

    id: str
    source: dict[str, Any]


def run_key(run: Run) -> str:
    """Return the beginning of the `_id`s of a run's documents: it identifies the run, like its folder."""
    folder = keys.run_folder(run.model, run.params, run.interval_s, run.day, run.run_id)
    return folder.removeprefix(f"{keys.OUTPUT}/")


def documents_of_run(run: Run) -> dict[str, Any]:
    """Select all documents of a run but the one that makes it current."""
    of_run = {"term": {"run": run_key(run)}}
    return {"bool": {"filter": [of_run], "must_not": [{"term": {"kind": "run"}}]}}


def current_id(model: str, interval_s: int, day: str) -> str:
    """Return the `_id` of the document that names a day's current run: one per model, interval and day."""
    return f"current/{model}/{interval_s}/{day}"


def current_document(run: Run) -> dict[str, Any]:
    """Return what says that this run is current."""
    return {"kind": "run", **_of_run(run), "record": encode(run).decode()}


def gone_document(model: str, interval_s: int, day: str) -> dict[str, Any]:
    """Return the document that replaces a day's current run once it is removed."""
    return {"kind": "gone", "model": model, "interval_s": interval_s, "day": day}


def current_run(document: Mapping[str, Any]) -> Run:
    """Return the run that a document makes current. Raises `IndexDamaged`."""
    with suppress(Poison):
        run = decode(document["record"].encode(), Run)
        # A release that knows more fields of a run writes the record of the same run with other bytes.
        if {**current_document(run), "record": document["record"]} == document:
            return run
    raise IndexDamaged(f"its entry for {document['day']} ({document['model']}, {document['interval_s']} s)")


def cells_id(run: str, step_s: int) -> str:
    """Return the `_id` of the packed cells of a run and step."""
    return _id(run, "cells", step_s)


def frames_id(run: str, label: str, source: str, start_ms: int | None) -> str:
    """Return the `_id` of what shows the frames of a bar of the base interval; of a day, if None."""
    return _id(run, *(("day", label, source) if start_ms is None else ("count", label, source, start_ms)))


def documents(run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> Iterator[Document]:
    """Give all documents of a run but the one that makes it current. Raises `Poison`."""
    from frametally.adapters.day_cells.cells import CellPacker, CountedTwice  # numpy takes long

    of_run = _of_run(run)
    key = of_run["run"]
    packer = CellPacker(keys.day_start_ms(run.day), run.interval_s)
    of_day: dict[tuple[str, str], list[Evidence]] = {}
    for count in counts:
        check_record(count, run)
        packer.add_counts([count])
        place = count.label, count.source
        of_day[place] = busiest([*of_day.get(place, ()), *count.evidence])
        fields = {**of_run, "kind": "count", **_count_fields(count)}
        yield Document(frames_id(key, *place, count.interval_start_ms), fields)
    for record in coverage:
        check_record(record, run)
        packer.add_coverage([record])
        document_id = _id(key, "coverage", record.source, record.interval_start_ms)
        yield Document(document_id, {**of_run, "kind": "coverage", **_coverage_fields(record)})
    for (label, source), frames in of_day.items():
        fields = {"kind": "day", "label": label, "source": source, "evidence": _frame_fields(frames)}
        yield Document(frames_id(key, label, source, None), {**of_run, **fields})
    try:
        for step_s, packed in packer.pack():
            body = base64.b64encode(zlib.compress(packed, _FASTEST)).decode()
            fields = {"kind": "cells", "step_s": step_s, "packed": body}
            yield Document(cells_id(key, step_s), {**of_run, **fields})
    except CountedTwice as error:
        raise Poison(f"run {run.prefix} counts something twice, so frametally does not index it") from error


def packed_in(document: Mapping[str, Any] | None) -> bytes | None:
    """Return the contents of a document of packed cells; None if they do not match their checksum."""
    with suppress(KeyError, TypeError, ValueError, zlib.error):
        return zlib.decompress(base64.b64decode((document or {})["packed"], validate=True))
    return None


def _id(run: str, kind: str, *place: object) -> str:
    digest = hashlib.blake2b(msgspec.json.encode([kind, *place]), digest_size=16).hexdigest()
    return f"{run}#{digest}"


def _of_run(run: Run) -> dict[str, Any]:
    return {
        "run": run_key(run),
        "model": run.model,
        "interval_s": run.interval_s,
        "day": run.day,
        "params": run.params,
        "sequence": run.sequence,
    }


def _count_fields(count: IntervalCount) -> dict[str, Any]:
    return {
        "label": count.label,
        "source": count.source,
        "interval_start_ms": count.interval_start_ms,
        "frames": count.frames,
        "detections": count.detections,
        "peak": count.peak,
        "evidence": _frame_fields(count.evidence),
        "objects": count.objects,
        "tracked_detections": count.tracked_detections,
    }


def _coverage_fields(record: Coverage) -> dict[str, Any]:
    return {
        "source": record.source,
        "interval_start_ms": record.interval_start_ms,
        "frames": record.frames,
        "objects": (record.objects or 0) if record.is_measured else None,
        "analysed_fps": record.analysed_fps,
        "covered_ms": record.covered_ms,
    }


def _frame_fields(frames: Iterable[Evidence]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(item) for item in frames]
