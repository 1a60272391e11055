"""Looks into one stored video: `python -m frametally_videos.looking KEY`, asked by a line on its input.

Settings come by the environment. It writes no file, opens none but what it is made of, and connects to
nothing but the store; its memory and its time are bounded before a byte of the video is read.
"""

from __future__ import annotations

import io
import sys

import msgspec

from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectMissing
from frametally.settings.loading import load_settings
from frametally_videos.library.child_question import UNPROCESSABLE
from frametally_videos.library.stored_original import StoredOriginal
from frametally_videos.looking.look_bounds import bound_memory, bound_process
from frametally_videos.looking.video_facts import facts_of
from frametally_videos.upload_refusals import Refused
from frametally_videos.uploads.inspection import MOST_CPU_S, LookAnswer, LookQuestion


def _answer(key: str, question: LookQuestion) -> LookAnswer:
    settings = load_settings("producer")
    store = open_object_store(settings.store_url, settings.store_access)
    try:
        stored = StoredOriginal(store, key)
        bound_memory(settings.max_image_megapixels * 1_000_000)
        try:
            return LookAnswer(
                facts=facts_of(io.BufferedReader(stored), question.fields, question.file_name, settings)
            )
        except Refused as error:
            if stored.failure is not None:  # which FFmpeg took for the end of the file
                raise stored.failure from error
            return LookAnswer(status=error.status, reason=error.reason)
    finally:
        store.close()


def _main() -> None:
    bound_process(MOST_CPU_S)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=LookQuestion)
    try:
        answer = _answer(sys.argv[1], question)
    except (Retryable, ObjectMissing) as error:
        answer = LookAnswer(away=True, reason=str(error))
    except MemoryError:
        answer = LookAnswer(
            status=UNPROCESSABLE, reason="It takes too much memory to read; convert it, to MP4 with H.264."
        )
    except (Misconfigured, FrametallyError) as error:
        answer = LookAnswer(reason=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
