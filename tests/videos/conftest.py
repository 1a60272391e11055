"""Generated footage, the same as for the producer's tests."""

from tests.producer.conftest import make_video

__all__ = ["make_video"]
