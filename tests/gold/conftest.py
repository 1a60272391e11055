"""Generated footage, the same as for the producer's tests."""

from contextlib import suppress

with suppress(ModuleNotFoundError):  # no video tests where Spark is installed
    from tests.producer.conftest import make_video

__all__ = ["make_video"]
