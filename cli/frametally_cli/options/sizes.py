"""Parses sizes of pictures on the command line."""

from __future__ import annotations

import re

from frametally.errors import Misconfigured

_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")  # a JPEG's sides have up to 65,535 pixels


def parse_size_px(text: str) -> tuple[int, int]:
    """Return the width and height that `--size` gives as `1920x1080`. Raises `Misconfigured`."""
    if (match := _SIZE.fullmatch(text.strip())) is None:
        raise Misconfigured(f"--size {text[:40]!r} is not a size; write it as 1920x1080")
    return int(match[1]), int(match[2])
