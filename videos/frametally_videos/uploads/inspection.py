"""A look into a video's bytes, in a process of its own: whatever they do to what reads them befalls that.

The process is the producer's (`frametally_videos.looking`): the one place that opens videos.
"""

from __future__ import annotations

import msgspec

from frametally.settings.loading import Settings
from frametally_videos.library.child_question import Refusal, ask, why_ended
from frametally_videos.records import VideoFacts, VideoFields

MOST_CPU_S = 60
"""Of processor time: the largest that is allowed takes some seconds."""
_MOST_S = 300.0
_MOST_ANSWER_BYTES = 1 << 20


class LookQuestion(msgspec.Struct, frozen=True):
    """What the process is told of a video besides its key: what was said of it, and its file's name."""

    fields: VideoFields
    file_name: str


class LookAnswer(Refusal, frozen=True, omit_defaults=True):
    """What the process found, as one line on its standard output.

    Attributes:
        facts: What it is; None where it cannot be taken.
    """

    facts: VideoFacts | None = None


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
    said = ask(
        settings,
        "frametally_videos.looking",
        key,
        msgspec.json.encode(LookQuestion(fields, file_name)),
        most_s=_MOST_S,
        most_bytes=_MOST_ANSWER_BYTES,
    )
    try:
        answer = _answers.decode(said.answer)
    except msgspec.DecodeError:
        answer = None
    if answer is None or said.code:
        raise why_ended(said, most_cpu_s=MOST_CPU_S)
    if answer.facts is None:
        raise answer.error()
    return answer.facts
