"""Runs an mrjob job in this process or on one of mrjob's runners, without the user's mrjob.conf."""

from __future__ import annotations

import errno
import heapq
import io
import logging
import os
import re
import secrets
import shutil
import subprocess
import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.files.temporary import work_folder
from frametally.plugins import load
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.reading import LinkEnded, hadoop_command
from frametally_hadoop.running.bundle import write_bundle

if TYPE_CHECKING:
    from frametally.settings.loading import Settings


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ROOM_FOR_WORDS_BYTES = 100_000


def no_room(message: str, folder: Path) -> OSError | None:
    """Return a disk-full error if a program's message says so or `folder` has no room for it."""
    codes = [code for code in _NO_ROOM if os.strerror(code) in message]
    if not codes and shutil.disk_usage(folder).free < _ROOM_FOR_WORDS_BYTES:
        codes = [errno.ENOSPC]
    return OSError(codes[0], os.strerror(codes[0])) if codes else None


@contextmanager
def workspace(data_dir: Path) -> Iterator[Path]:
    """Make an empty folder in `data_dir`, removed at the end. Raises `Misconfigured`, `Retryable`."""
    with work_folder(data_dir) as folder:
        try:
            yield folder
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise Retryable(
                f"no space left in {folder.parent} for the counting job's temporary files: free some space "
                "there, or set FRAMETALLY_DATA_DIR to a folder on another disk; nothing was published"
            ) from error


class DaySpool:
    """Takes lines of many days in any order, and gives back those of one day, sorted bytewise."""

    def __init__(self, folder: Path, *, held_bytes: int = 64_000_000) -> None:
        """Hold up to `held_bytes` of lines in memory, the rest as sorted files in `folder`."""
        self._folder = folder
        self._limit = held_bytes
        self._held: dict[Hashable, list[bytes]] = defaultdict(list)
        self._held_bytes = 0
        self._files: dict[Hashable, list[Path]] = defaultdict(list)

    def add(self, day: Hashable, *lines: bytes) -> None:
        """Take lines, with their line ends."""
        self._held[day] += lines
        self._held_bytes += sum(map(getsizeof, lines))
        if self._held_bytes >= self._limit:
            self._write_held()

    def sorted_lines(self, day: Hashable) -> Iterator[bytes]:
        """Yield the day's lines, sorted bytewise."""
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path in self._files.get(day, [])]
            yield from heapq.merge(*files, sorted(self._held.get(day, [])))

    def _write_held(self) -> None:
        self._folder.mkdir(exist_ok=True)
        for day, lines in self._held.items():
            path = self._folder / f"{sum(map(len, self._files.values())):08d}"
            with path.open("wb") as file:
                file.writelines(sorted(lines))
            self._files[day].append(path)
        self._held.clear()
        self._held_bytes = 0


IN_MEMORY_BYTES = 160_000_000
"""The most bytes of map output kept in memory in this process; the rest goes to files."""
_SORT = ("sort", "-S", "256M", "-t", "\t", "-k", "1,1", "-s")


def _sort(input_paths: list[str], output_path: str, *, temporary: Path) -> None:
    """Sort the lines of some files by their keys; mrjob's sort has no memory limit.

    Raises `Retryable` if `sort` fails; `OSError` if it has no room or does not exist.
    """
    environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(temporary)}
    try:
        with Path(output_path).open("wb") as output:
            command = [*_SORT, *input_paths]
            subprocess.run(  # noqa: S603
                command, stdout=output, stderr=subprocess.PIPE, env=environment, check=True
            )
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode(errors="replace").strip()
        raise no_room(message, temporary) or Retryable(
            f"the counting job's `sort` failed ({message or error}); run it again"
        ) from error


def _run_here(job: Any, manifest: Iterable[str], temporary: Path) -> Iterator[bytes]:
    """Run an mrjob job in this process, without the files of its runners; yield its output lines."""
    job.sandbox()
    pairs = job.map_pairs((None, line.encode()) for line in manifest)
    if job.steps()[0].has_explicit_reducer:
        pairs = job.reduce_pairs(_by_key(pairs, temporary))
    return (b"%s\t%s\n" % pair for pair in pairs)


def _by_key(pairs: Iterable[tuple[bytes, bytes]], temporary: Path) -> Iterator[Sequence[bytes]]:
    spool = DaySpool(temporary, held_bytes=IN_MEMORY_BYTES)
    in_memory, in_memory_bytes, key_of = [], 0, itemgetter(0)
    for pair in pairs:
        in_memory.append(pair)
        in_memory_bytes += sum(map(getsizeof, (pair, *pair)))
        if in_memory_bytes > IN_MEMORY_BYTES:
            while in_memory:  # one by one, so that both forms never take up memory at once
                spool.add(None, b"%s\t%s\n" % in_memory.pop())
            in_memory_bytes = 0
    in_spool = (line[:-1].split(b"\t", 1) for line in spool.sorted_lines(None))
    yield from heapq.merge(in_spool, sorted(in_memory, key=key_of), key=key_of)


_HDFS_FOLDER = "hdfs:///tmp"
_MOST_MAPS = 2000


@dataclass(frozen=True, kw_only=True)
class HadoopCluster:
    """A Hadoop cluster, as used by its `hadoop` command and mrjob.

    Attributes:
        python: The command that runs Python on the nodes.
        jobconf: Properties of the job, such as `mapreduce.map.memory.mb=1024`.
    """

    hadoop: str = "hadoop"
    python: str = "python3"
    jobconf: tuple[str, ...] = ()

    def job_options(self, *, splits: int) -> list[str]:
        """Return mrjob's options for its `hadoop` runner; `splits` is the number of lines of the manifest."""
        options = ["--hadoop-bin", self.hadoop, "--python-bin", self.python]
        # Each map task gets about one line of the manifest.
        for pair in (f"mapreduce.job.maps={min(max(splits, 1), _MOST_MAPS)}", *self.jobconf):
            options += ["-D", pair]
        return options

    @contextmanager
    def private_file(self, path: Path) -> Iterator[str]:
        """Copy a file to HDFS, only for our user and this context; give its URI.

        Raises `Misconfigured` if there is no `hadoop` command; `Retryable` if HDFS does not accept it.
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
                f"the hadoop runner cannot be started: there is no command {self.hadoop!r}; install a "
                "Hadoop client, set HADOOP_HOME to its folder, or set FRAMETALLY_RUNNER=inline"
            )
        done = subprocess.run(  # noqa: S603 - the user's own command
            [self.hadoop, "fs", *arguments], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it gave no reason"]
            raise Retryable(
                f"`{self.hadoop} fs {arguments[-2]} ...` failed: {lines[-1].strip()}; check that HDFS is "
                f"running, and that this user can write in {_HDFS_FOLDER}"
            )


def cluster_of(settings: Settings) -> HadoopCluster:
    """Return the cluster that the settings name. Raises `Misconfigured`."""
    jobconf = tuple(filter(None, map(str.strip, settings.hadoop_jobconf.split(","))))
    for pair in jobconf:
        if not pair.partition("=")[2]:
            raise Misconfigured(
                f"FRAMETALLY_HADOOP_JOBCONF: {pair!r} is not a property; write name=value, "
                "separated by commas"
            )
    return HadoopCluster(
        hadoop=hadoop_command(),
        python=settings.hadoop_python,
        jobconf=jobconf,
    )


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
    cluster: HadoopCluster | None = None,
) -> Iterator[bytes]:
    """Run the job; yield its output lines, with line ends, in whatever order the runner leaves them.

    `job` is named as `package.module:name`; `manifest` has its input lines (`job.reading`), its
    only input without `params`. The manifest, the bundle and mrjob's files go to the empty `temporary`,
    which the caller removes. Without `cluster`, the `hadoop` runner uses the `hadoop` command's cluster.

    Raises a task's error (`Retryable`, `LinkEnded`, `Poison`) with the task's own line. An unforeseen failure
    is a `Retryable` with the task's traceback as a note. Raises `Misconfigured` if mrjob or the runner's own
    software is missing, `OSError` if there is no room left in `temporary`.
    """
    try:
        from frametally_hadoop.running.counting_job import to_lines

        job_type = load(job)
    except ImportError as error:
        raise Misconfigured(
            f"the counting job needs mrjob ({error}): run pip install 'frametally[hadoop]'"
        ) from error

    arguments = ["-r", runner, "--no-conf", "--local-tmp-dir", str(temporary)]
    if params is not None:
        arguments += ["--params", params.to_argument(), "--output", "hours"]
    with ExitStack() as stack, _logged() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # mrjob is older than this Python
        try:
            if runner == "inline":
                yield from _run_here(job_type(arguments), manifest, temporary)
                return
            manifest_path = temporary / "manifest.txt"
            manifest_path.touch(mode=0o600)  # anyone with a presigned link can read the segment
            manifest_path.write_text("".join(f"{line}\n" for line in manifest))
            manifest_uri = str(manifest_path)
            archive = str(write_bundle(temporary / "frametally_job.zip"))
            if runner == "local":
                # Not with --py-files, and without mrjob's own zip: mrjob leaves lock files in /tmp for those.
                arguments += ["--no-bootstrap-mrjob", "--cmdenv", f"PYTHONPATH={archive}"]
            else:
                arguments += ["--py-files", archive]
            if runner == "hadoop":
                cluster = cluster or HadoopCluster()
                manifest_uri = stack.enter_context(cluster.private_file(manifest_path))
                arguments += cluster.job_options(splits=len(manifest))
            with job_type([*arguments, manifest_uri]).make_runner() as engine:
                if runner == "local":  # its tasks are other processes, which cannot share a closure
                    engine._sort_input_func = lambda: partial(_sort, temporary=temporary)
                engine.run()
                yield from to_lines(engine.cat_output())
        except FrametallyError:
            raise
        except Exception as error:
            # On other runners, a task's message may concern a disk elsewhere.
            ours = runner in ("inline", "local") or isinstance(error, OSError)
            full = no_room(f"{log.getvalue()}\n{error!r}", temporary) if ours else None
            raise full or _failure(error, runner, log.getvalue()) from error


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    """Collect the errors that mrjob logs, for the one line that the user gets."""
    logger, text = logging.getLogger("mrjob"), io.StringIO()
    handler, propagate = logging.StreamHandler(text), logger.propagate
    handler.setLevel(logging.ERROR)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield text
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _failure(error: Exception, runner: str, log: str) -> FrametallyError:
    if isinstance(error, ImportError | FileNotFoundError | PermissionError):
        return Misconfigured(
            f"the {runner} runner cannot be started ({error}): install what it needs (the `hadoop` "
            "or `sort` command), or set FRAMETALLY_RUNNER=inline"
        )
    text = _SIGNATURE.sub("?...", log)
    if (raised := raised_in_task(f"{text}\n{error!r}")) is not None:
        return raised
    traceback = text[max(text.find(_TRACEBACK), 0) :].strip() if _TRACEBACK in text else ""
    reason = (
        _raised(traceback) or _last_line(f"{text}\n{_COMMAND.sub('its command', str(error))}") or repr(error)
    )
    failed = Retryable(
        f"the counting job failed on the {runner} runner: {type(error).__name__}: {reason}; run it again, "
        "or with FRAMETALLY_RUNNER=inline to see whether the runner is the cause"
    )
    if traceback:
        failed.add_note(f"In a task of the job:\n{traceback}")
    return failed


def raised_in_task(text: str) -> FrametallyError | None:
    """Return the last error raised in a task, from its traceback; None if it is not a frametally error."""
    raised = _RAISED_IN_TASK.findall(text)
    return _ERRORS[raised[-1][0]](raised[-1][1]) if raised else None


def _raised(traceback: str) -> str:
    """Return the line of a traceback that names the error: the first that is not indented."""
    lines = traceback.splitlines()[1:]
    return next((line.strip() for line in lines if line and not line.startswith(" ")), "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
