"""How a question passes through the dashboard: modules, moves between them, returns, SQL statements.

    python benchmarks/request_paths.py [CHECKOUT]

It asks each route twice, and measures the second request, in the thread that answers it. A module counts if
one of its functions runs. A walk is the order in which functions run for the first time; a return goes back
to a module that the walk has left. A walk through the dashboard and the capabilities leaves out the modules
of the core, as a reader does who asks where a question goes: `rooms` are its modules, `returns` its returns.

The footage is the tests' junction, counted by the job in intervals of a minute (as a deployment counts) and
of a second (as the demo does). It prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def walked() -> Iterator[list[tuple[str, str]]]:
    """Yield the list that gets the module and the name of each function of frametally that runs, in order."""
    walk: list[tuple[str, str]] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(_OWN):
            walk.append((module, frame.f_code.co_name))

    sys.setprofile(watch)
    try:
        yield walk
    finally:
        sys.setprofile(None)


def stays(walk: list[str]) -> list[str]:
    """Return the modules of a walk in order, each once for as long as the walk stays in it."""
    return [module for number, module in enumerate(walk) if not number or walk[number - 1] != module]


def measured(ask: Callable[[], Any], statements: list[str]) -> dict[str, Any]:
    """Return the numbers of one request."""
    del statements[:]
    with walked() as walk:
        answer = ask()
    if answer.status_code != 200:
        sys.exit(f"error: {answer.text}")
    modules = {module for module, _ in walk}
    way = stays([module for module, _ in dict.fromkeys(walk) if module.startswith("frametally_")])
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
