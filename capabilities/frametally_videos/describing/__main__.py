"""Answers a question about one stored video: `python -m frametally_videos.describing KEY < QUESTION`.

The answer is facts about the video, or a picture of one frame. Settings come from the environment. The
process writes no file, reads no file but its code, and connects only to the store, if that is a server. It
limits its memory and time before it reads the video.
"""

from __future__ import annotations

import io
import resource
import sys
from contextlib import closing

import msgspec

from frametally.adapters_by_url import open_object_store
from frametally.errors import FrametallyError, Poison, Retryable
from frametally.ports.object_store import ObjectMissing
from frametally.process.limits import address_space_bytes, limit
from frametally.process.no_network import without_network
from frametally.settings.loading import load_settings
from frametally.settings.servers import is_server
from frametally_producer.reading.video_file import open_video
from frametally_videos.describing.video_facts import facts_of
from frametally_videos.library.stored_file import StoredFile
from frametally_videos.library.video_looks import (
    FactsQuestion,
    FrameQuestion,
    LookAnswer,
    LookQuestion,
)
from frametally_videos.upload_refusals import UNPROCESSABLE, Refused

_GONE = 404
_MOST_OTHER_BYTES, _MOST_BYTES_PER_PIXEL = 512 << 20, 32
"""Limits of memory: a decoder keeps up to 16 pictures of 1.5 bytes a pixel, and each of its threads one."""


def _answer(key: str, question: LookQuestion) -> LookAnswer:
    settings = load_settings("producer")
    if not is_server(settings.store_url):
        without_network(may_keep=settings.job_network)
    max_pixels = settings.max_image_megapixels * 1_000_000
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        stored_file = StoredFile(store, key)
        memory_bytes = address_space_bytes()
        if memory_bytes is not None:
            limit(resource.RLIMIT_AS, memory_bytes + _MOST_OTHER_BYTES + max_pixels * _MOST_BYTES_PER_PIXEL)
        file: io.BufferedReader = io.BufferedReader(stored_file)
        try:
            if isinstance(question, FactsQuestion):
                return LookAnswer(facts=facts_of(file, question.fields, question.file_name, settings))
            return LookAnswer(jpeg=_frame(file, question, max_pixels))
        except (Poison, Refused) as error:
            if stored_file.failure is not None:  # FFmpeg mistook it for the end of the file
                raise stored_file.failure from error
            if isinstance(error, Refused):
                return _refusal(error)
            return _refusal(Refused.of_unusable(UNPROCESSABLE, error))


def _refusal(error: Refused) -> LookAnswer:
    return LookAnswer(status=error.status, reason=error.reason, remedy=error.remedy)


def _frame(file: io.BufferedReader, question: FrameQuestion, max_pixels: int) -> bytes:
    # Imported here, so that questions about facts do not wait for the filters.
    from frametally_videos.derivatives.filters import frame_jpeg

    with open_video(file, max_pixels=max_pixels) as video:
        return frame_jpeg(video, question.position_s, question.enhancement)


def _main() -> None:
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=LookQuestion)
    limit(resource.RLIMIT_CPU, question.most_cpu_s)
    is_frame = isinstance(question, FrameQuestion)
    try:
        answer = _answer(sys.argv[1], question)
    except Retryable as error:
        answer = LookAnswer(away=True, reason=str(error))
    except ObjectMissing as error:
        if is_frame:
            answer = _refusal(Refused(_GONE, "Its original is missing.", "Restore it from a backup."))
        else:  # another process has removed it
            answer = LookAnswer(away=True, reason=str(error))
    except MemoryError:
        remedy = "Convert it." if is_frame else "Convert it to MP4 with H.264."
        answer = _refusal(Refused(UNPROCESSABLE, "It needs too much memory to read.", remedy))
    except FrametallyError as error:
        answer = LookAnswer(reason=str(error))
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
