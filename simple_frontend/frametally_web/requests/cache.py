"""Answers kept until the counts change: the page of one viewer is mostly that of the next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class AnswerCache:
    """Keeps bodies of answers, up to a size, the least lately asked for given up first."""

    def __init__(self, most_bytes: int) -> None:
        """Keep nothing yet."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._state: Hashable = None
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, state: Hashable, question: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return the answer to `question`, made if it is not kept since `state` was what it is now."""
        with self._lock:
            if state != self._state:
                self._kept.clear()
                self._state, self._bytes = state, 0
            body = self._kept.get(question)
            if body is not None:
                self._kept.move_to_end(question)
                return body
        body = make()
        if len(body) <= self._most_bytes:
            with self._lock:
                if state == self._state and question not in self._kept:
                    self._kept[question] = body
                    self._bytes += len(body)
                while self._bytes > self._most_bytes:
                    self._bytes -= len(self._kept.popitem(last=False)[1])
        return body
