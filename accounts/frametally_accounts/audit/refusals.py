"""How many refused requests of who is not logged in the audit log takes: nobody can fill it with them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

_WINDOW_S = 900.0
_MOST_OF_ADDRESS = 100
"""In a quarter of an hour: more than a person comes by, and few enough to be kept for ever."""
_MOST_ADDRESSES = 200
"""Those that come later in the same quarter of an hour are counted as one."""


class RefusalBound:
    """Counts by address, in memory of this process; threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Count from now on, by a clock in seconds that is never set back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._began_s = clock()
        self._of_address: Counter[str] = Counter()

    def left(self, address: str) -> int:
        """Count one, and return how many more are taken of an address: 0, it is the last; below, none."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._began_s >= _WINDOW_S:
                self._began_s = now_s
                self._of_address.clear()
            if address not in self._of_address and len(self._of_address) >= _MOST_ADDRESSES:
                address = ""
            self._of_address[address] += 1
            return _MOST_OF_ADDRESS - self._of_address[address]
