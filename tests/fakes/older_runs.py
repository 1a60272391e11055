"""Runs as version 0.3.0 published them: tracks and paths in files of the run, zones in runs of a series."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence

import msgspec

from frametally import keys
from frametally.books.runs import hour_files, read_history, read_parts, read_paths
from frametally.history_records import OlderHistory, hours_key, list_in, with_zones
from frametally.ports.object_store import ObjectStore
from frametally.records import PathFile, Run, encode
from frametally.rules.hour_file import lines_of
from frametally.rules.path_columns import encode_paths


def without_history(store: ObjectStore, run: Run) -> None:
    """Remove the history from the list of a run."""
    key = hours_key(run.prefix)
    store.put(key, list_in(store.get(key)))


def with_history_apart(store: ObjectStore, run: Run) -> None:
    """Put the history of a run in a separate file, as earlier versions did."""
    history = read_history(store, run)
    assert history is not None
    older = OlderHistory(**msgspec.structs.asdict(history))
    store.put(older.key, encode(older))
    without_history(store, run)


def with_plain_parts(store: ObjectStore, run: Run) -> Run:
    """Put the lines of a run's part files unchanged, and point its pointer at them."""
    for key, lines in list(read_parts(store, run)):
        store.put(key.removesuffix(".gz"), lines)
        store.delete(key)
    older = msgspec.structs.replace(run, parts=[name.removesuffix(".gz") for name in run.parts])
    store.put(run.key, encode(older))
    return older


def as_older(store: ObjectStore, run: Run) -> Run:
    """Give a current run the files of the older layout, and none of the current one."""
    with_history_apart(store, run)
    folder = keys.tracks_folder(run.prefix)
    files = [file.key for of_source in hour_files(store, run).values() for file in of_source]
    lines = sorted(line for key in files for line in lines_of(store.get(key), "track"))
    tracks = b"".join(line.partition(b"\t")[2] for line in lines)
    store.put(f"{folder}/part-00000", tracks)
    paths = []
    for number, of_source in enumerate(read_paths(store, run)):
        data = encode_paths(of_source)
        paths.append(PathFile(source=of_source.source, name=f"paths-{number:05d}", crc32=zlib.crc32(data)))
        store.put(f"{folder}/{paths[-1].name}", data)
    older = msgspec.structs.replace(
        with_plain_parts(store, run),
        track_parts=["part-00000"],
        track_parts_crc32=[zlib.crc32(tracks)],
        paths=paths,
        hours_crc32=None,
        hours={},
    )
    store.put(run.key, encode(older))
    for key in (*files, hours_key(run.prefix)):
        store.delete(key)
    return older


def with_zones_apart(store: ObjectStore, run: Run, segments: Sequence[str]) -> tuple[Run, Run]:
    """Publish a day of one source in the older layout: whole pictures and zones are runs of two series.

    `segments` are the keys of all its inputs.
    """
    [_, of_zones] = with_zones([run])
    zones = json.dumps([[], run.zones], ensure_ascii=False, separators=(",", ":"))
    folder = keys.run_folder(of_zones.model, run.params, run.interval_s, run.day, "000001-" + "0" * 16)
    for number, (_, lines) in enumerate(read_parts(store, of_zones)):
        store.put(f"{folder}/part-{number:05d}", lines)
    older_zones = msgspec.structs.replace(
        of_zones,
        sequence=1,
        prefix=folder,
        parts=[f"part-{number:05d}" for number, _ in enumerate(of_zones.parts)],
        inputs_sha256=_sha256(run, f" zones {zones}", segments),
        hours_crc32=None,
        hours={},
        paths=[],
        zones_before=dict(run.zones),
        zone_parts=None,
    )
    store.put(older_zones.key, encode(older_zones))
    whole = msgspec.structs.replace(run, zone_parts=None, inputs_sha256=_sha256(run, "", segments))
    return as_older(store, whole), older_zones


def _sha256(run: Run, zones: str, segments: Sequence[str]) -> str:
    lines = [f"{run.params} {run.interval_s} {run.day}{zones}", *sorted(segments), ""]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
