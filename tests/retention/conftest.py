"""Three days of counted footage, in a folder of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.retention.filmed import Filmed, filmed_days


@pytest.fixture
def filmed(tmp_path: Path) -> Iterator[Filmed]:
    with filmed_days(tmp_path) as place:
        yield place
