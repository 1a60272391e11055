"""How the job reaches a Hadoop cluster, and how the manifest gets there so that nobody else can read it."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frametally.errors import Misconfigured, Retryable

if TYPE_CHECKING:
    from frametally.settings.loading import Settings

_HDFS_FOLDER = "hdfs:///tmp"
_MOST_MAPS = 2000


@dataclass(frozen=True, kw_only=True)
class HadoopCluster:
    """A Hadoop cluster, as its `hadoop` command and mrjob see it.

    Attributes:
        hadoop: The `hadoop` command.
        streaming_jar: Hadoop's streaming jar; empty: mrjob looks for it.
        python: The command by which nodes run Python.
        log_dirs: Where mrjob looks for the traceback of a task that failed; empty: in the usual places.
        jobconf: Properties of the job, such as `mapreduce.map.memory.mb=1024`.
    """

    hadoop: str = "hadoop"
    streaming_jar: str = ""
    python: str = "python3"
    log_dirs: tuple[str, ...] = ()
    jobconf: tuple[str, ...] = ()

    def job_options(self, *, splits: int) -> list[str]:
        """Return mrjob's options for its `hadoop` runner; `splits` is the number of lines of the manifest."""
        options = ["--hadoop-bin", self.hadoop, "--python-bin", self.python]
        if self.streaming_jar:
            options += ["--hadoop-streaming-jar", self.streaming_jar]
        for folder in self.log_dirs:
            options += ["--hadoop-log-dir", folder]
        # A map task gets about one line of the manifest.
        for pair in (f"mapreduce.job.maps={min(max(splits, 1), _MOST_MAPS)}", *self.jobconf):
            options += ["-D", pair]
        return options

    @contextmanager
    def private_file(self, path: Path) -> Iterator[str]:
        """Copy a file to HDFS, for our user only and only in here; gives its URI.

        Raises:
            Misconfigured: There is no `hadoop` command.
            Retryable: HDFS did not take it.
        """
        uri = f"{_HDFS_FOLDER}/frametally-{secrets.token_hex(8)}-{path.name}"
        self._fs("-D", "fs.permissions.umask-mode=077", "-put", str(path), uri)
        try:
            yield uri
        finally:
            self._fs("-rm", "-f", "-skipTrash", uri)

    def _fs(self, *arguments: str) -> None:
        if shutil.which(self.hadoop) is None:
            raise Misconfigured(
                f"the hadoop runner cannot be started: there is no command {self.hadoop!r}; install a Hadoop "
                "client, name it by FRAMETALLY_HADOOP_BIN, or set FRAMETALLY_RUNNER=inline"
            )
        done = subprocess.run(  # noqa: S603 - the user's own command
            [self.hadoop, "fs", *arguments], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
            raise Retryable(
                f"`{self.hadoop} fs {arguments[-2]} ...` failed: {lines[-1].strip()}; is HDFS up, and may "
                f"this user write in {_HDFS_FOLDER}?"
            )


def cluster_of(settings: Settings) -> HadoopCluster:
    """Return the cluster that the settings name.

    Raises:
        Misconfigured: A property of the job that is none.
    """
    jobconf = _list(settings.hadoop_jobconf)
    for pair in jobconf:
        if not pair.partition("=")[2]:
            raise Misconfigured(
                f"FRAMETALLY_HADOOP_JOBCONF: {pair!r} is no property; write name=value, separated by commas"
            )
    return HadoopCluster(
        hadoop=settings.hadoop_bin,
        streaming_jar=settings.hadoop_streaming_jar,
        python=settings.hadoop_python,
        log_dirs=_list(settings.hadoop_log_dirs),
        jobconf=jobconf,
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
