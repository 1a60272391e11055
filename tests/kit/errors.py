"""Errors whose message is one line, as all that frametally shows to people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest


@contextmanager
def one_line(
    error: type[BaseException], *words: str, match: str | None = None, without: Sequence[str] = ()
) -> Iterator[None]:
    """Expect an error whose message is one line with these words, and with none of `without`."""
    with pytest.raises(error, match=match) as raised:
        yield
    message = str(raised.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message
    assert [word for word in without if word in message] == [], message
