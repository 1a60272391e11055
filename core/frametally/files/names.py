"""Names of files as text: they need not be UTF-8, and what is stored has to be."""

from __future__ import annotations

import re
from pathlib import Path

_NO_TEXT = re.compile("[\ud800-\udfff]")


def as_text(name: str | Path) -> str:
    r"""Write a name as it is stored and shown: a byte of it that is no UTF-8 as `\xe9`.

    Python has such a byte as a surrogate (PEP 383). A name that has been written so is not changed again.
    """
    return _NO_TEXT.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", str(name))
