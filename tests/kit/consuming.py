"""Detects all frames of a log in this process."""

from __future__ import annotations

from typing import Any

from frametally.process.reports import NoProgress
from frametally.settings.loading import Settings
from frametally_consumer.load import load_detector
from frametally_consumer.worker.loop import ConsumeReport, consume


def consume_all(
    settings: Settings, store: Any, log: Any, detector: Any = None, progress: Any = None
) -> ConsumeReport:
    """Detect all frames that were announced, by the detector of the settings unless one is given."""
    return consume(
        settings=settings,
        store=store,
        log=log,
        detector=load_detector(settings) if detector is None else detector,
        progress=progress or NoProgress(),
        until_caught_up=True,
    )
