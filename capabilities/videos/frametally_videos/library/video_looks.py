"""Looks into a stored video, each by a process of its own: what its bytes do to a reader befalls that alone.

The process is `frametally_videos.describing`: it is asked by its input and answers on its output.
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
from frametally_videos.upload_refusals import FieldRefused, Refused

UNPROCESSABLE = 422
NO_FRAME = "has no frame that can be decoded; play it to check, or export it again"
_MOST_WORDS = 300
# Each thread of FFmpeg or OpenBLAS would take address space for a heap of its own, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TOLD_TO_END = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}


class FactsQuestion(msgspec.Struct, frozen=True, tag="facts"):
    """Inspects a video, given the uploader's fields and the file's name."""

    fields: VideoFields
    file_name: str

    most_cpu_s: ClassVar[int] = 60
    """Of processor time: the largest that is allowed takes some seconds."""
    most_s: ClassVar[float] = 300.0
    most_answer_bytes: ClassVar[int] = 1 << 20


class FrameQuestion(msgspec.Struct, frozen=True, tag="frame"):
    """The frame to show, and its changes; see `frame_picture`."""

    position_s: float
    enhancement: Enhancement

    most_cpu_s: ClassVar[int] = 20
    most_s: ClassVar[float] = 60.0
    most_answer_bytes: ClassVar[int] = 32 << 20


LookQuestion = FactsQuestion | FrameQuestion


class LookAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The output of the process, in MessagePack on its standard output.

    Attributes:
        status: With a refusal, the HTTP status that tells its kind.
        reason: Of a refusal, of what is away, or of what is not set up.
        away: Whether the store was away.
        facts: Facts about the video; None if not requested, or if it is refused.
        jpeg: The picture; None if not requested, or if there is none.
    """

    status: int = 0
    reason: str = ""
    away: bool = False
    facts: VideoFacts | None = None
    jpeg: bytes | None = None


# Made once, before there are threads: see `records.decode`.
_answers = msgspec.msgpack.Decoder(LookAnswer)


def inspect(settings: Settings, key: str, fields: VideoFields, file_name: str) -> VideoFacts:
    """Return the facts of the video under `key`: its streams, its time, and whether browsers play it.

    Raises:
            Refused: It is not a video (415), or not a usable one (422).
            Retryable: The store is away, or the process was killed.
        Misconfigured: Videos cannot be read on this machine at all.
    """
    answer = _ask(settings, key, FactsQuestion(fields, file_name))
    if answer.facts is None:
        raise _error_of(answer)
    return answer.facts


def frame_picture(settings: Settings, key: str, position_s: float, enhancement: Enhancement) -> bytes:
    """Return the frame that is shown at a position, upright, enhanced as a whole video would be, as a JPEG.

    If the frame is very far from the key frame before it, an earlier one is taken;
    behind the end, the last. `fps` changes no single frame, and `auto` goes by what the frame says of itself.

    Raises:
            FieldRefused: The position does not exist.
        Refused: No frame can be decoded there (422), or it is gone (404).
            Retryable: The store is away, or the process was killed.
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


def sentence(words: str) -> str:
    """Return the words of the producer about a piece of a video as a sentence."""
    return words[:1].upper() + words[1:].removesuffix(".") + "."


def about_it(words: str) -> str:
    """Return the producer's message about a file, without the file's name, as a sentence about "it"."""
    return sentence(f"It {words}")


def _error_of(answer: LookAnswer) -> Exception:
    if answer.away:
        return Retryable(answer.reason)
    return Refused(answer.status, answer.reason) if answer.status else Misconfigured(answer.reason)


def _ask(settings: Settings, key: str, question: LookQuestion) -> LookAnswer:
    """Ask a process about the bytes under `key`; it is killed if it takes too long or says too much."""
    process = start_child("frametally_videos.describing", environment_for_child(settings) | _ENVIRONMENT, key)
    complaints: list[bytes] = []
    with process:
        assert process.stdin and process.stdout  # noqa: S101 - for the type checker
        timer = threading.Timer(question.most_s, process.kill)
        listener = threading.Thread(target=_listen, args=(process, complaints), daemon=True)
        timer.start()
        listener.start()
        with suppress(BrokenPipeError):  # it ended before it was asked; why is in its code
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
    """Return what to raise for a process that ended without an answer."""
    if code == -signal.SIGXCPU:
        return Refused(
            UNPROCESSABLE, f"Examining it takes more than {most_cpu_s} s; convert it to MP4 with H.264."
        )
    if code in _TOLD_TO_END:
        return Retryable("another program ended the examination of a video; frametally starts it again")
    if code < 0:
        name = signal.Signals(-code).name
        return Refused(
            UNPROCESSABLE,
            f"It crashes the program that reads it ({name}); copy it again from the original, or convert it.",
        )
    return Misconfigured(
        f"frametally cannot examine videos here ({words}); install frametally[producer] on the machine "
        "that accepts uploads"
    )


def _listen(process: subprocess.Popen[bytes], complaints: list[bytes]) -> None:
    """Keep its last line, so that it is never held up by what it says."""
    assert process.stderr  # noqa: S101 - for the type checker
    while line := process.stderr.readline(4096):
        if line.strip():
            complaints[:] = [line.strip()]
