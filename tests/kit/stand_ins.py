"""Stand-ins for stores, logs and indexes: they do what another object does, except where a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Watch = Callable[[str, str], None]


class Around:
    """Has the methods of another object, except those that a subclass has."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Watched(Around):
    """Calls `watch("before <method>", key)` before each call and `"after put"` after a put."""

    def __init__(self, inner: Any, watch: Watch) -> None:
        super().__init__(inner)
        self.watch, self.url = watch, inner.url

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*arguments: object, **options: object) -> object:
            key = str(arguments[0]) if arguments else ""
            self.watch(f"before {name}", key)
            result = method(*arguments, **options)
            if name == "put":
                self.watch(f"after {name}", key)
            return result

        return call
