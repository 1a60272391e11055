"""Converts file names to text: a name need not be UTF-8, but stored text must be."""

from __future__ import annotations

import re
from pathlib import Path

_MOST_CHARACTERS = 120
_JOINER = "\u200d"
"""Joins the parts of one emoji."""
_NO_TEXT = re.compile("[\ud800-\udfff]")

PART = ".part"
"""The suffix of the key of an object until it is complete."""


def as_text(name: str | Path) -> str:
    r"""Return a name as it is stored and shown: a byte that is not UTF-8 becomes `\xe9`.

    Python represents such a byte as a surrogate (PEP 383). An already converted name does not change.
    """
    return _NO_TEXT.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", str(name))


def one_line(text: str, most: int | None = _MOST_CHARACTERS) -> str:
    """Return a name or a sentence on one line, without control characters.

    Marks of writing direction and the like are left out, because other people choose names.
    """
    plain = "".join(
        character if character.isprintable() or character == _JOINER else " " if character.isspace() else ""
        for character in as_text(text)
    )
    line = " ".join(plain.split())
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def key_of_part(key: str) -> str | None:
    """Return the key of the object whose part is at `key`, or None if `key` is not a part's."""
    return key.removesuffix(PART).rpartition(".")[0] if key.endswith(PART) else None
