"""Spark's data sets, in this process: what moves between tasks is pickled, as Spark pickles it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from operator import itemgetter
from typing import Any, Self


class FakeRdd:
    """Partitions of pickled items; nothing is lazy."""

    def __init__(self, partitions: Iterable[Iterable[Any]]) -> None:
        self._partitions = [[pickle.dumps(item) for item in items] for items in partitions]

    def _items(self) -> Iterator[Iterator[Any]]:
        return (map(pickle.loads, items) for items in self._partitions)

    def mapPartitions(self, task: Callable[[Iterator[Any]], Iterable[Any]]) -> FakeRdd:  # noqa: N802
        return FakeRdd(map(task, self._items()))

    def partitionBy(self, count: int, number_of: Callable[[Any], int]) -> FakeRdd:  # noqa: N802
        partitions: list[list[Any]] = [[] for _ in range(count)]
        for pair in chain.from_iterable(self._items()):
            partitions[number_of(pair[0]) % count].append(pair)
        return FakeRdd(partitions)

    def repartitionAndSortWithinPartitions(  # noqa: N802
        self, count: int, number_of: Callable[[Any], int]
    ) -> FakeRdd:
        parted = self.partitionBy(count, number_of)
        return FakeRdd(sorted(items, key=itemgetter(0)) for items in parted._items())

    def union(self, other: Self) -> FakeRdd:
        return FakeRdd(chain(self._items(), other._items()))

    def collect(self) -> list[Any]:
        return list(chain.from_iterable(self._items()))


class FakeContext:
    """Has the items of each partition."""

    def parallelize(self, items: Sequence[Any], count: int = 2) -> FakeRdd:
        size = max(-(-len(items) // count), 1)
        parts = [list(items[at : at + size]) for at in range(0, len(items), size)]
        return FakeRdd([*parts, *([[]] * (count - len(parts)))])


@contextmanager
def fake_context(_: object) -> Iterator[FakeContext]:
    """Stand in for `running.spark.spark_context`."""
    yield FakeContext()
