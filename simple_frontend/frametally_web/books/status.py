"""The answer of `/api/status`, from the books as they were last read."""

from __future__ import annotations

from frametally.books.verdict import WORDS
from frametally.segments.dead_letters import REASONS
from frametally_web.books import answers
from frametally_web.books.reader import Reading


def answer(reading: Reading) -> answers.Books:
    """Return the books as they are answered."""
    status = reading.status
    newest = [one.newest_captured_at_ms for one in status.sources if one.newest_captured_at_ms is not None]
    until = [one.footage_until_ms for one in status.sources if one.footage_until_ms is not None]
    return answers.Books(
        as_of_ms=reading.as_of_ms,
        model=status.model,
        state=WORDS[status.exit_code],
        newest_captured_at_ms=max(newest, default=None),
        footage_until_ms=max(until, default=None),
        counted_at_ms=status.counted_at_ms,
        newest_segment_at_ms=status.pace.newest_segment_at_ms,
        sources=[
            answers.SourceBooks(
                source=one.source,
                name=one.source_name,
                expected=one.expected,
                announced=one.announced,
                detected=one.detected,
                dead_lettered=one.dead_lettered,
                forgotten=one.forgotten,
                overlapped=one.overlapped,
                counted=one.counted,
                indexed=one.indexed,
                producing=one.producing,
                timed_by_file=one.file_time,
                newest_captured_at_ms=one.newest_captured_at_ms,
                footage_until_ms=one.footage_until_ms,
                counted_until_ms=one.counted_until_ms,
            )
            for one in status.sources
        ],
        stages=[
            answers.StageBooks(stage=one.stage, frames_behind=one.frames_behind, command=one.command)
            for one in status.stages
        ],
        log=answers.LogBooks(messages=status.log_messages, committed=status.log_committed),
        frames_per_s=status.pace.frames_per_s,
        eta_s=status.pace.eta_s,
        lost_messages=sum(one.messages for one in status.lost),
        dead_letters=[
            answers.DeadLetters(
                cause=cause,
                frames=frames,
                since_ms=status.dead_letters_since_ms.get(cause),
                reason=REASONS.get(cause, cause),
                command=f"frametally dead-letters list --cause {cause}",
            )
            for cause, frames in status.dead_letters.items()
        ],
        behind=status.behind,
        broken=status.broken,
    )
