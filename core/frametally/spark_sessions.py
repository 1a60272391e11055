"""Starts Spark for a process; its tasks read their keys from their own environment only."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from frametally.errors import Misconfigured
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings

_CONFIGURATION = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.redaction.regex": "(?i)secret|password|token|jaas",
}

_CAUSED_BY = "Caused by: "
_TRACEBACK = "Traceback (most recent call last):"


@contextmanager
def spark_session(
    settings: Settings, name: str, *, options: Callable[[], Mapping[str, str]] = dict
) -> Iterator[Any]:
    """Give a session of the settings' master, stopped at the end; `options` are asked once Spark is there.

    Processes that Spark starts on this machine have these settings as their environment; those of a cluster's
    nodes have the one that they are started with there.

    Raises:
        Misconfigured: Spark is not installed, or does not start.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Misconfigured(
            f"Spark is not installed here ({error}): run pip install 'frametally[spark]', and install Java 17"
        ) from error
    logging.getLogger("py4j").setLevel(logging.WARNING)
    local_options = {}
    if settings.spark_master.startswith("local"):
        local_options = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    for option, value in (_CONFIGURATION | local_options | dict(options())).items():
        builder = builder.config(option, value)
    before, on_ctrl_c = dict(os.environ), signal.getsignal(signal.SIGINT)
    # Its processes load the settings as any of ours do, by the environment that Spark starts them with.
    os.environ |= environment_of(settings) | {"PYSPARK_PYTHON": sys.executable}
    if local_options:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise Misconfigured(
            f"Spark does not start ({java_cause(error)}): check that Java 17 is installed, and "
            "FRAMETALLY_SPARK_MASTER"
        ) from error
    finally:
        os.environ.clear()
        os.environ |= before
        # Spark takes Ctrl-C for itself; how a command ends by it is the command's to say.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        yield session
    finally:
        session.stop()
        _end_java()


def _end_java() -> None:
    """End the Java process that pyspark keeps for a next session, whose settings may be others."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is None or gateway.proc is None:  # `spark-submit` has started it, and ends it
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None


def java_cause(error: object) -> str:
    """Return why Java or Python failed: its own message, and its deepest cause; no setting's value is in it.

    py4j's first line names only the call. Java's message follows after a colon, then its frames, then a line
    "Caused by: ..." for each cause, the deepest last. A task in Python has its traceback there.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    own = next((number for number, line in enumerate(lines) if line.startswith(": ")), 0)
    deepest = max((number for number, line in enumerate(lines) if line.startswith(_CAUSED_BY)), default=own)
    messages = dict.fromkeys(_message(lines[number:]) for number in (own, deepest))
    return "; caused by ".join(messages)[:400]


def _message(lines: list[str]) -> str:
    """Return the message that begins in the first line; of a Python traceback its last line."""
    if lines[0].endswith(_TRACEBACK):
        frame = next((number for number, line in enumerate(lines) if line.startswith("at ")), len(lines))
        return lines[frame - 1]
    return lines[0].removeprefix(_CAUSED_BY).removeprefix(": ")
