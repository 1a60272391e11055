"""Starts Spark for a process; its tasks read their keys from their own environment only."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from frametally.errors import Misconfigured
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings

_CONFIGURATION = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.redaction.regex": "(?i)secret|password|token|jaas",
}

_MASTERS = re.compile(r"local(-cluster)?(\[.+\])?|yarn|(spark|k8s|sc)://.+")
_CONNECT, _CONNECT_PORT = "sc://", 15002
_OLDEST = (3, 5)
_CAUSED_BY = "Caused by: "
_TRACEBACK = "Traceback (most recent call last):"
_AFTER = ("at ", "JVM stacktrace:", "SQLSTATE:")


@contextmanager
def spark_session(
    settings: Settings, name: str, *, options: Callable[[], Mapping[str, str]] = dict
) -> Iterator[Any]:
    """Yield a session of the settings' master, stopped at the end; `options` is called once Spark is there.

    Processes that Spark starts on this machine have these settings as their environment; on a cluster's nodes
    they have the environment that they are started with there.

    Raises:
        Misconfigured: Spark is not installed, is too old or does not start, or there is no such master.
    """
    master = settings.spark_master
    if not _MASTERS.fullmatch(master):
        raise Misconfigured(
            f"FRAMETALLY_SPARK_MASTER={master}: Spark has no such master; write local[*], spark://HOST:PORT, "
            "yarn, k8s://HOST:PORT, or sc://HOST:PORT for Spark Connect"
        )
    builder = _builder().appName(name)
    over_connect = master.startswith(_CONNECT)
    configuration = dict(options())
    if over_connect:  # the server has its own settings for everything else
        builder = builder.remote(master)
    else:
        logging.getLogger("py4j").setLevel(logging.WARNING)
        builder = builder.master(master)
        configuration |= _CONFIGURATION
    is_local = master.startswith("local")
    if is_local:
        configuration |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    for option, value in configuration.items():
        builder = builder.config(option, value)
    before, on_ctrl_c = dict(os.environ), signal.getsignal(signal.SIGINT)
    # Spark's processes load the settings as ours do, from the environment that Spark starts them with.
    os.environ |= environment_of(settings) | {"PYSPARK_PYTHON": sys.executable}
    if is_local:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    try:
        if over_connect and not getproxies():  # its client would retry for minutes
            address = urlsplit(master)
            socket.create_connection((address.hostname, address.port or _CONNECT_PORT), timeout=30).close()
        session = builder.getOrCreate()
        version = session.version  # over Connect the server's, if it answers
    except Exception as error:
        cause = java_cause(error)  # while Java still runs and can answer
        remedy = "check FRAMETALLY_SPARK_MASTER, Java 17, and that PySpark has the version of the cluster"
        if not over_connect:
            _end_java()
        else:
            remedy = "run pip install 'pyspark[connect]', and check that a Spark Connect server runs there"
        place = master.partition(";")[0]  # a token may follow
        raise Misconfigured(f"Spark does not start at {place} ({cause}): {remedy}") from error
    finally:
        os.environ.clear()
        os.environ |= before
        # Spark handles Ctrl-C itself, but a command decides how it ends.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        _check_version(version)
        yield session
    finally:
        session.stop()
        if not over_connect:
            _end_java()


def _builder() -> Any:
    """Return the builder of a session. Raises `Misconfigured` if Spark is not installed or too old."""
    try:
        import pyarrow  # noqa: F401
        import pyspark
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Misconfigured(
            f"Spark is not installed here ({error}): run pip install 'frametally[spark]', and install Java 17"
        ) from error
    if _minor(pyspark.__version__) < _OLDEST:
        raise Misconfigured(
            f"PySpark {pyspark.__version__} is too old: install 3.5 or newer, in the version of the cluster"
        )
    return SparkSession.builder


def _check_version(server: str) -> None:
    """Raise `Misconfigured` if a server's Spark is older than the PySpark here."""
    import pyspark

    if _minor(server) < _minor(pyspark.__version__):
        raise Misconfigured(
            f"the server has Spark {server}, which PySpark {pyspark.__version__} cannot use: run pip install "
            f"'pyspark[connect]=={server}'"
        )


def _minor(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")[:2]))


def map_batches(frame: Any, task: Callable[[Iterator[Any]], Iterator[Any]], schema: str) -> Any:
    """Return the rows that `task` makes from the Arrow batches of each of a data frame's partitions."""
    from pyspark.sql.pandas import functions

    # PySpark requires pandas here, but does not use it.
    functions.require_minimum_pandas_version = lambda: None
    return frame.mapInArrow(task, schema)


def _end_java() -> None:
    """End the Java process that pyspark keeps for the next session, which may have other settings."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if (context := SparkContext._active_spark_context) is not None:  # of a session that did not start
        with suppress(Exception):
            context.stop()
        SparkContext._active_spark_context = SparkSession._instantiatedSession = None
    gateway = SparkContext._gateway
    if gateway is None or gateway.proc is None:  # `spark-submit` started it, and ends it
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None


def java_cause(error: object) -> str:
    """Return why Java or Python failed: its own message and its deepest cause, without values of settings.

    py4j's first line names only the call. Java's message follows after a colon, then its frames, then a line
    "Caused by: ..." for each cause, the deepest last. A Python task has its traceback there.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    own = next((n for n, line in enumerate(lines) if line.startswith(": ") or line == _TRACEBACK), 0)
    deepest = max((number for number, line in enumerate(lines) if line.startswith(_CAUSED_BY)), default=own)
    messages = dict.fromkeys(_message(lines[number:]) for number in (own, deepest))
    return "; caused by ".join(messages)[:400]


def _message(lines: list[str]) -> str:
    """Return the message that begins in the first line, or the last line of a Python traceback."""
    if lines[0].endswith(_TRACEBACK):
        end = next((number for number, line in enumerate(lines) if line.startswith(_AFTER)), len(lines))
        return lines[end - 1]
    return lines[0].removeprefix(_CAUSED_BY).removeprefix(": ")
