"""What a plug-in has in the store that nothing names any more, as its hook `leftovers` tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from frametally.ports.object_store import ObjectInfo
from frametally.process.reports import Progress


class Leftover(NamedTuple):
    """A thing that is there in vain.

    Attributes:
        id: Names it.
        line: Says what it is.
        remove: Removes all of it.
    """

    id: str
    line: str
    remove: Callable[[Progress], None]


class Leftovers(NamedTuple):
    """What a plug-in has of that.

    Attributes:
        objects: Objects of what is gone.
        objects_are: What people call them.
        things: Looks for what is there in vain.
        things_are: What people call that.
    """

    objects: list[ObjectInfo]
    objects_are: str
    things: Callable[[], list[Leftover]]
    things_are: str
