"""Reads stored videos in separate processes, so that harmful bytes can crash only such a process.

The process is `frametally_videos.describing`, which reads a question from its input and writes the answer to
its output.
"""

from __future__ import annotations

import math
import signal
import subprocess
import threading
from contextlib import suppress
from typing import ClassVar

import msgspec

from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import Settings
from frametally.work.worker_process import environment_for_child, start_child
from frametally_videos.media_records import Enhancement
from frametally_videos.records import VideoFacts, VideoFields
from frametally_videos.upload_refusals import UNPROCESSABLE, FieldRefused, Refused

NO_FRAME = "has no frame that can be decoded; play it to check, or export it again"
_MOST_WORDS = 300
# Otherwise each thread of FFmpeg or OpenBLAS would reserve address space for its own heap.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TOLD_TO_END = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}


class FactsQuestion(msgspec.Struct, frozen=True, tag="facts"):
    """Asks for a video's facts, given the uploader's fields and the file's name."""

    fields: VideoFields
    file_name: str

    most_cpu_s: ClassVar[int] = 60
    """Processor time: the largest allowed video takes some seconds."""
    most_s: ClassVar[float] = 300.0
    most_answer_bytes: ClassVar[int] = 1 << 20


class FrameQuestion(msgspec.Struct, frozen=True, tag="frame"):
    """Asks for an enhanced frame; see `frame_picture`."""

    position_s: float
    enhancement: Enhancement

    most_cpu_s: ClassVar[int] = 20
    most_s: ClassVar[float] = 60.0
    most_answer_bytes: ClassVar[int] = 32 << 20


LookQuestion = FactsQuestion | FrameQuestion


class LookAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The output of the process, in MessagePack on its standard output.

    Attributes:
        status: HTTP status for the kind of a refusal, otherwise 0.
        reason: Why there is no result: a refusal, a store that is not available, or a wrong setup.
        remedy: What to do about a refusal.
        away: Whether the store was not available.
        facts: Facts about the video, or None if not requested or refused.
        jpeg: The picture, or None if not requested or if there is none.
    """

    status: int = 0
    reason: str = ""
    remedy: str = ""
    away: bool = False
    facts: VideoFacts | None = None
    jpeg: bytes | None = None


# Created before any threads start; see `records.decode`.
_answers = msgspec.msgpack.Decoder(LookAnswer)


def inspect(settings: Settings, key: str, fields: VideoFields, file_name: str) -> VideoFacts:
    """Return the facts of the video under `key`: its streams, its time, and whether browsers play it.

    Raises:
        Refused: It is not a video (415), or not a usable one (422).
        Retryable: The store is not available, or the process was killed.
        Misconfigured: Videos cannot be read on this machine at all.
    """
    answer = _ask(settings, key, FactsQuestion(fields, file_name))
    if answer.facts is None:
        raise _error_of(answer)
    return answer.facts


def frame_picture(settings: Settings, key: str, position_s: float, enhancement: Enhancement) -> bytes:
    """Return the frame that is shown at a position as a JPEG, upright and enhanced like a whole video.

    If the frame is very far from the previous key frame, show an earlier one; beyond the end, show the last.
    `fps` does not affect a single frame, and `auto` follows the frame's own flag.

    Raises:
        FieldRefused: The position does not exist.
        Refused: No frame can be decoded there (422), or the original is missing (404).
        Retryable: The store is not available, or the process was killed.
        Misconfigured: Videos cannot be read on this machine at all.
    """
    if not 0 <= position_s < math.inf:
        raise FieldRefused(
            "position_s", f"{position_s!r} is not a position.", "Give seconds from the first frame."
        )
    answer = _ask(settings, key, FrameQuestion(position_s, enhancement))
    if answer.jpeg is None:
        raise _error_of(answer)
    return answer.jpeg


def _error_of(answer: LookAnswer) -> Exception:
    if answer.away:
        return Retryable(answer.reason)
    if not answer.status:
        return Misconfigured(answer.reason)
    return Refused(answer.status, answer.reason, answer.remedy)


def _ask(settings: Settings, key: str, question: LookQuestion) -> LookAnswer:
    """Ask a process about the bytes under `key`; kill it if it takes too long or answers too much."""
    process = start_child("frametally_videos.describing", environment_for_child(settings) | _ENVIRONMENT, key)
    complaints: list[bytes] = []
    with process:
        assert process.stdin and process.stdout  # noqa: S101 - for the type checker
        timer = threading.Timer(question.most_s, process.kill)
        listener = threading.Thread(target=_listen, args=(process, complaints), daemon=True)
        timer.start()
        listener.start()
        with suppress(BrokenPipeError):  # it ended before the question; its exit code shows why
            process.stdin.write(msgspec.json.encode(question))
            process.stdin.close()
        try:
            data = process.stdout.read(question.most_answer_bytes)
            if process.stdout.read(1):
                process.kill()
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
        listener.join()
    if code == 0:
        with suppress(msgspec.MsgspecError):
            return _answers.decode(data)
    words = complaints[-1].decode(errors="replace")[:_MOST_WORDS] if complaints else f"exit code {code}"
    raise _why_ended(code, words, question.most_cpu_s)


def _why_ended(code: int, words: str, most_cpu_s: int) -> Exception:
    """Return the error for a process that ended without an answer."""
    if code == -signal.SIGXCPU:
        return Refused(
            UNPROCESSABLE, f"Examining it takes more than {most_cpu_s} s.", "Convert it to MP4 with H.264."
        )
    if code in _TOLD_TO_END:
        return Retryable("another program ended the examination of a video; frametally starts it again")
    if code < 0:
        name = signal.Signals(-code).name
        return Refused(
            UNPROCESSABLE,
            f"It crashes the program that reads it ({name}).",
            "Copy it again from the original, or convert it.",
        )
    return Misconfigured(
        f"frametally cannot examine videos here ({words}); install frametally[producer] on the machine "
        "that accepts uploads"
    )


def _listen(process: subprocess.Popen[bytes], complaints: list[bytes]) -> None:
    """Read a process's error output, so that it never blocks, and keep the last line."""
    assert process.stderr  # noqa: S101 - for the type checker
    while line := process.stderr.readline(4096):
        if line.strip():
            complaints[:] = [line.strip()]
