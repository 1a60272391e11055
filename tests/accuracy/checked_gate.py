"""Ten minutes of one camera, whose counts people have checked."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from tests.accuracy.test_accuracy_checks import FRAMES, right_counts, start
from tests.kit.clips import jpeg_of
from tests.web.conftest import START_MS, Place
from tests.web.counted_footage import make_lines, publish_lines

from frametally_accuracy.book import AccuracyBook


def check_gate(place: Place, *, answered: int = 100, **wanted: Any) -> str:
    """Publish the footage, start the check `gate`, answer part of it as anna, and return its id."""
    lines = make_lines("gate", frames=FRAMES)
    publish_lines(place, lines)
    plain = np.full((lines[0].height_px, lines[0].width_px, 3), 120, np.uint8)
    jpeg = jpeg_of(plain)
    for line in lines:
        place.store.put(line.image_path, jpeg)
    start(place.app().test_client(), **wanted)
    truths = right_counts()
    with closing(AccuracyBook(place.settings.catalogue_url)) as book:
        check = book.find_check("gate")
        for unit in book.units(check.id)[:answered]:
            book.answer(check, unit.number, person="anna", counts=truths[unit.image_path])
    return check.id


def begin(place: Place) -> None:
    """Start a check without any answers."""
    check_gate(place, answered=0)


def let_go_stale(place: Place) -> None:
    """Check some frames, and have twenty more in the range."""
    check_gate(place, to_ms=START_MS + 10**8)
    publish_lines(place, make_lines("gate", frames=FRAMES + 20))
