"""Publishes one day's flows as a run of their series, in the order of effects of `publication.publish`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from itertools import chain

from frametally import keys
from frametally.books.runs import read_run, read_source_files
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.records import PathFile, Run, encode
from frametally_hadoop.publication.publish import LINES_PER_PART, put_parts
from frametally_traffic.counting.flow_plan import FlowDay
from frametally_traffic.counting.place_records import PlaceRecords, by_source
from frametally_traffic.flows.day_columns import decode_flows
from frametally_traffic.flows.flow_inputs import FLOWS_VERSION


def publish_flows(store: ObjectStore, day: FlowDay, counted: Mapping[str, bytes]) -> Run | None:
    """Publish a day's flows.

    Args:
        store: Where to.
        day: The day.
        counted: Files of its flows by source; those that are missing the run before has.

    Returns:
        The run, or None if another aggregation published a run of that sequence first: plan again.

    Raises:
        Poison: What the day is counted from, or what is kept of the run before, is missing or damaged.
    """
    model, interval_s, day_name = day.key
    inputs_sha256 = day.inputs_sha256()
    run_id = f"{day.sequence:06d}-{inputs_sha256[:16]}"
    prefix = keys.run_folder(model, day.base.params, interval_s, day_name, run_id)
    filmed = by_source(read_run(store, day.base)[1])
    files: list[PathFile] = []
    places: dict[str, PlaceRecords] = {}
    for one in day.inputs:
        if one.source not in filmed:
            continue
        data = counted.get(one.source)
        if data is None and day.current:
            [(_, data)] = read_source_files(store, day.current, {one.source})
        assert data is not None  # noqa: S101 - for the type checker: what is not kept was counted
        store.put(f"{keys.tracks_folder(prefix)}/{one.name}", data)
        files.append(PathFile(source=one.source, name=one.name, crc32=zlib.crc32(data)))
        flows = decode_flows(data)
        places[one.source] = PlaceRecords(model, interval_s, flows, one.shapes, filmed[one.source])
    frames = 0

    def coverage_lines() -> Iterator[bytes]:
        nonlocal frames
        for source in ordered:
            for line, of_line in places[source].coverage_lines():
                frames += of_line
                yield line

    # As bytes of keys, a place stands behind its source and a slash.
    ordered = sorted(places, key=lambda source: f"{source}/")
    count_lines = (line for source in ordered for line in places[source].count_lines())
    parts = []
    for name, crc32, _ in put_parts(store, prefix, chain(count_lines, coverage_lines()), LINES_PER_PART):
        parts.append((name, crc32))
        failpoints.passing("flows.part")
    store.put(f"{prefix}/_SUCCESS", b"")
    failpoints.passing("flows.success")
    run = Run(
        run_id=run_id,
        sequence=day.sequence,
        model=model,
        params=day.base.params,
        interval_s=interval_s,
        day=day_name,
        prefix=prefix,
        parts=[name for name, _ in parts],
        inputs_sha256=inputs_sha256,
        frames=frames,
        duplicates_dropped=0,
        parts_crc32=[crc32 for _, crc32 in parts],
        footage_sha256=day.footage_sha256(),
        tombstones_crc32=day.base.tombstones_crc32,
        settings=day.base.settings | {"flows_version": FLOWS_VERSION},
        paths=files,
    )
    return run if store.put(run.key, encode(run), if_absent=True) else None
