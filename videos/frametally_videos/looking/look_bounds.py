"""Bounds of a process that looks into a video: what goes wrong in it ends it alone."""

from __future__ import annotations

import resource

from frametally.process.limits import address_space_bytes, limit

_MOST_OTHER_BYTES, _MOST_BYTES_PER_PIXEL = 512 << 20, 32
"""Of memory: a decoder keeps up to 16 pictures of 1.5 bytes a pixel, and each of its threads one more."""


def bound_process(most_cpu_s: int) -> None:
    """Bound its processor time; it writes no file."""
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CPU, most_cpu_s)


def bound_memory(max_pixels: int) -> None:
    """Bound what it takes from now on, for frames of so many pixels."""
    memory_bytes = address_space_bytes()
    if memory_bytes is not None:
        limit(resource.RLIMIT_AS, memory_bytes + _MOST_OTHER_BYTES + max_pixels * _MOST_BYTES_PER_PIXEL)
