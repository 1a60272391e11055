"""Draws lines and a zone over the demo's clip, so that newcomers see crossings before drawing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from frametally import keys
from frametally.files.demo_clip import DemoClip
from frametally.ports.opened import Ports
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine, DrawnZone

_WIDTH_PX, _HEIGHT_PX = 854, 480


def _leg(
    name: str, y_px: int, first_px: int, last_px: int, inward: Literal["to_right", "to_left"]
) -> DrawnLine:
    return DrawnLine(
        name=name,
        points=((first_px, y_px), (last_px, y_px)),
        to_right="towards us",
        to_left="away",
        inward=inward,
        width_px=_WIDTH_PX,
        height_px=_HEIGHT_PX,
    )


_SHAPES = (
    _leg("far", 290, 200, 700, "to_right"),
    _leg("near", 360, 0, 854, "to_left"),
    DrawnZone(
        name="left lane",
        points=((300, 200), (432, 200), (432, 470), (130, 470)),
        width_px=_WIDTH_PX,
        height_px=_HEIGHT_PX,
    ),
)


@contextmanager
def drawn(ports: Ports, clip: DemoClip, _: Callable[[], bool]) -> Iterator[None]:
    """Draw the demo's shapes before the clip is counted, unless its source already has drawings."""
    change_drawing(
        ports.store,
        keys.slug(clip.source),
        lambda now: now if now.revision else with_shapes(now, _SHAPES),
    )
    yield
