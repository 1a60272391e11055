"""A run's records as documents: those of the base interval as they are, and their sums over longer steps.

A document's `_id` begins with the run that it belongs to and is the same however often it is made, so that
what is sent again adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.books.runs import check_record
from frametally.errors import Poison
from frametally.ports.count_index import IndexDamaged
from frametally.ports.merging import slowest_or_unknown, sum_or_unknown
from frametally.ports.steps import rolled_steps
from frametally.records import Coverage, IntervalCount, Run, decode, encode
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.times import DAY_S


class Document(NamedTuple):
    """What is indexed, and by which `_id`."""

    id: str
    source: dict[str, Any]


def run_key(run: Run) -> str:
    """Return what a run's documents carry: all that tells it from others, as its folder in the store."""
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


def documents(run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> Iterator[Document]:
    """Give all documents of a run but the one that makes it current. Raises `Poison`."""
    of_run = _of_run(run)
    steps = rolled_steps(run.interval_s)
    rolled_counts: dict[tuple[int, int, str, str], dict[str, Any]] = {}
    rolled_coverage: dict[tuple[int, int, str], dict[str, Any]] = {}
    names: set[str] = set()

    def made(kind: str, fields: dict[str, Any], *place: object) -> Document:
        digest = hashlib.blake2b(msgspec.json.encode([kind, *place]), digest_size=16).hexdigest()
        if digest in names:
            raise Poison(
                f"run {run.prefix} counts something twice ({kind} {place!r:.200}), so frametally does not "
                "index it"
            )
        names.add(digest)
        return Document(f"{of_run['run']}#{digest}", {"kind": kind, **of_run, **fields})

    for count in counts:
        check_record(count, run)
        fields = _count_fields(count)
        yield made("count", fields, run.interval_s, count.label, count.source, count.interval_start_ms)
        for step_s in steps:
            start_ms = count.interval_start_ms // (step_s * 1000) * (step_s * 1000)
            _add_count(rolled_counts, (step_s, start_ms, count.label, count.source), fields)
    for record in coverage:
        check_record(record, run)
        fields = _coverage_fields(record)
        yield made("coverage", fields, run.interval_s, record.source, record.interval_start_ms)
        for step_s in steps:
            start_ms = record.interval_start_ms // (step_s * 1000) * (step_s * 1000)
            _add_coverage(rolled_coverage, (step_s, start_ms, record.source), fields)
    for (step_s, start_ms, label, source), fields in rolled_counts.items():
        yield made("count", fields, step_s, label, source, start_ms)
    for (step_s, start_ms, source), fields in rolled_coverage.items():
        yield made("coverage", fields, step_s, source, start_ms)


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
    best = count.evidence[0] if count.evidence else None
    return {
        "rolled": False,
        "step_s": count.interval_s,
        "label": count.label,
        "source": count.source,
        "interval_start_ms": count.interval_start_ms,
        "frames": count.frames,
        "detections": count.detections,
        "peak": count.peak,
        "peak_at_ms": best.captured_at_ms if best else count.interval_start_ms,
        "peak_image_path": best.image_path if best else "",
        "evidence": [msgspec.structs.asdict(item) for item in count.evidence],
        "objects": count.objects,
        "tracked_detections": count.tracked_detections,
    }


def _coverage_fields(record: Coverage) -> dict[str, Any]:
    return {
        "rolled": False,
        "step_s": record.interval_s,
        "source": record.source,
        "interval_start_ms": record.interval_start_ms,
        "first_interval_ms": record.interval_start_ms,
        "last_interval_ms": record.interval_start_ms,
        "frames": record.frames,
        "objects": (record.objects or 0) if record.is_measured else None,
        "analysed_fps": record.analysed_fps,
        "covered_ms": record.covered_ms,
    }


def _add_count(
    documents: dict[tuple[int, int, str, str], dict[str, Any]],
    place: tuple[int, int, str, str],
    part: dict[str, Any],
) -> None:
    step_s, start_ms = place[:2]
    of_day = step_s == DAY_S  # shorter steps serve sums alone
    other = documents.get(place)
    if other is None:
        # How many frames were analysed in the step is not the sum over the intervals that have the label.
        documents[place] = {**part, "rolled": True, "step_s": step_s, "interval_start_ms": start_ms}
        del documents[place]["frames"]
        if not of_day:
            del documents[place]["evidence"], documents[place]["peak_image_path"]
        return
    if of_day:
        shown = [*other["evidence"], *part["evidence"]]
        shown.sort(key=lambda item: (-item["count"], item["captured_at_ms"], item["image_path"]))
        other["evidence"] = shown[:MOST_EVIDENCE]
    other["detections"] += part["detections"]
    for name in ("objects", "tracked_detections"):
        other[name] = sum_or_unknown(other[name], part[name])
    if _best_first(part, of_day=of_day) < _best_first(other, of_day=of_day):
        for name in ("peak", "peak_at_ms", "peak_image_path") if of_day else ("peak", "peak_at_ms"):
            other[name] = part[name]


def _best_first(fields: dict[str, Any], *, of_day: bool) -> tuple[int, int, str]:
    return -fields["peak"], fields["peak_at_ms"], fields["peak_image_path"] if of_day else ""


def _add_coverage(
    documents: dict[tuple[int, int, str], dict[str, Any]], place: tuple[int, int, str], part: dict[str, Any]
) -> None:
    step_s, start_ms = place[:2]
    other = documents.get(place)
    if other is None:
        documents[place] = {**part, "rolled": True, "step_s": step_s, "interval_start_ms": start_ms}
        return
    other["frames"] += part["frames"]
    other["first_interval_ms"] = min(other["first_interval_ms"], part["first_interval_ms"])
    other["last_interval_ms"] = max(other["last_interval_ms"], part["last_interval_ms"])
    for name in ("objects", "covered_ms"):
        other[name] = sum_or_unknown(other[name], part[name])
    other["analysed_fps"] = slowest_or_unknown(other["analysed_fps"], part["analysed_fps"])
