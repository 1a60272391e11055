"""Finds the current run of a day, for readers and publishers."""

from __future__ import annotations

from typing import Protocol


class NumberedRun(Protocol):
    """A run of one model, base interval and UTC day."""

    @property
    def sequence(self) -> int: ...  # noqa: D102
    @property
    def params(self) -> str: ...  # noqa: D102


def is_newer(run: NumberedRun, other_run: NumberedRun | None) -> bool:
    """Return whether `run` is newer than `other_run`, which is None if there is no other.

    Sequences rise over all params of a day, so the highest is current, whatever its settings. If two runs
    have the same sequence, because two deployments with different settings raced, the greater params win.
    """
    return other_run is None or (run.sequence, run.params) > (other_run.sequence, other_run.params)
