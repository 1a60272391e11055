"""Spark's Kafka connector, with its dependencies that Spark itself lacks."""

from __future__ import annotations

from pathlib import Path

from serving.downloads import cache_folder, maven_jars

VERSION = "4.2.0"
_SPARK_HAS = (
    ("org.apache.hadoop", "*"),
    ("org.apache.spark", "spark-tags_2.13"),
    ("org.scala-lang", "*"),
    ("org.scala-lang.modules", "*"),
    ("org.slf4j", "*"),
    ("org.xerial.snappy", "*"),
    ("at.yawk.lz4", "*"),
    ("org.lz4", "*"),
    ("com.google.code.findbugs", "*"),
)
_POM = (
    "<dependencies><dependency><groupId>org.apache.spark</groupId>"
    f"<artifactId>spark-sql-kafka-0-10_2.13</artifactId><version>{VERSION}</version><exclusions>"
    + "".join(
        f"<exclusion><groupId>{group}</groupId><artifactId>{artifact}</artifactId></exclusion>"
        for group, artifact in _SPARK_HAS
    )
    + "</exclusions></dependency></dependencies>"
)


def connector_jars() -> list[Path]:
    """Fetch missing jars, and check each against its hash; raises `ServerFailed`."""
    return sorted(maven_jars(cache_folder(), f"spark-kafka-{VERSION}", _POM).iterdir())
