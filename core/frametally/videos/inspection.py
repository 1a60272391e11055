"""A look into a video's bytes, in a process of its own: whatever they do to what reads them befalls that.

The process is the producer's (`frametally_producer.looking`): the one place that opens videos.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import msgspec

from frametally.errors import Misconfigured, Retryable
from frametally.process.bound import bound
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings
from frametally.video_records import VideoFacts, VideoFields
from frametally.videos.refusals import Refused

UNPROCESSABLE = 422
MOST_CPU_S = 60
"""Of processor time: the largest that is allowed takes some seconds."""
_MOST_S = 300.0
_MOST_ANSWER_BYTES = 1 << 20
_MOST_WORDS = 300
# Each thread of FFmpeg or OpenBLAS would take address space for a heap of its own, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TOLD_TO_END = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}


class LookQuestion(msgspec.Struct, frozen=True):
    """What the process is told of a video besides its key: what was said of it, and its file's name."""

    fields: VideoFields
    file_name: str


class LookAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the process found, as one line on its standard output.

    Attributes:
        facts: What it is; None where it cannot be taken.
        status: With a refusal, the HTTP status that tells its kind.
        reason: Of a refusal, of what is away, or of what is not set up.
        away: Whether the store was away.
    """

    facts: VideoFacts | None = None
    status: int = 0
    reason: str = ""
    away: bool = False


# Made once, before there are threads: see `records.decode`.
_answers = msgspec.json.Decoder(LookAnswer)


def inspect(settings: Settings, key: str, fields: VideoFields, file_name: str) -> VideoFacts:
    """Return what the bytes under `key` are: what they hold, when they were filmed, whether browsers play it.

    Args:
        settings: Of this process; the look is made by the same.
        key: Of the original, which is there as a whole.
        fields: What was said of it.
        file_name: Its name on the machine that it came from.

    Raises:
        Refused: It is no video (415), or none that can be used (422).
        Retryable: The store is away, or somebody ended the look.
        Misconfigured: Videos cannot be read on this machine at all.
    """
    code, said, last_words = _ask(settings, key, LookQuestion(fields, file_name))
    try:
        answer = _answers.decode(said)
    except msgspec.DecodeError:
        answer = None
    if answer is None or code:
        raise _why_ended(code, last_words)
    if answer.facts is not None:
        return answer.facts
    if answer.away:
        raise Retryable(answer.reason)
    if answer.status:
        raise Refused(answer.status, answer.reason)
    raise Misconfigured(answer.reason)


def _ask(settings: Settings, key: str, question: LookQuestion) -> tuple[int, bytes, str]:
    """Return the exit code, what it said (cut where it says too much), and its last line of complaints."""
    process = subprocess.Popen(  # noqa: S603 - ourselves
        # -P, and another folder: what lies where we were started is no place to import or to be set up from.
        bound([sys.executable, "-P", "-m", "frametally_producer.looking", key]),
        cwd="/",
        env=os.environ | environment_of(settings) | _ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    complaints: list[bytes] = []
    with process:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 - for the type checker
        timer = threading.Timer(_MOST_S, process.kill)
        listener = threading.Thread(target=_listen, args=(process, complaints), daemon=True)
        timer.start()
        listener.start()
        try:
            process.stdin.write(msgspec.json.encode(question))
            process.stdin.close()
        except BrokenPipeError:  # it ended before it was asked; why is in its code
            pass
        try:
            said = process.stdout.read(_MOST_ANSWER_BYTES)
            if process.stdout.read(1):
                process.kill()
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
        listener.join()
    words = complaints[-1].decode(errors="replace") if complaints else ""
    return code, said, words[:_MOST_WORDS]


def _listen(process: subprocess.Popen[bytes], complaints: list[bytes]) -> None:
    """Keep its last line, so that it is never held up by what it says."""
    assert process.stderr  # noqa: S101 - for the type checker
    while line := process.stderr.readline(4096):
        if line.strip():
            complaints[:] = [line.strip()]


def _why_ended(code: int, last_words: str) -> Exception:
    """Return what to raise for a look that ended without an answer."""
    if code == -signal.SIGXCPU:
        return Refused(
            UNPROCESSABLE, f"Looking into it takes more than {MOST_CPU_S} s; convert it, to MP4 with H.264."
        )
    if code in _TOLD_TO_END:
        return Retryable("the look into a video was ended from outside; it is made again")
    if code < 0:
        name = signal.Signals(-code).name
        return Refused(
            UNPROCESSABLE, f"It ends what reads it ({name}); copy it again from its origin, or convert it."
        )
    return Misconfigured(
        f"videos cannot be looked into here ({last_words or f'exit code {code}'}); "
        "install frametally[producer] beside what takes uploads"
    )
