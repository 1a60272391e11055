"""Footage as values, the same as for the counting job's tests."""

from tests.hadoop.conftest import file_footage, footage

__all__ = ["file_footage", "footage"]
