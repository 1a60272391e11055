"""How a question passes through the dashboard: modules, moves between them, returns, SQL statements.

    python benchmarks/request_paths.py [CHECKOUT]

It asks each route twice, and measures the second request, in the thread that answers it. A module counts if
one of its functions runs. A walk is the order in which functions of the dashboard and the capabilities run
for the first time, from the handler's beginning to its end, without the core; a return goes back to a module
that the walk has left. `rooms` are its modules.

The footage is the tests' junction, counted by the job in intervals of a minute (as a deployment counts) and
of a second (as the demo does). It prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

_OWN = ("frametally.", "frametally_")
_MINUTE_MS = 60_000


def use_checkout(folder: Path) -> None:
    """Import from a checkout, and from no other that is installed here, which may have newer capabilities."""
    here = str(Path(__file__).resolve().parent.parent)
    found = (folder.glob(f"{place}frametally*/__init__.py") for place in ("*/", "capabilities/*/"))
    packages = sorted({str(path.parent.parent) for paths in found for path in paths})
    kept = [name for name in sys.path if "site-packages" in name or not name.startswith(here)]
    sys.path = [str(folder), *packages, *kept]
    sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]


class Walk:
    """The functions of frametally that run in a block, in order: their modules and names.

    Attributes:
        every: All of them.
        handled: Those that run for the handler, which is the first function of a module of routes.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.every: list[tuple[str, str]] = []
        self.handled: list[tuple[str, str]] = []
        self._handler: FrameType | None = None
        self._has_ended = False

    def watch(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call, or the end of the handler; for `sys.setprofile`."""
        module = frame.f_globals.get("__name__", "")
        if event == "return" and frame is self._handler:
            self._has_ended = True
        elif event == "call" and module.startswith(_OWN):
            self.every.append((module, frame.f_code.co_name))
            if self._handler is None and module.endswith("routes"):
                self._handler = frame
            if self._handler is not None and not self._has_ended:
                self.handled.append(self.every[-1])


def stays(walk: list[str]) -> list[str]:
    """Return the modules of a walk in order, each once for as long as the walk stays in it."""
    return [module for number, module in enumerate(walk) if not number or walk[number - 1] != module]


def measured(ask: Callable[[], Any], statements: list[str]) -> dict[str, Any]:
    """Return the numbers of one request."""
    del statements[:]
    walk = Walk()
    sys.setprofile(walk.watch)
    try:
        answer = ask()
    finally:
        sys.setprofile(None)
    if answer.status_code != 200:
        sys.exit(f"error: {answer.text}")
    modules = {module for module, _ in walk.every}
    outside = [module for module, _ in dict.fromkeys(walk.handled) if module.startswith("frametally_")]
    way = stays(outside)
    return {
        "modules": len(modules),
        "statements": len(statements),
        "rooms": len({*way}),
        "returns": len(way) - len({*way}),
        "entered": sorted(modules),
        "way": way,
    }


def measure() -> dict[str, dict[str, Any]]:
    """Return the numbers of each route, by the stored interval and the route."""
    from sqlalchemy import Engine, event
    from tests.traffic import junction
    from tests.web.conftest import Place

    statements: list[str] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            statements.append(statement)

    found = {}
    for interval_s in (60, 1):
        with tempfile.TemporaryDirectory() as folder:
            place = Place(Path(folder))
            place.settings = place.settings.model_copy(update={"interval_s": interval_s}).resolved()
            junction.film(place)
            junction.draw(place)
            bar = f"from={junction.START_MS}&to={junction.START_MS + _MINUTE_MS}"
            asked = {
                "counts": "counts?metric=auto&timezone={zone}",
                "frames": f"frames?label=car&{bar}&start=peak&timezone={{zone}}",
                "crossings": "crossings?source=gate&timezone={zone}",
            }
            get = place.app().test_client().get
            for name, question in asked.items():
                first, second = (
                    partial(get, f"/api/v1/{question.format(zone=zone)}") for zone in ("UTC", "Europe/Berlin")
                )
                first()
                found[f"{name}, {interval_s} s"] = measured(second, statements)
            place.close()
    return found


if __name__ == "__main__":
    use_checkout(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve())
    json.dump(measure(), sys.stdout)
