"""Tests the model of the settings on the footage, before a frame is announced that it cannot detect."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.console import output as console
from frametally.console.stop_signals import dying_of
from frametally.errors import Misconfigured, Retryable
from frametally.media.manifests import find_record
from frametally.model_records import InputCheck
from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally_consumer.detectors.protocol import Detector
    from frametally_consumer.worker.first_frames import TestAgain
    from frametally_models.footage_samples import Media
    from frametally_producer.writing.production import ProduceCall


def tested_detector(settings: Settings, media: Media = (), sources: Sequence[str] = ()) -> Detector:
    """Return the detector of `settings`, after a test on `media`, by default on footage that is there.

    An earlier result holds unless `media` or `sources` (slugs) are new to it.

    Raises `Misconfigured` if it cannot be used.
    """
    from frametally_models.footage_samples import footage_to_test
    from frametally_models.prepare import prepare_detector

    # On a busy machine, loading a model takes longer than `up` waits for its members to end.
    with console.stage_bar("model") as bar, dying_of(signal.SIGTERM):
        return prepare_detector(settings, bar, footage_to_test(settings, media, sources))


def check_chosen_model(settings: Settings, media: Media = (), sources: Sequence[str] = ()) -> None:
    """Test the user's model, if any, in a process that ends with its network, as `tested_detector` does."""
    if settings.model_weights is None and settings.model_cfg is None:
        return
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_test, settings, media, sources).result()
    except (BrokenProcessPool, Retryable) as error:
        raise Misconfigured(f"the model could not be tested: {error}; run the command again") from error


def _test(settings: Settings, media: Media, sources: Sequence[str]) -> None:
    tested_detector(settings, media, sources)


def media_to_test(call: ProduceCall) -> Media:
    """Return the footage of a call on which a user's network is tested; empty for other models."""
    return call.find_footage().media if call.settings.model_onnx else ()


def test_again(settings: Settings, model: str) -> TestAgain | None:
    """Return the test of a user's network (an ID) for sources that are new to it; None for other models."""
    return partial(_test_again, settings, model) if settings.model_onnx else None


def _test_again(settings: Settings, model: str, source: str) -> None:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        check = find_record(store, keys.input_check_key(model), InputCheck)
    if check is None or check.is_due([source]):
        check_chosen_model(settings, sources=[source])
