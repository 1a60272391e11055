"""A stack's folder to set up, which is not the checkout's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

STACK = Path(__file__).resolve().parents[2] / "cloud-services"
MADE = ("auth", "acme", "store", "footage", "__pycache__")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """`cloud-services` as in a fresh checkout."""
    folder = tmp_path / "cloud-services"
    unmade = shutil.ignore_patterns(
        *MADE,
        ".env",
        "users",
        "users_roles",
        "kafka_server_jaas.conf",
        "definitions.json",
        "first-password",
        "alertmanager.yml",
    )
    shutil.copytree(STACK, folder, ignore=unmade)
    return folder
