"""The flows' job as mrjob runs it, on any of its runners; see `counting_job`. The work is in `flow_tasks`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from frametally_hadoop.job.mrjob_imports import stand_ins
from frametally_traffic.tasks.flow_tasks import count_entry

with warnings.catch_warnings(), stand_ins():
    warnings.simplefilter("ignore", DeprecationWarning)  # mrjob's own: it is older than this Python
    from mrjob.job import MRJob
    from mrjob.protocol import BytesProtocol, BytesValueProtocol


class CountFlows(MRJob):  # type: ignore[misc]  # mrjob has no types
    """Manifest lines in; flows out, a source and day each. Nothing is left to reduce."""

    INPUT_PROTOCOL = BytesValueProtocol
    OUTPUT_PROTOCOL = BytesProtocol
    JOBCONF = {"mapreduce.task.timeout": "1800000"}  # noqa: RUF012

    def mapper(self, _: None, line: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Count the work of a manifest line."""
        return count_entry(line.decode())


if __name__ == "__main__":
    CountFlows.run()
