"""Footage as values, as the counting job's tests have it."""

from tests.hadoop.conftest import file_footage, footage, twin, watched

__all__ = ["file_footage", "footage", "twin", "watched"]
