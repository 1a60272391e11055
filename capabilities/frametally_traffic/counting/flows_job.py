"""The flows' job for mrjob, on any of its runners; see `counting_job`. `flow_tasks` does the work."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from frametally_hadoop.job.mrjob_imports import stand_ins
from frametally_traffic.tasks.flow_tasks import count_entry

with warnings.catch_warnings(), stand_ins():
    warnings.simplefilter("ignore", DeprecationWarning)  # from mrjob, which is older than this Python
    from mrjob.job import MRJob
    from mrjob.protocol import BytesProtocol, BytesValueProtocol


class CountFlows(MRJob):  # type: ignore[misc]  # mrjob has no types
    """Turns manifest lines into flows, one line per source and day, without a reducer."""

    INPUT_PROTOCOL = BytesValueProtocol
    OUTPUT_PROTOCOL = BytesProtocol
    JOBCONF = {"mapreduce.task.timeout": "1800000"}  # noqa: RUF012

    def mapper(self, _: None, line: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the flows of a manifest line."""
        return count_entry(line.decode())


if __name__ == "__main__":
    CountFlows.run()
