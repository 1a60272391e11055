"""Finds the files with the paths of tracks: hour files, or one of a source in runs of older versions."""

from __future__ import annotations

from collections.abc import Collection

from frametally import keys
from frametally.books.runs import StoredFile, hour_files
from frametally.ports.object_store import ObjectStore
from frametally.records import Run


class PathFiles:
    """The files of each run, whose list is read once."""

    def __init__(self, store: ObjectStore) -> None:
        """Read nothing yet."""
        self._store = store
        self._by_run: dict[str, dict[str, list[StoredFile]]] = {}

    def of_source(self, run: Run, source: str) -> list[StoredFile]:
        """Return the files with the paths of a source. Raises `Poison`: their list is missing or damaged."""
        return self._of_run(run).get(source, [])

    def missing(self, run: Run, sources: Collection[str]) -> list[str]:
        """Return the keys of files that are gone, sorted. Raises as `of_source`."""
        is_by_hour = run.hours_crc32 is not None
        folder = keys.hours_folder(run.model, run.day) if is_by_hour else keys.tracks_folder(run.prefix)
        stored = {info.key for info in self._store.list(folder)}
        return sorted({file.key for source in sources for file in self.of_source(run, source)} - stored)

    def _of_run(self, run: Run) -> dict[str, list[StoredFile]]:
        if run.key not in self._by_run:
            folder = keys.tracks_folder(run.prefix)
            self._by_run[run.key] = hour_files(self._store, run) | {
                file.source: [StoredFile(f"{folder}/{file.name}", file.crc32)] for file in run.paths or ()
            }
        return self._by_run[run.key]
