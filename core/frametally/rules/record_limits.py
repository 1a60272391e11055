"""What the job and the books take of a record, by whatever decoder."""

from __future__ import annotations

RECORD_VERSION = 1
MOST_TIME_MS = 10**15
"""Event times lie in `[-MOST_TIME_MS, MOST_TIME_MS]`: what is beyond is a damaged record."""
