"""Footage made on the spot, as the producer's tests have it."""

from contextlib import suppress

with suppress(ModuleNotFoundError):  # where Spark is, nothing films
    from tests.producer.conftest import make_video

__all__ = ["make_video"]
