"""SVT-AV1 makes whoever encodes by it as root a process before all others, and what that starts as well."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def usual_turns() -> Iterator[None]:
    """At its end this thread has its turn as all others have: else a machine of two cores stands still."""
    try:
        yield
    finally:
        if sys.platform == "linux" and os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
