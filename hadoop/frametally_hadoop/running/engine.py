"""Runs a job on one of mrjob's runners, in a temporary folder, without the user's mrjob.conf."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.plugins import load
from frametally_hadoop.job.input.fetching import LinkEnded
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.running import sorting
from frametally_hadoop.running.bundle import write_bundle
from frametally_hadoop.running.cluster import HadoopCluster
from frametally_hadoop.running.workspace import no_room

COUNTING_JOB = "frametally_hadoop.running.counting_job:CountObjects"
_SIGNATURE = re.compile(r"\?[^\s'\"]*X-Amz-[^\s'\"]*")
_TRACEBACK = "Traceback (most recent call last)"
_COMMAND = re.compile(r"Command '\[.*\]'")
_ERRORS: dict[str, type[FrametallyError]] = {
    f"{error.__module__}.{error.__name__}": error for error in (Retryable, Poison, Misconfigured, LinkEnded)
}
_RAISED_IN_TASK = re.compile(f"({'|'.join(map(re.escape, _ERRORS))}): (.+)")


def run_job(
    *,
    manifest: Sequence[str],
    params: CountParams | None = None,
    job: str = COUNTING_JOB,
    runner: str,
    temporary: Path,
    spark_master: str = "local[*]",
    cluster: HadoopCluster | None = None,
) -> Iterator[bytes]:
    """Run the job; yields its output lines in whatever order the runner leaves them, each with its line end.

    Args:
        manifest: Input lines, see `mapping`.
        params: What counts; None: the lines say all.
        job: The job, as `package.module:name`.
        runner: `inline`, `local`, `hadoop` or `spark`.
        temporary: An empty folder for the manifest, the bundle and mrjob's own files; the caller removes it.
        spark_master: Where the `spark` runner runs it.
        cluster: Where the `hadoop` runner runs it; None: where the `hadoop` command leads.

    Raises:
        Retryable: A task failed, a segment among other things; the message is the task's own line. Where it
            failed of something unforeseen, the task's traceback is a note of the error.
        LinkEnded: The presigned link to a segment works no more.
        Poison: A segment is none.
        Misconfigured: mrjob or the runner's own software is not there.
        OSError: There is no room left in `temporary`.
    """
    try:
        from frametally_hadoop.running.counting_job import to_lines

        job_type = load(job)
    except ImportError as error:
        raise Misconfigured(
            f"the counting job needs mrjob ({error}): pip install 'frametally[hadoop]'"
        ) from error

    manifest_path = temporary / "manifest.txt"
    manifest_path.touch(mode=0o600)  # who has a presigned link has the segment
    manifest_path.write_text("".join(f"{line}\n" for line in manifest))
    arguments = ["-r", runner, "--no-conf", "--local-tmp-dir", str(temporary)]
    if params is not None:
        arguments += ["--params", params.to_argument()]
    arguments += _options_of(runner, temporary, spark_master)
    with ExitStack() as stack, _logged() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # mrjob's own: it is older than this Python
        manifest_uri = str(manifest_path)
        if runner == "hadoop":
            cluster = cluster or HadoopCluster()
            manifest_uri = stack.enter_context(cluster.private_file(manifest_path))
            arguments += cluster.job_options(splits=len(manifest))
        arguments.append(manifest_uri)
        try:
            with job_type(arguments).make_runner() as engine:
                _make_spark_folder(engine)
                if runner in ("inline", "local"):
                    in_memory_bytes = sorting.IN_MEMORY_BYTES if runner == "inline" else 0
                    sorting.sort_in_files(engine, temporary, in_memory_bytes=in_memory_bytes)
                engine.run()
                yield from to_lines(engine.cat_output())
        except FrametallyError:
            raise
        except Exception as error:
            # What other runners' tasks say is about a disk that may be anywhere.
            ours = runner in ("inline", "local") or isinstance(error, OSError)
            full = no_room(f"{log.text}\n{error!r}", temporary) if ours else None
            raise full or _failure(error, runner, log) from error


def _options_of(runner: str, temporary: Path, spark_master: str) -> list[str]:
    if runner == "inline":
        return ["--num-cores", "1"]  # tasks run one after the other: more of them only cost
    archive = str(write_bundle(temporary / "frametally_job.zip"))
    if runner == "local":
        # Not by --py-files, and without mrjob's own zip: for those it leaves lock files in /tmp.
        return ["--no-bootstrap-mrjob", "--cmdenv", f"PYTHONPATH={archive}"]
    options = ["--py-files", archive]
    if runner == "spark":
        # Without --python-bin, Spark takes whatever `python3` is first on the PATH, without mrjob.
        options += ["--python-bin", sys.executable]
        options += ["--spark-master", spark_master, "--spark-tmp-dir", str(temporary)]
    return options


def _make_spark_folder(engine: object) -> None:
    """Make the folder that mrjob's Spark runner writes its counters to, and does not always make itself."""
    folder = getattr(engine, "_spark_tmp_dir", None)
    if folder and "://" not in folder:
        Path(folder).mkdir(parents=True, exist_ok=True)


class _KeptLog(logging.Handler):
    """What mrjob logs as an error, for the one line that the user gets."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage() + "\n"


@contextmanager
def _logged() -> Iterator[_KeptLog]:
    logger = logging.getLogger("mrjob")
    kept, propagate = _KeptLog(), logger.propagate
    logger.addHandler(kept)
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.removeHandler(kept)
        logger.propagate = propagate


def _failure(error: Exception, runner: str, log: _KeptLog) -> FrametallyError:
    if isinstance(error, ImportError | FileNotFoundError | PermissionError):
        return Misconfigured(
            f"the {runner} runner cannot be started ({error}): install what it needs (hadoop: the `hadoop` "
            "command; spark: the package pyspark and Java), or set FRAMETALLY_RUNNER=inline"
        )
    text = _SIGNATURE.sub("?...", log.text)
    raised = _RAISED_IN_TASK.findall(f"{text}\n{error!r}")
    if raised:
        kind, message = raised[-1]
        return _ERRORS[kind](message)
    traceback = text[max(text.find(_TRACEBACK), 0) :].strip() if _TRACEBACK in text else ""
    reason = (
        _raised(traceback) or _last_line(f"{text}\n{_COMMAND.sub('its command', str(error))}") or repr(error)
    )
    failed = Retryable(
        f"the counting job failed on the {runner} runner: {type(error).__name__}: {reason}; "
        "run it again, or with FRAMETALLY_RUNNER=inline to see whether the runner is at fault"
    )
    if traceback:
        failed.add_note(f"In a task of the job:\n{traceback}")
    return failed


def _raised(traceback: str) -> str:
    """Return the line of a traceback that names the error: the first that is not indented."""
    lines = traceback.splitlines()[1:]
    return next((line.strip() for line in lines if line and not line.startswith(" ")), "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
