"""Runs tasks on Spark; each opens the store with its own environment's settings.

Data frames contain rows of a place, a key and a value; all rows of a place go to one task, sorted by key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from typing import Any, NamedTuple

from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.settings.loading import Settings, load_settings
from frametally.spark_sessions import java_cause, map_batches, spark_session
from frametally_hadoop.job.reading import Fetch
from frametally_hadoop.running.engine import raised_in_task

Row = tuple[int, bytes, bytes]
Task = Callable[[ObjectStore, Iterator[Row]], Iterator[Row]]
EntryTask = Callable[[ObjectStore, Iterator[str]], Iterator[bytes]]

_SCHEMA = "place int, key binary, value binary"
_MOST_RANGE_BYTES = 8 * 2**20
_BATCH_BYTES = 4 * 2**20
_MOST_TASKS = 2000
_ROWS_AT_ONCE = {"spark.sql.execution.arrow.maxRecordsPerBatch": "1"}
"""Rows per Arrow batch; a value may be as large as a split, and Spark's default is 10,000 rows."""


class SparkJob(NamedTuple):
    """A session, and the store that its tasks open."""

    session: Any
    url: str

    def frame(self, rows: Iterable[Row]) -> Any:
        """Return a data frame of the driver's rows."""
        return self.session.createDataFrame(list(rows), _SCHEMA)

    def spread(self, values: Sequence[bytes]) -> Any:
        """Return a data frame of the driver's values, spread over `places`."""
        return self.frame(
            (place, b"", value) for place, value in zip(places(len(values)), values, strict=True)
        )

    def run(self, task: Task, frame: Any, parts: int) -> Any:
        """Return the rows that `task` makes from the rows of each of the `places`, in `parts` parts."""
        parted = frame.repartition(_tasks(parts), "place").sortWithinPartitions("key")
        return map_batches(parted, partial(run_task, self.url, task), _SCHEMA)


@contextmanager
def spark_job(settings: Settings, url: str) -> Iterator[SparkJob]:
    """Yield a job on the settings' master, stopped at the end. Raises as `spark_session` does."""
    with spark_session(settings, "frametally-count", options=lambda: _ROWS_AT_ONCE) as session:
        yield SparkJob(session, url)


def map_on_spark(settings: Settings, url: str, entries: Sequence[str], task: EntryTask) -> list[bytes]:
    """Return the results of a task for the entries that it gets, with the store at `url`.

    Raises as `spark_job` and `collect` do.
    """
    with spark_job(settings, url) as job:
        frame = job.spread([entry.encode() for entry in entries])
        return [value for *_, value in collect(job.run(partial(_map_entries, task), frame, len(entries)))]


def _map_entries(task: EntryTask, store: ObjectStore, rows: Iterator[Row]) -> Iterator[Row]:
    yield from ((0, b"", value) for value in task(store, (entry.decode() for *_, entry in rows)))


def try_spark(settings: Settings) -> None:
    """Have a task open the store. Raises as `map_on_spark` does."""
    map_on_spark(settings, settings.store_url, [""], _open_alone)


def _open_alone(store: ObjectStore, entries: Iterator[str]) -> Iterator[bytes]:
    del store, entries
    return iter(())


@cache
def places(parts: int) -> list[int]:
    """Return a place for each part, such that each gets a separate task as far as there are tasks.

    Spark chooses a row's task by a hash of its place. A different hash would only spread work less evenly.
    """
    tasks = _tasks(parts)
    numbers: dict[int, int] = {}
    for number in count():
        numbers.setdefault(_murmur3(number) % tasks, number)
        if len(numbers) == tasks:
            break
    return [numbers[part % tasks] for part in range(parts)]


def _tasks(parts: int) -> int:
    return min(max(parts, 1), _MOST_TASKS)


def _murmur3(number: int) -> int:
    """Return Spark's hash of an integer column, below 2^31: Murmur3 with the seed 42."""
    hashed = _rotate(42 ^ _rotate(number * 0xCC9E2D51, 15) * 0x1B873593, 13) * 5 + 0xE6546B64 ^ 4
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        hashed &= 0xFFFFFFFF
        hashed = (hashed ^ hashed >> shift) * factor
    return hashed - (hashed >> 31 << 32)


def _rotate(word: int, left: int) -> int:
    word &= 0xFFFFFFFF
    return word << left & 0xFFFFFFFF | word >> 32 - left


def fetch_from(store: ObjectStore) -> Fetch:
    """Return a `fetch` whose addresses are keys of the store."""

    def fetch(key: str, name: str, *, block_bytes: int = _MOST_RANGE_BYTES) -> Iterator[bytes]:
        first_byte, range_bytes = 0, block_bytes
        try:
            while data := store.get_range(key, first_byte, first_byte + range_bytes):
                for at_byte in range(0, len(data), block_bytes):
                    yield data[at_byte : at_byte + block_bytes]
                if len(data) < range_bytes:
                    return
                first_byte += len(data)
                range_bytes = min(2 * range_bytes, _MOST_RANGE_BYTES)
        except ObjectMissing as error:
            raise Retryable(f"{name} cannot be read: {error}") from error

    return fetch


_KINDS = (Misconfigured, Poison, Retryable)


def run_task(url: str, task: Task, batches: Iterator[Any]) -> Iterator[Any]:
    """Run a task on Arrow batches, and pass the kind of its errors to the driver."""
    rows = (
        row
        for batch in batches
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    try:
        yield from _batches(task(_open_store(url), rows))
    except _KINDS as error:
        kind = next(kind for kind in _KINDS if isinstance(error, kind))
        raise kind(str(error)) from None


def _batches(rows: Iterable[Row]) -> Iterator[Any]:
    batch: list[Row] = []
    batch_bytes = 0
    for row in rows:
        batch.append(row)
        batch_bytes += len(row[1]) + len(row[2])
        if batch_bytes >= _BATCH_BYTES:
            yield arrow_batch(batch)
            batch, batch_bytes = [], 0
    if batch:
        yield arrow_batch(batch)


def arrow_batch(rows: Sequence[Row]) -> Any:
    """Return rows as one Arrow batch."""
    import pyarrow as pa

    types = (pa.int32(), pa.binary(), pa.binary())
    columns = [pa.array(column, type_) for column, type_ in zip(zip(*rows, strict=True), types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, ["place", "key", "value"])


@cache
def _open_store(url: str) -> ObjectStore:
    return open_object_store(url, load_settings("hadoop").store_access)


def collect(frame: Any) -> list[Row]:
    """Return the rows of a data frame, once its tasks have run.

    Raises a task's error (`Retryable`, `Poison`, `Misconfigured`) with the task's own line; `Retryable` if
    Spark itself failed.
    """
    try:
        return [(place, bytes(key), bytes(value)) for place, key, value in frame.collect()]
    except Exception as error:
        if (raised := raised_in_task(str(error))) is not None:
            raise raised from None
        failed = Retryable(
            f"the counting job failed on the spark runner: {java_cause(error)}; run it again, or with "
            "FRAMETALLY_RUNNER=inline to see whether the runner is the cause"
        )
        failed.add_note(str(error))
        raise failed from error
