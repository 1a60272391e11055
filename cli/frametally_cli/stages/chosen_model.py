"""Tests the model of the settings before a frame is announced that it cannot detect."""

from __future__ import annotations

import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING

from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import Settings
from frametally_cli.console import output as console
from frametally_cli.options.ports import dying_of

if TYPE_CHECKING:
    from frametally_consumer.detectors.protocol import Detector


def tested_detector(settings: Settings) -> Detector:
    """Return the tested detector of `settings`. Raises `Misconfigured` if it cannot be used."""
    from frametally_models.prepare import prepare_detector

    # On a busy machine, loading a model takes longer than `up` waits for its members to end.
    with console.stage_bar("model") as bar, dying_of(signal.SIGTERM):
        return prepare_detector(settings, bar)


def check_chosen_model(settings: Settings) -> None:
    """Test the user's model, if any, in a process that ends with its network. Raises `Misconfigured`."""
    if settings.model_weights is None and settings.model_cfg is None:
        return
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_test, settings).result()
    except (BrokenProcessPool, Retryable) as error:
        raise Misconfigured(f"the model could not be tested: {error}; run the command again") from error


def _test(settings: Settings) -> None:
    tested_detector(settings)
