"""One frame of a video as a picture, as it is or made better to look at: before and after, side by side.

It is decoded in a process of its own (`frametally_videos.derivatives`), as every look into a video is.
"""

from __future__ import annotations

import math

import msgspec

from frametally.settings.loading import Settings
from frametally_videos.library.child_question import Refusal, ask, why_ended
from frametally_videos.media_records import Enhancement
from frametally_videos.upload_refusals import FieldRefused

MOST_CPU_S = 20
_MOST_S = 60.0
_MOST_ANSWER_BYTES = 32 << 20


class FrameQuestion(msgspec.Struct, frozen=True):
    """Which frame, and what is to be done to it; see `frame_picture`."""

    position_s: float
    enhancement: Enhancement


class FrameAnswer(Refusal, frozen=True, omit_defaults=True):
    """What the process made, in MessagePack on its standard output.

    Attributes:
        jpeg: The picture; None where there is none.
    """

    jpeg: bytes | None = None


# Made once, before there are threads: see `records.decode`.
_answers = msgspec.msgpack.Decoder(FrameAnswer)


def frame_picture(settings: Settings, key: str, position_s: float, enhancement: Enhancement) -> bytes:
    """Return the frame that is shown at a position, upright, enhanced as a whole video would be, as a JPEG.

    Where the frame is very far from the last one before it that stands by itself, an earlier one is taken;
    behind the end, the last. `fps` changes no single frame, and `auto` goes by what the frame says of itself.

    Args:
        settings: Of this process.
        key: Of the original.
        position_s: Seconds from the first frame.
        enhancement: What is done to it; one that asks for nothing leaves it as it is.

    Raises:
        FieldRefused: There is no such position.
        Refused: No frame can be decoded there (422), or it is gone (404).
        Retryable: The store is away, or somebody ended the process.
        Misconfigured: Videos cannot be read on this machine at all.
    """
    if not 0 <= position_s < math.inf:
        raise FieldRefused(
            "position_s", f"{position_s!r} is no position.", "Give seconds from the first frame."
        )
    said = ask(
        settings,
        "frametally_videos.derivatives",
        key,
        msgspec.json.encode(FrameQuestion(position_s, enhancement)),
        most_s=_MOST_S,
        most_bytes=_MOST_ANSWER_BYTES,
    )
    try:
        answer = _answers.decode(said.answer)
    except msgspec.DecodeError:
        answer = None
    if answer is None or said.code:
        raise why_ended(said, most_cpu_s=MOST_CPU_S)
    if answer.jpeg is None:
        raise answer.error()
    return answer.jpeg
