"""Series of places whose runs a plug-in publishes; see `frametally.rules.places`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.places import series_of


class PlaceSeries(Protocol):
    """The hook `series` of a plug-in."""

    @property
    def name(self) -> str:
        """What stands behind the model in the series' name."""

    def is_outdated(self, run: Run) -> bool:
        """Return whether the rules have changed since a run of the series was counted."""

    def read_files(self, store: ObjectStore, run: Run) -> Iterator[object]:
        """Yield what the files of a run's `paths` hold. Raises `Poison`: one is missing or damaged."""


def place_series_of(run: Run) -> PlaceSeries | None:
    """Return the series of a run; None where no plug-in has it."""
    return next((one for one in hooks("series") if one.name == series_of(run.model)), None)
