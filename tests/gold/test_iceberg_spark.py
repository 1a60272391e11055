"""Spark's SELECT over a snapshot's files gives the numbers of gold; `make test-spark` runs this.

Iceberg has no runtime for Spark 4.2 yet: pyiceberg names the files of the snapshot, and Spark reads them.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.gold.gold_year import days_of_year, put_day

from frametally.adapters_by_url import open_object_store
from frametally.process.reports import NoProgress

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _pyspark() -> None:
    """Skip without PySpark; `make test-spark` has it."""
    if os.environ.get("FRAMETALLY_REQUIRE_SPARK") != "1":
        pytest.importorskip("pyspark", reason="no PySpark here: `make test-spark` has it")


def test_spark_selects_the_numbers_of_gold_and_of_an_earlier_snapshot(tmp_path: Path) -> None:
    from pyiceberg.catalog import load_catalog
    from pyspark.sql import SparkSession

    from frametally_gold import tables
    from frametally_gold.book import Gold
    from frametally_gold.iceberg_tables import IcebergTables
    from frametally_gold.loading import load_gold

    url = f"sqlite:///{tmp_path}/gold.sqlite"
    c = tables.counts.c
    expected = []
    first, second = days_of_year(2)
    with (
        closing(open_object_store((tmp_path / "store").as_uri())) as store,
        closing(Gold(url)) as gold,
        closing(IcebergTables(url, None, store)) as iceberg,
    ):
        for day, sequence in ((first, 1), (second, 1), (second, 2)):
            put_day(store, day, sequence=sequence)
            load_gold(store=store, gold=gold, progress=NoProgress())
            iceberg.publish()
            sums = select(c.source, c.label, func.sum(c.detections), func.max(c.peak)).group_by(
                c.source, c.label
            )
            with gold._database.reading() as connection:
                expected.append(sorted(tuple(row) for row in connection.execute(sums)))
    counts = load_catalog("frametally", type="sql", uri=url).load_table("gold.counts")
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        for snapshot, rows in zip(counts.snapshots(), expected, strict=True):
            files = [
                task.file.file_path for task in counts.scan(snapshot_id=snapshot.snapshot_id).plan_files()
            ]
            spark.read.parquet(*files).createOrReplaceTempView("counts")
            query = "SELECT source, label, SUM(detections), MAX(peak) FROM counts GROUP BY source, label"
            assert sorted(tuple(row) for row in spark.sql(query).collect()) == rows
    finally:
        spark.stop()
