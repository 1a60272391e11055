"""What is drawn over a source that is given another name."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.ports.object_store import ObjectStore
from frametally_traffic.drawings.revisions import change_drawing, read_drawing, with_shapes


def take_drawing(store: ObjectStore, former: str, source: str, is_new: bool) -> Iterator[str]:
    """Draw over a source what is drawn over the one that it was; what another source has stays its own.

    An interrupted command finds it done, and its other half to be done.
    """
    shapes = read_drawing(store, former).shapes
    there = read_drawing(store, source)
    if not shapes or shapes == there.shapes:
        return
    if is_new and not there.revision:
        drawing = change_drawing(store, source, lambda now: now if now.revision else with_shapes(now, shapes))
        yield f"drawn over {source} as over {former}: {len(drawing.shapes)} lines, zones, calibrations"
    else:
        yield (
            f"what is drawn over {former} is not drawn over {source}, which has pictures or drawings of its "
            f"own: `frametally lines export {former}`, take `source` out, and import what is right there, too"
        )
