"""Keeps SVT-AV1 from raising the priority of a root process that encodes, and of its children."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def usual_turns() -> Iterator[None]:
    """Restore this thread's usual priority at the end: otherwise a machine of two cores stands still."""
    try:
        yield
    finally:
        if sys.platform == "linux" and os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
