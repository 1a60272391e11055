"""Runs tasks on Spark; each opens the store with the settings of its own environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.settings.loading import Settings, load_settings
from frametally.spark_sessions import java_cause, spark_session
from frametally_hadoop.job.fetching import Fetch
from frametally_hadoop.running.engine import raised_in_task

Task = Callable[[ObjectStore, Iterator[Any]], Iterator[Any]]

_MOST_RANGE_BYTES = 8 * 2**20


def map_on_spark(settings: Settings, url: str, items: Sequence[Any], task: Task) -> list[Any]:
    """Return the results of a task for each group of items, with the store at `url`.

    Raises as `spark_context` and `collect`.
    """
    with spark_context(settings) as context:
        return collect(context.parallelize(items).mapPartitions(partial(run_task, url, task)))


def try_spark(settings: Settings) -> None:
    """Have a task open the store. Raises as `map_on_spark`."""
    map_on_spark(settings, settings.store_url, [None], _open_alone)


def _open_alone(store: ObjectStore, items: Iterator[None]) -> Iterator[None]:
    del store
    return items


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


def run_task(url: str, task: Task, items: Iterator[Any]) -> Iterator[Any]:
    """Run a task, and have the driver know the kind of its errors."""
    try:
        yield from task(_open_store(url), items)
    except FrametallyError as error:
        for kind in _KINDS:
            if isinstance(error, kind):
                raise kind(str(error)) from None
        raise


@cache
def _open_store(url: str) -> ObjectStore:
    return open_object_store(url, load_settings("hadoop").store_access)


@contextmanager
def spark_context(settings: Settings) -> Iterator[Any]:
    """Give a context of the settings' master, stopped at the end. Raises as `spark_session`."""
    with spark_session(settings, "frametally-count", options=lambda: {"spark.log.level": "OFF"}) as session:
        yield session.sparkContext


def collect(results: Any) -> list[Any]:
    """Return the rows of a data set, once its tasks have run.

    Raises what a task raised (`Retryable`, `Poison`, `Misconfigured`), with the task's own line; `Retryable`
    if Spark itself failed.
    """
    try:
        collected: list[Any] = results.collect()
    except Exception as error:
        if (raised := raised_in_task(str(error))) is not None:
            raise raised from None
        failed = Retryable(
            f"the counting job failed on the spark runner: {java_cause(error)}; run it again, or with "
            "FRAMETALLY_RUNNER=inline to see whether the runner is the cause"
        )
        failed.add_note(str(error))
        raise failed from error
    return collected
