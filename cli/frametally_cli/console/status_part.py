"""What a plug-in adds to the books that `frametally status` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class StatusPart(NamedTuple):
    """What the hook `status` returns.

    Attributes:
        lines: For people, under the books.
        figures: For programs, beside those of the books.
    """

    lines: Sequence[str]
    figures: Mapping[str, Any]
