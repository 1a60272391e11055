"""Slow tests start first: they kill real servers and wait for minutes, while the others fill the gaps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from s3_bucket import S3Place

LONG = (Path(__file__).parent, Path(__file__).parents[1] / "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with separate servers before the contract suites on the shared ones."""
    items.sort(key=lambda item: not (item.path.parent in LONG and item.get_closest_marker("services")))


@pytest.fixture(scope="module")
def bucket() -> S3Place:
    from s3_bucket import new_place  # not for tests without servers, which load this file, too

    return new_place()


@pytest.fixture
def place(bucket: S3Place, request: pytest.FixtureRequest) -> S3Place:
    """A separate folder for the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)
    return bucket._replace(url=f"{bucket.url}/{name}")
