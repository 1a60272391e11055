"""Runs as version 0.3.0 published them: tracks and paths in files of the run."""

from __future__ import annotations

import zlib

import msgspec

from frametally import keys
from frametally.books.runs import hour_files, read_paths
from frametally.history_records import hours_key
from frametally.ports.object_store import ObjectStore
from frametally.records import PathFile, Run, encode
from frametally.rules.hour_file import lines_of
from frametally.rules.path_columns import encode_paths


def as_older(store: ObjectStore, run: Run) -> Run:
    """Give a run of now the files of before, and none of now."""
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
        run,
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
