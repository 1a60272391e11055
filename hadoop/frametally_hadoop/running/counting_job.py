"""The counting job as mrjob runs it, on any of its runners; `map_reduce` does the work.

- It has no combiner, bytes as keys and values, and exactly one TAB in every line: other choices give other
  bytes, or none, on some engines.
- `JOBCONF` belongs to the job, never to a step: mrjob's Spark runner would silently drop the steps after it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

from frametally.process.collection import rare_collection
from frametally_hadoop.job.map_reduce import FrameGroups, reduce_group
from frametally_hadoop.job.mrjob_imports import stand_ins
from frametally_hadoop.job.params import parse_argument
from frametally_hadoop.job.streaming import OUTPUT_HELP, OUTPUTS, PARAMS_HELP, counts_alone

with warnings.catch_warnings(), stand_ins():
    warnings.simplefilter("ignore", DeprecationWarning)  # mrjob is older than this Python
    from mrjob.job import MRJob
    from mrjob.protocol import BytesProtocol, BytesValueProtocol
    from mrjob.util import to_lines

__all__ = ["CountObjects", "to_lines"]


class CountObjects(MRJob):  # type: ignore[misc]  # mrjob has no types
    """Manifest lines in; counts and coverage out."""

    INPUT_PROTOCOL = BytesValueProtocol
    INTERNAL_PROTOCOL = BytesProtocol
    OUTPUT_PROTOCOL = BytesProtocol
    # A task reads a whole segment before any output, possibly over a slow network.
    JOBCONF = {"mapreduce.task.timeout": "1800000"}  # noqa: RUF012

    def configure_args(self) -> None:
        """Add `--params` and `--output`."""
        super().configure_args()
        self.add_passthru_arg("--params", default="", help=PARAMS_HELP)
        self.add_passthru_arg("--output", choices=OUTPUTS, default=OUTPUTS[0], help=OUTPUT_HELP)

    def mapper_init(self) -> None:
        """Start with empty groups."""
        self._groups = FrameGroups(parse_argument(self.options.params), self.increment_counter)

    def mapper(self, _: None, line: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Read the segment that a manifest line names."""
        return self._groups.add(line.decode())

    def mapper_final(self) -> Iterator[tuple[bytes, bytes]]:
        """Pass on the groups of all segments of this task."""
        return self._groups.drain()

    def reducer_init(self) -> None:
        """Read the params once."""
        self._params = parse_argument(self.options.params)

    def reducer(self, key: bytes, values: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Count one unit."""
        pairs = reduce_group(key, values, self._params, self.increment_counter)
        return pairs if self.options.output == "hours" else counts_alone(pairs)


if __name__ == "__main__":
    with rare_collection():
        CountObjects.run()
