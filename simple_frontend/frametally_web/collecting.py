"""How often Python looks for garbage while the dashboard is served.

An answer of a year is some ten thousand small objects, none of them in a cycle. With Python's own settings
each such answer makes it look through all that the process holds, which takes longer than the answer itself.
"""

from __future__ import annotations

import gc

_NEW_OBJECTS = 50_000


def look_for_garbage_seldom() -> None:
    """Make the process look for garbage seldom, and never through what is loaded by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
