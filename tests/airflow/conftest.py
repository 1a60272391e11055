"""Airflow's database, made once: with its tables, and with the DAGs as well. Each test uses a copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.airflow.test_dags import migrate, set_up


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrate(tmp_path_factory)


@pytest.fixture(scope="session")
def with_dags(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    made = set_up(tmp_path_factory, migrated)
    made.run("dags", "reserialize")
    return made.home / "airflow.db"
