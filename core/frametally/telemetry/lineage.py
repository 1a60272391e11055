"""Sends OpenLineage events for each run of counting and indexing, with its inputs and outputs.

Events follow the OpenLineage specification 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json).
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from frametally.telemetry.sending import Poster

PRODUCER = "urn:frametally"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_ERROR_SCHEMA = (
    "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
)
_NAMESPACE = "frametally"
_MOST_DATASETS = 1000
_LAST_WITHIN_S = 6.0

EventType = Literal["START", "COMPLETE", "FAIL"]


class Dataset(NamedTuple):
    """An input or output of a run, named as in OpenLineage by namespace and name."""

    namespace: str
    name: str


class LineageRun:
    """One run, which sends nothing if it has nothing to do."""

    def __init__(self, job: str, sender: Poster | None) -> None:
        """Send nothing yet; without a sender, never send anything."""
        self._job = job
        self._sender = sender
        self._id = str(uuid.uuid4())
        self._inputs: set[Dataset] = set()
        self._outputs: set[Dataset] = set()
        self._is_started = False

    def reads(self, datasets: Iterable[Dataset]) -> None:
        """Add inputs; the first call sends the start of the run."""
        self._inputs |= set(datasets)
        if not self._is_started:
            self._is_started = True
            self._tell("START")

    def makes(self, datasets: Iterable[Dataset]) -> None:
        """Add outputs."""
        self._outputs |= set(datasets)

    def end(self, error: BaseException | None) -> None:
        """Send how the run ended."""
        if self._is_started:
            self._tell("COMPLETE" if error is None else "FAIL", error)
            if self._sender is not None:
                self._sender.flush(_LAST_WITHIN_S)

    def _tell(self, kind: EventType, error: BaseException | None = None) -> None:
        if self._sender is None:
            return
        run: dict[str, Any] = {"runId": self._id}
        if error is not None:
            run["facets"] = {
                "errorMessage": {
                    "_producer": PRODUCER,
                    "_schemaURL": _ERROR_SCHEMA,
                    "message": str(error)[:1000] or type(error).__name__,
                    "programmingLanguage": "PYTHON",
                }
            }
        event = {
            "eventType": kind,
            "eventTime": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "run": run,
            "job": {"namespace": _NAMESPACE, "name": self._job},
            "inputs": _dataset_fields(self._inputs),
            "outputs": _dataset_fields(self._outputs),
            "producer": PRODUCER,
            "schemaURL": _SCHEMA,
        }
        self._sender.put(json.dumps(event).encode())


@contextmanager
def lineage_run(job: str, url: str, token: str = "") -> Iterator[LineageRun]:
    """Send events of one run to `url`; if it is empty, send nothing.

    Raises:
        Misconfigured: `url` is not a valid URL.
    """
    run = LineageRun(job, _sender(url, token) if url else None)
    try:
        yield run
    except BaseException as error:
        run.end(error)
        raise
    run.end(None)


def dataset(url: str, name: str) -> Dataset:
    """Return the data set `name` of a store or database, without the log-in in its URL.

    Names follow https://openlineage.io/docs/spec/naming: a bucket and its objects, a disk and its paths.
    """
    parts = urlsplit(url)
    folder = parts.path.strip("/")
    whole = "/".join(part for part in (folder, name.strip("/")) if part)
    if parts.scheme in ("file", "sqlite", ""):
        return Dataset("file", f"/{whole}")
    host = parts.netloc.rpartition("@")[2]
    return Dataset(f"{parts.scheme}://{host}", whole)


@cache
def _sender(url: str, token: str) -> Poster:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Poster(url, headers)


def _dataset_fields(datasets: set[Dataset]) -> list[dict[str, str]]:
    return [dataset._asdict() for dataset in sorted(datasets)[:_MOST_DATASETS]]
