"""Makes a picture of one frame: `python -m frametally_videos.derivatives KEY`, asked by its input.

Settings come by the environment. It writes no file, opens none but what it is made of, and connects to
nothing but the store; its memory and its time are bounded before a byte of the video is read.
"""

from __future__ import annotations

import io
import sys
from contextlib import closing

import msgspec

from frametally.errors import FrametallyError, Poison, Retryable
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectMissing
from frametally.settings.loading import load_settings
from frametally_producer.reading.video_file import open_video
from frametally_videos.derivatives.filtered_frame import frame_jpeg
from frametally_videos.library.child_question import UNPROCESSABLE
from frametally_videos.library.frame_preview import MOST_CPU_S, FrameAnswer, FrameQuestion
from frametally_videos.library.stored_original import StoredOriginal
from frametally_videos.looking.look_bounds import bound_memory, bound_process
from frametally_videos.looking.video_sentences import about_it
from frametally_videos.settings import VideoSettings

_GONE = 404


def _answer(key: str, question: FrameQuestion) -> FrameAnswer:
    settings = load_settings("producer")
    max_pixels = settings.max_image_megapixels * 1_000_000
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        stored = StoredOriginal(store, key)
        bound_memory(max_pixels)
        try:
            with open_video(io.BufferedReader(stored), max_pixels=max_pixels) as video:
                return FrameAnswer(
                    jpeg=frame_jpeg(
                        video,
                        question.position_s,
                        question.enhancement,
                        most_side_px=settings.part(VideoSettings).playable_max_side_px,
                    )
                )
        except Poison as error:
            if stored.failure is not None:  # which FFmpeg took for the end of the file
                raise stored.failure from error
            return FrameAnswer(status=UNPROCESSABLE, reason=about_it(str(error)))


def _main() -> None:
    bound_process(MOST_CPU_S)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=FrameQuestion)
    try:
        answer = _answer(sys.argv[1], question)
    except Retryable as error:
        answer = FrameAnswer(away=True, reason=str(error))
    except ObjectMissing:
        answer = FrameAnswer(status=_GONE, reason="Its original is gone; restore it from a backup.")
    except MemoryError:
        answer = FrameAnswer(status=UNPROCESSABLE, reason="It takes too much memory to read; convert it.")
    except FrametallyError as error:
        answer = FrameAnswer(reason=str(error))
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
