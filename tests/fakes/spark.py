"""Spark's data frames in this process: tasks exchange Arrow data, and functions are pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from frametally_hadoop.running.spark import Row, SparkJob, arrow_batch

_ROWS_AT_ONCE = 8


class FakeFrame:
    """Partitions of rows, without lazy evaluation."""

    def __init__(self, partitions: Iterable[Iterable[Row]]) -> None:
        self._partitions = [list(rows) for rows in partitions]

    def repartition(self, tasks: int, column: str) -> FakeFrame:
        assert column == "place"
        partitions: list[list[Row]] = [[] for _ in range(tasks)]
        for row in self.collect():
            partitions[row[0] % tasks].append(row)
        return FakeFrame(partitions)

    def sortWithinPartitions(self, column: str) -> FakeFrame:  # noqa: N802
        assert column == "key"
        return FakeFrame(sorted(rows, key=lambda row: row[1]) for rows in self._partitions)

    def map_batches(self, task: Callable[[Iterator[Any]], Iterator[Any]], schema: str) -> FakeFrame:
        assert schema == "place int, key binary, value binary"
        made = (pickle.loads(pickle.dumps(task))(_batches(rows)) for rows in self._partitions)  # noqa: S301
        return FakeFrame(_rows(batches) for batches in made)

    def union(self, other: FakeFrame) -> FakeFrame:
        return FakeFrame([*self._partitions, *other._partitions])

    def collect(self) -> list[Row]:
        return [row for rows in self._partitions for row in rows]


def _batches(rows: list[Row]) -> Iterator[pa.RecordBatch]:
    return (arrow_batch(rows[at : at + _ROWS_AT_ONCE]) for at in range(0, len(rows), _ROWS_AT_ONCE))


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


class FakeSession:
    """Makes frames of the driver's rows."""

    def createDataFrame(self, rows: list[Row], schema: str) -> FakeFrame:  # noqa: N802
        return FakeFrame([rows])


@contextmanager
def fake_job(_: object, url: str) -> Iterator[SparkJob]:
    """A stand-in for `running.spark.spark_job`."""
    yield SparkJob(FakeSession(), url)
