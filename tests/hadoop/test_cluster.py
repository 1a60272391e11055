"""The way to a Hadoop cluster, without one; with one: tests/services/test_hadoop_runner.py."""

import stat
from pathlib import Path

import pytest

from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import load_settings
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.running.cluster import HadoopCluster, cluster_of
from frametally_hadoop.running.engine import run_job


def hadoop_that(tmp_path: Path, does: str) -> str:
    """A `hadoop` command."""
    command = tmp_path / "hadoop"
    command.write_text(f"#!/bin/sh\n{does}\n")
    command.chmod(0o755)
    return str(command)


def test_a_machine_without_hadoop_is_told_so_with_the_settings(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no command 'no-such-hadoop'.*FRAMETALLY_HADOOP_BIN") as raised:
        list(
            run_job(
                manifest=["file:///segment"],
                params=CountParams(),
                runner="hadoop",
                temporary=tmp_path,
                cluster=HadoopCluster(hadoop="no-such-hadoop"),
            )
        )
    assert "\n" not in str(raised.value)
    assert stat.S_IMODE((tmp_path / "manifest.txt").stat().st_mode) == 0o600


def test_what_hdfs_says_is_said(tmp_path: Path) -> None:
    hadoop = hadoop_that(tmp_path, "echo 'WARN: old' >&2; echo 'put: Permission denied' >&2; exit 1")
    with (
        pytest.raises(Retryable, match=r"fs .*failed: put: Permission denied; is HDFS up"),
        HadoopCluster(hadoop=hadoop).private_file(tmp_path / "manifest.txt"),
    ):
        pass


def test_a_private_file_is_removed_whatever_happens_meanwhile(tmp_path: Path) -> None:
    log = tmp_path / "log"
    hadoop = hadoop_that(tmp_path, f'echo "$@" >> {log}')
    with (
        pytest.raises(ZeroDivisionError),
        HadoopCluster(hadoop=hadoop).private_file(tmp_path / "manifest.txt") as uri,
    ):
        raise ZeroDivisionError
    put, removed = log.read_text().splitlines()
    assert put == f"fs -D fs.permissions.umask-mode=077 -put {tmp_path / 'manifest.txt'} {uri}"
    assert removed == f"fs -rm -f -skipTrash {uri}"


def test_settings_become_the_options_of_the_job(tmp_path: Path) -> None:
    cluster = cluster_of(
        load_settings(
            hadoop_bin="/opt/hadoop/bin/hadoop",
            hadoop_streaming_jar="/opt/streaming.jar",
            hadoop_log_dirs="/var/log/hadoop, hdfs:///logs",
            hadoop_jobconf="mapreduce.job.reduces=4, mapreduce.map.memory.mb=512",
        )
    )
    options = cluster.job_options(splits=7)
    assert options[:6] == [
        "--hadoop-bin",
        "/opt/hadoop/bin/hadoop",
        "--python-bin",
        "python3",
        "--hadoop-streaming-jar",
        "/opt/streaming.jar",
    ]
    assert options[6:10] == ["--hadoop-log-dir", "/var/log/hadoop", "--hadoop-log-dir", "hdfs:///logs"]
    assert options[11::2] == [
        "mapreduce.job.maps=7",
        "mapreduce.job.reduces=4",
        "mapreduce.map.memory.mb=512",
    ]
    with pytest.raises(Misconfigured, match=r"FRAMETALLY_HADOOP_JOBCONF: 'reduces' is no property"):
        cluster_of(load_settings(hadoop_jobconf="reduces"))
